//! Requests of groups, one of each API and version.

use klamm_protocol::Uuid;
use klamm_protocol::messages::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use klamm_protocol::messages::consumer_group_heartbeat_request::{
    ConsumerGroupHeartbeatRequest, TopicPartitions,
};
use klamm_protocol::messages::delete_groups_request::DeleteGroupsRequest;
use klamm_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use klamm_protocol::messages::heartbeat_request::HeartbeatRequest;
use klamm_protocol::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use klamm_protocol::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use klamm_protocol::messages::list_groups_request::ListGroupsRequest;
use klamm_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use klamm_protocol::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use klamm_protocol::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};

use super::{GoodFrame, each};

/// Those of the group `topic`, which reads `topic`.
pub(super) fn group_frames(topic: &str, id: Uuid) -> Vec<GoodFrame> {
    [membership(topic), consumers(topic, id), offsets(topic, id), administration(topic)].concat()
}

/// A group that the broker assigns: joins, heartbeats with what one has, by an expression.
fn consumers(topic: &str, id: Uuid) -> Vec<GoodFrame> {
    let join = ConsumerGroupHeartbeatRequest {
        group_id: format!("{topic}-newer").as_str().into(),
        member_id: "m".into(),
        rebalance_timeout_ms: 100,
        subscribed_topic_names: Some(vec![topic.into()]),
        topic_partitions: Some(Vec::new()),
        ..ConsumerGroupHeartbeatRequest::default()
    };
    let matched = ConsumerGroupHeartbeatRequest {
        member_id: "n".into(),
        instance_id: Some("i".into()),
        subscribed_topic_regex: Some("[a-z]+.*".into()),
        server_assignor: Some("range".into()),
        ..join.clone()
    };
    let own = vec![TopicPartitions { topic_id: id, partitions: vec![0] }];
    let beat = ConsumerGroupHeartbeatRequest { member_epoch: 2, topic_partitions: Some(own), ..join.clone() };
    let describe =
        ConsumerGroupDescribeRequest { group_ids: vec![join.group_id.clone()], ..Default::default() };
    [each(&join, 0..=1), each(&matched, 1..=1), each(&beat, 0..=1), each(&describe, 0..=1)].concat()
}

fn membership(group: &str) -> Vec<GoodFrame> {
    let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: vec![0, 0, 0, 0].into() };
    let join = JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 6000,
        rebalance_timeout_ms: 100,
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        ..JoinGroupRequest::default()
    };
    let given = SyncGroupRequestAssignment { member_id: "m".into(), assignment: vec![0; 8].into() };
    let sync = SyncGroupRequest {
        group_id: group.into(),
        generation_id: 1,
        member_id: "m".into(),
        assignments: vec![given],
        ..SyncGroupRequest::default()
    };
    let named = SyncGroupRequest {
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        ..sync.clone()
    };
    let beat = HeartbeatRequest {
        group_id: group.into(),
        generation_id: 1,
        member_id: "m".into(),
        ..HeartbeatRequest::default()
    };
    let one = LeaveGroupRequest { group_id: group.into(), member_id: "m".into(), ..Default::default() };
    let members = vec![MemberIdentity { member_id: "m".into(), ..MemberIdentity::default() }];
    let several = LeaveGroupRequest { group_id: group.into(), members, ..LeaveGroupRequest::default() };
    [
        each(&join, 0..=9),
        each(&sync, 0..=4),
        each(&named, 5..=5),
        each(&beat, 0..=4),
        each(&one, 0..=2),
        each(&several, 3..=5),
    ]
    .concat()
}

fn offsets(topic: &str, id: Uuid) -> Vec<GoodFrame> {
    let commit = |name: &str, topic_id| {
        let partition = OffsetCommitRequestPartition { committed_offset: 1, ..Default::default() };
        let asked = OffsetCommitRequestTopic { name: name.into(), topic_id, partitions: vec![partition] };
        OffsetCommitRequest { group_id: topic.into(), topics: vec![asked], ..OffsetCommitRequest::default() }
    };
    let asked = OffsetFetchRequestTopic { name: topic.into(), partition_indexes: vec![0] };
    let one = OffsetFetchRequest { group_id: topic.into(), topics: Some(vec![asked]), ..Default::default() };
    let several = |name: &str, topic_id| {
        let asked = OffsetFetchRequestTopics { name: name.into(), topic_id, partition_indexes: vec![0] };
        let group = OffsetFetchRequestGroup {
            group_id: topic.into(),
            topics: Some(vec![asked]),
            ..OffsetFetchRequestGroup::default()
        };
        OffsetFetchRequest { groups: vec![group], ..OffsetFetchRequest::default() }
    };
    let partitions = vec![OffsetDeleteRequestPartition { partition_index: 0 }];
    let named = vec![OffsetDeleteRequestTopic { name: topic.into(), partitions }];
    [
        each(&commit(topic, Uuid::ZERO), 2..=9),
        each(&commit("", id), 10..=10),
        each(&one, 1..=7),
        each(&several(topic, Uuid::ZERO), 8..=9),
        each(&several("", id), 10..=10),
        each(&OffsetDeleteRequest { group_id: topic.into(), topics: named }, 0..=0),
    ]
    .concat()
}

fn administration(group: &str) -> Vec<GoodFrame> {
    let groups = vec![group.into()];
    [
        each(&ListGroupsRequest::default(), 0..=5),
        each(&DescribeGroupsRequest { groups, ..Default::default() }, 0..=6),
        each(&DeleteGroupsRequest { groups_names: vec![group.into()] }, 0..=2),
    ]
    .concat()
}
