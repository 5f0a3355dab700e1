//! Requests that name as many different things as they can, for each API whose requests hold
//! collections.

use klamm_protocol::messages as m;
use klamm_protocol::{ByteString, Uuid};

use super::{GoodFrame, each};

/// Elements of each of [`many_frames`].
pub const MANY: usize = 2000;

fn names() -> impl Iterator<Item = ByteString> {
    (0..MANY).map(|number| format!("n{number}").as_str().into())
}

fn numbers() -> impl Iterator<Item = i32> {
    0..i32::try_from(MANY).unwrap_or(i32::MAX)
}

/// Requests with many elements, for the topic `topic` with the id `id` and for others that do not
/// exist, in every version.
#[must_use]
pub fn many_frames(topic: &str, id: Uuid) -> Vec<GoodFrame> {
    let mut frames = data(topic, id);
    frames.extend(groups(topic, id));
    frames.extend(admin(topic));
    frames
}

fn data(topic: &str, id: Uuid) -> Vec<GoodFrame> {
    use m::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
    use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
    use m::metadata_request::{MetadataRequest, MetadataRequestTopic};
    use m::offset_for_leader_epoch_request as epochs;
    use m::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
    let produce = |name: &str, topic_id| {
        let one = |index| PartitionProduceData { index, records: Some(Default::default()) };
        let partition_data = numbers().map(one).collect();
        let topic_data = vec![TopicProduceData { name: name.into(), topic_id, partition_data }];
        ProduceRequest { acks: 1, topic_data, ..ProduceRequest::default() }
    };
    let topics = names().map(|name| TopicProduceData { name, ..TopicProduceData::default() }).collect();
    let topics = ProduceRequest { acks: 1, topic_data: topics, ..ProduceRequest::default() };
    let fetch = |topic: &str, topic_id| {
        let partitions =
            numbers().map(|partition| FetchPartition { partition, ..FetchPartition::default() }).collect();
        let topics = vec![FetchTopic { topic: topic.into(), topic_id, partitions }];
        FetchRequest { session_epoch: 0, topics, ..FetchRequest::default() }
    };
    let partitions = numbers().map(|partition_index| ListOffsetsPartition {
        partition_index,
        timestamp: -1,
        ..Default::default()
    });
    let listed = vec![ListOffsetsTopic { name: topic.into(), partitions: partitions.collect() }];
    let asked = names().map(|name| MetadataRequestTopic { name: Some(name), ..Default::default() }).collect();
    let partitions =
        numbers().map(|partition| epochs::OffsetForLeaderPartition { partition, ..Default::default() });
    let asked_epochs =
        vec![epochs::OffsetForLeaderTopic { topic: topic.into(), partitions: partitions.collect() }];
    [
        each(&produce(topic, Uuid::ZERO), 3..=12),
        each(&produce("", id), 13..=13),
        each(&topics, 3..=12),
        each(&fetch(topic, Uuid::ZERO), 4..=12),
        each(&fetch("", id), 13..=18),
        each(&ListOffsetsRequest { replica_id: -1, topics: listed, ..Default::default() }, 1..=11),
        each(&MetadataRequest { topics: Some(asked), ..Default::default() }, 0..=13),
        each(&epochs::OffsetForLeaderEpochRequest { replica_id: -2, topics: asked_epochs }, 2..=4),
    ]
    .concat()
}

fn groups(topic: &str, id: Uuid) -> Vec<GoodFrame> {
    use m::join_group_request::JoinGroupRequestProtocol;
    use m::leave_group_request::{LeaveGroupRequest, MemberIdentity};
    use m::offset_commit_request as commit;
    use m::offset_fetch_request as fetch;
    use m::sync_group_request::SyncGroupRequestAssignment;
    let committed = |name: &str, topic_id| {
        let one = |partition_index| commit::OffsetCommitRequestPartition {
            partition_index,
            committed_metadata: Some("".into()),
            ..Default::default()
        };
        let partitions = numbers().map(one).collect();
        let topics = vec![commit::OffsetCommitRequestTopic { name: name.into(), topic_id, partitions }];
        commit::OffsetCommitRequest {
            group_id: "group".into(),
            generation_id_or_member_epoch: -1,
            topics,
            ..Default::default()
        }
    };
    let topics = names().map(|name| fetch::OffsetFetchRequestTopic { name, partition_indexes: vec![0] });
    let one = fetch::OffsetFetchRequest {
        group_id: "group".into(),
        topics: Some(topics.collect()),
        ..Default::default()
    };
    let groups = names().map(|group_id| fetch::OffsetFetchRequestGroup { group_id, ..Default::default() });
    let several = fetch::OffsetFetchRequest { groups: groups.collect(), ..Default::default() };
    let keys = m::find_coordinator_request::FindCoordinatorRequest {
        coordinator_keys: names().collect(),
        ..Default::default()
    };
    let members =
        names().map(|member_id| MemberIdentity { member_id, ..MemberIdentity::default() }).collect();
    let leave = LeaveGroupRequest { group_id: "group".into(), members, ..LeaveGroupRequest::default() };
    let described =
        m::describe_groups_request::DescribeGroupsRequest { groups: names().collect(), ..Default::default() };
    let consumers = m::consumer_group_describe_request::ConsumerGroupDescribeRequest {
        group_ids: names().collect(),
        ..Default::default()
    };
    let deleted = m::delete_groups_request::DeleteGroupsRequest { groups_names: names().collect() };
    let topics = names().map(|name| m::offset_delete_request::OffsetDeleteRequestTopic {
        name,
        partitions: vec![Default::default()],
    });
    let forgotten =
        m::offset_delete_request::OffsetDeleteRequest { group_id: "group".into(), topics: topics.collect() };
    let protocols =
        names().map(|name| JoinGroupRequestProtocol { name, metadata: vec![0; 10].into() }).collect();
    let join = m::join_group_request::JoinGroupRequest { protocols, ..Default::default() };
    let given = |member_id| SyncGroupRequestAssignment { member_id, assignment: vec![0; 10].into() };
    let sync = m::sync_group_request::SyncGroupRequest {
        group_id: "group".into(),
        member_id: "nobody".into(),
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: names().map(given).collect(),
        ..Default::default()
    };
    [
        each(&join, 0..=9),
        each(&sync, 0..=5),
        each(&committed(topic, Uuid::ZERO), 2..=9),
        each(&committed("", id), 10..=10),
        each(&one, 1..=7),
        each(&several, 8..=10),
        each(&keys, 4..=6),
        each(&leave, 3..=5),
        each(&described, 0..=6),
        each(&consumers, 0..=1),
        each(&deleted, 0..=2),
        each(&forgotten, 0..=0),
    ]
    .concat()
}

fn admin(topic: &str) -> Vec<GoodFrame> {
    use m::{create_partitions_request as grow, create_topics_request as create};
    use m::{delete_records_request as cut, delete_topics_request as delete};
    use m::{describe_configs_request as describe, incremental_alter_configs_request as alter};
    let wanted = names().map(|name| create::CreatableTopic {
        name,
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    });
    let created =
        create::CreateTopicsRequest { topics: wanted.collect(), validate_only: true, ..Default::default() };
    let states = names().map(|name| delete::DeleteTopicState { name: Some(name), ..Default::default() });
    let by_name = delete::DeleteTopicsRequest { topic_names: names().collect(), ..Default::default() };
    let by_state = delete::DeleteTopicsRequest { topics: states.collect(), ..Default::default() };
    let records = names().map(|name| cut::DeleteRecordsTopic { name, partitions: vec![Default::default()] });
    let grown = names().map(|name| grow::CreatePartitionsTopic { name, count: 2, assignments: None });
    let grown =
        grow::CreatePartitionsRequest { topics: grown.collect(), validate_only: true, ..Default::default() };
    let told = |resource_type| {
        let one = |resource_name| describe::DescribeConfigsResource {
            resource_type,
            resource_name,
            configuration_keys: None,
        };
        let resources = names().map(one).collect();
        describe::DescribeConfigsRequest { resources, include_synonyms: true, include_documentation: true }
    };
    let set = names().map(|resource_name| alter::AlterConfigsResource {
        resource_type: 2,
        resource_name,
        configs: vec![alter::AlterableConfig {
            name: "segment.ms".into(),
            value: Some("1".into()),
            ..Default::default()
        }],
    });
    let topic = m::describe_producers_request::TopicRequest {
        name: topic.into(),
        partition_indexes: numbers().collect(),
    };
    let producers = m::describe_producers_request::DescribeProducersRequest { topics: vec![topic.clone()] };
    let sizes = m::describe_log_dirs_request::DescribableLogDirTopic {
        topic: topic.name,
        partitions: numbers().collect(),
    };
    let sizes = m::describe_log_dirs_request::DescribeLogDirsRequest { topics: Some(vec![sizes]) };
    let listed =
        m::list_groups_request::ListGroupsRequest { states_filter: names().collect(), ..Default::default() };
    let set = alter::IncrementalAlterConfigsRequest { resources: set.collect(), validate_only: true };
    let asked = names().map(|name| m::describe_topic_partitions_request::TopicRequest { name });
    let asked = m::describe_topic_partitions_request::DescribeTopicPartitionsRequest {
        topics: asked.collect(),
        response_partition_limit: 2000,
        ..Default::default()
    };
    [
        each(&created, 2..=7),
        each(&by_name, 1..=5),
        each(&by_state, 6..=6),
        each(&cut::DeleteRecordsRequest { topics: records.collect(), timeout_ms: 100 }, 0..=2),
        each(&grown, 0..=3),
        each(&told(2), 1..=4),
        each(&told(32), 1..=4),
        each(&set, 0..=1),
        each(&producers, 0..=0),
        each(&sizes, 1..=5),
        each(&listed, 4..=5),
        each(&asked, 0..=0),
    ]
    .concat()
}
