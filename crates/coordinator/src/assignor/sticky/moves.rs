//! Partitions that have been moved. Where one of a topic went the other way before, that one goes
//! back. Which one, where several did, is for Kafka the first in the order of a Java `HashSet`, and
//! so it is here: all that comes after hangs on it.

use std::collections::HashMap;

use super::super::GroupSpec;
use crate::java::{HashOrder, string_hash};

#[derive(Debug)]
pub(super) struct Moves<'a> {
    group: &'a GroupSpec<'a>,
    of: HashMap<usize, Move>,
    by_way: HashMap<Way, HashOrder<usize>>,
    /// How many there have been.
    count: usize,
}

/// A topic, from whom, to whom.
type Way = (usize, usize, usize);

#[derive(Debug)]
struct Move {
    way: Way,
    nth: usize,
}

impl<'a> Moves<'a> {
    pub(super) fn none(group: &'a GroupSpec<'a>) -> Moves<'a> {
        Moves { group, of: HashMap::new(), by_way: HashMap::new(), count: 0 }
    }

    /// Moves a partition from one member to another. One that goes back to who had it at first has
    /// not been moved.
    pub(super) fn note(&mut self, partition: usize, from: usize, to: usize) {
        self.count += 1;
        let origin = self.forget(partition).unwrap_or(from);
        if origin == to {
            return;
        }
        let (way, nth, hash) = ((self.group.topic(partition), origin, to), self.count, self.hash(partition));
        self.by_way.entry(way).or_default().add(hash, nth, partition);
        self.of.insert(partition, Move { way, nth });
    }

    fn forget(&mut self, partition: usize) -> Option<usize> {
        let Move { way, nth } = self.of.remove(&partition)?;
        let hash = self.hash(partition);
        let table = self.by_way.get_mut(&way)?;
        table.remove(hash, nth);
        if table.is_empty() {
            self.by_way.remove(&way);
        }
        Some(way.1)
    }

    /// How many there have been.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Who had a partition at first.
    pub(super) fn origin(&self, partition: usize) -> Option<usize> {
        self.of.get(&partition).map(|moved| moved.way.1)
    }

    /// The first partition of a topic that went this way.
    pub(super) fn first(&self, topic: usize, from: usize, to: usize) -> Option<usize> {
        self.by_way.get(&(topic, from, to))?.keys().next()
    }

    /// Java's, of a `TopicPartition`.
    fn hash(&self, partition: usize) -> i32 {
        let topic = string_hash(self.group.topics()[self.group.topic(partition)].as_str());
        let number = i32::try_from(self.group.number(partition)).unwrap_or(i32::MAX);
        number.wrapping_add(31).wrapping_mul(31).wrapping_add(topic)
    }
}
