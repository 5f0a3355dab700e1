//! The records of `__consumer_offsets`: what a coordinator decides, and what it is made of again
//! after a restart.
//!
//! A key begins with two bytes that tell its kind, a value with two that tell its version; a record
//! without a value takes away what the key names.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use klamm_protocol::group::group_metadata_key::GroupMetadataKey;
use klamm_protocol::group::group_metadata_value::{GroupMetadataValue, MemberMetadata};
use klamm_protocol::group::legacy_offset_commit_key::LegacyOffsetCommitKey;
use klamm_protocol::group::offset_commit_key::OffsetCommitKey;
use klamm_protocol::group::offset_commit_value::OffsetCommitValue;
use klamm_protocol::{DecodeError, EncodeError, Message, Record, Uuid};
use klamm_types::{Offset, Timestamp};
use thiserror::Error;

use crate::classic::{ClassicGroupRecord, LoggedMember};
use crate::consumer::{self, ConsumerRecord};
use crate::offsets::CommittedOffset;
use crate::{GroupId, InstanceId, MemberId, ProtocolName, Topic};

/// A record of `__consumer_offsets`.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum GroupRecord {
    /// An offset that a group has committed, or, without one, has no more.
    Offset {
        /// Whose it is.
        group: GroupId,
        /// The topic.
        topic: Topic,
        /// The partition's number.
        partition: i32,
        /// `None` takes it away.
        committed: Option<CommittedOffset>,
    },
    /// Something of a group whose broker assigns (KIP-848).
    Consumer {
        /// Which.
        group: GroupId,
        /// What.
        record: ConsumerRecord,
    },
    /// A classic group as it is from here on, or, without a value, that it is gone.
    ClassicGroup {
        /// Which.
        group: GroupId,
        /// `None` takes it away.
        value: Option<ClassicGroupRecord>,
    },
}

/// Why a record cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It has no key, or one that has not even a kind.
    #[error("the key has {got} bytes, expected 2 or more")]
    NoKind {
        /// Bytes of the key.
        got: usize,
    },
    /// A kind that this version does not know: one of another protocol, or of a later version.
    #[error("a record of kind {kind}, which is not known")]
    Unknown {
        /// The kind.
        kind: i16,
    },
    /// A record of a share or streams group whose key does not say which.
    #[error("the key of a record of kind {kind} has no group's name behind its kind")]
    NoGroup {
        /// The kind.
        kind: i16,
    },
    /// Key or value are not what their kind and version say.
    #[error("{0}")]
    Decode(#[from] DecodeError),
}

impl GroupRecord {
    /// Reads a record.
    ///
    /// # Errors
    /// [`RecordError`]; [`RecordError::Unknown`] is none of the log's, which may hold records of
    /// other kinds: [`ForeignRecord`](crate::ForeignRecord).
    pub fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<GroupRecord, RecordError> {
        let (kind, key) = split(key)?;
        match kind {
            OffsetCommitKey::TYPE | LegacyOffsetCommitKey::TYPE => decode_offset(key, value),
            GroupMetadataKey::TYPE => decode_group(key, value),
            kind => match consumer::decode(kind, key, value)? {
                Some((group, record)) => Ok(GroupRecord::Consumer { group, record }),
                None => Err(RecordError::Unknown { kind }),
            },
        }
    }

    /// Its key and value as Kafka 4.3 writes them.
    ///
    /// # Errors
    /// [`EncodeError`] when a name is longer than a record can have it: 32,767 bytes.
    pub fn encode(&self) -> Result<(Bytes, Option<Bytes>), EncodeError> {
        Ok(match self {
            GroupRecord::Offset { group, topic, partition, committed } => {
                let (group, topic) = (group.as_str().into(), topic.as_str().into());
                let key = OffsetCommitKey { group, topic, partition: *partition };
                (encoded_key(&key)?, committed.as_ref().map(encode_offset).transpose()?)
            }
            GroupRecord::ClassicGroup { group, value } => {
                let key = GroupMetadataKey { group: group.as_str().into() };
                (encoded_key(&key)?, value.as_ref().map(encode_group).transpose()?)
            }
            GroupRecord::Consumer { group, record } => consumer::encode(group, record)?,
        })
    }

    /// Whether there is less after it.
    pub(crate) fn takes_away(&self) -> bool {
        match self {
            GroupRecord::Offset { committed, .. } => committed.is_none(),
            GroupRecord::ClassicGroup { value, .. } => value.is_none(),
            GroupRecord::Consumer { record, .. } => record.takes_away(),
        }
    }

    /// The group that it is about.
    #[must_use]
    pub fn group(&self) -> &GroupId {
        match self {
            GroupRecord::Offset { group, .. }
            | GroupRecord::ClassicGroup { group, .. }
            | GroupRecord::Consumer { group, .. } => group,
        }
    }
}

pub(crate) fn split(bytes: &Bytes) -> Result<(i16, Bytes), RecordError> {
    match bytes[..] {
        [first, second, ..] => Ok((i16::from_be_bytes([first, second]), bytes.slice(2..))),
        _ => Err(RecordError::NoKind { got: bytes.len() }),
    }
}

/// Brokers before Kafka 0.9 gave their keys another kind; they are the same otherwise.
fn decode_offset(key: Bytes, value: Option<&Bytes>) -> Result<GroupRecord, RecordError> {
    let key = OffsetCommitKey::decode(key, 0)?;
    let committed = match value {
        Some(value) => {
            let (version, body) = split(value)?;
            committed(&OffsetCommitValue::decode(body, version)?)
        }
        None => None,
    };
    Ok(GroupRecord::Offset {
        group: GroupId::new(&key.group),
        topic: Topic::new(&key.topic),
        partition: key.partition,
        committed,
    })
}

/// A negative one, which Kafka lets clients commit, is none.
fn committed(value: &OffsetCommitValue) -> Option<CommittedOffset> {
    Some(CommittedOffset {
        offset: Offset::new(value.offset)?,
        leader_epoch: Some(value.leader_epoch).filter(|epoch| *epoch >= 0),
        metadata: Arc::from(&*value.metadata),
        committed_at: Timestamp::from_millis(value.commit_timestamp),
        expires_at: Timestamp::from_raw(value.expire_timestamp),
        topic_id: Some(value.topic_id).filter(|id| *id != Uuid::ZERO),
    })
}

/// With a time of its own to expire at it takes an old version, which alone has a place for it.
fn encode_offset(committed: &CommittedOffset) -> Result<Bytes, EncodeError> {
    let version = if committed.expires_at.is_some() { 1 } else { 4 };
    let value = OffsetCommitValue {
        offset: committed.offset.get(),
        leader_epoch: committed.leader_epoch.filter(|_| version == 4).unwrap_or(-1),
        metadata: committed.metadata.as_ref().into(),
        commit_timestamp: committed.committed_at.as_millis(),
        expire_timestamp: committed.expires_at.map_or(-1, Timestamp::as_millis),
        topic_id: committed.topic_id.filter(|_| version == 4).unwrap_or(Uuid::ZERO),
    };
    encoded(version, &value, version)
}

fn decode_group(key: Bytes, value: Option<&Bytes>) -> Result<GroupRecord, RecordError> {
    let key = GroupMetadataKey::decode(key, 0)?;
    let value = value.map(|value| {
        let (version, body) = split(value)?;
        Ok::<_, RecordError>(group(&GroupMetadataValue::decode(body, version)?))
    });
    Ok(GroupRecord::ClassicGroup { group: GroupId::new(&key.group), value: value.transpose()? })
}

fn group(value: &GroupMetadataValue) -> ClassicGroupRecord {
    ClassicGroupRecord {
        protocol_type: Some(&*value.protocol_type).filter(|text| !text.is_empty()).map(ProtocolName::new),
        generation: value.generation,
        protocol: value.protocol.as_deref().map(ProtocolName::new),
        leader: value.leader.as_deref().map(MemberId::new),
        since: Timestamp::from_raw(value.current_state_timestamp),
        members: value.members.iter().map(member).collect(),
    }
}

fn member(value: &MemberMetadata) -> LoggedMember {
    let millis = |millis: i32| std::time::Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    // The first version of the record had one timeout for both.
    let rebalance = if value.rebalance_timeout < 0 { value.session_timeout } else { value.rebalance_timeout };
    LoggedMember {
        id: MemberId::new(&value.member_id),
        instance: value.group_instance_id.as_deref().map(InstanceId::new),
        client_id: Arc::from(&*value.client_id),
        client_host: Arc::from(&*value.client_host),
        rebalance_timeout: millis(rebalance),
        session_timeout: millis(value.session_timeout),
        subscription: Bytes::copy_from_slice(&value.subscription),
        assignment: Bytes::copy_from_slice(&value.assignment),
    }
}

fn encode_group(record: &ClassicGroupRecord) -> Result<Bytes, EncodeError> {
    let value = GroupMetadataValue {
        protocol_type: record.protocol_type.as_ref().map_or("", ProtocolName::as_str).into(),
        generation: record.generation,
        protocol: record.protocol.as_ref().map(|name| name.as_str().into()),
        leader: record.leader.as_ref().map(|id| id.as_str().into()),
        current_state_timestamp: record.since.map_or(-1, Timestamp::as_millis),
        members: record.members.iter().map(encode_member).collect(),
    };
    encoded(3, &value, 3)
}

fn encode_member(member: &LoggedMember) -> MemberMetadata {
    MemberMetadata {
        member_id: member.id.as_str().into(),
        group_instance_id: member.instance.as_ref().map(|id| id.as_str().into()),
        client_id: member.client_id.as_ref().into(),
        client_host: member.client_host.as_ref().into(),
        rebalance_timeout: millis(member.rebalance_timeout),
        session_timeout: millis(member.session_timeout),
        subscription: member.subscription.clone(),
        assignment: member.assignment.clone(),
    }
}

pub(crate) fn encoded_key<K: Record>(key: &K) -> Result<Bytes, EncodeError> {
    encoded(K::TYPE, key, 0)
}

pub(crate) fn encoded<M: Message>(prefix: i16, message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let body = message.encode(version)?;
    let mut bytes = BytesMut::with_capacity(2 + body.len());
    bytes.put_i16(prefix);
    bytes.put(body);
    Ok(bytes.freeze())
}

/// As a record has it.
pub(crate) fn millis(time: std::time::Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}
