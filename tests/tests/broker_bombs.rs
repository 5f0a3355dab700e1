//! Small requests that become much work: batches that decompress to a multiple of their size, and thousands of items. They
//! are worked on in slices on worker threads, others are answered meanwhile, and they are cancelled when nobody waits.

use std::time::{Duration, Instant};

use klamm_broker::BrokerConfig;
use klamm_broker::testing::{TestBroker, WorkFigures};
use klamm_protocol::messages::alter_client_quotas_request::{
    AlterClientQuotasRequest, EntityData, EntryData, OpData,
};
use klamm_protocol::messages::delete_groups_request::DeleteGroupsRequest;
use klamm_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use klamm_protocol::messages::describe_client_quotas_request::DescribeClientQuotasRequest;
use klamm_protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use klamm_protocol::messages::describe_log_dirs_request::{DescribableLogDirTopic, DescribeLogDirsRequest};
use klamm_protocol::messages::describe_producers_request::{self as producers, DescribeProducersRequest};
use klamm_protocol::messages::describe_topic_partitions_request::{
    DescribeTopicPartitionsRequest, TopicRequest,
};
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use klamm_protocol::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use klamm_protocol::messages::list_groups_request::ListGroupsRequest;
use klamm_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use klamm_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use klamm_protocol::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use klamm_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::{ByteString, Records, Request};
use klamm_record::{BatchBuilder, BatchOptions, Compression, NewRecord};
use klamm_tests::admin::create;
use klamm_tests::client::Client;
use klamm_tests::requests::batch_of;

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
    builder.append(&NewRecord::new(&vec![0; bytes])).unwrap();
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

/// Sends a request with many items; says how many slices it took on worker threads.
fn slices<R: Request>(broker: &TestBroker, client: &mut Client, request: &R, version: i16) -> (u64, u64) {
    let before = broker.work();
    client.call(request, version);
    let after = broker.work();
    assert!(after.most_network_items <= ITEMS, "{:?}: {after:?}", R::KEY);
    // A slice that is nearly used up may get a whole part of the items.
    assert!(after.most_items <= 2 * ITEMS, "{:?}: {after:?}", R::KEY);
    assert!(after.most_network_measured <= 64 * KIB, "{:?}: {after:?}", R::KEY);
    (after.items - before.items, after.worker_slices - before.worker_slices)
}

#[test]
fn every_api_with_many_items_works_in_slices() {
    const MANY: usize = 5000;
    let (broker, mut client) = start(config());
    // The topic of groups is created by the first who asks for one.
    let find = FindCoordinatorRequest { key: "group".into(), ..Default::default() };
    client.call(&find, 3);
    let numbers = || 0..i32::try_from(MANY).unwrap();
    let names = || numbers().map(|number| ByteString::from(format!("n{number}").as_str()));
    let mut table: Vec<(String, u64, u64)> = Vec::new();
    let mut check = |api: &str, (items, slices): (u64, u64)| table.push((api.to_owned(), items, slices));

    let partitions = numbers().map(|partition| FetchPartition { partition, ..Default::default() }).collect();
    let topics = vec![FetchTopic { topic: "unknown".into(), partitions, ..Default::default() }];
    let request = FetchRequest { max_bytes: 1 << 20, topics, session_epoch: -1, ..Default::default() };
    check("Fetch", slices(&broker, &mut client, &request, 4));

    let partition = |index| PartitionProduceData { index, records: None };
    let partition_data = numbers().map(partition).collect();
    let topic_data = vec![TopicProduceData { name: "unknown".into(), partition_data, ..Default::default() }];
    let request = ProduceRequest { acks: 1, timeout_ms: 1000, topic_data, ..Default::default() };
    check("Produce", slices(&broker, &mut client, &request, 9));

    let partition =
        |partition_index| ListOffsetsPartition { partition_index, timestamp: 5, ..Default::default() };
    let topics =
        vec![ListOffsetsTopic { name: TOPIC.into(), partitions: numbers().map(partition).collect() }];
    check(
        "ListOffsets",
        slices(&broker, &mut client, &ListOffsetsRequest { topics, ..Default::default() }, 5),
    );

    let partition = |partition| OffsetForLeaderPartition { partition, ..Default::default() };
    let topics =
        vec![OffsetForLeaderTopic { topic: TOPIC.into(), partitions: numbers().map(partition).collect() }];
    let request = OffsetForLeaderEpochRequest { topics, ..Default::default() };
    check("OffsetForLeaderEpoch", slices(&broker, &mut client, &request, 4));

    let partition = |partition_index| DeleteRecordsPartition { partition_index, offset: 0 };
    let topics =
        vec![DeleteRecordsTopic { name: TOPIC.into(), partitions: numbers().map(partition).collect() }];
    let request = DeleteRecordsRequest { topics, timeout_ms: 1000 };
    check("DeleteRecords", slices(&broker, &mut client, &request, 2));

    let topic = OffsetFetchRequestTopics {
        name: TOPIC.into(),
        partition_indexes: numbers().collect(),
        ..Default::default()
    };
    let group =
        OffsetFetchRequestGroup { group_id: "group".into(), topics: Some(vec![topic]), ..Default::default() };
    let request = OffsetFetchRequest { groups: vec![group], ..Default::default() };
    check("OffsetFetch", slices(&broker, &mut client, &request, 8));

    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index: partition_index % PARTITIONS,
        committed_offset: 1,
        ..Default::default()
    };
    let partitions = numbers().map(partition).collect();
    let topics = vec![OffsetCommitRequestTopic { name: TOPIC.into(), partitions, ..Default::default() }];
    let request = OffsetCommitRequest {
        group_id: "group".into(),
        generation_id_or_member_epoch: -1,
        topics,
        ..Default::default()
    };
    check("OffsetCommit", slices(&broker, &mut client, &request, 7));

    let request = DescribeGroupsRequest { groups: names().collect(), ..Default::default() };
    check("DescribeGroups", slices(&broker, &mut client, &request, 5));
    let request = DeleteGroupsRequest { groups_names: names().collect() };
    check("DeleteGroups", slices(&broker, &mut client, &request, 2));

    let resource = |resource_name| DescribeConfigsResource {
        resource_type: 2,
        resource_name,
        ..DescribeConfigsResource::default()
    };
    let request = DescribeConfigsRequest { resources: names().map(resource).collect(), ..Default::default() };
    check("DescribeConfigs", slices(&broker, &mut client, &request, 4));

    let topics =
        names().map(|name| MetadataRequestTopic { name: Some(name), ..Default::default() }).collect();
    let request =
        MetadataRequest { topics: Some(topics), allow_auto_topic_creation: false, ..Default::default() };
    check("Metadata", slices(&broker, &mut client, &request, 9));

    let request = FindCoordinatorRequest { coordinator_keys: names().collect(), ..Default::default() };
    check("FindCoordinator", slices(&broker, &mut client, &request, 4));

    let topics = names().map(|name| TopicRequest { name }).collect();
    let request =
        DescribeTopicPartitionsRequest { topics, response_partition_limit: 2000, ..Default::default() };
    check("DescribeTopicPartitions", slices(&broker, &mut client, &request, 0));

    let indexes = numbers().collect();
    let topic = producers::TopicRequest { name: TOPIC.into(), partition_indexes: indexes };
    let request = DescribeProducersRequest { topics: vec![topic] };
    check("DescribeProducers", slices(&broker, &mut client, &request, 0));

    let quota = |name| {
        let part = EntityData { entity_type: "user".into(), entity_name: Some(name) };
        let op = OpData { key: "producer_byte_rate".into(), value: 1e9, remove: false };
        EntryData { entity: vec![part], ops: vec![op] }
    };
    let request = AlterClientQuotasRequest { entries: names().map(quota).collect(), ..Default::default() };
    let response = client.call(&request, 1);
    assert!(response.entries.iter().all(|entry| entry.error_code == 0));
    let request = DescribeClientQuotasRequest::default();
    check("DescribeClientQuotas", slices(&broker, &mut client, &request, 1));

    let request = ListGroupsRequest { states_filter: names().collect(), ..Default::default() };
    check("ListGroups", slices(&broker, &mut client, &request, 5));

    let topic = DescribableLogDirTopic { topic: TOPIC.into(), partitions: numbers().collect() };
    let request = DescribeLogDirsRequest { topics: Some(vec![topic]) };
    check("DescribeLogDirs", slices(&broker, &mut client, &request, 4));

    let partition = |partition_index| OffsetDeleteRequestPartition { partition_index };
    let topic =
        OffsetDeleteRequestTopic { name: TOPIC.into(), partitions: numbers().map(partition).collect() };
    let request = OffsetDeleteRequest { group_id: "group".into(), topics: vec![topic] };
    check("OffsetDelete", slices(&broker, &mut client, &request, 0));

    let member = |member_id| MemberIdentity { member_id, ..Default::default() };
    let members = names().map(member).collect();
    let request = LeaveGroupRequest { group_id: "group".into(), members, ..Default::default() };
    check("LeaveGroup", slices(&broker, &mut client, &request, 5));

    for (api, items, slices) in table {
        // A Fetch merges its partitions, reads them, and tells what is new of them.
        let steps = if api == "Fetch" { 4 } else { 1 };
        assert!(items >= (steps * MANY) as u64, "{api}: {items} items");
        println!("{api}: {items} items in {slices} slices on worker threads");
        let least = (MANY / ITEMS) as u64;
        assert!(items >= MANY as u64 && slices >= least, "{api}: {items} items, {slices} slices");
    }
}
