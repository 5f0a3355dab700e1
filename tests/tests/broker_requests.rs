//! The broker, request by request: every API in every version that it serves, order, waiting,
//! limits, bad input.

use std::time::{Duration, Instant};

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::messages::alter_client_quotas_request::AlterClientQuotasRequest;
use klamm_protocol::messages::alter_configs_request::AlterConfigsRequest;
use klamm_protocol::messages::api_versions_request::ApiVersionsRequest;
use klamm_protocol::messages::api_versions_response::ApiVersionsResponse;
use klamm_protocol::messages::create_partitions_request::CreatePartitionsRequest;
use klamm_protocol::messages::create_topics_request::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use klamm_protocol::messages::delete_records_request::DeleteRecordsRequest;
use klamm_protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use klamm_protocol::messages::describe_client_quotas_request::DescribeClientQuotasRequest;
use klamm_protocol::messages::describe_cluster_request::DescribeClusterRequest;
use klamm_protocol::messages::describe_configs_request::DescribeConfigsRequest;
use klamm_protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use klamm_protocol::messages::describe_topic_partitions_request::DescribeTopicPartitionsRequest;
use klamm_protocol::messages::describe_user_scram_credentials_request::DescribeUserScramCredentialsRequest;
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::fetch_response::PartitionData;
use klamm_protocol::messages::incremental_alter_configs_request::IncrementalAlterConfigsRequest;
use klamm_protocol::messages::init_producer_id_request::InitProducerIdRequest;
use klamm_protocol::messages::list_config_resources_request::ListConfigResourcesRequest;
use klamm_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use klamm_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderEpochRequest;
use klamm_protocol::{Message, Records, Uuid};
use klamm_record::{BatchBuilder, BatchOptions, Batches, Compression, NewRecord};
use klamm_tests::client::Client;
use klamm_tests::requests::{api_versions, produce, topic};
use klamm_types::Timestamp;

fn start() -> (Broker, Client) {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let client = Client::connect(&broker);
    (broker, client)
}

fn batch(values: &[&str], compression: Compression) -> Records {
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions { compression, ..BatchOptions::default() });
    for (value, time) in values.iter().zip(1000..) {
        builder.append(&NewRecord::new(value).at(Timestamp::from_millis(time))).unwrap();
    }
    Records::Bytes(builder.finish().unwrap().buffer.into())
}

fn fetch_request(
    name: &str,
    id: Uuid,
    offset: i64,
    max_bytes: i32,
    wait: (i32, i32),
    version: i16,
) -> FetchRequest {
    let partition =
        FetchPartition { fetch_offset: offset, partition_max_bytes: max_bytes, ..Default::default() };
    let (topic, topic_id) = if version >= 13 { ("".into(), id) } else { (name.into(), Uuid::ZERO) };
    let topics = vec![FetchTopic { topic, topic_id, partitions: vec![partition] }];
    FetchRequest { max_bytes, min_bytes: wait.0, max_wait_ms: wait.1, topics, ..Default::default() }
}

fn fetch(client: &mut Client, name: &str, id: Uuid, offset: i64, version: i16) -> PartitionData {
    let request = fetch_request(name, id, offset, 1 << 20, (1, 0), version);
    client.call(&request, version).responses[0].partitions[0].clone()
}

fn values(data: &PartitionData) -> Vec<String> {
    let bytes = data.records.as_ref().unwrap().as_bytes().unwrap().clone();
    let mut values = Vec::new();
    for batch in Batches::new(bytes) {
        for record in batch.unwrap().records(1 << 20).unwrap().iter() {
            values.push(String::from_utf8(record.unwrap().value.unwrap().to_vec()).unwrap());
        }
    }
    values
}

#[test]
fn every_api_answers_in_every_version_it_advertises() {
    let (_broker, mut client) = start();
    let id = topic(&mut client, "t");
    let advertised = client.call(&ApiVersionsRequest::default(), 0).api_keys;
    assert_eq!(advertised.len(), 54);
    for key in advertised {
        for version in key.min_version..=key.max_version {
            match key.api_key {
                0 if version < 3 => {}
                0 => assert_eq!(
                    produce(&mut client, "t", id, batch(&["v"], Compression::None), -1, version).error_code,
                    0
                ),
                1 => assert_eq!(fetch(&mut client, "t", id, 0, version).error_code, 0, "fetch {version}"),
                2 => assert!(list(&mut client, "t", -1, version).1 > 0, "list offsets {version}"),
                3 => {
                    let request = MetadataRequest {
                        topics: if version == 0 { Some(vec![]) } else { None },
                        allow_auto_topic_creation: true,
                        ..Default::default()
                    };
                    let response = client.call(&request, version);
                    assert_eq!(response.topics[0].name.as_deref(), Some("t"), "metadata {version}");
                }
                // The small ones, in `broker_every_api.rs`.
                17 | 29..=31 | 34 | 36 | 38..=41 | 43 | 45 | 46 | 51 | 55 | 57 | 61 | 64..=66 => {}
                // Those of groups, in `broker_groups.rs` and `broker_consumer_groups.rs`.
                8..=16 | 42 | 47 | 68 | 69 => {}
                50 => drop(client.call(&DescribeUserScramCredentialsRequest::default(), version)),
                18 => assert_eq!(client.call(&api_versions(), version).error_code, 0),
                19 => assert_eq!(
                    create(&mut client, &format!("c{version}"), &[], version).0,
                    0,
                    "create {version}"
                ),
                20 => assert_eq!(
                    delete(&mut client, &format!("c{}", version.max(2)), version),
                    if version == 2 { 3 } else { 0 },
                    "delete {version}"
                ),
                22 => {
                    let request = InitProducerIdRequest { transactional_id: None, ..Default::default() };
                    assert!(client.call(&request, version).producer_id >= 0, "init producer id {version}");
                }
                21 => drop(client.call(&DeleteRecordsRequest::default(), version)),
                23 => drop(client.call(&OffsetForLeaderEpochRequest::default(), version)),
                74 => drop(client.call(&ListConfigResourcesRequest::default(), version)),
                32 => drop(client.call(&DescribeConfigsRequest::default(), version)),
                33 => drop(client.call(&AlterConfigsRequest::default(), version)),
                35 => assert_eq!(client.call(&DescribeLogDirsRequest::default(), version).results.len(), 1),
                37 => drop(client.call(&CreatePartitionsRequest::default(), version)),
                44 => drop(client.call(&IncrementalAlterConfigsRequest::default(), version)),
                48 => drop(client.call(&DescribeClientQuotasRequest::default(), version)),
                49 => drop(client.call(&AlterClientQuotasRequest::default(), version)),
                60 => assert_eq!(client.call(&DescribeClusterRequest::default(), version).brokers.len(), 1),
                75 => {
                    let described = client.call(&DescribeTopicPartitionsRequest::default(), version);
                    assert!(described.topics.iter().any(|topic| topic.name.as_deref() == Some("t")));
                }
                other => panic!("{other} is advertised"),
            }
        }
    }
}

fn list(client: &mut Client, name: &str, timestamp: i64, version: i16) -> (i16, i64, i64) {
    let partitions = vec![ListOffsetsPartition { timestamp, ..Default::default() }];
    let topics = vec![ListOffsetsTopic { name: name.into(), partitions }];
    let response = client.call(&ListOffsetsRequest { replica_id: -1, topics, ..Default::default() }, version);
    let partition = &response.topics[0].partitions[0];
    (partition.error_code, partition.offset, partition.timestamp)
}

fn create(client: &mut Client, name: &str, configs: &[(&str, &str)], version: i16) -> (i16, String) {
    let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
        name: (*name).into(),
        value: Some((*value).into()),
    };
    let configs = configs.iter().map(config).collect();
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: 1,
        replication_factor: 1,
        configs,
        ..Default::default()
    };
    let response = client.call(&CreateTopicsRequest { topics: vec![topic], ..Default::default() }, version);
    let result = &response.topics[0];
    (result.error_code, result.error_message.as_ref().map(ToString::to_string).unwrap_or_default())
}

fn delete(client: &mut Client, name: &str, version: i16) -> i16 {
    let request = match version {
        6 => DeleteTopicsRequest {
            topics: vec![DeleteTopicState { name: Some(name.into()), ..Default::default() }],
            ..Default::default()
        },
        _ => DeleteTopicsRequest { topic_names: vec![name.into()], ..Default::default() },
    };
    client.call(&request, version).responses[0].error_code
}

#[test]
fn a_newer_client_is_told_what_is_served() {
    let (_broker, mut client) = start();
    // ApiVersions in a version that is not known, with a body that is not either.
    client.raw(&[0, 0, 0, 14, 0, 18, 0, 99, 0, 0, 0, 77, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    let frame = client.frame().unwrap();
    assert_eq!(Client::correlation_id(&frame), 77);
    let response = ApiVersionsResponse::decode(frame.slice(4..), 0).unwrap();
    assert_eq!(response.error_code, 35);
    let told: Vec<_> =
        response.api_keys.iter().map(|key| (key.api_key, key.min_version, key.max_version)).collect();
    assert_eq!(told, [(18, 0, 4)]);
    assert_eq!(client.call(&api_versions(), 3).error_code, 0, "the connection is kept");
}

#[test]
fn records_come_back_with_every_codec_and_each_acks() {
    let (_broker, mut client) = start();
    let id = topic(&mut client, "t");
    let mut want = Vec::new();
    for (codec, acks) in Compression::ALL.into_iter().zip([-1, 1, 0, 1, -1]) {
        let value = codec.name();
        produce(&mut client, "t", id, batch(&[value, value], codec), acks, 9);
        want.extend([value; 2]);
    }
    let data = fetch(&mut client, "t", id, 0, 12);
    assert_eq!((data.high_watermark, data.log_start_offset), (10, 0));
    assert_eq!(values(&data), want);
    assert_eq!(fetch(&mut client, "t", id, 11, 12).error_code, 1);
    assert_eq!(values(&fetch(&mut client, "t", id, 10, 12)).len(), 0);
}

#[test]
fn offsets_are_found_by_time_and_by_the_special_ones() {
    let (_broker, mut client) = start();
    let id = topic(&mut client, "t");
    produce(&mut client, "t", id, batch(&["a", "b", "c"], Compression::None), 1, 9);
    for (time, want) in [
        (-1, (0, 3, -1)),
        (-2, (0, 0, -1)),
        (-3, (0, 2, 1002)),
        (-4, (0, 0, -1)),
        (-5, (0, -1, -1)),
        (-6, (0, -1, -1)),
        (0, (0, 0, 1000)),
        (1001, (0, 1, 1001)),
        (1003, (0, -1, -1)),
    ] {
        assert_eq!(list(&mut client, "t", time, 11), want, "{time}");
    }
    assert_eq!(list(&mut client, "none", -1, 5).0, 3);
}

#[test]
fn answers_come_in_the_order_of_their_requests() {
    let (_broker, mut client) = start();
    let id = topic(&mut client, "t");
    // The first waits; what comes behind it must not overtake.
    client.send(&fetch_request("t", id, 0, 1000, (1, 300), 12), 12);
    for _ in 0..20 {
        client.send(&ApiVersionsRequest::default(), 2);
    }
    let ids: Vec<i32> = (0..21).map(|_| Client::correlation_id(&client.frame().unwrap())).collect();
    assert!(ids.windows(2).all(|w| w[1] == w[0] + 1), "{ids:?}");
}

#[test]
fn a_fetch_waits_until_there_is_enough_or_the_time_is_up() {
    let (broker, mut client) = start();
    let id = topic(&mut client, "t");
    let began = Instant::now();
    let response = client.call(&fetch_request("t", id, 0, 1000, (1, 200), 12), 12);
    assert!(
        values(&response.responses[0].partitions[0]).is_empty()
            && began.elapsed() >= Duration::from_millis(200)
    );
    let mut producer = Client::connect(&broker);
    client.send(&fetch_request("t", id, 0, 1 << 20, (150, 60_000), 12), 12);
    produce(&mut producer, "t", id, batch(&["one"], Compression::None), 1, 9);
    produce(&mut producer, "t", id, batch(&["two"], Compression::None), 1, 9);
    produce(&mut producer, "t", id, batch(&["three"], Compression::None), 1, 9);
    let frame = client.frame().unwrap();
    let response = client.read::<FetchRequest>(frame, 12);
    assert_eq!(values(&response.responses[0].partitions[0]), ["one", "two", "three"], "72 bytes each");
}

#[test]
fn the_first_batch_is_whole_whatever_the_budget() {
    let (_broker, mut client) = start();
    let id = topic(&mut client, "t");
    let large = "x".repeat(50_000);
    produce(&mut client, "t", id, batch(&[&large], Compression::None), 1, 9);
    produce(&mut client, "t", id, batch(&[&large], Compression::None), 1, 9);
    let response = client.call(&fetch_request("t", id, 0, 1, (1, 0), 12), 12);
    assert_eq!(values(&response.responses[0].partitions[0]), [large]);
}

#[test]
fn a_compacted_topic_takes_no_record_without_a_key() {
    let (_broker, mut client) = start();
    let settings = [("cleanup.policy", "compact, delete"), ("min.cleanable.dirty.ratio", "0.2")];
    assert_eq!(create(&mut client, "c", &settings, 7).0, 0);
    let id = topic(&mut client, "c");
    for compression in [Compression::None, Compression::Zstd] {
        assert_eq!(produce(&mut client, "c", id, batch(&["no key"], compression), 1, 9).error_code, 87);
    }
    assert_eq!(create(&mut client, "d", &[("min.cleanable.dirty.ratio", "1.1")], 5).0, 40);
}

#[test]
fn topics_are_created_deleted_and_checked() {
    let (_broker, mut client) = start();
    assert_eq!(create(&mut client, "t", &[("internal.segment.bytes", "2000")], 7).0, 0);
    assert_eq!(create(&mut client, "t", &[], 7), (36, "topic \"t\" exists already".to_owned()));
    assert_eq!(create(&mut client, "../x", &[], 5).0, 17);
    assert_eq!(create(&mut client, "u", &[("segment.bytes", "x")], 5).0, 40);
    assert_eq!(create(&mut client, "u", &[("cleanup.policy", "keep")], 5).0, 40);
    assert_eq!((delete(&mut client, "t", 4), delete(&mut client, "t", 6)), (0, 3));
    let id = topic(&mut client, "t");
    assert_ne!(id, Uuid::ZERO, "it can be made anew");
    let bad = MetadataRequestTopic { name: Some("a/b".into()), ..Default::default() };
    let request =
        MetadataRequest { topics: Some(vec![bad]), allow_auto_topic_creation: true, ..Default::default() };
    assert_eq!(client.call(&request, 9).topics[0].error_code, 17);
    assert_eq!(
        client.call(&MetadataRequest { allow_auto_topic_creation: false, ..request }, 9).topics[0].error_code,
        17
    );
}

/// Each of these was found by review.
#[test]
fn the_brokers_own_log_is_nobodys_topic() {
    let (broker, mut client) = start();
    let id = topic(&mut client, "t");
    assert_eq!(create(&mut client, "__cluster_metadata", &[], 7).0, 42);
    assert_eq!(delete(&mut client, "__cluster_metadata", 6), 3);
    assert_eq!(topic(&mut client, "t"), id);
    drop(broker);
}

#[test]
fn what_is_asked_for_twice_is_answered_once() {
    let (_broker, mut client) = start();
    let id = topic(&mut client, "t");
    let asked = vec![MetadataRequestTopic { name: Some("t".into()), ..Default::default() }; 1000];
    let request =
        MetadataRequest { topics: Some(asked), allow_auto_topic_creation: true, ..Default::default() };
    assert_eq!(client.call(&request, 9).topics.len(), 1);
    let partitions = vec![ListOffsetsPartition { timestamp: -3, ..Default::default() }; 3];
    let topics = vec![ListOffsetsTopic { name: "t".into(), partitions }];
    let response = client.call(&ListOffsetsRequest { replica_id: -1, topics, ..Default::default() }, 7);
    let codes: Vec<i16> = response.topics[0].partitions.iter().map(|p| p.error_code).collect();
    assert_eq!(codes, [0, 42, 42]);
    let mut request = fetch_request("t", id, 0, 1000, (1, 50), 12);
    let partition = request.topics[0].partitions[0].clone();
    request.topics[0].partitions = vec![partition; 100_000];
    assert_eq!(client.call(&request, 12).responses[0].partitions.len(), 1);
}

#[test]
fn a_refusal_is_never_too_long_to_send() {
    let (_broker, mut client) = start();
    let (code, message) = create(&mut client, "t", &[("segment.bytes", &"9".repeat(30_000))], 7);
    assert!(
        code == 40 && message.starts_with("segment.bytes is") && message.len() <= 1000,
        "{}",
        message.len()
    );
}

#[test]
fn a_fetch_that_ends_with_its_segment_does_not_wait_for_more() {
    let (_broker, mut client) = start();
    create(&mut client, "t", &[("internal.segment.bytes", "1024")], 7);
    let id = topic(&mut client, "t");
    for _ in 0..30 {
        produce(&mut client, "t", id, batch(&["some value"], Compression::None), 1, 9);
    }
    let began = Instant::now();
    let response = client.call(&fetch_request("t", id, 0, 1 << 20, (1 << 20, 60_000), 12), 12);
    assert!(
        !values(&response.responses[0].partitions[0]).is_empty() && began.elapsed() < Duration::from_secs(30)
    );
}

#[test]
fn log_append_time_is_the_brokers() {
    let (_broker, mut client) = start();
    create(&mut client, "t", &[("message.timestamp.type", "LogAppendTime")], 7);
    let id = topic(&mut client, "t");
    let done = produce(&mut client, "t", id, batch(&["v"], Compression::Lz4), 1, 9);
    assert!(done.log_append_time_ms > 1_700_000_000_000);
    let data = fetch(&mut client, "t", id, 0, 12);
    let batch = Batches::new(data.records.unwrap().as_bytes().unwrap().clone()).next().unwrap().unwrap();
    assert_eq!(batch.max_timestamp().map(Timestamp::as_millis), Some(done.log_append_time_ms));
}

#[test]
fn records_that_are_wrong_are_refused_with_their_code() {
    let (_broker, mut client) = start();
    let id = topic(&mut client, "t");
    let good = batch(&["value"], Compression::None).as_bytes().unwrap().to_vec();
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        Records::Bytes(bytes.into())
    };
    let twice = Records::Bytes([good.clone(), good.clone()].concat().into());
    let large = batch(&[&"x".repeat(2 << 20)], Compression::None);
    for (name, records, version, want) in [
        ("a wrong checksum", changed(70, 1), 9, 2),
        ("an old magic", changed(16, 1), 9, 87),
        ("a magic that does not exist", changed(16, 3), 9, 2),
        ("cut short", Records::Bytes(good[..40].to_vec().into()), 9, 87),
        ("two batches", twice, 9, 87),
        ("nothing", Records::default(), 9, 87),
        ("too large", large, 9, 10),
        ("zstd in a version that does not know it", batch(&["v"], Compression::Zstd), 5, 76),
    ] {
        assert_eq!(produce(&mut client, "t", id, records, 1, version).error_code, want, "{name}");
    }
    assert_eq!(produce(&mut client, "t", id, batch(&["v"], Compression::None), 7, 9).error_code, 21);
    assert_eq!(
        produce(&mut client, "none", Uuid([9; 16]), batch(&["v"], Compression::None), 1, 9).error_code,
        3
    );
    assert_eq!(
        produce(&mut client, "none", Uuid([9; 16]), batch(&["v"], Compression::None), 1, 13).error_code,
        100
    );
    assert_eq!(fetch(&mut client, "t", id, 0, 12).high_watermark, 0, "nothing of it is in the log");
}

#[test]
fn wrong_frames_close_their_own_connection_and_no_other() {
    let (broker, mut client) = start();
    for frame in [
        &[0xff, 0xff, 0xff, 0xff][..],
        &[0x7f, 0xff, 0xff, 0xff],
        &[0, 0, 0, 0],
        &[0, 0, 0, 8, 0, 99, 0, 0, 0, 0, 0, 1],
        &[0, 0, 0, 8, 0, 1, 0, 99, 0, 0, 0, 1],
        &[0, 0, 0, 10, 0, 1, 0, 12, 0, 0, 0, 1, 0xff, 0xff],
        // CreateTopics that declares two billion topics.
        &[0, 0, 0, 14, 0, 19, 0, 2, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff],
    ] {
        let mut bad = Client::connect(&broker);
        bad.raw(frame);
        assert!(bad.is_closed(), "{frame:?}");
        assert_eq!(client.call(&api_versions(), 3).error_code, 0);
    }
}

#[test]
fn connections_beyond_the_bound_are_refused_and_silent_ones_closed() {
    let config =
        BrokerConfig { max_connections: 2, max_idle: Duration::from_millis(300), ..BrokerConfig::for_test() };
    let broker = Broker::start(config).unwrap();
    let (mut one, mut two) = (Client::connect(&broker), Client::connect(&broker));
    one.call(&api_versions(), 3);
    two.call(&api_versions(), 3);
    assert!(Client::connect(&broker).is_closed());
    assert!(one.is_closed() && two.is_closed(), "after 300 ms of silence");
}

#[test]
fn everything_is_there_after_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let config = BrokerConfig { log_dirs: vec![root.path().join("data")], ..BrokerConfig::for_test() };
    let broker = Broker::start(config.clone()).unwrap();
    let mut client = Client::connect(&broker);
    create(&mut client, "kept", &[("retention.ms", "-1")], 7);
    create(&mut client, "deleted", &[], 7);
    let id = topic(&mut client, "kept");
    produce(&mut client, "kept", id, batch(&["a", "b"], Compression::Zstd), -1, 13);
    delete(&mut client, "deleted", 6);
    broker.stop().unwrap();
    let broker = Broker::start(config.clone()).unwrap();
    let mut client = Client::connect(&broker);
    let all = client
        .call(&MetadataRequest { topics: None, allow_auto_topic_creation: true, ..Default::default() }, 12);
    let names: Vec<_> =
        all.topics.iter().map(|t| (t.name.as_deref().unwrap().to_owned(), t.topic_id)).collect();
    assert_eq!(names, [("kept".to_owned(), id)]);
    assert_eq!(values(&fetch(&mut client, "kept", id, 0, 13)), ["a", "b"]);
    let second = Broker::start(config.clone()).unwrap_err().to_string();
    assert!(second.contains("is in use by another process, which holds its .lock"), "{second}");
    let other = BrokerConfig { node_id: 9, ..config };
    broker.stop().unwrap();
    let error = Broker::start(other).unwrap_err().to_string();
    assert!(error.contains("the folder belongs to node.id=1, this broker has node.id=9"), "{error}");
}

#[test]
fn a_port_in_use_is_named() {
    let (broker, _client) = start();
    let config = BrokerConfig { listener: broker.address().clone(), ..BrokerConfig::for_test() };
    let error = Broker::start(config).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on {}: ", broker.address())), "{error}");
}

/// librdkafka 2.16 sends such requests; Kafka passes over what is left.
#[test]
fn what_is_left_behind_a_request_is_passed_over() {
    let (_broker, mut client) = start();
    topic(&mut client, "t");
    let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let frame = klamm_protocol::encode_request(&request, 13, 7, Some("test")).unwrap().into_bytes().unwrap();
    let mut longer = frame.to_vec();
    longer.extend([0, 0, 0]);
    let length = u32::try_from(longer.len() - 4).unwrap();
    longer[..4].copy_from_slice(&length.to_be_bytes());
    client.raw(&longer);
    let frame = client.frame().unwrap();
    assert_eq!(client.read::<MetadataRequest>(frame, 13).topics.len(), 1);
}
