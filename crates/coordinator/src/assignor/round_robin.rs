//! All partitions, by topic and number, to one member after the other, passing over those that do
//! not want the topic.

use super::{Assignment, Assignor, GroupSpec};

/// Kafka's `roundrobin`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RoundRobin;

impl Assignor for RoundRobin {
    fn name(&self) -> &'static str {
        "roundrobin"
    }

    fn assign(&self, group: &GroupSpec<'_>) -> Assignment {
        let order = group.static_first();
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(at, member)| place[*member] = at);
        let mut given = Assignment::none(group);
        // Whose turn it is, by place.
        let mut turn = 0;
        for (topic, subscribers) in group.subscribers(order).iter().enumerate() {
            let mut next = subscribers.partition_point(|member| place[*member] < turn);
            for partition in group.partitions(topic) {
                next = if next < subscribers.len() { next } else { 0 };
                turn = place[subscribers[next]] + 1;
                given.give(partition, subscribers[next]);
                next += 1;
            }
        }
        given
    }
}
