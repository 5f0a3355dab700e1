//! Groups while topics, and the topic that groups are logged in, come, go and are damaged; and what
//! a comparison with a real Kafka has found.

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::ErrorCode;
use klamm_protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use klamm_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use klamm_protocol::messages::list_groups_request::ListGroupsRequest;
use klamm_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_tests::admin::create;
use klamm_tests::client::Client;
use klamm_tests::groups::{Member, commit_in_two_partitions, committed, damage_the_second_partition};

fn start() -> (Broker, Client) {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let mut client = Client::connect(&broker);
    create(&mut client, "t", 1, &[]);
    (broker, client)
}

fn member(broker: &Broker, group: &str) -> Member {
    Member::new(Client::connect(broker), group)
}

fn delete(client: &mut Client, topic: &str) -> i16 {
    let request = DeleteTopicsRequest { topic_names: vec![topic.into()], ..DeleteTopicsRequest::default() };
    client.call(&request, 5).responses[0].error_code
}

#[test]
fn who_waits_for_a_group_is_told_when_the_topic_of_offsets_goes() {
    let (broker, mut client) = start();
    let mut first = member(&broker, "g");
    assert_eq!(first.join(&["t"]).error_code, 0);
    let mut second = member(&broker, "g");
    second.version = 3;
    second.send_join(&["t"]);
    while first.beat() != ErrorCode::RebalanceInProgress.code() {
        std::thread::yield_now();
    }
    assert_eq!(delete(&mut client, "__consumer_offsets"), 0);
    assert_eq!(second.read_join().error_code, ErrorCode::NotCoordinator.code());
    // It finds the coordinator anew, and a group of nobody.
    let mut third = member(&broker, "g");
    let told = third.join(&["t"]);
    assert_eq!((told.error_code, told.generation_id), (0, 1));
}

/// Each group is found by the number of partitions: with another all would be lost.
#[test]
fn the_topic_of_offsets_does_not_grow() {
    let (broker, mut client) = start();
    let mut own = member(&broker, "g");
    assert_eq!(own.commit("t", 5), 0);
    let topic = CreatePartitionsTopic { name: "__consumer_offsets".into(), count: 50, assignments: None };
    let request = CreatePartitionsRequest { topics: vec![topic], timeout_ms: 1000, validate_only: false };
    let told = client.call(&request, 3).results[0].clone();
    assert_eq!(told.error_code, ErrorCode::InvalidPartitions.code());
    assert!(told.error_message.unwrap().contains("cannot change"));
    assert_eq!(own.committed("t"), 5);
}

#[test]
fn a_negative_offset_takes_away_what_was_committed() {
    let (broker, _client) = start();
    let mut own = member(&broker, "g");
    assert_eq!((own.commit("t", -1), own.committed("t")), (0, -1));
    assert_eq!((own.commit("t", 5), own.committed("t")), (0, 5));
    assert_eq!((own.commit("t", -1), own.committed("t")), (0, -1));
    // Named twice in a request, the last counts.
    let partition =
        |committed_offset| OffsetCommitRequestPartition { committed_offset, ..Default::default() };
    let topic = OffsetCommitRequestTopic {
        name: "t".into(),
        partitions: vec![partition(5), partition(-1)],
        ..OffsetCommitRequestTopic::default()
    };
    let request = OffsetCommitRequest {
        group_id: "new".into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..OffsetCommitRequest::default()
    };
    assert_eq!(own.client.call(&request, 8).topics[0].partitions.len(), 2);
    assert_eq!(member(&broker, "new").committed("t"), -1);
}

#[test]
fn words_beside_an_offset_are_counted_as_java_counts_them() {
    let (broker, _client) = start();
    let mut own = member(&broker, "g");
    for (words, want) in [
        ("é".repeat(4096), 0),
        ("é".repeat(4097), ErrorCode::OffsetMetadataTooLarge.code()),
        ("語".repeat(4096), 0),
        // Two units each.
        ("🦀".repeat(2048), 0),
        ("🦀".repeat(2049), ErrorCode::OffsetMetadataTooLarge.code()),
    ] {
        assert_eq!(own.commit_with("t", 1, &words), want, "{} bytes", words.len());
    }
}

/// Damage in one partition of the topic keeps its groups away, and no others.
#[test]
fn groups_beside_a_damaged_partition_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let config = BrokerConfig {
        log_dirs: vec![folder.path().to_owned()],
        offsets_partitions: 2,
        ..BrokerConfig::for_test()
    };
    let broker = Broker::start(config.clone()).unwrap();
    commit_in_two_partitions(&broker);
    broker.stop().unwrap();
    damage_the_second_partition(folder.path());
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    let told = loop {
        let told = client.call(&ListGroupsRequest::default(), 5);
        if told.error_code != ErrorCode::CoordinatorLoadInProgress.code() {
            break told;
        }
    };
    let names: Vec<_> = told.groups.iter().map(|group| group.group_id.to_string()).collect();
    assert_eq!((told.error_code, names), (0, vec!["b".to_owned()]));
    assert_eq!(committed(&mut client, "b", "t"), 19);
    let mut damaged = member(&broker, "a");
    let not_available = ErrorCode::CoordinatorNotAvailable.code();
    let told = [damaged.join(&["t"]).error_code, damaged.beat(), damaged.commit("t", 20), damaged.leave()];
    assert_eq!(told, [not_available; 4]);
    let mut own = member(&broker, "b");
    assert_eq!((own.commit("t", 20), own.committed("t")), (0, 20));
}
