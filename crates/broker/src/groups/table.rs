//! The shards of `__consumer_offsets`, one for each partition.

use klamm_coordinator::{GroupConfig, GroupId};
use klamm_log::Log;
use klamm_protocol::Uuid;

use super::now::Now;
use super::shard::Shard;
use super::tally::Tally;
use crate::metadata::Topic;

/// The shards of one `__consumer_offsets`.
#[derive(Debug)]
pub(super) struct Table {
    topic: Uuid,
    shards: Vec<Shard>,
}

impl Table {
    pub(super) fn new(topic: &Topic, logs: Vec<Option<Log>>, config: &GroupConfig, tally: &Tally) -> Table {
        let shards = logs.into_iter().map(|log| Shard::new(log, config.clone(), tally.clone())).collect();
        Table { topic: topic.id.into(), shards }
    }

    pub(super) fn id(&self) -> Uuid {
        self.topic
    }

    /// Whether it is this topic's, with as many partitions as it has now.
    pub(super) fn is_of(&self, topic: &Topic) -> bool {
        self.topic == topic.id.into() && self.shards.len() == topic.states.len()
    }

    /// Where a group belongs, as every broker and tool of Kafka's finds it.
    pub(super) fn shard(&self, group: &GroupId) -> &Shard {
        &self.shards[group.partition(self.shards.len())]
    }

    pub(super) fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.shards.iter()
    }

    /// Who waits is told that these groups are nobody's any more.
    pub(super) fn unload(&self) {
        self.shards.iter().for_each(Shard::unload);
    }

    pub(super) fn is_anything_to_load(&self) -> bool {
        self.shards.iter().any(Shard::is_loading)
    }

    pub(super) fn load_all(&self, now: impl Fn() -> Now, config: impl Fn() -> GroupConfig) {
        let began = std::time::Instant::now();
        let loaded: Vec<usize> = self.shards.iter().filter_map(|shard| shard.load(&now, &config)).collect();
        let (partitions, groups) = (loaded.len(), loaded.iter().sum::<usize>());
        if partitions > 0 {
            tracing::info!(partitions, groups, took = ?began.elapsed(), "groups were loaded");
        }
    }
}
