//! Sets of partitions by topic id, with the epochs of their assignment.

use std::collections::{BTreeMap, BTreeSet};

use klamm_protocol::Uuid;

/// Partitions by the ids of their topics. No topic is there without partitions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Partitions(BTreeMap<Uuid, BTreeSet<i32>>);

/// Partitions that a member has, each with the epoch in which it was assigned to it: what it
/// commits is taken if it is not older (KIP-1251).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Held(BTreeMap<Uuid, BTreeMap<i32, i32>>);

impl Partitions {
    /// Adds one.
    pub fn insert(&mut self, topic: Uuid, partition: i32) {
        self.0.entry(topic).or_default().insert(partition);
    }

    /// Whether it is among them.
    #[must_use]
    pub fn contains(&self, topic: Uuid, partition: i32) -> bool {
        self.0.get(&topic).is_some_and(|partitions| partitions.contains(&partition))
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Uuid, i32)> {
        self.0.iter().flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
    }

    /// The same by topic.
    pub fn topics(&self) -> impl Iterator<Item = (Uuid, &BTreeSet<i32>)> {
        self.0.iter().map(|(topic, partitions)| (*topic, partitions))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Uuid, i32)> for Partitions {
    fn from_iter<I: IntoIterator<Item = (Uuid, i32)>>(all: I) -> Partitions {
        let mut partitions = Partitions::default();
        all.into_iter().for_each(|(topic, partition)| partitions.insert(topic, partition));
        partitions
    }
}

impl Held {
    /// Adds one, assigned in `epoch`.
    pub fn insert(&mut self, topic: Uuid, partition: i32, epoch: i32) {
        self.0.entry(topic).or_default().insert(partition, epoch);
    }

    /// The epoch in which it was assigned; `None` when it is not among them.
    #[must_use]
    pub fn epoch(&self, topic: Uuid, partition: i32) -> Option<i32> {
        self.0.get(&topic)?.get(&partition).copied()
    }

    /// All of them, in order, each with its epoch.
    pub fn iter(&self) -> impl Iterator<Item = (Uuid, i32, i32)> {
        let of = |(topic, partitions): (&Uuid, &BTreeMap<i32, i32>)| {
            let topic = *topic;
            partitions.iter().map(move |(partition, epoch)| (topic, *partition, *epoch)).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of)
    }

    /// The same by topic.
    pub fn topics(&self) -> impl Iterator<Item = (Uuid, &BTreeMap<i32, i32>)> {
        self.0.iter().map(|(topic, partitions)| (*topic, partitions))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Without their epochs.
    #[must_use]
    pub fn partitions(&self) -> Partitions {
        self.iter().map(|(topic, partition, _)| (topic, partition)).collect()
    }
}

impl FromIterator<(Uuid, i32, i32)> for Held {
    fn from_iter<I: IntoIterator<Item = (Uuid, i32, i32)>>(all: I) -> Held {
        let mut held = Held::default();
        all.into_iter().for_each(|(topic, partition, epoch)| held.insert(topic, partition, epoch));
        held
    }
}

impl Extend<(Uuid, i32, i32)> for Held {
    fn extend<I: IntoIterator<Item = (Uuid, i32, i32)>>(&mut self, all: I) {
        all.into_iter().for_each(|(topic, partition, epoch)| self.insert(topic, partition, epoch));
    }
}
