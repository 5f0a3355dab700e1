//! OffsetCommit and OffsetDelete: who may, and the records that it makes.

use std::sync::Arc;
use std::time::Duration;

use klamm_protocol::Uuid;
use klamm_types::{Offset, Timestamp};

use super::{CommittedOffset, Offsets};
use crate::classic::{ClassicGroup, ClassicState};
use crate::{Catalog, GroupConfig, GroupError, GroupId, GroupRecord, InstanceId, MemberId, Present, Topic};

/// A group commits offsets.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Which group.
    pub group: GroupId,
    /// Who commits; `None` for one that uses a group's offsets without being a member.
    pub member: Option<MemberId>,
    /// What it calls itself for good.
    pub instance: Option<InstanceId>,
    /// The generation that it was told; `None` for one that is no member.
    pub generation: Option<i32>,
    /// Whether it comes from a client that knows members' epochs (version 9, KIP-848).
    pub knows_epochs: bool,
    /// For how long they are to be kept, from an old client (versions 2 to 4).
    pub retention: Option<Duration>,
    /// The offsets.
    pub offsets: Vec<NewOffset>,
}

/// An offset that is to be committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewOffset {
    /// The topic.
    pub topic: Topic,
    /// Its id, if it is known: where the coordinator is told of the topics that there are
    /// ([`Present`]), a topic that has another by now is refused.
    pub topic_id: Option<Uuid>,
    /// The partition's number.
    pub partition: i32,
    /// The next record that the group wants; `None` takes away what it has committed: a negative
    /// number on the wire.
    pub offset: Option<Offset>,
    /// The leader's epoch of the last record that it has read.
    pub leader_epoch: Option<i32>,
    /// Words to be kept beside it.
    pub metadata: Arc<str>,
}

impl Commit {
    /// Whether a classic group takes commits from whoever this is.
    pub(crate) fn check(&self, group: &ClassicGroup) -> Result<(), GroupError> {
        let is_member = self.generation.is_some() || self.member.is_some() || self.instance.is_some();
        if !is_member {
            // One that only keeps its offsets here; members would not know of them.
            let is_free = group.state() == ClassicState::Empty;
            return if is_free { Ok(()) } else { Err(GroupError::UnknownMemberId) };
        }
        if group.state() == ClassicState::Empty && self.generation.is_none() {
            return Ok(());
        }
        group.check_commit(self.member.as_ref(), self.instance.as_ref(), self.generation)
    }

    /// The records of the offsets that can be, beside those that the group has, and of each offset
    /// whether it can.
    pub(crate) fn plan(
        &self,
        config: &GroupConfig,
        present: Present<'_>,
        has: Option<&Offsets>,
    ) -> (Vec<GroupRecord>, Vec<Result<(), GroupError>>) {
        let mut records = Vec::new();
        let plan = |new: &NewOffset| {
            if is_longer(&new.metadata, config.offset_metadata_max_bytes) {
                return Err(GroupError::OffsetMetadataTooLarge);
            }
            if new.is_of_a_topic_that_is_gone(present.topics) {
                return Err(GroupError::UnknownTopic);
            }
            match new.offset {
                Some(offset) => records.push(self.record(new, offset, present.time)),
                None => {
                    let is_there =
                        has.is_some_and(|has| has.get(new.topic.as_str(), new.partition).is_some());
                    // It may be named before, in the same request.
                    if is_there || !records.is_empty() {
                        records.push(removal(&self.group, &new.topic, new.partition));
                    }
                }
            }
            Ok(())
        };
        let planned = self.offsets.iter().map(plan).collect();
        (records, planned)
    }

    fn record(&self, new: &NewOffset, offset: Offset, time: Timestamp) -> GroupRecord {
        let committed = CommittedOffset {
            offset,
            leader_epoch: new.leader_epoch,
            metadata: Arc::clone(&new.metadata),
            committed_at: time,
            expires_at: self.retention.map(|kept| time.saturating_add(kept)),
            topic_id: new.topic_id,
        };
        let (group, topic) = (self.group.clone(), new.topic.clone());
        GroupRecord::Offset { group, topic, partition: new.partition, committed: Some(committed) }
    }
}

impl NewOffset {
    /// The topic may have gone, and come again, since the client asked.
    fn is_of_a_topic_that_is_gone(&self, topics: &dyn Catalog) -> bool {
        self.topic_id.is_some_and(|id| topics.find(&self.topic).is_none_or(|topic| topic.id != id))
    }
}

/// Kafka counts a text as Java does.
fn is_longer(text: &str, most: usize) -> bool {
    text.len() > most && text.encode_utf16().count() > most
}

/// The record that takes an offset away.
pub(crate) fn removal(group: &GroupId, topic: &Topic, partition: i32) -> GroupRecord {
    GroupRecord::Offset { group: group.clone(), topic: topic.clone(), partition, committed: None }
}

/// The records that take offsets away, and of each whether that can be: not while the group reads
/// the topic.
pub(crate) fn plan_deletion(
    group: &GroupId,
    offsets: &Offsets,
    named: &[(Topic, i32)],
    is_used: impl Fn(&Topic) -> bool,
) -> (Vec<GroupRecord>, Vec<Result<(), GroupError>>) {
    let mut records = Vec::new();
    let plan = |(topic, partition): &(Topic, i32)| {
        if is_used(topic) {
            return Err(GroupError::GroupSubscribedToTopic);
        }
        if offsets.get(topic.as_str(), *partition).is_some() {
            records.push(removal(group, topic, *partition));
        }
        Ok(())
    };
    let planned = named.iter().map(plan).collect();
    (records, planned)
}
