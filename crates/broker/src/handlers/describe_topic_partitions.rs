//! Topics and their partitions, some at a time (KIP-966).

use std::collections::BTreeSet;

use klamm_protocol::messages::describe_topic_partitions_request::DescribeTopicPartitionsRequest;
use klamm_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};
use klamm_protocol::{ApiKey, ByteString, ErrorCode};

use super::operations::OF_A_TOPIC;
use super::{HandleError, Outcome, Sliced, answer, response_size};
use crate::error_code::WireError;
use crate::metadata::{Topic, TopicError};
use crate::shared::Shared;

/// The most partitions of an answer, as in Kafka (`max.request.partition.size.limit`).
const MOST: usize = 2000;

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&*call.shared, &call.head);
    let request = super::read::<DescribeTopicPartitionsRequest>(head)?;
    let image = shared.metadata.image();
    call.work.expect_items(request.topics.len()).await;
    let most = usize::try_from(request.response_partition_limit).unwrap_or(0).clamp(1, MOST);
    let all = image.topics().filter(|_| request.topics.is_empty());
    let names: usize = all.map(|topic| response_size::named(topic.name.as_str())).sum();
    let partitions = image.topics().map(|topic| topic.states.len()).sum::<usize>().min(most);
    call.work.reserve(names + response_size::partitions(partitions)).await;
    let (mut named, mut pass) = (BTreeSet::new(), call.work.pass());
    for topic in &request.topics {
        pass.next().await;
        named.insert(topic.name.to_string());
    }
    if request.topics.is_empty() {
        for topic in image.topics() {
            pass.next().await;
            named.insert(topic.name.to_string());
        }
    }
    if request.cursor.as_ref().is_some_and(|cursor| cursor.partition_index < 0) {
        let topics = call.each(&named, |name| failed(name, ErrorCode::InvalidRequest)).await;
        let response = DescribeTopicPartitionsResponse { topics, ..Default::default() };
        return answer(&response, ApiKey::DescribeTopicPartitions, head);
    }
    let (from, mut first) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.to_string(), usize::try_from(cursor.partition_index).unwrap_or(0)),
        None => (String::new(), 0),
    };
    let mut left = most;
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in named.range(from.clone()..) {
        let start = if *name == from { std::mem::take(&mut first) } else { 0 };
        if left == 0 {
            response.next_cursor = Some(cursor(name, start));
            break;
        }
        call.work.item().await;
        let Some(topic) = image.topic(name) else {
            response.topics.push(failed(name, TopicError::missing(name).wire()));
            continue;
        };
        let described = described(shared, topic, start, left);
        let (count, next) = (described.partitions.len(), start + described.partitions.len());
        left -= count;
        response.topics.push(described);
        if next < topic.states.len() {
            response.next_cursor = Some(cursor(name, next));
            break;
        }
    }
    answer(&response, ApiKey::DescribeTopicPartitions, head)
}

fn cursor(topic: &str, partition: usize) -> Cursor {
    let partition_index = i32::try_from(partition).unwrap_or(i32::MAX);
    Cursor { topic_name: topic.into(), partition_index }
}

fn failed(name: &str, error: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        error_code: error.code(),
        name: Some(ByteString::from(name)),
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

fn described(
    shared: &Shared,
    topic: &Topic,
    first: usize,
    most: usize,
) -> DescribeTopicPartitionsResponseTopic {
    let node = shared.config().node_id;
    let last = topic.states.len().min(first.saturating_add(most));
    let partition = |number: usize| {
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        let is_online = shared.metadata.is_online(topic, number);
        DescribeTopicPartitionsResponsePartition {
            error_code: if is_online { ErrorCode::None } else { ErrorCode::LeaderNotAvailable }.code(),
            partition_index: number,
            leader_id: if is_online { node } else { -1 },
            leader_epoch: topic.leader_epoch(number).get(),
            replica_nodes: vec![node],
            isr_nodes: if is_online { vec![node] } else { Vec::new() },
            offline_replicas: if is_online { Vec::new() } else { vec![node] },
            // Java's admin client does not take null for an answer.
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
        }
    };
    DescribeTopicPartitionsResponseTopic {
        error_code: shared.permit_code(),
        name: Some(topic.name.as_str().into()),
        topic_id: topic.id.into(),
        is_internal: topic.is_internal(),
        partitions: (first..last).map(partition).collect(),
        topic_authorized_operations: OF_A_TOPIC,
    }
}
