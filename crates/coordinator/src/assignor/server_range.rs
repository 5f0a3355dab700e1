use super::problem::{self, Problem};
use super::{Assignment, Assignor, Subscriber, Topics};

/// Kafka's `range` as a broker assigns by it: each topic by itself, in consecutive stretches, those of the first members longer by one if need
/// be. Racks do not count, unlike in [`Range`](super::Range), by which clients assign (KIP-848).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServerRange;

impl Assignor for ServerRange {
    fn name(&self) -> &'static str {
        "range"
    }

    fn assign(&self, topics: &Topics, members: &[Subscriber]) -> Assignment {
        let problem = Problem::new(topics, members, problem::static_first);
        let mut given = vec![Vec::new(); problem.members.len()];
        for (topic, subscribers) in problem.subscribers.iter().enumerate() {
            let mut left = problem.partitions(topic);
            let (least, extra) = (left.len() / subscribers.len(), left.len() % subscribers.len());
            for (at, member) in subscribers.iter().enumerate() {
                given[*member].extend(left.by_ref().take(least + usize::from(at < extra)));
            }
        }
        problem.assignment(&given)
    }
}
