//! The server-side assignor `range` (KIP-848).

use super::{Assignment, Assignor, GroupSpec};

/// Kafka's `range` as a broker assigns by it: each topic by itself, in consecutive stretches, those
/// of the first members longer by one if need be. Racks do not count, unlike in
/// [`Range`](super::Range), by which clients assign (KIP-848).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServerRange;

impl Assignor for ServerRange {
    fn name(&self) -> &'static str {
        "range"
    }

    fn assign(&self, group: &GroupSpec<'_>) -> Assignment {
        let mut given = Assignment::none(group);
        for (topic, subscribers) in group.subscribers(group.static_first()).iter().enumerate() {
            let mut left = group.partitions(topic);
            let (least, extra) = (left.len() / subscribers.len(), left.len() % subscribers.len());
            for (at, member) in subscribers.iter().enumerate() {
                let stretch = left.by_ref().take(least + usize::from(at < extra));
                stretch.for_each(|partition| given.give(partition, *member));
            }
        }
        given
    }
}
