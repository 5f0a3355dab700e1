//! As even as can be, and as it was where that is even (KIP-54, KIP-341).
//!
//! Where all members want the same topics, the numbers of partitions are settled beforehand (`constrained.rs`). Otherwise partitions are moved
//! until nobody could be better off (`general.rs`).

mod claims;
mod constrained;
mod general;
mod given;

use super::problem::Problem;
use super::{Assignment, Assignor, Subscriber, Topics};
use claims::Claims;
pub(super) use given::Given;

/// Kafka's `sticky`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sticky;

impl Assignor for Sticky {
    fn name(&self) -> &'static str {
        "sticky"
    }

    fn assign(&self, topics: &Topics, members: &[Subscriber]) -> Assignment {
        let problem = Problem::new(topics, members, |member| member.id.clone());
        problem.assignment(&assign(&problem).own)
    }
}

/// The partitions of each member, and those that another has to give up first.
pub(super) fn assign(problem: &Problem<'_>) -> Given {
    let claims = Claims::of(problem);
    match is_same_for_all(problem) {
        true => constrained::assign(problem, claims),
        false => general::assign(problem, claims),
    }
}

/// Whether all members name the same topics, those that are not there included.
fn is_same_for_all(problem: &Problem<'_>) -> bool {
    let sorted = |member: &Subscriber| {
        let mut topics: Vec<_> = member.topics.iter().map(ToString::to_string).collect();
        topics.sort_unstable();
        topics
    };
    let Some((first, others)) = problem.members.split_first() else { return true };
    let first = sorted(first);
    others.iter().all(|member| sorted(member) == first)
}
