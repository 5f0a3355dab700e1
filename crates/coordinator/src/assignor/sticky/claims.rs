//! What members say that they have, where that can be believed: who was given a partition in a later generation has it, and of two
//! in the same generation neither.

use std::collections::BTreeSet;

use super::super::{Assignment, GroupSpec};

#[derive(Debug)]
pub(super) struct Claims {
    /// Who has what.
    pub(super) kept: Assignment,
    /// Partitions that two have in the same generation.
    pub(super) disputed: BTreeSet<usize>,
    /// Whether anybody claims what it does not want any more.
    pub(super) is_any_lost: bool,
}

impl Claims {
    pub(super) fn of(group: &GroupSpec<'_>) -> Claims {
        let mut claims =
            Claims { kept: Assignment::none(group), disputed: BTreeSet::new(), is_any_lost: false };
        for member in group.by_id() {
            group.owned(member).for_each(|claim| claims.note(group, member, claim));
        }
        claims.disputed.iter().for_each(|claim| claims.kept.take(*claim));
        claims.drop_unwanted(group);
        claims
    }

    fn note(&mut self, group: &GroupSpec<'_>, member: usize, claim: usize) {
        let own = generation(group, member);
        match self.kept.owner(claim) {
            Some(other) if other != member && generation(group, other) == own => {
                self.disputed.insert(claim);
            }
            Some(other) if generation(group, other) > own => return,
            _ => drop(self.disputed.remove(&claim)),
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
    let mut earlier = Assignment::none(group);
    for member in group.by_id().filter(|member| generation(group, *member) < latest) {
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
