//! The input of assignors: members, their topics and what they own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use klamm_protocol::Uuid;

use super::group_spec::Racks;
use crate::{InstanceId, MemberId, Topic};

/// A partition as consumers name it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicPartition {
    /// Its topic.
    pub topic: Topic,
    /// Its number, from 0.
    pub partition: i32,
}

/// The topics there are: how many partitions each has, and in which racks the replicas of each
/// stand, where that is known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Topics(BTreeMap<Topic, Entry>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Entry {
    id: Uuid,
    partitions: usize,
    /// Of each partition; nothing where none is known.
    racks: Vec<Racks>,
}

/// A member of a group, as its leader sees it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Subscriber {
    /// Its id.
    pub id: MemberId,
    /// What it calls itself for good; such members come first.
    pub instance: Option<InstanceId>,
    /// Where it stands (`client.rack`).
    pub rack: Option<Arc<str>>,
    /// The topics that it wants.
    pub topics: Vec<Topic>,
    /// What it says that it has.
    pub owned: Vec<TopicPartition>,
    /// The generation in which it was given that.
    pub generation: Option<i32>,
    /// What its assignor has written beside its subscription.
    pub user_data: Option<Bytes>,
}

impl TopicPartition {
    /// A partition of `topic`.
    #[must_use]
    pub fn new(topic: &str, partition: i32) -> TopicPartition {
        TopicPartition { topic: Topic::new(topic), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

impl Topics {
    /// Adds a topic with so many partitions, of whose racks nothing is known.
    #[must_use]
    pub fn with(self, topic: &str, partitions: usize) -> Topics {
        self.with_id(topic, Uuid::ZERO, partitions)
    }

    /// Adds a topic with the racks of each partition's replicas.
    #[must_use]
    pub fn with_racks(self, topic: &str, racks: Vec<Vec<Arc<str>>>) -> Topics {
        self.with_id_and_racks(&Topic::new(topic), Uuid::ZERO, racks)
    }

    /// Adds a topic that is known by an id too. [`Uniform`](super::Uniform) goes by it where topics
    /// are alike.
    #[must_use]
    pub fn with_id(mut self, topic: &str, id: Uuid, partitions: usize) -> Topics {
        self.0.insert(Topic::new(topic), Entry { id, partitions, racks: Vec::new() });
        self
    }

    /// The same with the racks of each partition's replicas.
    pub(crate) fn with_id_and_racks(mut self, topic: &Topic, id: Uuid, racks: Vec<Racks>) -> Topics {
        let partitions = racks.len();
        let known = if racks.iter().all(Vec::is_empty) { Vec::new() } else { racks };
        self.0.insert(topic.clone(), Entry { id, partitions, racks: known });
        self
    }

    /// All partitions there are, by topic and number.
    pub fn partitions(&self) -> impl Iterator<Item = TopicPartition> + '_ {
        let of = |(topic, entry): (&Topic, &Entry)| {
            let (topic, count) = (topic.clone(), i32::try_from(entry.partitions).unwrap_or(i32::MAX));
            (0..count).map(move |partition| TopicPartition { topic: topic.clone(), partition })
        };
        self.0.iter().flat_map(of)
    }

    /// Whether a partition is there.
    pub(super) fn has(&self, partition: &TopicPartition) -> bool {
        let number = usize::try_from(partition.partition).ok();
        self.count(&partition.topic).zip(number).is_some_and(|(partitions, number)| number < partitions)
    }

    /// How many partitions a topic has; `None` when it is not there.
    pub(super) fn count(&self, topic: &Topic) -> Option<usize> {
        self.0.get(topic).map(|entry| entry.partitions).filter(|partitions| *partitions > 0)
    }

    /// The racks of each partition of a topic, where they are known.
    pub(super) fn racks(&self, topic: &Topic) -> &[Racks] {
        self.0.get(topic).map_or(&[], |entry| &entry.racks)
    }

    /// The id of a topic, where it is known.
    pub(super) fn id(&self, topic: &Topic) -> Uuid {
        self.0.get(topic).map_or(Uuid::ZERO, |entry| entry.id)
    }
}

impl Subscriber {
    /// The order in which static members come first, by what they call themselves.
    pub(super) fn static_first(&self) -> (bool, &str) {
        match &self.instance {
            Some(instance) => (false, instance.as_str()),
            None => (true, self.id.as_str()),
        }
    }
}
