//! A request that waits keeps nothing of its frame: other requests find the memory of
//! `queued.max.request.bytes` free, however large the frames of those that wait were.

use klamm_broker::testing::request_footprint;
use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use klamm_protocol::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use klamm_protocol::messages::sync_group_request::SyncGroupRequest;
use klamm_protocol::{ByteString, Request, encode_request};
use klamm_tests::admin::create;
use klamm_tests::client::Client;
use klamm_tests::groups::{subscription, wait_until_loaded};
use klamm_tests::hostile::padded;
use klamm_tests::requests::{batch_of, produce, topic};

/// `queued.max.request.bytes` of these brokers.
const MEMORY: usize = 4 << 20;
/// Bytes of each frame that waits: two of them leave no room for [`RECORD`].
const WAITING: usize = 19 << 17;
/// Bytes of the record that another client produces meanwhile.
const RECORD: usize = 300_000;
const FOREVER_MS: i32 = 200_000;

fn broker() -> Broker {
    let config =
        BrokerConfig { max_queued_bytes: MEMORY, max_request_bytes: 3 << 20, ..BrokerConfig::for_test() };
    Broker::start(config).unwrap()
}

/// A request of [`WAITING`] bytes: most of them are a tagged field that nobody knows.
fn large<R: Request>(request: &R, version: i16) -> Vec<u8> {
    let frame = encode_request(request, version, 1, Some("waits")).unwrap().into_bytes().unwrap();
    padded(&frame, WAITING)
}

/// Sends three of these from three connections, which stay open.
fn three<R: Request>(broker: &Broker, version: i16, request: impl Fn(usize) -> R) -> Vec<Client> {
    let send = |number| {
        let mut client = Client::connect(broker);
        client.raw(&large(&request(number), version));
        client
    };
    (0..3).map(send).collect()
}

/// Produces a record of [`RECORD`] bytes, which must be acknowledged.
fn produces(broker: &Broker) {
    let mut client = Client::connect(broker);
    let id = topic(&mut client, "others");
    let records = batch_of(&[&"x".repeat(RECORD)]);
    assert_eq!(produce(&mut client, "others", id, records, 1, 13).error_code, 0);
}

fn join(instance: &str) -> JoinGroupRequest {
    let metadata = subscription(&["t"]).into();
    JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: FOREVER_MS,
        group_instance_id: Some(instance.into()),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata }],
        ..JoinGroupRequest::default()
    }
}

/// The first member of the group, which leads it.
fn leader(broker: &Broker) -> (Client, ByteString) {
    let mut client = Client::connect(broker);
    let find = FindCoordinatorRequest { key: "g".into(), ..FindCoordinatorRequest::default() };
    assert_eq!(client.call(&find, 3).error_code, 0);
    wait_until_loaded(&mut client);
    let joined = client.call(&join("leader"), 9);
    assert_eq!(joined.error_code, 0);
    (client, joined.member_id)
}

fn join_as(instance: &str, id: &ByteString) -> JoinGroupRequest {
    JoinGroupRequest { member_id: id.clone(), ..join(instance) }
}

#[test]
fn a_fetch_that_waits_keeps_no_memory_of_its_frame() {
    let broker = broker();
    let mut client = Client::connect(&broker);
    assert_eq!(create(&mut client, "t", 1, &[]).0, 0);
    let id = topic(&mut client, "t");
    for version in [12, 18] {
        let (topic, topic_id) = if version < 13 { ("t".into(), Default::default()) } else { ("".into(), id) };
        let partitions = vec![FetchPartition { partition_max_bytes: 1, ..FetchPartition::default() }];
        let fetch = FetchRequest {
            max_bytes: 1 << 20,
            min_bytes: 1,
            max_wait_ms: FOREVER_MS,
            session_epoch: -1,
            topics: vec![FetchTopic { topic, topic_id, partitions }],
            ..FetchRequest::default()
        };
        let _waiting = three(&broker, version, |_| fetch.clone());
        produces(&broker);
    }
}

#[test]
fn a_fetch_that_waited_is_answered_after_its_frame_was_freed() {
    let broker = broker();
    let mut client = Client::connect(&broker);
    let id = topic(&mut client, "t");
    let partitions = vec![FetchPartition { partition_max_bytes: 1 << 20, ..FetchPartition::default() }];
    let fetch = FetchRequest {
        max_bytes: 1 << 20,
        min_bytes: 1,
        max_wait_ms: FOREVER_MS,
        session_epoch: 0,
        topics: vec![FetchTopic { topic_id: id, partitions, ..FetchTopic::default() }],
        ..FetchRequest::default()
    };
    let waiting = three(&broker, 18, |_| fetch.clone());
    produces(&broker);
    assert_eq!(produce(&mut client, "t", id, batch_of(&["news"]), 1, 13).error_code, 0);
    for mut client in waiting {
        let frame = client.frame().unwrap();
        let response = client.read::<FetchRequest>(frame, 18);
        assert!(response.session_id > 0, "a session begins with the response");
        assert!(!response.responses[0].partitions[0].records.as_ref().unwrap().is_empty());
    }
}

#[test]
fn a_join_that_waits_for_other_members_keeps_no_memory_of_its_frame() {
    let broker = broker();
    let _leader = leader(&broker);
    // The leader does not join again, so that the others wait for it.
    let _waiting = three(&broker, 9, |number| join(&format!("member-{number}")));
    produces(&broker);
}

#[test]
fn a_sync_that_waits_for_the_leader_keeps_no_memory_of_its_frame() {
    let broker = broker();
    let (mut leader, id) = leader(&broker);
    let mut members: Vec<Client> = (0..3).map(|_| Client::connect(&broker)).collect();
    for (number, member) in members.iter_mut().enumerate() {
        member.send(&join(&format!("member-{number}")), 9);
    }
    let describe = DescribeGroupsRequest { groups: vec!["g".into()], ..DescribeGroupsRequest::default() };
    while leader.call(&describe, 5).groups[0].members.len() < 4 {
        std::thread::yield_now();
    }
    assert_eq!(leader.call(&join_as("leader", &id), 9).error_code, 0);
    let mut waiting = Vec::new();
    for (number, member) in members.iter_mut().enumerate() {
        let frame = member.frame().unwrap();
        let joined = member.read::<JoinGroupRequest>(frame, 9);
        let sync = SyncGroupRequest {
            group_id: "g".into(),
            generation_id: joined.generation_id,
            member_id: joined.member_id,
            group_instance_id: Some(format!("member-{number}").into()),
            protocol_type: joined.protocol_type,
            protocol_name: joined.protocol_name,
            ..SyncGroupRequest::default()
        };
        let mut client = Client::connect(&broker);
        client.raw(&large(&sync, 5));
        waiting.push(client);
    }
    produces(&broker);
}

/// A waiting fetch of many partitions has memory of its own. When another request needs it, the
/// fetch is answered.
#[test]
fn a_large_fetch_that_waits_gives_its_memory_to_others() {
    const PARTITIONS: i32 = 200;
    let broker = broker();
    let mut client = Client::connect(&broker);
    assert_eq!(create(&mut client, "t", PARTITIONS, &[]).0, 0);
    let partition =
        |partition| FetchPartition { partition, partition_max_bytes: 1, ..FetchPartition::default() };
    let partitions = (0..PARTITIONS).map(partition).collect();
    let fetch = FetchRequest {
        max_bytes: 1 << 20,
        min_bytes: 1,
        max_wait_ms: FOREVER_MS,
        session_epoch: -1,
        topics: vec![FetchTopic { topic: "t".into(), partitions, ..FetchTopic::default() }],
        ..FetchRequest::default()
    };
    let taken = footprint(&fetch, 11);
    assert!(taken > 16 << 10, "{taken}");
    client.send(&fetch, 11);
    // The request of another client needs all but half of what the fetch has.
    let all =
        (1..).map(|count| groups(100 * count)).find(|request| footprint(request, 5) > MEMORY - taken / 2);
    let all = all.unwrap();
    assert!(footprint(&all, 5) <= MEMORY);
    assert_eq!(Client::connect(&broker).call(&all, 5).groups.len(), all.groups.len());
    let frame = client.frame().unwrap();
    let response = client.read::<FetchRequest>(frame, 11);
    let has_records = |one: &klamm_protocol::messages::fetch_response::PartitionData| {
        one.records.as_ref().is_some_and(|records| !records.is_empty())
    };
    let partitions = response.responses.iter().flat_map(|topic| &topic.partitions);
    assert!(!partitions.clone().any(has_records) && partitions.count() > 0);
}

/// A request that names so many groups.
fn groups(count: i32) -> DescribeGroupsRequest {
    let groups = (0..count).map(|number| format!("{number}").as_str().into()).collect();
    DescribeGroupsRequest { groups, ..DescribeGroupsRequest::default() }
}

fn footprint<R: Request>(request: &R, version: i16) -> usize {
    let frame = encode_request(request, version, 1, Some("test")).unwrap().into_bytes().unwrap();
    request_footprint(frame.slice(4..)).unwrap()
}
