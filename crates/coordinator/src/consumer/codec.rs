//! Kafka's bytes for the records of a group whose broker assigns: kinds 3 to 8 and 16.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use klamm_protocol::group::consumer_group_current_member_assignment_key::ConsumerGroupCurrentMemberAssignmentKey;
use klamm_protocol::group::consumer_group_current_member_assignment_value::{
    ConsumerGroupCurrentMemberAssignmentValue, TopicPartitions,
};
use klamm_protocol::group::consumer_group_member_metadata_key::ConsumerGroupMemberMetadataKey;
use klamm_protocol::group::consumer_group_member_metadata_value::{
    ClassicMemberMetadata, ClassicProtocol, ConsumerGroupMemberMetadataValue,
};
use klamm_protocol::group::consumer_group_metadata_key::ConsumerGroupMetadataKey;
use klamm_protocol::group::consumer_group_metadata_value::ConsumerGroupMetadataValue;
use klamm_protocol::group::consumer_group_partition_metadata_key::ConsumerGroupPartitionMetadataKey;
use klamm_protocol::group::consumer_group_partition_metadata_value::ConsumerGroupPartitionMetadataValue;
use klamm_protocol::group::consumer_group_regular_expression_key::ConsumerGroupRegularExpressionKey;
use klamm_protocol::group::consumer_group_regular_expression_value::ConsumerGroupRegularExpressionValue;
use klamm_protocol::group::consumer_group_target_assignment_member_key::ConsumerGroupTargetAssignmentMemberKey;
use klamm_protocol::group::consumer_group_target_assignment_member_value::{
    ConsumerGroupTargetAssignmentMemberValue, TopicPartition,
};
use klamm_protocol::group::consumer_group_target_assignment_metadata_key::ConsumerGroupTargetAssignmentMetadataKey;
use klamm_protocol::group::consumer_group_target_assignment_metadata_value::ConsumerGroupTargetAssignmentMetadataValue;
use klamm_protocol::{ByteString, EncodeError, Message, Record};
use klamm_types::Timestamp;

use super::record::{
    ClassicMember, ConsumerRecord, Current, GroupEpoch, MemberState, Resolved, Subscribed, TargetEpoch,
};
use super::{Held, Partitions};
use crate::record::{RecordError, encoded, encoded_key, millis, split};
use crate::{GroupId, InstanceId, MemberId, ProtocolName, Topic};

/// What a record has: a key, and perhaps a value.
type Bits = (Bytes, Option<Bytes>);

/// Reads a record of this kind; `None` when it is of another.
pub(crate) fn decode(
    kind: i16,
    key: Bytes,
    value: Option<&Bytes>,
) -> Result<Option<(GroupId, ConsumerRecord)>, RecordError> {
    Ok(Some(match kind {
        ConsumerGroupMetadataKey::TYPE => {
            let key = ConsumerGroupMetadataKey::decode(key, 0)?;
            let of = |value: ConsumerGroupMetadataValue| GroupEpoch {
                epoch: value.epoch,
                metadata_hash: value.metadata_hash,
            };
            (GroupId::new(&key.group_id), ConsumerRecord::Group(read(value)?.map(of)))
        }
        ConsumerGroupPartitionMetadataKey::TYPE => {
            let key = ConsumerGroupPartitionMetadataKey::decode(key, 0)?;
            let value: Option<ConsumerGroupPartitionMetadataValue> = read(value)?;
            (GroupId::new(&key.group_id), ConsumerRecord::OldMetadata(value.is_some()))
        }
        ConsumerGroupMemberMetadataKey::TYPE => {
            let key = ConsumerGroupMemberMetadataKey::decode(key, 0)?;
            let value = read(value)?.map(|value| Box::new(subscribed(&value)));
            (GroupId::new(&key.group_id), ConsumerRecord::Member(MemberId::new(&key.member_id), value))
        }
        ConsumerGroupTargetAssignmentMetadataKey::TYPE => {
            let key = ConsumerGroupTargetAssignmentMetadataKey::decode(key, 0)?;
            let of = |value: ConsumerGroupTargetAssignmentMetadataValue| TargetEpoch {
                epoch: value.assignment_epoch,
                at: Timestamp::from_raw(value.assignment_timestamp).filter(|at| at.as_millis() > 0),
            };
            (GroupId::new(&key.group_id), ConsumerRecord::TargetEpoch(read(value)?.map(of)))
        }
        ConsumerGroupTargetAssignmentMemberKey::TYPE => {
            let key = ConsumerGroupTargetAssignmentMemberKey::decode(key, 0)?;
            let value = read(value)?.map(|value| target(&value));
            (GroupId::new(&key.group_id), ConsumerRecord::Target(MemberId::new(&key.member_id), value))
        }
        ConsumerGroupCurrentMemberAssignmentKey::TYPE => {
            let key = ConsumerGroupCurrentMemberAssignmentKey::decode(key, 0)?;
            let value = read(value)?.map(|value| Box::new(current(&value)));
            (GroupId::new(&key.group_id), ConsumerRecord::Current(MemberId::new(&key.member_id), value))
        }
        ConsumerGroupRegularExpressionKey::TYPE => {
            let key = ConsumerGroupRegularExpressionKey::decode(key, 0)?;
            let value = read(value)?.map(|value| resolved(&value));
            (GroupId::new(&key.group_id), ConsumerRecord::Regex(Arc::from(&*key.regular_expression), value))
        }
        _ => return Ok(None),
    }))
}

/// Its key and value as Kafka 4.3 writes them.
pub(crate) fn encode(group: &GroupId, record: &ConsumerRecord) -> Result<Bits, EncodeError> {
    let group_id = ByteString::from(group.as_str());
    let named = |member: &MemberId| (group_id.clone(), ByteString::from(member.as_str()));
    match record {
        ConsumerRecord::Group(value) => {
            let of = |value: &GroupEpoch| ConsumerGroupMetadataValue {
                epoch: value.epoch,
                metadata_hash: value.metadata_hash,
            };
            bits(&ConsumerGroupMetadataKey { group_id }, value.as_ref().map(of))
        }
        ConsumerRecord::OldMetadata(is_there) => {
            let value = is_there.then(ConsumerGroupPartitionMetadataValue::default);
            bits(&ConsumerGroupPartitionMetadataKey { group_id }, value)
        }
        ConsumerRecord::Member(member, value) => {
            let (group_id, member_id) = named(member);
            bits(
                &ConsumerGroupMemberMetadataKey { group_id, member_id },
                value.as_deref().map(encode_subscribed),
            )
        }
        ConsumerRecord::TargetEpoch(value) => {
            let of = |value: &TargetEpoch| ConsumerGroupTargetAssignmentMetadataValue {
                assignment_epoch: value.epoch,
                assignment_timestamp: value.at.map_or(0, Timestamp::as_millis),
            };
            bits(&ConsumerGroupTargetAssignmentMetadataKey { group_id }, value.as_ref().map(of))
        }
        ConsumerRecord::Target(member, value) => {
            let (group_id, member_id) = named(member);
            bits(
                &ConsumerGroupTargetAssignmentMemberKey { group_id, member_id },
                value.as_ref().map(encode_target),
            )
        }
        ConsumerRecord::Current(member, value) => {
            let (group_id, member_id) = named(member);
            bits(
                &ConsumerGroupCurrentMemberAssignmentKey { group_id, member_id },
                value.as_deref().map(encode_current),
            )
        }
        ConsumerRecord::Regex(regex, value) => {
            let key =
                ConsumerGroupRegularExpressionKey { group_id, regular_expression: regex.as_ref().into() };
            bits(&key, value.as_ref().map(encode_resolved))
        }
    }
}

fn read<V: Message>(value: Option<&Bytes>) -> Result<Option<V>, RecordError> {
    let Some(value) = value else { return Ok(None) };
    let (version, body) = split(value)?;
    Ok(Some(V::decode(body, version)?))
}

fn bits<K: Record, V: Message>(key: &K, value: Option<V>) -> Result<Bits, EncodeError> {
    Ok((encoded_key(key)?, value.map(|value| encoded(0, &value, 0)).transpose()?))
}

fn subscribed(value: &ConsumerGroupMemberMetadataValue) -> Subscribed {
    let text = |text: &Option<ByteString>| text.as_deref().map(Arc::from);
    Subscribed {
        instance: value.instance_id.as_deref().map(InstanceId::new),
        rack: text(&value.rack_id),
        client_id: Arc::from(&*value.client_id),
        client_host: Arc::from(&*value.client_host),
        topics: value.subscribed_topic_names.iter().map(|name| Topic::new(name)).collect(),
        regex: text(&value.subscribed_topic_regex).unwrap_or_default(),
        rebalance_timeout: time(value.rebalance_timeout_ms),
        assignor: value.server_assignor.as_deref().map(ProtocolName::new),
        classic: value.classic_member_metadata.as_ref().map(classic),
    }
}

fn classic(value: &ClassicMemberMetadata) -> ClassicMember {
    let protocols = value.supported_protocols.iter();
    ClassicMember {
        session_timeout: time(value.session_timeout_ms),
        protocols: protocols
            .map(|p| (ProtocolName::new(&p.name), Bytes::copy_from_slice(&p.metadata)))
            .collect(),
    }
}

fn encode_subscribed(value: &Subscribed) -> ConsumerGroupMemberMetadataValue {
    ConsumerGroupMemberMetadataValue {
        instance_id: value.instance.as_ref().map(|id| id.as_str().into()),
        rack_id: value.rack.as_deref().map(Into::into),
        client_id: value.client_id.as_ref().into(),
        client_host: value.client_host.as_ref().into(),
        subscribed_topic_names: value.topics.iter().map(|name| name.as_str().into()).collect(),
        subscribed_topic_regex: Some(value.regex.as_ref().into()),
        rebalance_timeout_ms: millis(value.rebalance_timeout),
        server_assignor: value.assignor.as_ref().map(|name| name.as_str().into()),
        classic_member_metadata: value.classic.as_ref().map(encode_classic),
    }
}

fn encode_classic(value: &ClassicMember) -> ClassicMemberMetadata {
    let protocol = |(name, metadata): &(ProtocolName, Bytes)| ClassicProtocol {
        name: name.as_str().into(),
        metadata: metadata.clone(),
    };
    ClassicMemberMetadata {
        session_timeout_ms: millis(value.session_timeout),
        supported_protocols: value.protocols.iter().map(protocol).collect(),
    }
}

fn target(value: &ConsumerGroupTargetAssignmentMemberValue) -> Partitions {
    let of = |topic: &TopicPartition| {
        let id = topic.topic_id;
        topic.partitions.iter().map(move |partition| (id, *partition)).collect::<Vec<_>>()
    };
    value.topic_partitions.iter().flat_map(of).collect()
}

fn encode_target(value: &Partitions) -> ConsumerGroupTargetAssignmentMemberValue {
    let topic = |(topic_id, partitions): (_, &std::collections::BTreeSet<i32>)| TopicPartition {
        topic_id,
        partitions: partitions.iter().copied().collect(),
    };
    ConsumerGroupTargetAssignmentMemberValue { topic_partitions: value.topics().map(topic).collect() }
}

fn current(value: &ConsumerGroupCurrentMemberAssignmentValue) -> Current {
    Current {
        epoch: value.member_epoch,
        previous: value.previous_member_epoch,
        state: MemberState::from_id(value.state),
        assigned: held(&value.assigned_partitions, value.member_epoch),
        pending: held(&value.partitions_pending_revocation, value.member_epoch),
    }
}

/// Where epochs are not noted, or not of each, they are the member's.
fn held(topics: &[TopicPartitions], epoch: i32) -> Held {
    let of = |topic: &TopicPartitions| {
        let (id, count) = (topic.topic_id, topic.partitions.len());
        let noted = topic.assignment_epochs.clone().filter(|epochs| epochs.len() == count);
        let epochs = noted.unwrap_or_else(|| vec![epoch; count]);
        topic.partitions.clone().into_iter().zip(epochs).map(move |(partition, epoch)| (id, partition, epoch))
    };
    topics.iter().flat_map(of).collect()
}

fn encode_current(value: &Current) -> ConsumerGroupCurrentMemberAssignmentValue {
    ConsumerGroupCurrentMemberAssignmentValue {
        member_epoch: value.epoch,
        previous_member_epoch: value.previous,
        state: value.state.id(),
        assigned_partitions: encode_held(&value.assigned),
        partitions_pending_revocation: encode_held(&value.pending),
    }
}

fn encode_held(held: &Held) -> Vec<TopicPartitions> {
    let topic = |(topic_id, partitions): (_, &std::collections::BTreeMap<i32, i32>)| TopicPartitions {
        topic_id,
        partitions: partitions.keys().copied().collect(),
        assignment_epochs: Some(partitions.values().copied().collect()),
    };
    held.topics().map(topic).collect()
}

fn resolved(value: &ConsumerGroupRegularExpressionValue) -> Resolved {
    Resolved {
        topics: value.topics.iter().map(|name| Topic::new(name)).collect(),
        version: value.version,
        at: Timestamp::from_millis(value.timestamp),
    }
}

fn encode_resolved(value: &Resolved) -> ConsumerGroupRegularExpressionValue {
    ConsumerGroupRegularExpressionValue {
        topics: value.topics.iter().map(|name| name.as_str().into()).collect(),
        version: value.version,
        timestamp: value.at.as_millis(),
    }
}

fn time(millis: i32) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
