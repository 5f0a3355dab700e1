//! Each setting of a topic has its effect: a test each, with the setting changed while the broker
//! runs.

use std::time::{Duration, Instant};

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use klamm_protocol::messages::produce_response::PartitionProduceResponse;
use klamm_protocol::{Records, Uuid};
use klamm_record::{
    BatchBuilder, BatchOptions, Batches, Compression, Header, NewRecord, RecordBatch, TimestampType,
};
use klamm_tests::admin::{TOPIC, create, set};
use klamm_tests::client::Client;
use klamm_tests::requests::{batch_of, produce, topic};
use klamm_types::Timestamp;

/// A broker that looks after its logs every few milliseconds, and a topic.
struct Running {
    broker: Broker,
    client: Client,
    id: Uuid,
}

impl Running {
    fn with(configs: &[(&str, &str)]) -> Running {
        let often = Duration::from_millis(5);
        let config = BrokerConfig {
            retention_interval: often,
            checkpoint_interval: often,
            ..BrokerConfig::for_test()
        };
        let broker = Broker::start(config).unwrap();
        let mut client = Client::connect(&broker);
        let id = topic(&mut client, "t");
        for (key, value) in configs {
            assert_eq!(set(&mut client, TOPIC, "t", key, Some(value)), (0, String::new()));
        }
        Running { broker, client, id }
    }

    fn produce(&mut self, records: Records) -> PartitionProduceResponse {
        produce(&mut self.client, "t", self.id, records, -1, 13)
    }

    fn fill(&mut self, batches: usize) {
        for _ in 0..batches {
            assert_eq!(self.produce(batch_of(&["x".repeat(400).as_str()])).error_code, 0);
        }
    }

    fn batches(&mut self) -> Vec<RecordBatch> {
        let fetch_offset = self.start();
        let partition =
            FetchPartition { fetch_offset, partition_max_bytes: 1 << 20, ..FetchPartition::default() };
        let topic = FetchTopic { topic_id: self.id, partitions: vec![partition], ..FetchTopic::default() };
        let request = FetchRequest { max_bytes: 1 << 20, topics: vec![topic], ..FetchRequest::default() };
        let data = self.client.call(&request, 13).responses[0].partitions[0].clone();
        let bytes = data.records.unwrap().as_bytes().unwrap().clone();
        Batches::new(bytes).map(Result::unwrap).collect()
    }

    fn start(&mut self) -> i64 {
        let partition = ListOffsetsPartition { timestamp: -2, ..ListOffsetsPartition::default() };
        let topics = vec![ListOffsetsTopic { name: "t".into(), partitions: vec![partition] }];
        let found = self.client.call(&ListOffsetsRequest { topics, ..Default::default() }, 11);
        found.topics[0].partitions[0].offset
    }

    fn files(&self, suffix: &str) -> Vec<String> {
        let folder = std::fs::read_dir(self.broker.path().join("t-0")).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(suffix)).collect()
    }
}

/// Waits until `holds`, for the broker's background works when it will.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::yield_now();
    }
}

fn times(records: &[i64]) -> Records {
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    for time in records {
        builder.append(&NewRecord::new("v").at(Timestamp::from_millis(*time))).unwrap();
    }
    Records::Bytes(builder.finish().unwrap().buffer.into())
}

fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

#[test]
fn compression_type_is_what_batches_are_stored_with() {
    for (setting, want) in [
        ("producer", Compression::Lz4),
        ("uncompressed", Compression::None),
        ("gzip", Compression::Gzip),
        ("snappy", Compression::Snappy),
        ("zstd", Compression::Zstd),
    ] {
        let mut running = Running::with(&[("compression.type", setting)]);
        let options = BatchOptions { compression: Compression::Lz4, ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(Vec::new(), options);
        let headers = [Header { key: b"h", value: Some(b"1") }, Header { key: b"h", value: None }];
        for n in 0..100 {
            let (value, key) = (format!("value {n}"), format!("key {n}"));
            let record = NewRecord::new(&value).key(&key).headers(&headers);
            builder.append(&record.at(Timestamp::from_millis(n))).unwrap();
        }
        let sent = builder.finish().unwrap().buffer;
        assert_eq!(running.produce(Records::Bytes(sent.clone().into())).error_code, 0);
        let stored = running.batches().remove(0);
        assert_eq!(stored.compression(), want, "{setting}");
        let records = |batch: RecordBatch| {
            let records = batch.records(1 << 20).unwrap();
            records.iter().map(|record| format!("{:?}", record.unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(records(stored), records(RecordBatch::parse(sent.into()).unwrap()), "{setting}");
    }
}

#[test]
fn message_timestamp_bounds_refuse_what_is_too_old_or_too_new() {
    let hour = 3_600_000;
    let bounds = [("message.timestamp.before.max.ms", "60000"), ("message.timestamp.after.max.ms", "60000")];
    let mut running = Running::with(&bounds);
    assert_eq!(running.produce(times(&[now(), now() - 1000])).error_code, 0);
    assert_eq!(running.produce(times(&[-1])).error_code, 0, "no time at all");
    for wrong in [times(&[now(), now() - hour]), times(&[now(), now() + hour])] {
        let refused = running.produce(wrong);
        assert_eq!((refused.error_code, refused.record_errors.len()), (32, 1));
        assert_eq!(refused.record_errors[0].batch_index, 1);
        assert!(refused.error_message.unwrap().contains("message.timestamp.before.max.ms"));
    }
    // By default any time in the past is taken, and one hour ahead.
    let mut running = Running::with(&[]);
    assert_eq!(running.produce(times(&[0])).error_code, 0);
    assert_eq!(running.produce(times(&[now() + 2 * hour])).error_code, 32);
}

#[test]
fn log_append_time_is_the_brokers_whatever_the_producers() {
    let mut running = Running::with(&[("message.timestamp.type", "LogAppendTime")]);
    let before = now();
    let told = running.produce(times(&[0, i64::MAX]));
    assert_eq!(told.error_code, 0);
    let stored = running.batches().remove(0);
    assert_eq!(stored.timestamp_type(), TimestampType::LogAppendTime);
    assert!((before..=now()).contains(&told.log_append_time_ms));
    assert_eq!(stored.max_timestamp().unwrap().as_millis(), told.log_append_time_ms);
}

#[test]
fn max_message_bytes_is_the_largest_batch() {
    let mut running = Running::with(&[("max.message.bytes", "200")]);
    assert_eq!(running.produce(batch_of(&["small"])).error_code, 0);
    assert_eq!(running.produce(batch_of(&["x".repeat(200).as_str()])).error_code, 10);
}

#[test]
fn min_insync_replicas_above_one_refuses_who_waits_for_all() {
    let mut running = Running::with(&[("min.insync.replicas", "2")]);
    assert_eq!(running.produce(batch_of(&["v"])).error_code, 19);
    let (id, client) = (running.id, &mut running.client);
    assert_eq!(produce(client, "t", id, batch_of(&["v"]), 1, 13).error_code, 0, "acks=1 does not wait");
}

#[test]
fn segment_bytes_begins_new_segments() {
    let mut running = Running::with(&[("internal.segment.bytes", "1024")]);
    running.fill(9);
    assert_eq!(running.files(".log").len(), 5, "two batches in each");
}

#[test]
fn segment_ms_closes_a_segment_by_its_age() {
    let mut running = Running::with(&[("segment.ms", "60000")]);
    assert_eq!(running.produce(times(&[0])).error_code, 0);
    assert_eq!(running.produce(times(&[50_000])).error_code, 0);
    assert_eq!(running.files(".log").len(), 1);
    assert_eq!(running.produce(times(&[70_000])).error_code, 0);
    assert_eq!(running.files(".log").len(), 2);
}

#[test]
fn index_interval_bytes_is_between_two_entries() {
    let mut counts = Vec::new();
    for interval in ["400", "4000"] {
        let mut running =
            Running::with(&[("index.interval.bytes", interval), ("internal.segment.bytes", "10000")]);
        running.fill(25);
        let path = running.broker.path().join("t-0/00000000000000000000.index");
        counts.push(std::fs::metadata(path).unwrap().len() / 8);
    }
    assert_eq!(counts, [20, 2]);
}

#[test]
fn segment_index_bytes_begins_new_segments() {
    let configs = [("index.interval.bytes", "1"), ("segment.index.bytes", "40")];
    let mut running = Running::with(&configs);
    running.fill(12);
    assert!(running.files(".log").len() >= 2, "{:?}", running.files(".log"));
}

#[test]
fn retention_bytes_deletes_the_oldest_segments() {
    let configs =
        [("internal.segment.bytes", "1024"), ("retention.bytes", "2000"), ("file.delete.delay.ms", "0")];
    let mut running = Running::with(&configs);
    running.fill(20);
    until("old segments are deleted", || running.files(".log").len() <= 3);
}

#[test]
fn retention_ms_deletes_what_is_older() {
    let configs = [("retention.ms", "60000"), ("file.delete.delay.ms", "0")];
    let mut running = Running::with(&configs);
    assert_eq!(running.produce(times(&[0])).error_code, 0);
    until("the old record is deleted", || running.batches().is_empty());
    assert_eq!(running.produce(times(&[now()])).error_code, 0);
    assert_eq!(running.batches().len(), 1);
}

#[test]
fn file_delete_delay_ms_keeps_the_files_for_a_while() {
    let configs = [("retention.ms", "60000"), ("file.delete.delay.ms", "3600000")];
    let mut running = Running::with(&configs);
    assert_eq!(running.produce(times(&[0])).error_code, 0);
    until("the old record is deleted", || running.batches().is_empty());
    until("its file has another name", || running.files(".log.deleted").len() == 1);
}

#[test]
fn flush_messages_and_flush_ms_sync_in_the_background() {
    for (key, value) in [("flush.messages", "1"), ("flush.ms", "1")] {
        let mut running = Running::with(&[(key, value)]);
        running.fill(3);
        let checkpoint = running.broker.path().join("recovery-point-offset-checkpoint");
        let is_synced = || {
            let text = std::fs::read_to_string(&checkpoint).unwrap_or_default();
            text.lines().any(|line| line == "t 0 3")
        };
        until(key, is_synced);
    }
}

#[test]
fn preallocate_gives_the_file_its_length_ahead() {
    let mut running = Running::with(&[("preallocate", "true")]);
    running.fill(1);
    let file = running.broker.path().join("t-0/00000000000000000000.log");
    assert!(std::fs::metadata(file).unwrap().len() >= 1 << 20);
}

#[test]
fn cleanup_policy_compact_wants_keys() {
    let mut running = Running::with(&[("cleanup.policy", "compact")]);
    let refused = running.produce(batch_of(&["without a key"]));
    assert_eq!((refused.error_code, refused.record_errors.len()), (87, 1));
}

#[test]
fn a_topic_is_created_with_settings_and_wrong_ones_are_named() {
    let mut running = Running::with(&[]);
    assert_eq!(create(&mut running.client, "u", 1, &[("compression.type", "zstd")]).0, 0);
    let (code, words) = create(&mut running.client, "v", 1, &[("compression.type", "brotli")]);
    assert_eq!(code, 40);
    assert_eq!(
        words,
        "compression.type is \"brotli\", expected producer, uncompressed, gzip, snappy, lz4 or zstd"
    );
}
