//! DescribeQuorum (KIP-836): the quorum of the metadata log, whose only voter and leader is this
//! broker.

use klamm_protocol::messages::describe_quorum_request::{self as request, DescribeQuorumRequest};
use klamm_protocol::messages::describe_quorum_response::{
    DescribeQuorumResponse, Listener, Node, PartitionData, ReplicaState, TopicData,
};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead, Uuid};

use super::{HandleError, Outcome, answer, read};
use crate::shared::Shared;

const TOPIC: &str = "__cluster_metadata";

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = read::<DescribeQuorumRequest>(head)?;
    // Kafka wants this one partition, and nothing else beside it.
    let is_metadata = matches!(
        &request.topics[..],
        [topic] if &*topic.topic_name == TOPIC && matches!(&topic.partitions[..], [one] if one.partition_index == 0)
    );
    let describe = |asked: &request::PartitionData| match is_metadata {
        true => described(shared, head.version),
        false => unknown(asked.partition_index),
    };
    let topics = request.topics.iter().map(|topic| TopicData {
        topic_name: topic.topic_name.clone(),
        partitions: topic.partitions.iter().map(describe).collect(),
    });
    let response = DescribeQuorumResponse {
        error_code: shared.permit_code(),
        topics: topics.collect(),
        nodes: if is_metadata && head.version >= WITH_NODES { vec![node(shared)] } else { Vec::new() },
        ..Default::default()
    };
    answer(&response, ApiKey::DescribeQuorum, head)
}

/// From this version on the response has the directory ids and addresses of voters (KIP-853).
const WITH_NODES: i16 = 2;

fn described(shared: &Shared, version: i16) -> PartitionData {
    let (leader_epoch, end) = shared.metadata.position();
    let (now, node) = (shared.now().as_millis(), shared.config().node_id);
    let directory = if version >= WITH_NODES { shared.metadata.identity.directory } else { Uuid::ZERO };
    let voter = ReplicaState {
        replica_id: node,
        replica_directory_id: directory,
        log_end_offset: end.get(),
        last_fetch_timestamp: now,
        last_caught_up_timestamp: now,
    };
    PartitionData {
        leader_id: node,
        leader_epoch: leader_epoch.get(),
        high_watermark: end.get(),
        current_voters: vec![voter],
        ..Default::default()
    }
}

fn unknown(partition_index: i32) -> PartitionData {
    let error_code = ErrorCode::UnknownTopicOrPartition.code();
    PartitionData { partition_index, error_code, ..Default::default() }
}

/// The address of the voter. It has no listener of a controller: clients reach it where they reach
/// the broker.
fn node(shared: &Shared) -> Node {
    let listener = Listener {
        name: shared.config().listener_name.as_str().into(),
        host: shared.advertised.host.as_str().into(),
        port: shared.advertised.port,
    };
    Node { node_id: shared.config().node_id, listeners: vec![listener] }
}
