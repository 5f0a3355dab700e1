//! Responses that grow with the state of the broker, not with the request: their memory is taken
//! from `queued.max.request.bytes` before they are built. The allocator counts, so that these tests
//! hold a lock.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use klamm_broker::BrokerConfig;
use klamm_broker::testing::{TestBroker, request_footprint};
use klamm_protocol::messages::alter_client_quotas_request::{
    AlterClientQuotasRequest, EntityData, EntryData, OpData,
};
use klamm_protocol::messages::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use klamm_protocol::messages::describe_client_quotas_request::DescribeClientQuotasRequest;
use klamm_protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use klamm_protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use klamm_protocol::messages::describe_producers_request::{self as producers, DescribeProducersRequest};
use klamm_protocol::messages::describe_topic_partitions_request::DescribeTopicPartitionsRequest;
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use klamm_protocol::messages::list_config_resources_request::ListConfigResourcesRequest;
use klamm_protocol::messages::list_groups_request::ListGroupsRequest;
use klamm_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup};
use klamm_protocol::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use klamm_protocol::{ByteString, Records, Request, Uuid, encode_request};
use klamm_record::{BatchBuilder, BatchOptions, BatchProducer, NewRecord};
use klamm_sim::CountingAllocator;
use klamm_tests::admin::create;
use klamm_tests::client::Client;
use klamm_tests::consumers::Consumer;
use klamm_tests::groups::serve_groups;
use klamm_tests::raw::{connect, exchange, skip};
use klamm_tests::requests::produce;
use klamm_types::{ProducerEpoch, ProducerId};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

static ALONE: Mutex<()> = Mutex::new(());

const TOPICS: i32 = 8;
const PARTITIONS: i32 = 100;
const GROUPS: i32 = 200;
const PRODUCERS: i64 = 200;
const QUOTAS: i32 = 500;
/// Bytes of the metadata of a member, and of a committed offset.
const METADATA: usize = 100_000;
const WORDS: usize = 1000;
/// Bytes that a connection has uncounted: its state, and a small request and response.
const UNCOUNTED: usize = 32 << 10;

/// A broker with topics, and a client.
fn broker_with_topics(config: BrokerConfig) -> (TestBroker, Client) {
    let broker = TestBroker::start_with(config).unwrap();
    let mut client = Client::connect(broker.running());
    for number in 0..TOPICS {
        assert_eq!(create(&mut client, &format!("t{number}"), PARTITIONS, &[]).0, 0);
    }
    (broker, client)
}

/// A broker with topics, groups, quotas and producers, and a client.
fn broker_with_state() -> (TestBroker, Client) {
    let (broker, mut client) = broker_with_topics(BrokerConfig::for_test());
    serve_groups(&mut client);
    (0..GROUPS).for_each(|number| commit(&mut client, &format!("group-{number}"), 1));
    commit(&mut client, "large", PARTITIONS);
    set_quotas(&mut client);
    (0..PRODUCERS).for_each(|id| produce_as(&mut client, id));
    (broker, client)
}

fn commit(client: &mut Client, group: &str, partitions: i32) {
    let words = "x".repeat(WORDS);
    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_metadata: Some(words.as_str().into()),
        ..Default::default()
    };
    let partitions = (0..partitions).map(partition).collect();
    let topics = vec![OffsetCommitRequestTopic { name: "t0".into(), partitions, ..Default::default() }];
    let request = OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: -1,
        topics,
        ..Default::default()
    };
    assert_eq!(client.call(&request, 7).topics[0].partitions[0].error_code, 0);
}

fn set_quotas(client: &mut Client) {
    let quota = |number: i32| {
        let name = Some(ByteString::from(format!("user-{number}").as_str()));
        let op = OpData { key: "producer_byte_rate".into(), value: 1e9, remove: false };
        EntryData {
            entity: vec![EntityData { entity_type: "user".into(), entity_name: name }],
            ops: vec![op],
        }
    };
    let request =
        AlterClientQuotasRequest { entries: (0..QUOTAS).map(quota).collect(), validate_only: false };
    assert!(client.call(&request, 1).entries.iter().all(|entry| entry.error_code == 0));
}

fn produce_as(client: &mut Client, id: i64) {
    let producer = BatchProducer { id: ProducerId::new(id).unwrap(), epoch: ProducerEpoch::new(0).unwrap() };
    let options =
        BatchOptions { producer: Some(producer), base_sequence: Some(0), ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(Vec::new(), options);
    builder.append(&NewRecord::new("value")).unwrap();
    let records = Records::Bytes(builder.finish().unwrap().buffer.into());
    let response = produce(client, "t0", Uuid::ZERO, records, -1, 9);
    assert_eq!(response.error_code, 0);
}

/// A classic group whose one member has much metadata.
fn join_with_much_metadata(client: &mut Client) {
    let protocols =
        vec![JoinGroupRequestProtocol { name: "range".into(), metadata: vec![7; METADATA].into() }];
    let request = JoinGroupRequest {
        group_id: "classic".into(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        protocol_type: "consumer".into(),
        protocols,
        ..JoinGroupRequest::default()
    };
    let joined = client.call(&request, 3);
    assert_eq!(joined.error_code, 0);
    let (member_id, generation_id) = (joined.member_id.clone(), joined.generation_id);
    let assignment =
        SyncGroupRequestAssignment { member_id: member_id.clone(), assignment: vec![8; METADATA].into() };
    let sync = SyncGroupRequest {
        group_id: "classic".into(),
        generation_id,
        member_id,
        assignments: vec![assignment],
        ..SyncGroupRequest::default()
    };
    assert_eq!(client.call(&sync, 3).error_code, 0);
}

/// A consumer-protocol group whose one member has all partitions.
fn join_for_all_partitions(client: Client) {
    let mut consumer = Consumer::new(client, "consumer", "member");
    let names: Vec<_> = (0..TOPICS).map(|number| format!("t{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let join = consumer.joining(&names, None);
    assert_eq!(consumer.send(&join), 0);
    assert_eq!(i32::try_from(consumer.count()).unwrap(), TOPICS * PARTITIONS);
}

/// A fetch session with all partitions: the request that goes on with it.
fn fetch_session(client: &mut Client) -> FetchRequest {
    let partition = |partition| FetchPartition { partition, ..FetchPartition::default() };
    let topic = |number: i32| FetchTopic {
        topic: format!("t{number}").as_str().into(),
        partitions: (0..PARTITIONS).map(partition).collect(),
        ..FetchTopic::default()
    };
    let request = FetchRequest {
        max_bytes: 1 << 20,
        topics: (0..TOPICS).map(topic).collect(),
        session_epoch: 0,
        ..FetchRequest::default()
    };
    let session_id = client.call(&request, 11).session_id;
    assert!(session_id > 0);
    FetchRequest { session_id, session_epoch: 1, topics: Vec::new(), ..request }
}

fn frame<R: Request>(request: &R, version: i16) -> (String, Vec<u8>) {
    let frame = encode_request(request, version, 1, Some("test")).unwrap().into_bytes().unwrap();
    (format!("{:?}", R::KEY), frame.to_vec())
}

/// A small request of each API whose response grows with the state.
fn small_requests(client: &mut Client) -> Vec<(String, Vec<u8>)> {
    let broker =
        DescribeConfigsResource { resource_type: 4, resource_name: "1".into(), configuration_keys: None };
    let configs = DescribeConfigsRequest {
        resources: vec![broker],
        include_synonyms: true,
        include_documentation: true,
    };
    let one = MetadataRequestTopic { name: Some("t0".into()), ..Default::default() };
    let group = OffsetFetchRequestGroup { group_id: "large".into(), topics: None, ..Default::default() };
    let indexes = producers::TopicRequest { name: "t0".into(), partition_indexes: vec![0] };
    let topics = DescribeTopicPartitionsRequest { response_partition_limit: 2000, ..Default::default() };
    vec![
        frame(&fetch_session(client), 11),
        frame(&MetadataRequest { topics: None, ..Default::default() }, 12),
        frame(&MetadataRequest { topics: Some(vec![one]), ..Default::default() }, 12),
        frame(&topics, 0),
        frame(&ListGroupsRequest::default(), 5),
        frame(&DescribeGroupsRequest { groups: vec!["classic".into()], ..Default::default() }, 6),
        frame(&ConsumerGroupDescribeRequest { group_ids: vec!["consumer".into()], ..Default::default() }, 1),
        frame(&OffsetFetchRequest { groups: vec![group], ..Default::default() }, 8),
        frame(&configs, 4),
        frame(&ListConfigResourcesRequest::default(), 1),
        frame(&DescribeLogDirsRequest { topics: None }, 4),
        frame(&DescribeProducersRequest { topics: vec![indexes] }, 0),
        frame(&DescribeClientQuotasRequest::default(), 1),
    ]
}

#[test]
fn the_memory_of_a_response_is_taken_before_it_is_built() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (broker, mut client) = broker_with_state();
    join_with_much_metadata(&mut client);
    join_for_all_partitions(Client::connect(broker.running()));
    let mut stream = connect(broker.running());
    println!("| API | response | memory | taken |\n|---|---|---|---|");
    let mut over = Vec::new();
    for (api, frame) in small_requests(&mut client) {
        let reserved = broker.work().reserved;
        let before = ALLOCATOR.begin();
        let response = exchange(&mut stream, &frame).unwrap();
        let peak = ALLOCATOR.peak() - before;
        let reserved = usize::try_from(broker.work().reserved - reserved).unwrap();
        let counted = reserved + request_footprint(frame[4..].to_vec().into()).unwrap();
        println!("| {api} | {response} | {peak} | {counted} |");
        let unreserved = broker.work().most_unreserved;
        if peak > counted + UNCOUNTED || unreserved > 0 {
            over.push(format!("{api}: {peak} bytes, {counted} taken, response {unreserved} bytes larger"));
        }
    }
    assert!(over.is_empty(), "{over:#?}");
}

#[test]
fn the_responses_of_many_clients_have_as_much_memory_as_there_is() {
    const CLIENTS: usize = 24;
    const MEMORY: usize = 1 << 20;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let config = BrokerConfig {
        io_threads: 8,
        max_queued_bytes: MEMORY,
        max_request_bytes: MEMORY,
        ..BrokerConfig::for_test()
    };
    let (broker, _client) = broker_with_topics(config);
    let (_, all) = frame(&MetadataRequest { topics: None, ..Default::default() }, 12);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| connect(broker.running())).collect();
    let before = ALLOCATOR.begin();
    clients.iter_mut().for_each(|client| client.write_all(&all).unwrap());
    let answered = clients.iter_mut().filter_map(skip).count();
    let peak = ALLOCATOR.peak() - before;
    assert_eq!(answered, CLIENTS);
    assert!(broker.work().reserved >= (CLIENTS * (150 << 10)) as u64, "{:?}", broker.work());
    assert!(peak <= MEMORY + CLIENTS * UNCOUNTED, "{peak} bytes for {CLIENTS} responses");
}
