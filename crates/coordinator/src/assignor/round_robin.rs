//! All partitions, by topic and number, to one member after the other, passing over those that do not want the topic.

use super::problem::{self, Problem};
use super::{Assignment, Assignor, Subscriber, Topics};

/// Kafka's `roundrobin`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RoundRobin;

impl Assignor for RoundRobin {
    fn name(&self) -> &'static str {
        "roundrobin"
    }

    fn assign(&self, topics: &Topics, members: &[Subscriber]) -> Assignment {
        let problem = Problem::new(topics, members, problem::static_first);
        let mut given = vec![Vec::new(); problem.members.len()];
        // Whose turn it is.
        let mut turn = 0;
        for (topic, subscribers) in problem.subscribers.iter().enumerate() {
            for partition in problem.partitions(topic) {
                let next = subscribers.partition_point(|member| *member < turn);
                let member = subscribers[next % subscribers.len()];
                given[member].push(partition);
                turn = (member + 1) % problem.members.len();
            }
        }
        problem.assignment(&given)
    }
}
