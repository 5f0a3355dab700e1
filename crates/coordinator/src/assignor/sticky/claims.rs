//! What members say that they have, where that can be believed: who was given a partition in a
//! later generation has it, and of two in the same generation neither.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::super::{Assignment, GroupSpec};
use super::in_hash_order;

#[derive(Debug)]
pub(super) struct Claims {
    /// Who has what.
    pub(super) kept: Assignment,
    /// Partitions that two have, or have had, in the same generation.
    pub(super) disputed: BTreeSet<usize>,
    /// Those of them that nobody has in a later one.
    ownerless: BTreeSet<usize>,
    /// Whether anybody claims what another does.
    are_any_contested: bool,
    /// Whether anybody claims what it does not want any more.
    pub(super) is_any_lost: bool,
}

impl Claims {
    pub(super) fn of(group: &GroupSpec<'_>) -> Claims {
        let mut claims = Claims::heard(group, group.by_id());
        if claims.are_any_contested {
            claims = Claims::heard(group, in_hash_order(group));
        }
        claims.ownerless.iter().for_each(|claim| claims.kept.take(*claim));
        claims.drop_unwanted(group);
        claims
    }

    fn heard(group: &GroupSpec<'_>, members: impl IntoIterator<Item = usize>) -> Claims {
        let mut claims = Claims {
            kept: Assignment::none(group),
            disputed: BTreeSet::new(),
            ownerless: BTreeSet::new(),
            are_any_contested: false,
            is_any_lost: false,
        };
        for member in members {
            group.owned(member).for_each(|claim| claims.note(group, member, claim));
        }
        claims
    }

    fn note(&mut self, group: &GroupSpec<'_>, member: usize, claim: usize) {
        if let Some(other) = self.kept.owner(claim).filter(|other| *other != member) {
            self.are_any_contested = true;
            match generation(group, other).cmp(&generation(group, member)) {
                Ordering::Greater => return,
                Ordering::Equal => {
                    self.disputed.insert(claim);
                    self.ownerless.insert(claim);
                }
                Ordering::Less => drop(self.ownerless.remove(&claim)),
            }
        }
        self.kept.give(claim, member);
    }

    fn drop_unwanted(&mut self, group: &GroupSpec<'_>) {
        if group.is_same_for_all() {
            return;
        }
        for claim in 0..group.count() {
            let owner = self.kept.owner(claim);
            if owner.is_some_and(|member| !group.wants(member, group.topic(claim))) {
                self.kept.take(claim);
                self.is_any_lost = true;
            }
        }
    }
}

/// Of each partition the latest of those who had it in a generation that is not the latest.
pub(super) fn earlier(group: &GroupSpec<'_>) -> Assignment {
    let latest = group.by_id().map(|member| generation(group, member)).max().unwrap_or(NONE);
    let is_earlier = |member: &usize| generation(group, *member) < latest;
    let mut earlier = Assignment::none(group);
    if !group.by_id().any(|member| is_earlier(&member)) {
        return earlier;
    }
    for member in in_hash_order(group).into_iter().filter(is_earlier) {
        for claim in group.owned(member) {
            let known = earlier.owner(claim).map(|known| generation(group, known));
            if known.is_none_or(|known| known < generation(group, member)) {
                earlier.give(claim, member);
            }
        }
    }
    earlier
}

fn generation(group: &GroupSpec<'_>, member: usize) -> i32 {
    group.members()[member].generation.unwrap_or(NONE)
}

/// The generation of one that says none.
const NONE: i32 = -1;
