//! The error messages of groups, which Kafka's tools print and its tests compare word by word.

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::messages::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use klamm_protocol::messages::consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest;
use klamm_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use klamm_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use klamm_protocol::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use klamm_protocol::messages::join_group_response::JoinGroupResponse;
use klamm_tests::client::Client;

fn start() -> (Broker, Client) {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let mut client = Client::connect(&broker);
    client.call(&FindCoordinatorRequest { key: "g".into(), ..Default::default() }, 3);
    (broker, client)
}

fn joining() -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: "m".into(),
        rebalance_timeout_ms: 1000,
        subscribed_topic_names: Some(Vec::new()),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    }
}

fn refused(client: &mut Client, beat: &ConsumerGroupHeartbeatRequest) -> (i16, String) {
    let told = client.call(beat, 1);
    (told.error_code, told.error_message.map(|text| text.to_string()).unwrap_or_default())
}

#[test]
fn heartbeats_are_refused_in_the_words_of_kafka() {
    let (_broker, mut client) = start();
    type Change = fn(&mut ConsumerGroupHeartbeatRequest);
    let cases: [(Change, i16, &str); 13] = [
        (|beat| beat.group_id = "".into(), 42, "GroupId can't be empty."),
        (|beat| beat.member_id = "".into(), 42, "MemberId can't be empty."),
        (|beat| beat.instance_id = Some("".into()), 42, "InstanceId can't be empty."),
        (|beat| beat.rack_id = Some("".into()), 42, "RackId can't be empty."),
        (|beat| beat.rebalance_timeout_ms = -1, 42, "RebalanceTimeoutMs must be provided in first request."),
        (|beat| beat.topic_partitions = None, 42, "TopicPartitions must be empty when (re-)joining."),
        (
            |beat| beat.subscribed_topic_names = None,
            42,
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
        ),
        (|beat| beat.member_epoch = -2, 42, "InstanceId can't be null."),
        (|beat| beat.member_epoch = -3, 42, "MemberEpoch is invalid."),
        (
            |beat| beat.server_assignor = Some("x".into()),
            112,
            "ServerAssignor x is not supported. Supported assignors: uniform, range.",
        ),
        (|beat| beat.member_epoch = 5, 69, "Consumer group g not found."),
        (|_| {}, 0, ""),
        (
            |beat| (beat.member_id, beat.member_epoch) = ("z".into(), 1),
            25,
            "Member z is not a member of group g.",
        ),
    ];
    for (change, code, words) in cases {
        let mut beat = joining();
        change(&mut beat);
        assert_eq!(refused(&mut client, &beat), (code, words.to_owned()));
    }
}

#[test]
fn descriptions_are_refused_in_the_words_of_kafka() {
    let (_broker, mut client) = start();
    assert_eq!(refused(&mut client, &joining()).0, 0);
    join(&mut client, "c", "");
    for (group, classic, consumer) in [
        ("nx", "Group nx not found.", "Group nx not found."),
        ("g", "Group g is not a classic group.", ""),
        ("c", "", "Group c is not a consumer group."),
    ] {
        let request = DescribeGroupsRequest { groups: vec![group.into()], ..Default::default() };
        let told = client.call(&request, 6).groups;
        assert_eq!(told[0].error_message.as_deref().unwrap_or(""), classic);
        assert_eq!(told[0].error_code, if classic.is_empty() { 0 } else { 69 });
        let request = ConsumerGroupDescribeRequest { group_ids: vec![group.into()], ..Default::default() };
        let told = client.call(&request, 1).groups;
        assert_eq!(told[0].error_message.as_deref().unwrap_or(""), consumer);
        assert_eq!(told[0].error_code, if consumer.is_empty() { 0 } else { 69 });
    }
}

fn join(client: &mut Client, group: &str, member: &str) -> JoinGroupResponse {
    let protocols = vec![JoinGroupRequestProtocol { name: "range".into(), ..Default::default() }];
    let request = JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 1000,
        member_id: member.into(),
        protocol_type: if group == "g" { "connect".into() } else { "consumer".into() },
        protocols,
        ..Default::default()
    };
    client.call(&request, if group == "c" { 3 } else { 9 })
}

/// Kafka repeats the member id where it looked for the member in a classic group, and nowhere else.
#[test]
fn a_refused_join_does_not_repeat_the_member_id_of_another_kind_of_group() {
    let (_broker, mut client) = start();
    assert_eq!(refused(&mut client, &joining()).0, 0);
    let told = join(&mut client, "g", "mm");
    assert_eq!((told.error_code, &*told.member_id), (23, ""));
    let told = join(&mut client, "other", "mm");
    assert_eq!((told.error_code, &*told.member_id), (25, "mm"));
}

#[test]
fn a_refused_join_without_a_coordinator_does_not_repeat_the_member_id() {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let told = join(&mut Client::connect(&broker), "other", "mm");
    assert_eq!((told.error_code, &*told.member_id), (16, ""));
}
