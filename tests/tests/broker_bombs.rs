//! Small requests that become much work: batches that decompress to a multiple of their size, and
//! thousands of items. They are worked on in slices on worker threads, others are answered
//! meanwhile, and they are cancelled when nobody waits.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use klamm_broker::BrokerConfig;
use klamm_broker::testing::{TestBroker, WorkFigures};
use klamm_protocol::messages::alter_client_quotas_request::{
    AlterClientQuotasRequest, EntityData, EntryData, OpData,
};
use klamm_protocol::messages::describe_client_quotas_request::DescribeClientQuotasRequest;
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use klamm_protocol::messages::metadata_request::MetadataRequest;
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::{ApiKey, Records, encode_request};
use klamm_record::{BatchBuilder, BatchOptions, Compression, NewRecord};
use klamm_tests::admin::create;
use klamm_tests::client::Client;
use klamm_tests::groups::serve_groups;
use klamm_tests::hostile::{MANY, many_frames};
use klamm_tests::requests::{batch_of, topic};
use klamm_types::Timestamp;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
/// Items of a slice.
const ITEMS: usize = 100;
const PARTITIONS: i32 = 20;
const TOPIC: &str = "t";

fn config() -> BrokerConfig {
    BrokerConfig {
        io_threads: 2,
        network_threads: 1,
        slice_items: ITEMS,
        slice_bytes: 64 * KIB,
        decompression_memory: 3 * MIB,
        ..BrokerConfig::for_test()
    }
}

fn start(config: BrokerConfig) -> (TestBroker, Client) {
    let broker = TestBroker::start_with(config).unwrap();
    let mut client = Client::connect(broker.running());
    let (error, words) = create(&mut client, TOPIC, PARTITIONS, &[]);
    assert_eq!(error, 0, "{words}");
    (broker, client)
}

/// A batch of one record with so many zero bytes.
fn bomb(codec: Compression, bytes: usize) -> Records {
    let options = BatchOptions { compression: codec, ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(Vec::new(), options);
    builder.append(&NewRecord::new(&vec![0; bytes]).at(Timestamp::from_millis(1000))).unwrap();
    Records::Bytes(builder.finish().unwrap().buffer.into())
}

/// One batch for each partition.
fn produce(records: &Records) -> ProduceRequest {
    let data = |index| PartitionProduceData { index, records: Some(records.clone()) };
    let partition_data = (0..PARTITIONS).map(data).collect();
    let topic_data = vec![TopicProduceData { name: TOPIC.into(), partition_data, ..Default::default() }];
    ProduceRequest { acks: -1, timeout_ms: 1000, topic_data, ..Default::default() }
}

fn until(broker: &TestBroker, what: &str, is_so: impl Fn(WorkFigures) -> bool) -> WorkFigures {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let figures = broker.work();
        if is_so(figures) {
            return figures;
        }
        assert!(Instant::now() < deadline, "{what}: {figures:?}");
        std::thread::yield_now();
    }
}

#[test]
fn others_are_answered_while_batches_are_decompressed() {
    const REQUESTS: usize = 5;
    const BYTES: usize = 2 * MIB;
    let (broker, mut other) = start(config());
    let request = produce(&bomb(Compression::Zstd, BYTES));
    let mut hostile: Vec<_> = (0..4).map(|_| Client::connect(broker.running())).collect();
    for client in &mut hostile {
        (0..REQUESTS).for_each(|_| client.send(&request, 9));
    }
    let mut answered = 0;
    hostile[0].poll_each(|| {
        // It has to go to a worker thread too.
        assert_eq!(other.call(&MetadataRequest::default(), 9).brokers.len(), 1);
        answered += usize::from(broker.work().unfinished > 0);
    });
    assert!(answered > 0, "nobody was answered while a large request was unfinished");
    for client in &mut hostile {
        for _ in 0..REQUESTS {
            let frame = client.frame().unwrap();
            let response = client.read::<ProduceRequest>(frame, 9);
            assert!(response.responses[0].partition_responses.iter().all(|p| p.error_code == 0));
        }
    }
    let figures = broker.work();
    let bytes = 4 * REQUESTS * BYTES * usize::try_from(PARTITIONS).unwrap();
    assert!(figures.bytes >= bytes as u64, "{figures:?}");
    assert!(figures.most_network_bytes <= 64 * KIB, "{figures:?}");
    assert!((BYTES..=3 * MIB).contains(&figures.most_memory), "{figures:?}");
    assert_eq!((figures.unfinished, figures.cancelled, figures.memory), (0, 0, 0));
}

#[test]
fn work_for_a_client_that_disconnects_is_cancelled() {
    let (broker, _) = start(config());
    let request = produce(&bomb(Compression::Zstd, 8 * MIB));
    let mut hostile = Client::connect(broker.running());
    (0..10).for_each(|_| hostile.send(&request, 9));
    until(&broker, "has begun", |figures| figures.unfinished == 1);
    drop(hostile);
    let figures = until(&broker, "is cancelled", |figures| figures.cancelled == 1);
    assert!(figures.items < 10 * 20, "{figures:?}");
    until(&broker, "memory is returned", |figures| figures.memory == 0);
}

#[test]
fn a_broker_that_stops_cancels_large_work() {
    let (mut broker, _) = start(config());
    let request = produce(&bomb(Compression::Zstd, 32 * MIB));
    let mut hostile: Vec<_> = (0..4).map(|_| Client::connect(broker.running())).collect();
    hostile.iter_mut().for_each(|client| client.send(&request, 9));
    until(&broker, "have begun", |figures| figures.unfinished == 4);
    broker.stop().unwrap();
    let answers = hostile.iter_mut().filter_map(|client| client.frame().ok()).count();
    assert!(answers < 4, "all were finished first");
}

#[test]
fn a_batch_above_the_limit_is_refused() {
    for time in ["CreateTime", "LogAppendTime"] {
        for stored in ["producer", "lz4"] {
            let mut config = config();
            config.topic.log.max_decompressed_bytes = MIB;
            let broker = TestBroker::start_with(config).unwrap();
            let mut client = Client::connect(broker.running());
            let settings = [("message.timestamp.type", time), ("compression.type", stored)];
            assert_eq!(create(&mut client, TOPIC, PARTITIONS, &settings).0, 0);
            for codec in Compression::ALL.into_iter().filter(|codec| *codec != Compression::None) {
                for (bytes, want) in [(MIB - 100, 0), (MIB, 10)] {
                    let response = client.call(&produce(&bomb(codec, bytes)), 9);
                    let partitions = &response.responses[0].partition_responses;
                    let codes: Vec<_> = partitions.iter().map(|p| p.error_code).collect();
                    assert!(codes.iter().all(|code| *code == want), "{codec} {bytes} {time}: {codes:?}");
                }
            }
        }
    }
}

#[test]
fn of_a_partition_that_is_produced_to_twice_in_a_request_the_last_counts() {
    let (broker, mut client) = start(config());
    let data = |index, text: &str| PartitionProduceData { index, records: Some(batch_of(&[text])) };
    let topic =
        |partition_data| TopicProduceData { name: TOPIC.into(), partition_data, ..Default::default() };
    let topic_data = vec![
        topic(vec![data(0, "first"), data(1, "one"), data(0, "second")]),
        topic(vec![data(0, "the third and last")]),
    ];
    let request = ProduceRequest { acks: -1, timeout_ms: 1000, topic_data, ..Default::default() };
    let response = client.call(&request, 9);
    assert_eq!(response.responses.len(), 1, "each topic once");
    let partitions = &response.responses[0].partition_responses;
    let mut told: Vec<_> = partitions.iter().map(|p| (p.index, p.error_code, p.base_offset)).collect();
    told.sort_unstable();
    assert_eq!(told, [(0, 0, 0), (1, 0, 0)]);
    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    let topics =
        vec![FetchTopic { topic: TOPIC.into(), partitions: vec![partition], ..FetchTopic::default() }];
    let fetch = FetchRequest { max_bytes: 1 << 20, topics, session_epoch: -1, ..FetchRequest::default() };
    let read = client.call(&fetch, 11).responses[0].partitions[0].clone();
    assert_eq!(read.high_watermark, 1);
    let records = read.records.and_then(|records| records.as_bytes().cloned()).unwrap();
    assert!(records.ends_with(b"the third and last\0"), "{records:?}");
    drop(broker);
}

/// A lookup by time decompresses the batch that it finds: that takes decompression memory, as
/// producing it did.
#[test]
fn a_lookup_by_time_takes_decompression_memory() {
    let (broker, mut client) = start(config());
    for index in 0..2 {
        let data = PartitionProduceData { index, records: Some(bomb(Compression::Zstd, 2 * MIB)) };
        let topic = TopicProduceData { name: TOPIC.into(), partition_data: vec![data], ..Default::default() };
        let request =
            ProduceRequest { acks: -1, timeout_ms: 1000, topic_data: vec![topic], ..Default::default() };
        assert_eq!(client.call(&request, 9).responses[0].partition_responses[0].error_code, 0);
    }
    let before = broker.work();
    for timestamp in [0, -3] {
        let partition =
            |partition_index| ListOffsetsPartition { partition_index, timestamp, ..Default::default() };
        let topic = ListOffsetsTopic { name: TOPIC.into(), partitions: vec![partition(0), partition(1)] };
        let request = ListOffsetsRequest { topics: vec![topic], ..Default::default() };
        let found = client.call(&request, 7);
        let offsets: Vec<_> = found.topics[0].partitions.iter().map(|p| (p.error_code, p.offset)).collect();
        assert_eq!(offsets, [(0, 0), (0, 0)], "timestamp {timestamp}");
    }
    let after = broker.work();
    assert!(after.most_memory >= 3 * MIB, "all there is, which is less than a batch may take: {after:?}");
    assert!(after.memory_taken - before.memory_taken >= 4, "once for each lookup: {after:?}");
    assert_eq!(after.memory, 0);
}

/// Sends a request with many items; returns the items that were counted, and the slices on worker
/// threads.
fn slices(broker: &TestBroker, client: &mut Client, api: ApiKey, frame: &[u8]) -> (u64, u64) {
    let before = broker.work();
    client.raw(frame);
    client.frame().unwrap_or_else(|error| panic!("{api:?}: {error}"));
    let after = broker.work();
    assert!(after.most_network_items <= ITEMS, "{api:?}: {after:?}");
    // A slice that is nearly used up may get a whole part of the items.
    assert!(after.most_items <= 2 * ITEMS, "{api:?}: {after:?}");
    assert!(after.most_network_measured <= 64 * KIB, "{api:?}: {after:?}");
    (after.items - before.items, after.worker_slices - before.worker_slices)
}

/// APIs that answer for many items in slices, with the number of passes over them.
const SLICED: [(ApiKey, u64); 20] = [
    (ApiKey::Produce, 1),
    // A Fetch merges its partitions, reads them, and tells what is new of them.
    (ApiKey::Fetch, 4),
    (ApiKey::ListOffsets, 1),
    (ApiKey::Metadata, 1),
    (ApiKey::OffsetForLeaderEpoch, 1),
    (ApiKey::OffsetCommit, 1),
    (ApiKey::OffsetFetch, 1),
    (ApiKey::OffsetDelete, 1),
    (ApiKey::FindCoordinator, 1),
    (ApiKey::LeaveGroup, 1),
    (ApiKey::DescribeGroups, 1),
    (ApiKey::ConsumerGroupDescribe, 1),
    (ApiKey::DeleteGroups, 1),
    (ApiKey::ListGroups, 1),
    (ApiKey::DeleteRecords, 1),
    (ApiKey::DescribeConfigs, 1),
    (ApiKey::DescribeTopicPartitions, 1),
    (ApiKey::DescribeProducers, 1),
    (ApiKey::DescribeLogDirs, 1),
    (ApiKey::DescribeClientQuotas, 1),
];

/// A request of each API with many items, in its last version.
fn requests(client: &mut Client) -> BTreeMap<i16, Vec<u8>> {
    let id = topic(client, TOPIC);
    let mut frames = many_frames(TOPIC, id);
    frames.sort_by_key(|(_, version, _)| *version);
    let mut requests: BTreeMap<_, _> = frames.into_iter().map(|(api, _, frame)| (api, frame)).collect();
    let all = encode_request(&DescribeClientQuotasRequest::default(), 1, 1, Some("test")).unwrap();
    requests.insert(ApiKey::DescribeClientQuotas.code(), all.into_bytes().unwrap().to_vec());
    requests
}

fn set_quotas(client: &mut Client) {
    let quota = |number| {
        let name = Some(format!("user-{number}").as_str().into());
        let op = OpData { key: "producer_byte_rate".into(), value: 1e9, remove: false };
        EntryData {
            entity: vec![EntityData { entity_type: "user".into(), entity_name: name }],
            ops: vec![op],
        }
    };
    let entries = (0..MANY).map(quota).collect();
    let response = client.call(&AlterClientQuotasRequest { entries, validate_only: false }, 1);
    assert!(response.entries.iter().all(|entry| entry.error_code == 0));
}

#[test]
fn every_api_with_many_items_works_in_slices() {
    let config = BrokerConfig { auto_create_topics: false, ..config() };
    let (broker, mut client) = start(config);
    serve_groups(&mut client);
    set_quotas(&mut client);
    let requests = requests(&mut client);
    for (api, passes) in SLICED {
        let (items, slices) = slices(&broker, &mut client, api, &requests[&api.code()]);
        println!("{api:?}: {items} items in {slices} slices on worker threads");
        let (items_least, slices_least) = (passes * MANY as u64, (MANY / ITEMS) as u64);
        assert!(items >= items_least && slices >= slices_least, "{api:?}: {items} items, {slices} slices");
    }
}
