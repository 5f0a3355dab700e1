//! Limits of requests, responses and connections, as `docs/operating.md` states them.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use klamm_broker::testing::{TestBroker, request_footprint};
use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use klamm_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::metadata_request::MetadataRequest;
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::{Records, encode_request};
use klamm_sim::HookDisk;
use klamm_tests::admin::create;
use klamm_tests::client::Client;
use klamm_tests::hostile::padded;
use klamm_tests::requests::{api_versions, batch_of};

const PARTITIONS: i32 = 10;

/// A record of so many bytes for each partition of the topic `t`.
fn records(bytes: usize) -> ProduceRequest {
    let value = "x".repeat(bytes);
    let data = |index| PartitionProduceData { index, records: Some(batch_of(&[&value])) };
    let topic = TopicProduceData {
        name: "t".into(),
        partition_data: (0..PARTITIONS).map(data).collect(),
        ..Default::default()
    };
    ProduceRequest { acks: -1, timeout_ms: 1000, topic_data: vec![topic], ..Default::default() }
}

fn fill(client: &mut Client, bytes: usize) {
    let response = client.call(&records(bytes), 9);
    assert!(response.responses[0].partition_responses.iter().all(|one| one.error_code == 0));
}

fn fetch() -> FetchRequest {
    let partition =
        |partition| FetchPartition { partition, partition_max_bytes: i32::MAX, ..FetchPartition::default() };
    let topic = FetchTopic {
        topic: "t".into(),
        partitions: (0..PARTITIONS).map(partition).collect(),
        ..FetchTopic::default()
    };
    FetchRequest { max_bytes: i32::MAX, session_epoch: -1, topics: vec![topic], ..FetchRequest::default() }
}

fn start(config: BrokerConfig) -> (Broker, Client) {
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    assert_eq!(create(&mut client, "t", PARTITIONS, &[]).0, 0);
    (broker, client)
}

#[test]
fn a_fetch_has_no_more_records_than_fetch_max_bytes() {
    let config = BrokerConfig { max_fetch_bytes: 1000, ..BrokerConfig::for_test() };
    let (_broker, mut client) = start(config);
    fill(&mut client, 300);
    let partitions = client.call(&fetch(), 11).responses[0].partitions.clone();
    let bytes = |records: Option<Records>| records.and_then(|r| r.as_bytes().map(Bytes::len));
    let sizes: Vec<_> =
        partitions.into_iter().filter_map(|one| bytes(one.records)).filter(|s| *s > 0).collect();
    assert_eq!(sizes.len(), 2, "{sizes:?}");
    assert!(sizes.iter().sum::<usize>() <= 1000, "{sizes:?}");
}

#[test]
fn a_request_above_the_limit_closes_its_connection() {
    let config = BrokerConfig { max_request_bytes: 10_000, ..BrokerConfig::for_test() };
    let (broker, mut other) = start(config);
    let frame = encode_request(&api_versions(), 3, 1, Some("test")).unwrap().into_bytes().unwrap();
    for (padding, is_taken) in [(9_900, true), (10_000, false)] {
        let mut client = Client::connect(&broker);
        client.raw(&padded(&frame, padding));
        assert_eq!(client.frame().is_ok(), is_taken, "{padding} bytes more than {}", frame.len());
    }
    assert_eq!(other.call(&api_versions(), 3).error_code, 0);
}

#[test]
fn a_request_that_needs_more_memory_than_there_is_closes_its_connection() {
    const MEMORY: usize = 1 << 20;
    let config =
        BrokerConfig { max_queued_bytes: MEMORY, max_request_bytes: MEMORY, ..BrokerConfig::for_test() };
    let (broker, mut other) = start(config);
    for (groups, is_taken) in [(100, true), (20_000, false)] {
        let names = (0..groups).map(|number| format!("group-{number}").as_str().into()).collect();
        let request = DescribeGroupsRequest { groups: names, ..DescribeGroupsRequest::default() };
        let frame = encode_request(&request, 5, 1, Some("test")).unwrap().into_bytes().unwrap();
        let needed = request_footprint(frame.slice(4..)).unwrap();
        assert_eq!(needed <= MEMORY, is_taken, "{needed} bytes for {} of frame", frame.len());
        let mut client = Client::connect(&broker);
        client.raw(&frame);
        assert_eq!(client.frame().is_ok(), is_taken, "{groups} groups");
    }
    assert_eq!(other.call(&api_versions(), 3).error_code, 0);
}

/// The connections that the broker has.
fn connections(broker: &Broker) -> String {
    let metrics = broker.metrics();
    let name = "kafka_server_socket_server_metrics_connection_count ";
    metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned()
}

#[test]
fn a_response_that_nobody_reads_ends_its_connection() {
    let config = BrokerConfig { max_idle: Duration::from_secs(2), ..BrokerConfig::for_test() };
    let (broker, _) = start(config);
    // More than the buffers of the sockets hold.
    let records = records(1_000_000);
    Client::connect(&broker).call(&records, 9);
    let mut stuck = Client::connect(&broker);
    (0..5).for_each(|_| stuck.send(&fetch(), 11));
    let deadline = Instant::now() + Duration::from_secs(60);
    while connections(&broker) != "0" {
        assert!(Instant::now() < deadline, "{} connections are open", connections(&broker));
        std::thread::yield_now();
    }
    assert_eq!(Client::connect(&broker).call(&MetadataRequest::default(), 9).brokers.len(), 1);
}

#[test]
fn retention_counts_what_it_deletes() {
    let broker = TestBroker::start().unwrap();
    let mut client = Client::connect(broker.running());
    let settings = [("segment.bytes", "1048576"), ("retention.ms", "60000"), ("segment.ms", "1000")];
    assert_eq!(create(&mut client, "t", PARTITIONS, &settings).0, 0);
    let figure = |name: &str| {
        let metrics = broker.running().metrics();
        let line = metrics.lines().find_map(|line| line.strip_prefix(name).map(str::trim).map(str::to_owned));
        line.and_then(|number| number.parse::<f64>().ok()).unwrap_or(-1.0)
    };
    fill(&mut client, 100);
    broker.advance(Duration::from_secs(10)).unwrap();
    fill(&mut client, 100);
    assert!(figure("klamm_retention_deleted_segments_total") < 0.5);
    broker.advance(Duration::from_secs(10_000_000)).unwrap();
    assert!(figure("klamm_retention_deleted_segments_total") >= f64::from(PARTITIONS));
    assert!(figure("klamm_retention_deleted_bytes_total") >= 100.0 * f64::from(PARTITIONS));
}

/// The client goes while its command waits for the disk.
#[test]
fn a_command_whose_client_disconnects_is_finished() {
    let (directory, disk) = (tempfile::tempdir().unwrap(), HookDisk::default());
    let config = BrokerConfig { log_dirs: vec![directory.path().to_owned()], ..BrokerConfig::for_test() };
    let broker = TestBroker::start_on(Arc::new(disk.clone()), config).unwrap();
    let ((reached, at_disk), (go_on, held)) = (channel(), channel::<()>());
    let held = Mutex::new(held);
    disk.set(move |operation, path| {
        if operation == "create_dir" && path.to_string_lossy().contains("gone-") {
            let _ = reached.send(());
            // Nothing is ever sent: this ends when the other side is dropped.
            let _ = held.lock().map(|held| held.recv());
        }
        Ok(())
    });
    let mut client = Client::connect(broker.running());
    let topic = CreatableTopic {
        name: "gone".into(),
        num_partitions: PARTITIONS,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    client.send(&CreateTopicsRequest { topics: vec![topic], ..CreateTopicsRequest::default() }, 7);
    at_disk.recv_timeout(Duration::from_secs(60)).unwrap();
    drop(client);
    let mut other = Client::connect(broker.running());
    let partitions = |other: &mut Client| {
        let all = other.call(&MetadataRequest { topics: None, ..MetadataRequest::default() }, 9).topics;
        all.iter().map(|topic| topic.partitions.len()).sum::<usize>()
    };
    assert_eq!(partitions(&mut other), 0);
    drop(go_on);
    let deadline = Instant::now() + Duration::from_secs(60);
    while partitions(&mut other) != usize::try_from(PARTITIONS).unwrap() {
        assert!(Instant::now() < deadline, "the topic is not there");
        std::thread::yield_now();
    }
}

#[test]
fn settings_that_do_not_go_together_keep_a_broker_from_starting_that_a_program_configures() {
    let small = BrokerConfig { max_queued_bytes: 1 << 20, ..BrokerConfig::for_test() };
    let error = klamm_broker::Broker::start(small).map(drop).unwrap_err().to_string();
    let want = "settings together: queued.max.request.bytes is \"1048576\", expected at least socket.request.max.bytes";
    assert_eq!(error, want);
}
