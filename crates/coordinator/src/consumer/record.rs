//! What is logged of a group whose broker assigns.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use klamm_types::Timestamp;

use super::{Held, Partitions};
use crate::{InstanceId, MemberId, ProtocolName, Topic};

/// A record of such a group. Where there is an option, `None` takes away what the record names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConsumerRecord {
    /// The group itself.
    Group(Option<GroupEpoch>),
    /// What brokers before Kafka 4.1 noted of topics: read, never written but to take it away.
    /// Whether there is any.
    OldMetadata(bool),
    /// What a member says of itself.
    Member(MemberId, Option<Box<Subscribed>>),
    /// Up to which epoch is assigned.
    TargetEpoch(Option<TargetEpoch>),
    /// What a member is to have.
    Target(MemberId, Option<Partitions>),
    /// What a member has.
    Current(MemberId, Option<Box<Current>>),
    /// The topics that an expression matches.
    Regex(Arc<str>, Option<Resolved>),
}

/// A group's epoch: it rises when members, what they want, or the topics change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupEpoch {
    /// The epoch.
    pub epoch: i32,
    /// Stands for all topics that members want as they were then.
    pub metadata_hash: i64,
}

/// The epoch that the targets of all members are of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TargetEpoch {
    /// The epoch.
    pub epoch: i32,
    /// When it was assigned, if that was noted.
    pub at: Option<Timestamp>,
}

/// What a member says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Subscribed {
    /// What it calls itself for good.
    pub instance: Option<InstanceId>,
    /// Where it stands.
    pub rack: Option<Arc<str>>,
    /// Its `client.id`.
    pub client_id: Arc<str>,
    /// Where it comes from.
    pub client_host: Arc<str>,
    /// The topics that it wants by name.
    pub topics: BTreeSet<Topic>,
    /// An expression for topics that it wants too; empty for none.
    pub regex: Arc<str>,
    /// How long it may take to give up partitions.
    pub rebalance_timeout: Duration,
    /// By what it wants partitions to be assigned.
    pub assignor: Option<ProtocolName>,
    /// Of one that speaks the classic protocol.
    pub classic: Option<ClassicMember>,
}

/// What a member has said that speaks the classic protocol.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClassicMember {
    /// Silence after which it is taken for dead.
    pub session_timeout: Duration,
    /// What it can do, what it likes best first, and what it wants by each.
    pub protocols: Vec<(ProtocolName, Bytes)>,
}

/// What a member has, and how far it has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Current {
    /// The member's epoch: it has given up what it was to give up for it. −2 for a static one that
    /// is away.
    pub epoch: i32,
    /// The one before.
    pub previous: i32,
    /// What it waits for.
    pub state: MemberState,
    /// What it has.
    pub assigned: Held,
    /// What it is to give up.
    pub pending: Held,
}

/// What a member waits for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MemberState {
    /// Nothing: it has all that it is to have.
    Stable,
    /// It has to give up partitions.
    UnrevokedPartitions,
    /// Others have to give up partitions that it is to have.
    UnreleasedPartitions,
    /// A state of a later version.
    Unknown,
}

/// The topics that an expression matches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolved {
    /// Their names.
    pub topics: BTreeSet<Topic>,
    /// Version of the topics of the cluster that were looked at.
    pub version: i64,
    /// When.
    pub at: Timestamp,
}

impl ConsumerRecord {
    /// Whether there is less after it.
    pub(crate) fn takes_away(&self) -> bool {
        match self {
            ConsumerRecord::Group(value) => value.is_none(),
            ConsumerRecord::OldMetadata(is_there) => !is_there,
            ConsumerRecord::Member(_, value) => value.is_none(),
            ConsumerRecord::TargetEpoch(value) => value.is_none(),
            ConsumerRecord::Target(_, value) => value.is_none(),
            ConsumerRecord::Current(_, value) => value.is_none(),
            ConsumerRecord::Regex(_, value) => value.is_none(),
        }
    }
}

impl Default for Current {
    fn default() -> Current {
        Current {
            epoch: 0,
            previous: -1,
            state: MemberState::Stable,
            assigned: Held::default(),
            pending: Held::default(),
        }
    }
}

impl MemberState {
    /// As it is logged.
    #[must_use]
    pub fn id(self) -> i8 {
        match self {
            MemberState::Stable => 0,
            MemberState::UnrevokedPartitions => 1,
            MemberState::UnreleasedPartitions => 2,
            MemberState::Unknown => 127,
        }
    }

    /// From a record.
    #[must_use]
    pub fn from_id(id: i8) -> MemberState {
        match id {
            0 => MemberState::Stable,
            1 => MemberState::UnrevokedPartitions,
            2 => MemberState::UnreleasedPartitions,
            _ => MemberState::Unknown,
        }
    }
}
