//! Names of topics and groups, and small differences from Kafka that clients see.

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::messages::create_topics_request::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use klamm_protocol::messages::delete_groups_request::DeleteGroupsRequest;
use klamm_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use klamm_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic, ReplicaState};
use klamm_protocol::messages::fetch_response::PartitionData;
use klamm_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use klamm_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::metadata_response::MetadataResponseTopic;
use klamm_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use klamm_protocol::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use klamm_protocol::{Records, Request, Uuid, encode_request};
use klamm_tests::client::Client;
use klamm_tests::requests::{batch_of, produce, topic};

fn start() -> (Broker, Client) {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let client = Client::connect(&broker);
    (broker, client)
}

fn asked_for(client: &mut Client, name: &str) -> MetadataResponseTopic {
    let topics = Some(vec![MetadataRequestTopic { name: Some(name.into()), ..Default::default() }]);
    let request = MetadataRequest { topics, allow_auto_topic_creation: true, ..Default::default() };
    client.call(&request, 12).topics[0].clone()
}

fn create(client: &mut Client, name: &str) -> (i16, String) {
    let topics = vec![CreatableTopic {
        name: name.into(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    }];
    let told = client.call(&CreateTopicsRequest { topics, timeout_ms: 1000, ..Default::default() }, 7).topics;
    (told[0].error_code, told[0].error_message.as_deref().unwrap_or("").to_owned())
}

#[test]
fn topics_that_begin_with_underscores_are_created_automatically() {
    let mut config = BrokerConfig::for_test();
    (config.transaction_topic.partitions, config.share_topic.partitions) = (2, 3);
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    for (name, error, is_internal, partitions) in [
        ("__debezium-heartbeat.server", 0, false, 1),
        ("__consumer_offsets", 0, true, 1),
        ("__transaction_state", 0, true, 2),
        ("__share_group_state", 0, true, 3),
        ("__cluster_metadata", 3, false, 0),
    ] {
        let told = asked_for(&mut client, name);
        let told = (told.error_code, told.is_internal, told.partitions.len());
        assert_eq!(told, (error, is_internal, partitions), "{name}");
    }
    for (name, key, value) in [
        ("__consumer_offsets", "cleanup.policy", "compact"),
        ("__transaction_state", "cleanup.policy", "compact"),
        ("__transaction_state", "segment.bytes", "104857600"),
        ("__share_group_state", "retention.ms", "-1"),
    ] {
        assert_eq!(klamm_tests::admin::value(&mut client, 2, name, key).0, value, "{name} {key}");
    }
}

#[test]
fn names_that_differ_only_in_dots_and_underscores_collide() {
    let (_broker, mut client) = start();
    assert_eq!(create(&mut client, "a.b_c").0, 0);
    for name in ["a_b_c", "a.b.c", "a_b.c"] {
        let want = (17, format!("Topic '{name}' collides with existing topic: a.b_c"));
        assert_eq!(create(&mut client, name), want);
        assert_eq!(asked_for(&mut client, name).error_code, 17);
    }
    assert_eq!(create(&mut client, "a.b_c").0, 36);
    assert_eq!(create(&mut client, "a-b-c").0, 0);
    let request = DeleteTopicsRequest { topic_names: vec!["a.b_c".into()], ..Default::default() };
    client.call(&request, 5);
    assert_eq!(create(&mut client, "a_b_c").0, 0);
}

#[test]
fn metadata_is_found_by_topic_id_in_every_version_that_has_ids() {
    let (_broker, mut client) = start();
    let id = topic(&mut client, "t");
    for version in 10..=13 {
        for (id, want) in [(id, 0), (Uuid([7; 16]), 100)] {
            let name = if version < 12 { Some("".into()) } else { None };
            let topics = Some(vec![MetadataRequestTopic { topic_id: id, name }]);
            let request = MetadataRequest { topics, allow_auto_topic_creation: true, ..Default::default() };
            let told = client.call(&request, version).topics;
            assert_eq!((told[0].error_code, told[0].topic_id), (want, id), "{version}");
        }
    }
}

fn coordinator(client: &mut Client, group: &str) {
    client.call(&FindCoordinatorRequest { key: group.into(), ..Default::default() }, 3);
}

fn commit(client: &mut Client, group: &str) -> i16 {
    let partitions = vec![OffsetCommitRequestPartition { committed_offset: 5, ..Default::default() }];
    let topics = vec![OffsetCommitRequestTopic { name: "t".into(), partitions, ..Default::default() }];
    let request = OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: -1,
        topics,
        ..Default::default()
    };
    client.call(&request, 8).topics[0].partitions[0].error_code
}

/// The state, and the error message.
fn described(client: &mut Client, group: &str, version: i16) -> (i16, String, Option<String>) {
    let request = DescribeGroupsRequest { groups: vec![group.into()], ..Default::default() };
    let told = client.call(&request, version).groups[0].clone();
    (told.error_code, told.group_state.to_string(), told.error_message.map(|text| text.to_string()))
}

fn delete(client: &mut Client, group: &str) -> i16 {
    let request = DeleteGroupsRequest { groups_names: vec![group.into()] };
    client.call(&request, 2).results[0].error_code
}

#[test]
fn the_group_without_a_name_can_be_described_and_deleted() {
    let (_broker, mut client) = start();
    topic(&mut client, "t");
    coordinator(&mut client, "");
    assert_eq!(delete(&mut client, ""), 69);
    assert_eq!(commit(&mut client, ""), 0);
    for version in 0..=6 {
        assert_eq!(described(&mut client, "", version), (0, "Empty".to_owned(), None), "{version}");
    }
    assert_eq!(delete(&mut client, ""), 0);
    let gone = (69, "Dead".to_owned(), Some("Group  not found.".to_owned()));
    assert_eq!(described(&mut client, "", 6), gone);
    assert_eq!(described(&mut client, "", 5), (0, "Dead".to_owned(), None));
}

#[test]
fn a_group_stays_when_its_last_offset_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let config = BrokerConfig { log_dirs: vec![dir.path().to_owned()], ..BrokerConfig::for_test() };
    let broker = Broker::start(config.clone()).unwrap();
    let mut client = Client::connect(&broker);
    topic(&mut client, "t");
    coordinator(&mut client, "g");
    assert_eq!(commit(&mut client, "g"), 0);
    let partitions = vec![OffsetDeleteRequestPartition { partition_index: 0 }];
    let topics = vec![OffsetDeleteRequestTopic { name: "t".into(), partitions }];
    let told = client.call(&OffsetDeleteRequest { group_id: "g".into(), topics }, 0);
    assert_eq!((told.error_code, told.topics[0].partitions[0].error_code), (0, 0));
    assert_eq!(described(&mut client, "g", 6), (0, "Empty".to_owned(), None));
    broker.stop().unwrap();
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    coordinator(&mut client, "g");
    klamm_tests::groups::wait_until_loaded(&mut client);
    assert_eq!(described(&mut client, "g", 6), (0, "Empty".to_owned(), None));
    assert_eq!(delete(&mut client, "g"), 0);
}

#[test]
fn topics_with_an_unknown_id_come_last_in_offset_fetch() {
    let (_broker, mut client) = start();
    let known = topic(&mut client, "t");
    coordinator(&mut client, "g");
    assert_eq!(commit(&mut client, "g"), 0);
    let unknown = Uuid([7; 16]);
    let asked =
        |topic_id| OffsetFetchRequestTopics { topic_id, partition_indexes: vec![0], ..Default::default() };
    let group = OffsetFetchRequestGroup {
        group_id: "g".into(),
        topics: Some(vec![asked(unknown), asked(known)]),
        member_epoch: -1,
        ..Default::default()
    };
    let told = client.call(&OffsetFetchRequest { groups: vec![group], ..Default::default() }, 10).groups;
    let told = told[0].topics.iter().map(|topic| (topic.topic_id, topic.partitions[0].error_code));
    assert_eq!(told.collect::<Vec<_>>(), [(known, 0), (unknown, 100)]);
}

struct Asked {
    replica: i32,
    leader_epoch: i32,
    last_epoch: i32,
    offset: i64,
}

fn fetch(client: &mut Client, id: Uuid, asked: &Asked, version: i16) -> PartitionData {
    let partition = FetchPartition {
        fetch_offset: asked.offset,
        partition_max_bytes: 1 << 20,
        current_leader_epoch: asked.leader_epoch,
        last_fetched_epoch: asked.last_epoch,
        ..Default::default()
    };
    let (topic, topic_id) = if version >= 13 { ("".into(), id) } else { ("t".into(), Uuid::ZERO) };
    let topics = vec![FetchTopic { topic, topic_id, partitions: vec![partition] }];
    let mut request = FetchRequest { max_bytes: 1 << 20, session_epoch: -1, topics, ..Default::default() };
    if version >= 15 {
        let replica_id = asked.replica;
        request.replica_state = ReplicaState { replica_id, ..Default::default() };
    } else {
        request.replica_id = asked.replica;
    }
    client.call(&request, version).responses[0].partitions[0].clone()
}

#[test]
fn a_fetch_behind_the_end_of_its_last_epoch_is_told_where_that_is() {
    let (_broker, mut client) = start();
    let id = topic(&mut client, "t");
    assert_eq!(produce(&mut client, "t", id, batch_of(&["a", "b"]), -1, 13).error_code, 0);
    for version in [12, 13, 18] {
        for (last_epoch, offset, want) in [
            (-1, 0, (0, None)),
            (0, 0, (0, None)),
            (0, 2, (0, None)),
            (0, 3, (0, Some((0, 2)))),
            (1, 0, (1, None)),
            (-1, 3, (1, None)),
        ] {
            let asked = Asked { replica: -1, leader_epoch: -1, last_epoch, offset };
            let told = fetch(&mut client, id, &asked, version);
            let end = (told.diverging_epoch.epoch, told.diverging_epoch.end_offset);
            let found = (told.error_code, Some(end).filter(|(epoch, _)| *epoch >= 0));
            assert_eq!(found, want, "version {version}: epoch {last_epoch}, offset {offset}");
            let is_empty = told.records.as_ref().is_none_or(|records| records == &Records::default());
            assert!(is_empty || want == (0, None));
        }
    }
}

#[test]
fn a_replica_that_is_not_assigned_is_refused_as_in_kafka() {
    let (_broker, mut client) = start();
    let id = topic(&mut client, "t");
    for version in [9, 12, 14, 15, 18] {
        for (replica, leader_epoch, want) in
            [(5, 0, 75), (1, 0, 75), (5, -1, 6), (-1, 0, 0), (-2, 0, 0), (5, 9, 75)]
        {
            let asked = Asked { replica, leader_epoch, last_epoch: -1, offset: 0 };
            let found = fetch(&mut client, id, &asked, version).error_code;
            assert_eq!(found, want, "version {version}: replica {replica}, epoch {leader_epoch}");
        }
    }
}

/// Calls with a frame in which each `~` is a byte that is not UTF-8.
fn call_malformed<R: Request>(client: &mut Client, request: &R, version: i16) -> R::Response {
    let frame = encode_request(request, version, 1, Some("caf~")).unwrap().into_bytes().unwrap();
    let malformed = |byte: &u8| if *byte == b'~' { 0xe9 } else { *byte };
    client.raw(&frame.iter().map(malformed).collect::<Vec<_>>());
    let frame = client.frame().expect("an answer");
    client.read::<R>(frame, version)
}

/// The error code and name in the response to a topic's creation.
fn create_malformed(client: &mut Client, name: &str, value: &str) -> (i16, String) {
    let config = CreatableTopicConfig { name: "cleanup.policy".into(), value: Some(value.into()) };
    let topics = vec![CreatableTopic {
        name: name.into(),
        num_partitions: 1,
        replication_factor: 1,
        configs: vec![config],
        ..Default::default()
    }];
    let request = CreateTopicsRequest { topics, timeout_ms: 1000, ..Default::default() };
    let told = call_malformed(client, &request, 7).topics;
    (told[0].error_code, told[0].name.to_string())
}

#[test]
fn names_and_values_that_are_not_utf8_are_read_as_in_kafka() {
    let (_broker, mut client) = start();
    for version in 0..=4 {
        let told = call_malformed(&mut client, &klamm_tests::requests::api_versions(), version);
        assert_eq!(told.error_code, 0, "{version}");
    }
    assert_eq!(create_malformed(&mut client, "t~", "delete"), (17, "t\u{fffd}".to_owned()));
    assert_eq!(create_malformed(&mut client, "t", "delet~"), (40, "t".to_owned()));
    assert_eq!(create_malformed(&mut client, "t", "delete"), (0, "t".to_owned()));
}

#[test]
fn commits_with_text_that_is_not_utf8_come_back_with_replacement_characters() {
    let (_broker, mut client) = start();
    topic(&mut client, "t");
    coordinator(&mut client, "g\u{fffd}");
    for version in 2..=9 {
        let partition = OffsetCommitRequestPartition {
            committed_offset: 5,
            committed_metadata: Some("~ ~~".into()),
            ..Default::default()
        };
        let topics = vec![OffsetCommitRequestTopic {
            name: "t".into(),
            partitions: vec![partition],
            ..Default::default()
        }];
        let group_id = "g~".into();
        let request =
            OffsetCommitRequest { group_id, generation_id_or_member_epoch: -1, topics, ..Default::default() };
        let told = call_malformed(&mut client, &request, version).topics[0].partitions[0].error_code;
        assert_eq!(told, 0, "{version}");
    }
    let topics =
        vec![OffsetFetchRequestTopics { name: "t".into(), partition_indexes: vec![0], ..Default::default() }];
    let group_id = "g\u{fffd}".into();
    let group =
        OffsetFetchRequestGroup { group_id, topics: Some(topics), member_epoch: -1, ..Default::default() };
    let told = client.call(&OffsetFetchRequest { groups: vec![group], ..Default::default() }, 9).groups;
    let told = &told[0].topics[0].partitions[0];
    assert_eq!(told.committed_offset, 5);
    assert_eq!(told.metadata.as_deref(), Some("\u{fffd} \u{fffd}\u{fffd}"));
}
