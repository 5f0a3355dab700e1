//! What there is of a group, for people.

use std::sync::Arc;

use bytes::Bytes;

use crate::classic::{ClassicGroup, ClassicState, Member};
use crate::consumer::ConsumerGroup;
use crate::protocols::CONSUMER;
use crate::{GroupId, GroupState, InstanceId, MemberId, ProtocolName};

/// A group in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupListing {
    /// Its name.
    pub group: GroupId,
    /// What its members are; `None` for a group that has only offsets.
    pub protocol_type: Option<ProtocolName>,
    /// Who assigns.
    pub kind: GroupKind,
    /// Where it stands.
    pub state: GroupState,
    /// How many members it has.
    pub members: usize,
}

/// Who assigns the partitions of a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum GroupKind {
    /// One of its members.
    Classic,
    /// The broker (KIP-848).
    Consumer,
}

/// A classic group with its members.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupDescription {
    /// Where it stands.
    pub state: ClassicState,
    /// What its members are; `None` for a group that has only offsets.
    pub protocol_type: Option<ProtocolName>,
    /// By which its partitions are assigned, once they are.
    pub protocol: Option<ProtocolName>,
    /// Its generation.
    pub generation: i32,
    /// Its members.
    pub members: Vec<MemberDescription>,
}

/// A member of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberDescription {
    /// Its id.
    pub id: MemberId,
    /// What it calls itself for good.
    pub instance: Option<InstanceId>,
    /// Its `client.id`.
    pub client_id: Arc<str>,
    /// Where it comes from.
    pub client_host: Arc<str>,
    /// What it wants.
    pub metadata: Bytes,
    /// What it has.
    pub assignment: Bytes,
}

impl GroupKind {
    /// As Kafka's tools say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            GroupKind::Classic => "classic",
            GroupKind::Consumer => "consumer",
        }
    }
}

impl GroupListing {
    pub(crate) fn of(group: &ClassicGroup) -> GroupListing {
        GroupListing {
            group: group.id.clone(),
            protocol_type: group.protocol_type.clone(),
            kind: GroupKind::Classic,
            state: group.state().into(),
            members: group.members().len(),
        }
    }

    pub(crate) fn of_consumer(group: &ConsumerGroup) -> GroupListing {
        GroupListing {
            group: group.id.clone(),
            protocol_type: Some(ProtocolName::new(CONSUMER)),
            kind: GroupKind::Consumer,
            state: group.state(),
            members: group.members().len(),
        }
    }
}

impl GroupDescription {
    pub(crate) fn of(group: &ClassicGroup) -> GroupDescription {
        let is_stable = group.state() == ClassicState::Stable;
        let protocol = group.protocol.as_ref().filter(|_| is_stable);
        let member = |member: &Member| MemberDescription {
            id: member.id.clone(),
            instance: member.instance.clone(),
            client_id: Arc::clone(&member.client_id),
            client_host: Arc::clone(&member.client_host),
            metadata: protocol.map(|name| member.metadata(name)).unwrap_or_default(),
            assignment: member.assignment.clone(),
        };
        GroupDescription {
            state: group.state(),
            protocol_type: group.protocol_type.clone(),
            protocol: protocol.cloned(),
            generation: group.generation(),
            members: group.members().map(member).collect(),
        }
    }
}
