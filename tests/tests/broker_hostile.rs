//! Frames that are cut, flipped, or random in part: whatever comes, the broker goes on for everyone else.

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::messages::alter_client_quotas_request::{
    AlterClientQuotasRequest, EntityData, EntryData, OpData,
};
use klamm_protocol::messages::alter_configs_request::AlterConfigsRequest;
use klamm_protocol::messages::api_versions_request::ApiVersionsRequest;
use klamm_protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use klamm_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use klamm_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use klamm_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use klamm_protocol::messages::describe_client_quotas_request::DescribeClientQuotasRequest;
use klamm_protocol::messages::describe_cluster_request::DescribeClusterRequest;
use klamm_protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm_protocol::messages::describe_log_dirs_request::{DescribableLogDirTopic, DescribeLogDirsRequest};
use klamm_protocol::messages::describe_topic_partitions_request::{Cursor, DescribeTopicPartitionsRequest};
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use klamm_protocol::messages::init_producer_id_request::InitProducerIdRequest;
use klamm_protocol::messages::list_offsets_request::ListOffsetsRequest;
use klamm_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::{Records, Request, encode_request};
use klamm_record::{BatchBuilder, BatchOptions, NewRecord};
use klamm_tests::client::Client;
use proptest::prelude::*;

/// A frame as a well-meaning client would send it, its length in front.
fn frame<R: Request>(request: &R, version: i16) -> Vec<u8> {
    encode_request(request, version, 1, Some("hostile")).unwrap().into_bytes().unwrap().to_vec()
}

fn good_frames() -> Vec<Vec<u8>> {
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    builder.append(&NewRecord::new("value").key("key")).unwrap();
    let records = Some(Records::Bytes(builder.finish().unwrap().buffer.into()));
    let produced = vec![PartitionProduceData { index: 0, records }];
    let produced =
        vec![TopicProduceData { name: "t".into(), partition_data: produced, ..Default::default() }];
    let fetched = vec![FetchPartition { partition_max_bytes: 1000, ..Default::default() }];
    let fetched = vec![FetchTopic { topic: "t".into(), partitions: fetched, ..Default::default() }];
    let asked = vec![MetadataRequestTopic { name: Some("t".into()), ..Default::default() }];
    let wanted = vec![CreatableTopic {
        name: "u".into(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    }];
    let metadata =
        MetadataRequest { topics: Some(asked), allow_auto_topic_creation: true, ..Default::default() };
    let mut frames = admin_frames();
    frames.extend([
        frame(&ProduceRequest { acks: 1, topic_data: produced, ..Default::default() }, 9),
        frame(&FetchRequest { topics: fetched, max_bytes: 1000, ..Default::default() }, 12),
        frame(&metadata, 12),
        frame(&CreateTopicsRequest { topics: wanted, ..Default::default() }, 5),
        frame(&ListOffsetsRequest { replica_id: -1, ..Default::default() }, 4),
        frame(&ApiVersionsRequest::default(), 3),
    ]);
    frames
}

fn admin_frames() -> Vec<Vec<u8>> {
    let grown = CreatePartitionsTopic { name: "t".into(), count: 2, assignments: None };
    let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset: 0 }];
    let cut = vec![DeleteRecordsTopic { name: "t".into(), partitions }];
    let told = DescribeConfigsResource {
        resource_type: 2,
        resource_name: "t".into(),
        configuration_keys: Some(vec!["segment.ms".into()]),
    };
    let set =
        vec![AlterableConfig { name: "segment.ms".into(), config_operation: 0, value: Some("5000".into()) }];
    let altered = AlterConfigsResource { resource_type: 2, resource_name: "t".into(), configs: set };
    let cursor = Some(Cursor { topic_name: "t".into(), partition_index: 0 });
    let epochs = vec![OffsetForLeaderPartition { partition: 0, current_leader_epoch: -1, leader_epoch: 0 }];
    let epochs = vec![OffsetForLeaderTopic { topic: "t".into(), partitions: epochs }];
    let who = vec![EntityData { entity_type: "client-id".into(), entity_name: Some("nobody".into()) }];
    let ops = vec![OpData { key: "producer_byte_rate".into(), value: 1e9, remove: false }];
    let listed = DescribableLogDirTopic { topic: "t".into(), partitions: vec![0] };
    vec![
        frame(&CreatePartitionsRequest { topics: vec![grown], timeout_ms: 100, validate_only: true }, 3),
        frame(&DeleteRecordsRequest { topics: cut, timeout_ms: 100 }, 2),
        frame(&DescribeConfigsRequest { resources: vec![told], ..Default::default() }, 4),
        frame(&IncrementalAlterConfigsRequest { resources: vec![altered], validate_only: false }, 1),
        frame(&AlterConfigsRequest::default(), 2),
        frame(&DescribeClusterRequest::default(), 2),
        frame(
            &DescribeTopicPartitionsRequest { cursor, response_partition_limit: 10, ..Default::default() },
            0,
        ),
        frame(&DescribeLogDirsRequest { topics: Some(vec![listed]) }, 4),
        frame(&OffsetForLeaderEpochRequest { replica_id: -1, topics: epochs }, 4),
        frame(
            &AlterClientQuotasRequest { entries: vec![EntryData { entity: who, ops }], validate_only: false },
            1,
        ),
        frame(&DescribeClientQuotasRequest::default(), 1),
        frame(&InitProducerIdRequest { transactional_id: None, ..Default::default() }, 5),
        frame(
            &DeleteTopicsRequest { topic_names: vec!["u".into()], timeout_ms: 100, ..Default::default() },
            5,
        ),
    ]
}

#[derive(Clone, Debug)]
enum Harm {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Length(i32),
    Tail(Vec<u8>),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        4 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Harm::Flip(at, byte)),
        1 => any::<prop::sample::Index>().prop_map(Harm::Cut),
        1 => any::<i32>().prop_map(Harm::Length),
        1 => prop::collection::vec(any::<u8>(), 0..64).prop_map(Harm::Tail),
    ]
}

fn do_harm(frame: &mut Vec<u8>, harm: &Harm) {
    match harm {
        // Behind the head, so that a handler meets it.
        Harm::Flip(at, byte) => {
            let at = 8 + at.index(frame.len() - 8);
            frame[at] = *byte;
        }
        Harm::Cut(at) => {
            frame.truncate(12 + at.index(frame.len() - 11));
            let length = u32::try_from(frame.len() - 4).unwrap();
            frame[..4].copy_from_slice(&length.to_be_bytes());
        }
        Harm::Length(length) => frame[..4].copy_from_slice(&length.to_be_bytes()),
        Harm::Tail(tail) => frame.extend_from_slice(tail),
    }
}

#[test]
fn whatever_comes_the_others_are_served() {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let mut other = Client::connect(&broker);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(1000));
    let good = good_frames();
    let cases = (0..good.len(), prop::collection::vec(harm(), 1..4));
    let run = |(which, harms): (usize, Vec<Harm>)| {
        let mut frame = good[which].clone();
        for harm in &harms {
            if frame.len() > 12 {
                do_harm(&mut frame, harm);
            }
        }
        let mut hostile = Client::connect(&broker);
        hostile.raw(&frame);
        drop(hostile);
        Ok(())
    };
    runner.run(&cases, run).unwrap();
    assert_eq!(other.call(&ApiVersionsRequest::default(), 3).error_code, 0);
    broker.stop().unwrap();
}

/// One that creates ten thousand partitions does not keep others from their records.
#[test]
fn a_long_command_keeps_nobody_waiting() {
    let config = BrokerConfig { io_threads: 1, network_threads: 1, ..BrokerConfig::for_test() };
    let broker = Broker::start(config).unwrap();
    let mut commanding = Client::connect(&broker);
    let wanted = |name: &str| CreatableTopic {
        name: name.into(),
        num_partitions: 500,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![wanted("a"), wanted("b")], ..Default::default() };
    commanding.send(&request, 5);
    let mut other = Client::connect(&broker);
    let mut answered = 0;
    // Each answer comes while the command goes on, until its own does.
    commanding.poll_each(|| {
        assert_eq!(other.call(&ApiVersionsRequest::default(), 3).error_code, 0);
        answered += 1;
    });
    assert!(answered > 10, "{answered} answers while a thousand partitions were created");
}

/// A declared length reserves nothing: ninety connections that each promise the largest frame there may be, and send a
/// little of it, leave room for the others.
#[test]
fn promised_bytes_take_no_memory() {
    let config = BrokerConfig { max_queued_bytes: 100 << 20, ..BrokerConfig::for_test() };
    let broker = Broker::start(config).unwrap();
    let mut promising = Vec::new();
    for _ in 0..90 {
        let mut client = Client::connect(&broker);
        client.raw(&(100i32 << 20).to_be_bytes());
        client.raw(&[0; 1000]);
        promising.push(client);
    }
    let mut other = Client::connect(&broker);
    assert_eq!(other.call(&ApiVersionsRequest::default(), 3).error_code, 0);
}

#[test]
fn a_folder_that_cannot_be_is_named() {
    let root = tempfile::tempdir().unwrap();
    let start = |what: &str| {
        let config = BrokerConfig { log_dirs: vec![root.path().join(what)], ..BrokerConfig::for_test() };
        Broker::start(config).map(|broker| broker.stop().unwrap()).map_err(|error| error.to_string())
    };
    std::fs::write(root.path().join("file"), "").unwrap();
    assert!(start("file").unwrap_err().starts_with("cannot create folder "));
    std::fs::create_dir(root.path().join("newer")).unwrap();
    std::fs::write(root.path().join("newer/meta.properties"), "version=2\nnode.id=1\ncluster.id=x\n")
        .unwrap();
    assert!(start("newer").unwrap_err().ends_with("expected version=1, got \"2\""));
    start("half").unwrap();
    let log = root.path().join("half/__cluster_metadata-0/00000000000000000000.log");
    std::fs::write(&log, [0; 100]).unwrap();
    let error = start("half").unwrap_err();
    assert!(error.contains("damage in ") && error.contains("at byte 0"), "{error}");
}
