//! Frames to do harm with: what well-meaning clients send, in every API and version that the broker
//! serves.

mod groups;
mod many;
mod small;

pub use many::{MANY, many_frames};

use std::ops::RangeInclusive;

use bytes::Bytes;
use klamm_protocol::messages::alter_client_quotas_request::{
    AlterClientQuotasRequest, EntityData, EntryData, OpData,
};
use klamm_protocol::messages::alter_configs_request::{self as alter_configs, AlterConfigsRequest};
use klamm_protocol::messages::api_versions_response::ApiVersion;
use klamm_protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use klamm_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use klamm_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use klamm_protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use klamm_protocol::messages::describe_client_quotas_request::DescribeClientQuotasRequest;
use klamm_protocol::messages::describe_cluster_request::DescribeClusterRequest;
use klamm_protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm_protocol::messages::describe_log_dirs_request::{DescribableLogDirTopic, DescribeLogDirsRequest};
use klamm_protocol::messages::describe_topic_partitions_request::{Cursor, DescribeTopicPartitionsRequest};
use klamm_protocol::messages::describe_user_scram_credentials_request::DescribeUserScramCredentialsRequest;
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use klamm_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use klamm_protocol::messages::init_producer_id_request::InitProducerIdRequest;
use klamm_protocol::messages::list_config_resources_request::ListConfigResourcesRequest;
use klamm_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use klamm_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::{Records, Request, Uuid, encode_request};
use klamm_record::{BatchBuilder, BatchOptions, NewRecord};

use crate::client::Client;
use crate::requests::api_versions;

/// An API's number, a version, and a request of it as a frame, its length in front.
pub type GoodFrame = (i16, i16, Vec<u8>);

/// The APIs and versions that a broker says it serves.
///
/// # Panics
/// When it does not answer.
pub fn served(client: &mut Client) -> Vec<ApiVersion> {
    client.call(&api_versions(), 3).api_keys
}

/// Requests to a topic `topic` with the id `id`, one of each API and version of `served`.
///
/// # Panics
/// When an API is served for which there is none here.
#[must_use]
pub fn good_frames(served: &[ApiVersion], topic: &str, id: Uuid) -> Vec<GoodFrame> {
    let mut frames = data_frames(topic, id);
    frames.extend(admin_frames(topic));
    frames.extend(groups::group_frames(topic, id));
    frames.extend(small::small_frames(topic));
    for ApiVersion { api_key, min_version, max_version, .. } in served {
        let missing = (*min_version..=*max_version)
            .find(|version| !frames.iter().any(|(api, v, _)| (api, v) == (api_key, version)));
        // Produce is advertised from 0 on, for the sake of old clients, and served from 3.
        assert!(
            missing.is_none_or(|v| *api_key == 0 && v < 3),
            "no request of API {api_key}, version {missing:?}"
        );
    }
    frames
}

/// The request in `frame`, of a flexible version and without tagged fields, with one of `bytes`
/// bytes that nobody knows.
///
/// # Panics
/// When there are tagged fields already.
#[must_use]
pub fn padded(frame: &[u8], bytes: usize) -> Vec<u8> {
    let mut padded = frame.to_vec();
    assert_eq!(padded.pop(), Some(0), "a flexible version without tagged fields");
    padded.extend([1, 100]);
    let mut size = bytes;
    while size >= 0x80 {
        padded.push((size & 0x7f).to_le_bytes()[0] | 0x80);
        size >>= 7;
    }
    padded.push(size.to_le_bytes()[0]);
    padded.resize(padded.len() + bytes, 7);
    let length = u32::try_from(padded.len() - 4).expect("a frame");
    padded[..4].copy_from_slice(&length.to_be_bytes());
    padded
}

fn each<R: Request>(request: &R, versions: RangeInclusive<i16>) -> Vec<GoodFrame> {
    let encode = |version| {
        let frame = encode_request(request, version, 1, Some("hostile")).ok()?.into_bytes()?;
        Some((R::KEY.code(), version, frame.to_vec()))
    };
    versions.filter_map(encode).collect()
}

fn batch() -> Bytes {
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    builder.append(&NewRecord::new("value").key("key")).expect("fits");
    builder.finish().expect("has a record").buffer.into()
}

fn data_frames(topic: &str, id: Uuid) -> Vec<GoodFrame> {
    let produce = |name: &str, topic_id| {
        let records = Some(Records::Bytes(batch()));
        let partition_data = vec![PartitionProduceData { index: 0, records }];
        let topic_data = vec![TopicProduceData { name: name.into(), topic_id, partition_data }];
        ProduceRequest { acks: 1, timeout_ms: 100, topic_data, ..ProduceRequest::default() }
    };
    let fetch = |topic: &str, topic_id| {
        let partitions = vec![FetchPartition { partition_max_bytes: 1000, ..FetchPartition::default() }];
        let topics = vec![FetchTopic { topic: topic.into(), topic_id, partitions }];
        FetchRequest { max_bytes: 1000, session_epoch: -1, topics, ..FetchRequest::default() }
    };
    let partitions = vec![ListOffsetsPartition { timestamp: -1, ..ListOffsetsPartition::default() }];
    let listed = vec![ListOffsetsTopic { name: topic.into(), partitions }];
    let asked = vec![MetadataRequestTopic { name: Some(topic.into()), ..MetadataRequestTopic::default() }];
    let partitions = vec![OffsetForLeaderPartition { current_leader_epoch: -1, ..Default::default() }];
    let epochs = vec![OffsetForLeaderTopic { topic: topic.into(), partitions }];
    let mut frames = each(&produce(topic, Uuid::ZERO), 3..=12);
    frames.extend(each(&produce("", id), 13..=13));
    frames.extend(each(&fetch(topic, Uuid::ZERO), 4..=12));
    frames.extend(each(&fetch("", id), 13..=18));
    frames.extend(each(&ListOffsetsRequest { replica_id: -1, topics: listed, ..Default::default() }, 1..=11));
    frames.extend(each(&MetadataRequest { topics: Some(asked), ..Default::default() }, 0..=13));
    frames.extend(each(&OffsetForLeaderEpochRequest { replica_id: -2, topics: epochs }, 2..=4));
    frames.extend(each(&api_versions(), 0..=4));
    frames.extend(each(&FindCoordinatorRequest { key: "group".into(), ..Default::default() }, 0..=3));
    let coordinator_keys = vec!["group".into()];
    frames.extend(each(&FindCoordinatorRequest { coordinator_keys, ..Default::default() }, 4..=6));
    frames.extend(each(&InitProducerIdRequest { transactional_id: None, ..Default::default() }, 0..=5));
    frames
}

/// Those of topics are about topics whose names begin with `topic`, those of settings change
/// nothing that others feel.
fn admin_frames(topic: &str) -> Vec<GoodFrame> {
    let name = format!("{topic}x");
    let wanted = CreatableTopic {
        name: name.as_str().into(),
        num_partitions: 1,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let grown = CreatePartitionsTopic { name: topic.into(), count: 2, assignments: None };
    let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset: 0 }];
    let cut = vec![DeleteRecordsTopic { name: topic.into(), partitions }];
    let configuration_keys = Some(vec!["segment.ms".into()]);
    let resource_name = klamm_protocol::ByteString::from(topic);
    let told = DescribeConfigsResource {
        resource_type: 2,
        resource_name: resource_name.clone(),
        configuration_keys,
    };
    let (key, value) = (klamm_protocol::ByteString::from("segment.ms"), Some("5000000".into()));
    let set = vec![AlterableConfig { name: key.clone(), config_operation: 0, value: value.clone() }];
    let altered =
        AlterConfigsResource { resource_type: 2, resource_name: resource_name.clone(), configs: set };
    let set = vec![alter_configs::AlterableConfig { name: key, value }];
    let replaced = alter_configs::AlterConfigsResource { resource_type: 2, resource_name, configs: set };
    let cursor = Some(Cursor { topic_name: topic.into(), partition_index: 0 });
    let who = vec![EntityData { entity_type: "client-id".into(), entity_name: Some("nobody".into()) }];
    let ops = vec![OpData { key: "producer_byte_rate".into(), value: 1e9, remove: false }];
    let entries = vec![EntryData { entity: who, ops }];
    let listed = DescribableLogDirTopic { topic: topic.into(), partitions: vec![0] };
    let named = DeleteTopicsRequest {
        topic_names: vec![name.as_str().into()],
        timeout_ms: 100,
        ..Default::default()
    };
    let stated = DeleteTopicState { name: Some(name.as_str().into()), ..DeleteTopicState::default() };
    let stated = DeleteTopicsRequest { topics: vec![stated], timeout_ms: 100, ..Default::default() };
    [
        each(&CreateTopicsRequest { topics: vec![wanted], ..Default::default() }, 2..=7),
        each(&named, 1..=5),
        each(&stated, 6..=6),
        each(&CreatePartitionsRequest { topics: vec![grown], timeout_ms: 100, validate_only: true }, 0..=3),
        each(&DeleteRecordsRequest { topics: cut, timeout_ms: 100 }, 0..=2),
        each(&ListConfigResourcesRequest::default(), 0..=1),
        each(&DescribeConfigsRequest { resources: vec![told], ..Default::default() }, 1..=4),
        each(&IncrementalAlterConfigsRequest { resources: vec![altered], validate_only: false }, 0..=1),
        each(&AlterConfigsRequest { resources: vec![replaced], validate_only: false }, 0..=2),
        each(&DescribeClusterRequest::default(), 0..=2),
        each(
            &DescribeTopicPartitionsRequest { cursor, response_partition_limit: 10, ..Default::default() },
            0..=0,
        ),
        each(&DescribeLogDirsRequest { topics: Some(vec![listed]) }, 1..=5),
        each(&AlterClientQuotasRequest { entries, validate_only: true }, 0..=1),
        each(&DescribeClientQuotasRequest::default(), 0..=1),
        each(&DescribeUserScramCredentialsRequest::default(), 0..=0),
    ]
    .concat()
}
