//! What a review of the broker found, each with a name.

use std::path::{Path, PathBuf};

use klamm_broker::testing::TestBroker;
use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use klamm_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use klamm_protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use klamm_protocol::messages::metadata_request::MetadataRequest;
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::{ApiKey, ErrorCode, Records};
use klamm_record::{BatchBuilder, BatchOptions, Batches, NewRecord, TimestampType};
use klamm_tests::admin::{BROKER, TOPIC, create, set};
use klamm_tests::client::Client;
use klamm_tests::requests::{api_versions, batch_of, produce, topic};
use klamm_types::Timestamp;

fn config(folders: &[&Path]) -> BrokerConfig {
    let log_dirs: Vec<PathBuf> = folders.iter().map(|folder| folder.to_path_buf()).collect();
    BrokerConfig { log_dirs, ..BrokerConfig::for_test() }
}

fn start(folders: &[&Path]) -> (Broker, Client) {
    let broker = Broker::start(config(folders)).unwrap();
    let client = Client::connect(&broker);
    (broker, client)
}

fn delete(client: &mut Client, name: &str) -> i16 {
    let request =
        DeleteTopicsRequest { topic_names: vec![name.into()], timeout_ms: 1000, ..Default::default() };
    client.call(&request, 5).responses[0].error_code
}

fn grow(client: &mut Client, name: &str, count: i32) -> i16 {
    let topic = CreatePartitionsTopic { name: name.into(), count, assignments: None };
    let request = CreatePartitionsRequest { topics: vec![topic], ..CreatePartitionsRequest::default() };
    client.call(&request, 3).results[0].error_code
}

/// Names of topics, and how many partitions of each are online.
fn topics(client: &mut Client) -> Vec<(String, usize)> {
    let topics = client.call(&MetadataRequest { topics: None, ..MetadataRequest::default() }, 12).topics;
    let online = |topic: &klamm_protocol::messages::metadata_response::MetadataResponseTopic| {
        topic.partitions.iter().filter(|partition| partition.error_code == 0).count()
    };
    topics.iter().map(|topic| (topic.name.clone().unwrap().to_string(), online(topic))).collect()
}

fn partitions(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> =
        names.filter(|name| name.starts_with("t-") && !name.ends_with("-delete")).collect();
    names.sort();
    names
}

/// Killed between the topic's record and the id in the partition's folder.
#[test]
fn a_log_that_was_only_begun_is_begun_again() {
    for remains in ["", "partition.metadata.tmp", "00000000000000000000.log"] {
        let tmp = tempfile::tempdir().unwrap();
        {
            let (broker, mut client) = start(&[tmp.path()]);
            assert_eq!(create(&mut client, "t", 2, &[]).0, 0);
            broker.stop().unwrap();
        }
        let folder = tmp.path().join("t-1");
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::create_dir(&folder).unwrap();
        if !remains.is_empty() {
            std::fs::write(folder.join(remains), "").unwrap();
        }
        let (_broker, mut client) = start(&[tmp.path()]);
        assert_eq!(topics(&mut client), [("t".to_owned(), 2)], "{remains:?}");
        assert!(folder.join("partition.metadata").exists());
    }
}

#[test]
fn settings_that_contradict_each_other_across_levels_are_refused_and_not_logged() {
    let tmp = tempfile::tempdir().unwrap();
    {
        let (broker, mut client) = start(&[tmp.path()]);
        assert_eq!(create(&mut client, "t", 1, &[("max.compaction.lag.ms", "1000")]).0, 0);
        let min = "log.cleaner.min.compaction.lag.ms";
        assert_eq!(set(&mut client, BROKER, "", min, Some("5000")).0, 40);
        assert_eq!(set(&mut client, BROKER, "1", min, Some("5000")).0, 40);
        assert_eq!(set(&mut client, BROKER, "1", "log.cleaner.max.compaction.lag.ms", Some("2000")).0, 0);
        assert_eq!(set(&mut client, BROKER, "", min, Some("3000")).0, 40, "the broker's own is over it");
        let id = topic(&mut client, "t");
        let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
        builder.append(&NewRecord::new("v").key("k")).unwrap();
        let records = Records::Bytes(builder.finish().unwrap().buffer.into());
        assert_eq!(produce(&mut client, "t", id, records, -1, 13).error_code, 0);
        broker.stop().unwrap();
    }
    let (_broker, mut client) = start(&[tmp.path()]);
    assert_eq!(topics(&mut client), [("t".to_owned(), 1)]);
}

/// One connection writes by the id of a topic that another deletes and makes anew.
#[test]
fn records_of_a_deleted_topic_do_not_go_into_its_successor() {
    let tmp = tempfile::tempdir().unwrap();
    let (broker, mut admin) = start(&[tmp.path()]);
    for round in 0..10 {
        let id = topic(&mut admin, "t");
        let mut writer = Client::connect(&broker);
        let data = || PartitionProduceData { index: 0, records: Some(batch_of(&["old"])) };
        let partition_data = (0..500).map(|_| data()).collect();
        let topic_data = vec![TopicProduceData { topic_id: id, partition_data, ..Default::default() }];
        let request = ProduceRequest { acks: -1, timeout_ms: 1000, topic_data, ..Default::default() };
        let writing = std::thread::spawn(move || {
            let response = writer.call(&request, 13);
            response.responses[0].partition_responses.iter().filter(|p| p.error_code == 56).count()
        });
        assert_eq!(delete(&mut admin, "t"), 0);
        topic(&mut admin, "t");
        assert_eq!(writing.join().unwrap(), 0, "nothing is wrong with the disk");
        let partition = ListOffsetsPartition { timestamp: -1, ..ListOffsetsPartition::default() };
        let asked = vec![ListOffsetsTopic { name: "t".into(), partitions: vec![partition] }];
        let found = admin.call(&ListOffsetsRequest { topics: asked, ..Default::default() }, 11);
        assert_eq!(found.topics[0].partitions[0].offset, 0, "round {round}");
        assert_eq!(delete(&mut admin, "t"), 0);
    }
}

#[test]
fn without_its_metadata_log_a_broker_does_not_start_with_an_empty_one() {
    let root = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| root.path().join(name));
    {
        let (broker, mut client) = start(&[&b, &a]);
        assert_eq!(create(&mut client, "t", 4, &[]).0, 0);
        broker.stop().unwrap();
    }
    let away = root.path().join("away");
    std::fs::rename(&b, &away).unwrap();
    std::fs::write(&b, "a disk that failed").unwrap();
    let error = Broker::start(config(&[&a, &b])).unwrap_err().to_string();
    assert!(error.contains("is in none of the folders"), "{error}");
    std::fs::remove_file(&b).unwrap();
    let error = Broker::start(config(&[&a, &b])).unwrap_err().to_string();
    assert!(error.contains("is a folder missing?"), "{error}");
    std::fs::remove_dir_all(&b).unwrap();
    std::fs::rename(&away, &b).unwrap();
    let (_broker, mut client) = start(&[&a, &b]);
    assert_eq!(topics(&mut client), [("t".to_owned(), 4)]);
}

#[test]
fn a_new_folder_in_front_joins_the_cluster() {
    let root = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| root.path().join(name));
    start(&[&b]).0.stop().unwrap();
    start(&[&a, &b]).0.stop().unwrap();
    start(&[&b, &a]).0.stop().unwrap();
}

#[test]
fn growth_onto_a_folder_in_the_way_is_refused_and_changes_nothing() {
    let tmp = tempfile::tempdir().unwrap();
    let stranger = tmp.path().join("t-1");
    {
        let (broker, mut client) = start(&[tmp.path()]);
        assert_eq!(create(&mut client, "t", 1, &[]).0, 0);
        assert_eq!(create(&mut client, "other", 1, &[]).0, 0);
        let id = topic(&mut client, "other");
        produce(&mut client, "other", id, batch_of(&["v"]), -1, 13);
        broker.stop().unwrap();
    }
    std::fs::rename(tmp.path().join("other-0"), &stranger).unwrap();
    std::fs::remove_file(stranger.join("partition.metadata")).unwrap();
    let checkpoint = tmp.path().join("recovery-point-offset-checkpoint");
    let text = std::fs::read_to_string(&checkpoint).unwrap().replace("other 0 1", "t 1 1");
    std::fs::write(&checkpoint, text).unwrap();
    for _ in 0..2 {
        let (_broker, mut client) = start(&[tmp.path()]);
        assert_eq!(grow(&mut client, "t", 2), 56);
        assert_eq!(topics(&mut client).last().unwrap(), &("t".to_owned(), 1));
    }
}

#[test]
fn partitions_of_a_deleted_topic_in_a_folder_that_was_away_are_removed() {
    let root = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| root.path().join(name));
    {
        let (broker, mut client) = start(&[&a, &b]);
        assert_eq!(create(&mut client, "t", 4, &[]).0, 0);
        broker.stop().unwrap();
    }
    let away = root.path().join("away");
    std::fs::rename(&b, &away).unwrap();
    std::fs::write(&b, "a disk that failed").unwrap();
    {
        let (broker, mut client) = start(&[&a, &b]);
        assert_eq!(delete(&mut client, "t"), 0);
        assert_eq!(create(&mut client, "t", 4, &[]).0, 0);
        broker.stop().unwrap();
    }
    std::fs::remove_file(&b).unwrap();
    std::fs::rename(&away, &b).unwrap();
    let (_broker, mut client) = start(&[&a, &b]);
    assert_eq!(topics(&mut client), [("t".to_owned(), 4)]);
    assert_eq!((partitions(&a).len(), partitions(&b).len()), (4, 0));
}

/// A batch with one record, whose header says something else about its time.
fn claiming(record: i64, claims: impl Fn(&mut [u8])) -> Records {
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    builder.append(&NewRecord::new("v").at(Timestamp::from_millis(record))).unwrap();
    let mut batch = builder.finish().unwrap().buffer;
    claims(&mut batch);
    let crc = klamm_record::BatchHeader::extend_crc(0, &batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    Records::Bytes(batch.into())
}

#[test]
fn the_latest_time_is_that_of_the_records_whatever_the_header_claims() {
    let broker = TestBroker::start().unwrap();
    let mut client = Client::connect(broker.running());
    let id = topic(&mut client, "t");
    let (day, now) = (24 * 3600 * 1000, broker.now().as_millis());
    let claim = |time: i64| move |batch: &mut [u8]| batch[35..43].copy_from_slice(&time.to_be_bytes());
    for (number, claimed) in [now + day, i64::MAX - 1, now - day, -1].into_iter().enumerate() {
        let told = produce(&mut client, "t", id, claiming(now, claim(claimed)), -1, 13);
        assert_eq!((told.error_code, told.base_offset), (0, i64::try_from(number).unwrap()));
    }
    assert_eq!(produce(&mut client, "t", id, claiming(now + day, claim(now)), -1, 13).error_code, 32);
    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    let topics = vec![FetchTopic { topic_id: id, partitions: vec![partition], ..FetchTopic::default() }];
    let request = FetchRequest { max_bytes: 1 << 20, topics, ..FetchRequest::default() };
    let data = client.call(&request, 13).responses[0].partitions[0].clone();
    let batches = Batches::new(data.records.unwrap().as_bytes().unwrap().clone());
    let times: Vec<_> = batches.map(|batch| batch.unwrap().max_timestamp()).collect();
    assert_eq!(times, [Some(Timestamp::from_millis(now)); 4]);
}

#[test]
fn a_producer_does_not_decide_that_its_records_bear_the_time_of_the_append() {
    let broker = TestBroker::start().unwrap();
    let mut client = Client::connect(broker.running());
    // As in Kafka, a topic with CreateTime takes the batch, with its records' times, and one with
    // LogAppendTime refuses it.
    for (name, policy, error) in [("a", "CreateTime", 0), ("b", "LogAppendTime", 32)] {
        create(&mut client, name, 1, &[("message.timestamp.type", policy)]);
        let id = topic(&mut client, name);
        let sent = claiming(broker.now().as_millis(), |batch| batch[22] |= 1 << 3);
        assert_eq!(produce(&mut client, name, id, sent, -1, 13).error_code, error, "{policy}");
    }
    let id = topic(&mut client, "a");
    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    let topics = vec![FetchTopic { topic_id: id, partitions: vec![partition], ..FetchTopic::default() }];
    let request = FetchRequest { max_bytes: 1 << 20, topics, ..FetchRequest::default() };
    let data = client.call(&request, 13).responses[0].partitions[0].clone();
    let batches = Batches::new(data.records.unwrap().as_bytes().unwrap().clone());
    let types: Vec<_> = batches.map(|batch| batch.unwrap().timestamp_type()).collect();
    assert_eq!(types, [TimestampType::CreateTime]);
}

#[test]
fn who_waits_for_a_topic_that_is_deleted_is_told_at_once() {
    let tmp = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(&[tmp.path()]);
    let id = topic(&mut client, "t");
    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    let topics = vec![FetchTopic { topic_id: id, partitions: vec![partition], ..FetchTopic::default() }];
    let mut request = FetchRequest { max_bytes: 1 << 20, min_bytes: 1, topics, ..FetchRequest::default() };
    (request.max_wait_ms, request.session_epoch) = (240_000, -1);
    client.send(&request, 13);
    assert_eq!(delete(&mut Client::connect(&broker), "t"), 0);
    // The socket of the client does not wait for as long as the fetch would.
    let frame = client.frame().unwrap();
    let told = client.read::<FetchRequest>(frame, 13);
    assert_eq!(told.responses[0].partitions[0].error_code, 100);
}

#[test]
fn values_that_kafka_takes_are_taken() {
    let tmp = tempfile::tempdir().unwrap();
    let (_broker, mut client) = start(&[tmp.path()]);
    topic(&mut client, "t");
    for (key, value, want) in [
        ("retention.ms", "0", 0),
        ("flush.ms", "0", 0),
        ("message.timestamp.before.max.ms", "0", 0),
        ("message.timestamp.after.max.ms", "0", 0),
        ("segment.ms", " 5000 ", 0),
        ("preallocate", "TRUE", 0),
        ("file.delete.delay.ms", "18446744073709551615", 40),
        ("segment.ms", "0", 40),
    ] {
        assert_eq!(set(&mut client, TOPIC, "t", key, Some(value)).0, want, "{key}={value}");
    }
    assert_eq!(set(&mut client, TOPIC, "no/topic", "segment.ms", Some("1")).0, 17);
    assert_eq!(
        set(&mut client, TOPIC, "t", "a.setting.of.later", None).0,
        0,
        "what is not known can be taken away"
    );
}

#[test]
fn max_message_bytes_is_of_the_batch_as_it_comes() {
    let tmp = tempfile::tempdir().unwrap();
    let (_broker, mut client) = start(&[tmp.path()]);
    let settings = [("compression.type", "zstd"), ("max.message.bytes", "1000")];
    assert_eq!(create(&mut client, "t", 1, &settings).0, 0);
    let id = topic(&mut client, "t");
    assert_eq!(
        produce(&mut client, "t", id, batch_of(&["x".repeat(50_000).as_str()]), -1, 13).error_code,
        10
    );
}

#[test]
fn a_resource_that_is_asked_for_often_is_described_once() {
    let tmp = tempfile::tempdir().unwrap();
    let (_broker, mut client) = start(&[tmp.path()]);
    topic(&mut client, "t");
    let resource =
        DescribeConfigsResource { resource_type: TOPIC, resource_name: "t".into(), configuration_keys: None };
    let request = DescribeConfigsRequest { resources: vec![resource; 1000], ..Default::default() };
    assert_eq!(client.call(&request, 4).results.len(), 1);
}

#[test]
fn a_partition_that_is_named_twice_is_in_a_session_once() {
    let tmp = tempfile::tempdir().unwrap();
    let (_broker, mut client) = start(&[tmp.path()]);
    let id = topic(&mut client, "t");
    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    let topics = vec![FetchTopic { topic_id: id, partitions: vec![partition; 3], ..FetchTopic::default() }];
    let request = FetchRequest { max_bytes: 1 << 20, session_epoch: 0, topics, ..FetchRequest::default() };
    assert_eq!(client.call(&request, 18).responses[0].partitions.len(), 1);
}

#[test]
fn figures_are_of_topics_that_there_are_and_versions_that_are_served() {
    let tmp = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(&[tmp.path()]);
    let id = topic(&mut client, "t");
    produce(&mut client, "t", id, batch_of(&["v"]), -1, 13);
    assert!(broker.metrics().contains("bytesin_total{topic=\"t\"}"));
    delete(&mut client, "t");
    assert!(!broker.metrics().contains("topic=\"t\""), "{}", broker.metrics());
    for version in 100..200 {
        client.send(&api_versions(), 4);
        client.frame().unwrap();
        let mut frame = vec![0, 0, 0, 10, 0, 18];
        frame.extend_from_slice(&i16::to_be_bytes(version));
        frame.extend_from_slice(&[0, 0, 0, 1, 0xff, 0xff]);
        client.raw(&frame);
        client.frame().unwrap();
    }
    assert_eq!(broker.metrics().matches("requests_total{request=\"ApiVersions\"").count(), 1);
}

#[test]
fn a_fault_makes_no_topic() {
    let broker = TestBroker::start().unwrap();
    let mut client = Client::connect(broker.running());
    broker.fault(ApiKey::Metadata, klamm_broker::testing::Fault::Error(ErrorCode::LeaderNotAvailable));
    topic(&mut client, "t");
    assert_eq!(topics(&mut client), []);
}
