//! What members say that they have, where that can be believed: who was given a partition in a later generation has it, and of two
//! in the same generation neither.

use std::collections::BTreeSet;

use super::super::problem::Problem;

/// A partition's claimant, and the generation in which it was given it.
type Claim = (usize, i32);

#[derive(Debug)]
pub(super) struct Claims {
    /// What each member has, in the order in which it says so.
    pub(super) own: Vec<Vec<usize>>,
    /// Partitions that two have in the same generation.
    pub(super) disputed: BTreeSet<usize>,
    /// Who had a partition in an earlier generation.
    pub(super) earlier: Vec<Option<Claim>>,
    /// Whether anybody claims what it cannot have any more.
    pub(super) is_any_lost: bool,
}

impl Claims {
    pub(super) fn of(problem: &Problem<'_>) -> Claims {
        let mut owner: Vec<Option<Claim>> = vec![None; problem.count()];
        let mut disputed = BTreeSet::new();
        let generation = |member: usize| problem.members[member].generation.unwrap_or(NONE);
        let all = claims(problem);
        for (member, claim) in all.iter().copied() {
            match owner[claim] {
                Some((other, earlier)) if other != member && earlier == generation(member) => {
                    disputed.insert(claim);
                    owner[claim] = Some((member, earlier));
                }
                Some((_, earlier)) if earlier > generation(member) => {}
                _ => {
                    disputed.remove(&claim);
                    owner[claim] = Some((member, generation(member)));
                }
            }
        }
        let is_own = |member: usize, claim: usize| {
            owner[claim].is_some_and(|(other, _)| other == member) && !disputed.contains(&claim)
        };
        let mut own = vec![Vec::new(); problem.members.len()];
        let (mut is_any_lost, mut is_taken) = (false, vec![false; problem.count()]);
        for (member, claim) in all.iter().copied() {
            // Whoever names it twice has it once.
            if !is_own(member, claim) || std::mem::replace(&mut is_taken[claim], true) {
                continue;
            }
            if problem.wants(member, problem.topic(claim)) {
                own[member].push(claim);
            } else {
                is_any_lost = true;
            }
        }
        let earlier = earlier(problem, &all);
        Claims { own, disputed, earlier, is_any_lost }
    }
}

fn claims(problem: &Problem<'_>) -> Vec<(usize, usize)> {
    let of = |member: usize| problem.claims(member).map(move |claim| (member, claim));
    (0..problem.members.len()).flat_map(of).collect()
}

/// The latest of those who had a partition in a generation that is not the latest.
fn earlier(problem: &Problem<'_>, all: &[(usize, usize)]) -> Vec<Option<Claim>> {
    let generation = |member: usize| problem.members[member].generation.unwrap_or(NONE);
    let latest = (0..problem.members.len()).map(generation).max().unwrap_or(NONE);
    let mut earlier: Vec<Option<Claim>> = vec![None; problem.count()];
    for (member, claim) in all.iter().copied().filter(|(member, _)| generation(*member) < latest) {
        if earlier[claim].is_none_or(|(_, known)| known < generation(member)) {
            earlier[claim] = Some((member, generation(member)));
        }
    }
    earlier
}

/// The generation of one that says none.
const NONE: i32 = -1;
