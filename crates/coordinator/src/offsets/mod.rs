//! The offsets that groups have committed.

mod commit;
mod expire;

use std::collections::BTreeMap;
use std::sync::Arc;

use klamm_protocol::Uuid;
use klamm_types::{Offset, Timestamp};

use crate::Topic;

pub use commit::{Commit, NewOffset};
pub(crate) use commit::{plan_deletion, removal};
pub(crate) use expire::expired;

/// An offset that a group has committed: up to where it has read a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommittedOffset {
    /// The next record that it wants.
    pub offset: Offset,
    /// The leader's epoch of the last record that it has read, if it said so.
    pub leader_epoch: Option<i32>,
    /// Words that it put beside it.
    pub metadata: Arc<str>,
    /// When.
    pub committed_at: Timestamp,
    /// When it is to be forgotten, where an old client has said so itself.
    pub expires_at: Option<Timestamp>,
    /// The topic's id, if it was known.
    pub topic_id: Option<Uuid>,
}

/// The offsets of a group.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Offsets(BTreeMap<Topic, Partitions>);

/// Boxed: a map's node has room for eleven, and most groups have few.
type Partitions = BTreeMap<i32, Box<CommittedOffset>>;

impl Offsets {
    pub(crate) fn set(&mut self, topic: &Topic, partition: i32, committed: Option<CommittedOffset>) {
        match committed {
            Some(committed) => {
                self.0.entry(topic.clone()).or_default().insert(partition, Box::new(committed));
            }
            None => {
                if let Some(partitions) = self.0.get_mut(topic) {
                    partitions.remove(&partition);
                    if partitions.is_empty() {
                        self.0.remove(topic);
                    }
                }
            }
        }
    }

    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.0.get(topic)?.get(&partition).map(|committed| &**committed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the order of topics and partitions.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Topic, i32, &CommittedOffset)> {
        let of = |(topic, partitions)| partitions_of(topic, partitions);
        self.0.iter().flat_map(of)
    }
}

fn partitions_of<'a>(
    topic: &'a Topic,
    partitions: &'a Partitions,
) -> impl Iterator<Item = (&'a Topic, i32, &'a CommittedOffset)> {
    partitions.iter().map(move |(partition, committed)| (topic, *partition, &**committed))
}
