//! A member of a group whose broker assigns is alive (KIP-848).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use klamm_coordinator::{
    ConsumerHeartbeat, ConsumerHeartbeatAnswer, GroupError, GroupId, InstanceId, MemberId, Partitions,
    ProtocolName, Topic,
};
use klamm_protocol::messages::consumer_group_heartbeat_request::{
    ConsumerGroupHeartbeatRequest, TopicPartitions,
};
use klamm_protocol::messages::consumer_group_heartbeat_response::{
    Assignment, ConsumerGroupHeartbeatResponse, TopicPartitions as AssignedTopic,
};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Outcome, Turn, answer, host};
use crate::BrokerConfig;
use crate::error_code::WireError;
use crate::shared::Shared;

/// From this version on members give themselves an id (KIP-1082).
const OWN_ID: i16 = 1;

pub(super) fn handle(shared: &Arc<Shared>, head: &RequestHead, turn: Turn) -> Result<Outcome, HandleError> {
    let request = super::read::<ConsumerGroupHeartbeatRequest>(head)?;
    let enabled = || shared.serves_consumer_protocol().then_some(()).ok_or(ErrorCode::UnsupportedVersion);
    let heard = shared.permit().map_err(|error| error.wire()).and_then(|()| enabled()).and_then(|()| {
        let beat = beat(&request, head, turn.peer)?;
        let mut refused = None;
        let told = shared.groups.decide(&beat.group, |groups, present| {
            let decided = groups.consumer_heartbeat(&beat, present);
            refused = decided.as_ref().err().map(|error| words(*error, &beat, &shared.config()));
            decided.map(|(effects, told)| ([effects], told))
        });
        Ok(told.map_err(|error| (error, refused)))
    });
    let response = match heard {
        Ok(Ok(told)) => accepted(&told),
        Ok(Err((error, words))) => refused(error, words),
        Err(error) => refused(error, None),
    };
    answer(&response, ApiKey::ConsumerGroupHeartbeat, head)
}

fn beat(
    request: &ConsumerGroupHeartbeatRequest,
    head: &RequestHead,
    peer: IpAddr,
) -> Result<ConsumerHeartbeat, ErrorCode> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| ErrorCode::UnknownServerError)?;
    let member = Some(&*request.member_id).filter(|id| head.version >= OWN_ID || !id.is_empty());
    let millis = |millis: i32| u64::try_from(millis).ok().map(Duration::from_millis);
    Ok(ConsumerHeartbeat {
        group: GroupId::new(&request.group_id),
        member: member.map(MemberId::new),
        epoch: request.member_epoch,
        instance: request.instance_id.as_deref().map(InstanceId::new),
        rack: request.rack_id.as_deref().map(Arc::from),
        client_id: Arc::from(head.client_id.as_deref().unwrap_or("")),
        client_host: host(peer),
        rebalance_timeout: millis(request.rebalance_timeout_ms),
        topics: request
            .subscribed_topic_names
            .as_ref()
            .map(|names| names.iter().map(|name| Topic::new(name)).collect()),
        regex: request.subscribed_topic_regex.as_deref().map(Arc::from),
        assignor: request.server_assignor.as_deref().map(ProtocolName::new),
        owned: request.topic_partitions.as_deref().map(owned),
        random: u128::from_be_bytes(random),
    })
}

fn owned(topics: &[TopicPartitions]) -> Partitions {
    let of = |topic: &TopicPartitions| {
        let id = topic.topic_id;
        topic.partitions.clone().into_iter().map(move |partition| (id, partition))
    };
    topics.iter().flat_map(of).collect()
}

fn accepted(told: &ConsumerHeartbeatAnswer) -> ConsumerGroupHeartbeatResponse {
    let topic = |(topic_id, partitions): (_, &std::collections::BTreeSet<i32>)| AssignedTopic {
        topic_id,
        partitions: partitions.iter().copied().collect(),
    };
    let assignment = told.assignment.as_ref();
    ConsumerGroupHeartbeatResponse {
        member_id: Some(told.member.as_str().into()),
        member_epoch: told.epoch,
        heartbeat_interval_ms: i32::try_from(told.interval.as_millis()).unwrap_or(i32::MAX),
        assignment: assignment.map(|own| Assignment { topic_partitions: own.topics().map(topic).collect() }),
        ..ConsumerGroupHeartbeatResponse::default()
    }
}

/// The words of Kafka, which its clients log and its tests compare.
fn words(error: GroupError, beat: &ConsumerHeartbeat, config: &BrokerConfig) -> String {
    let group = beat.group.as_str();
    let member = beat.member.as_ref().map_or("", MemberId::as_str);
    let instance = beat.instance.as_ref().map_or("", InstanceId::as_str);
    let assignor = beat.assignor.as_ref().map_or("", ProtocolName::as_str);
    let regex = beat.regex.as_deref().unwrap_or("");
    let assignors = config.groups.consumer.assignors.names().join(", ");
    let most = config.groups.consumer.max_size;
    match error {
        GroupError::GroupIdNotFound => format!("Consumer group {group} not found."),
        GroupError::ForeignGroup => format!("Group {group} is not a consumer group."),
        GroupError::CannotUpgrade(reason) => {
            format!("Cannot upgrade classic group {group} to consumer group {reason}")
        }
        GroupError::UnknownMemberId if !instance.is_empty() => format!("Instance id {instance} is unknown."),
        GroupError::UnknownMemberId => format!("Member {member} is not a member of group {group}."),
        GroupError::UnsupportedAssignor => {
            format!("ServerAssignor {assignor} is not supported. Supported assignors: {assignors}.")
        }
        GroupError::GroupMaxSizeReached => {
            format!("The consumer group has reached its maximum capacity of {most} members.")
        }
        GroupError::InvalidRegularExpression => {
            format!("SubscribedTopicRegex `{regex}` is not a valid regular expression: {error}.")
        }
        _ => error.to_string(),
    }
}

fn refused(error: ErrorCode, words: Option<String>) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        error_code: error.code(),
        error_message: words.map(|words| super::message(&words)),
        member_id: None,
        assignment: None,
        ..ConsumerGroupHeartbeatResponse::default()
    }
}
