//! Groups whose broker assigns (KIP-848) at the broker: versions, errors, expressions, offsets,
//! restarts, both protocols in a group, and what hostile members say.

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::messages::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use klamm_protocol::messages::consumer_group_describe_response::{DescribedGroup, Member as DescribedMember};
use klamm_protocol::messages::consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest;
use klamm_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use klamm_protocol::messages::list_groups_request::ListGroupsRequest;
use klamm_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::metadata_response::MetadataResponseTopic;
use klamm_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::{ErrorCode, Records, Uuid, encode_request};
use klamm_record::{BatchBuilder, BatchOptions, NewRecord};
use klamm_tests::admin;
use klamm_tests::client::Client;
use klamm_tests::consumers::{Consumer, described};
use klamm_tests::groups::Member;
use klamm_tests::requests::api_versions;

fn create(client: &mut Client, topic: &str, partitions: i32) {
    assert_eq!(admin::create(client, topic, partitions, &[]).0, 0);
}

fn start() -> (Broker, Client) {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let client = Client::connect(&broker);
    (broker, client)
}

fn consumer(broker: &Broker, group: &str, id: &str) -> Consumer {
    Consumer::new(Client::connect(broker), group, id)
}

/// A group of one that has all of a topic.
fn alone(broker: &Broker, group: &str, id: &str, topic: &str) -> Consumer {
    let mut consumer = consumer(broker, group, id);
    let join = consumer.joining(&[topic], None);
    assert_eq!(consumer.send(&join), 0);
    consumer
}

fn commit(member: &mut Consumer, epoch: i32, offset: i64) -> i16 {
    commit_in(member, epoch, offset, 9)
}

fn commit_in(member: &mut Consumer, epoch: i32, offset: i64, version: i16) -> i16 {
    let partition =
        OffsetCommitRequestPartition { committed_offset: offset, ..OffsetCommitRequestPartition::default() };
    let request = OffsetCommitRequest {
        group_id: member.beat.group_id.clone(),
        generation_id_or_member_epoch: epoch,
        member_id: member.beat.member_id.clone(),
        topics: vec![OffsetCommitRequestTopic {
            name: "t".into(),
            partitions: vec![partition],
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    };
    member.client.call(&request, version).topics[0].partitions[0].error_code
}

#[test]
fn members_share_a_topic_and_one_gives_up_before_the_other_is_given() {
    let (broker, mut client) = start();
    create(&mut client, "t", 4);
    let mut one = alone(&broker, "g", "one", "t");
    assert_eq!((one.beat.member_epoch, one.count()), (2, 4));
    let mut two = alone(&broker, "g", "two", "t");
    assert_eq!((two.beat.member_epoch, two.count()), (3, 0));
    assert_eq!((one.beat(), one.count(), one.beat.member_epoch), (0, 2, 2), "it is to give up two");
    assert_eq!((two.beat(), two.count()), (0, 0), "it has not yet");
    assert_eq!((one.acknowledge(), one.beat.member_epoch), (0, 3));
    assert_eq!((two.beat(), two.count()), (0, 2));
    let found = described(&mut client, "g");
    assert_eq!((&*found.group_state, found.group_epoch, found.assignment_epoch), ("Stable", 3, 3));
    assert_eq!((&*found.assignor_name, found.members.len()), ("uniform", 2));
    let member = &found.members[0];
    assert_eq!((&*member.member_id, member.member_epoch, member.member_type), ("one", 3, 1));
    assert_eq!(&*member.client_host, "/127.0.0.1");
    assert_eq!(&*member.assignment.topic_partitions[0].topic_name, "t");
    assert_eq!(member.assignment, member.target_assignment);
    // The first version lacks the members' types.
    let request = ConsumerGroupDescribeRequest { group_ids: vec!["g".into()], ..Default::default() };
    let first = client.call(&request, 0).groups[0].clone();
    let without = |member: &DescribedMember| DescribedMember { member_type: -1, ..member.clone() };
    let members = found.members.iter().map(without).collect();
    assert_eq!(first, DescribedGroup { members, ..found.clone() });
    // One leaves.
    let leave = ConsumerGroupHeartbeatRequest { member_epoch: -1, ..two.beat.clone() };
    assert_eq!((two.send(&leave), two.beat.member_epoch), (0, -1));
    assert_eq!((one.beat(), one.count()), (0, 4));
}

#[test]
fn in_the_first_version_the_broker_gives_ids() {
    let (broker, mut client) = start();
    create(&mut client, "t", 1);
    let mut one = consumer(&broker, "g", "");
    let join = one.joining(&["t"], None);
    assert_eq!(one.send(&join), ErrorCode::InvalidRequest.code(), "a later version has its own");
    let told = one.client.call(&join, 0);
    let id = told.member_id.unwrap();
    assert_eq!((told.error_code, told.member_epoch, id.len()), (0, 2, 22), "{id}");
    assert_eq!(told.heartbeat_interval_ms, 100);
}

#[test]
fn what_cannot_be_is_refused_with_kafkas_codes() {
    let (broker, mut client) = start();
    create(&mut client, "t", 1);
    let mut one = alone(&broker, "g", "one", "t");
    let join = one.joining(&["t"], None);
    let with = |change: fn(&mut ConsumerGroupHeartbeatRequest)| {
        let mut request = join.clone();
        request.member_id = "two".into();
        change(&mut request);
        request
    };
    let cases = [
        (with(|r| r.group_id = "".into()), ErrorCode::InvalidRequest),
        (with(|r| r.member_id = " ".into()), ErrorCode::InvalidRequest),
        (with(|r| r.rebalance_timeout_ms = -1), ErrorCode::InvalidRequest),
        (with(|r| r.topic_partitions = None), ErrorCode::InvalidRequest),
        (with(|r| r.subscribed_topic_names = None), ErrorCode::InvalidRequest),
        (with(|r| r.instance_id = Some("".into())), ErrorCode::InvalidRequest),
        (with(|r| r.rack_id = Some("".into())), ErrorCode::InvalidRequest),
        (with(|r| r.member_epoch = -2), ErrorCode::InvalidRequest),
        (with(|r| r.member_epoch = -3), ErrorCode::InvalidRequest),
        (with(|r| r.server_assignor = Some("mine".into())), ErrorCode::UnsupportedAssignor),
        (with(|r| r.subscribed_topic_regex = Some("(".into())), ErrorCode::InvalidRegularExpression),
        (with(|r| r.member_epoch = 1), ErrorCode::UnknownMemberId),
        (with(|r| r.member_epoch = -1), ErrorCode::UnknownMemberId),
        (with(|r| (r.member_id, r.member_epoch) = ("one".into(), 1)), ErrorCode::FencedMemberEpoch),
        (with(|r| (r.member_id, r.member_epoch) = ("one".into(), i32::MAX)), ErrorCode::FencedMemberEpoch),
        (with(|r| (r.group_id, r.member_epoch) = ("other".into(), 1)), ErrorCode::GroupIdNotFound),
        (with(|r| (r.group_id, r.member_epoch) = ("other".into(), -1)), ErrorCode::GroupIdNotFound),
    ];
    for (request, want) in cases {
        let told = one.client.call(&request, 1);
        assert_eq!(told.error_code, want.code(), "{request:?}");
        assert!(told.error_message.is_some_and(|words| !words.is_empty()), "{request:?}");
    }
    assert_eq!((one.beat(), one.beat.member_epoch), (0, 2), "nobody else is disturbed");
    assert_eq!(described(&mut client, "other").error_code, ErrorCode::GroupIdNotFound.code());
    assert_eq!(described(&mut client, "").error_code, ErrorCode::InvalidGroupId.code());
}

#[test]
fn an_expression_is_matched_with_topics_as_they_come() {
    let (broker, mut client) = start();
    create(&mut client, "orders-eu", 2);
    create(&mut client, "bills", 2);
    let mut one = consumer(&broker, "g", "one");
    let join = one.joining(&[], Some("orders-.*"));
    assert_eq!((one.send(&join), one.count()), (0, 2));
    create(&mut client, "orders-us", 3);
    assert_eq!((one.beat(), one.count()), (0, 5));
    // One that would blow up elsewhere.
    let regex = Some("(o|oo|orders-)*$".into());
    let change = ConsumerGroupHeartbeatRequest { subscribed_topic_regex: regex, ..one.beat.clone() };
    assert_eq!((one.send(&change), one.count()), (0, 0));
    let found = described(&mut client, "g");
    assert_eq!(found.members[0].subscribed_topic_regex.as_deref(), Some("(o|oo|orders-)*$"));
}

#[test]
fn offsets_are_taken_from_members_of_the_epoch() {
    let (broker, mut client) = start();
    create(&mut client, "t", 2);
    let mut one = alone(&broker, "g", "one", "t");
    assert_eq!(commit(&mut one, 2, 5), 0);
    assert_eq!(commit(&mut one, 3, 6), ErrorCode::StaleMemberEpoch.code());
    assert_eq!(commit(&mut one, 1, 6), ErrorCode::StaleMemberEpoch.code());
    assert_eq!(commit_in(&mut one, 2, 6, 8), ErrorCode::UnsupportedVersion.code());
    let mut other = consumer(&broker, "g", "other");
    assert_eq!(commit(&mut other, 2, 6), ErrorCode::UnknownMemberId.code());
    let mut fetch = |member: Option<&str>, epoch| {
        let named = OffsetFetchRequestTopics {
            name: "t".into(),
            partition_indexes: vec![0],
            ..OffsetFetchRequestTopics::default()
        };
        let asked = OffsetFetchRequestGroup {
            group_id: "g".into(),
            member_id: member.map(Into::into),
            member_epoch: epoch,
            topics: Some(vec![named]),
        };
        let told = client.call(&OffsetFetchRequest { groups: vec![asked], ..Default::default() }, 9);
        let found = told.groups[0].topics.first().map(|topic| topic.partitions[0].committed_offset);
        (told.groups[0].error_code, found)
    };
    assert_eq!(fetch(Some("one"), 2), (0, Some(5)));
    assert_eq!(fetch(None, -1), (0, Some(5)));
    assert_eq!(fetch(Some("one"), 1), (ErrorCode::StaleMemberEpoch.code(), None));
    assert_eq!(fetch(Some("other"), 2), (ErrorCode::UnknownMemberId.code(), None));
}

#[test]
fn groups_say_what_they_are() {
    let (broker, mut client) = start();
    create(&mut client, "t", 1);
    let _one = alone(&broker, "newer", "one", "t");
    let mut classic = Member::new(Client::connect(&broker), "older");
    assert_eq!(classic.join(&["t"]).error_code, 0);
    let mut list = |types: &[&str], states: &[&str]| -> Vec<(String, String, String)> {
        let names = |names: &[&str]| names.iter().map(|name| (*name).into()).collect();
        let request = ListGroupsRequest { types_filter: names(types), states_filter: names(states) };
        let told = client.call(&request, 5).groups;
        let row = |group: &klamm_protocol::messages::list_groups_response::ListedGroup| {
            (group.group_id.to_string(), group.group_type.to_string(), group.group_state.to_string())
        };
        told.iter().map(row).collect()
    };
    let newer = ("newer".to_owned(), "consumer".to_owned(), "Stable".to_owned());
    assert_eq!(list(&[], &[]).len(), 2);
    assert_eq!(list(&["Consumer"], &[]), std::slice::from_ref(&newer));
    assert_eq!(list(&[], &["stable"]), [newer]);
    assert_eq!(list(&["classic"], &[])[0].0, "older");
    assert_eq!(list(&["share"], &[]), []);
    // Each by its own request only.
    let request = DescribeGroupsRequest { groups: vec!["newer".into()], ..Default::default() };
    let told = client.call(&request, 6).groups[0].clone();
    assert_eq!((told.error_code, &*told.group_state), (ErrorCode::GroupIdNotFound.code(), "Dead"));
    assert_eq!(described(&mut client, "older").error_code, ErrorCode::GroupIdNotFound.code());
}

#[test]
fn groups_are_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = BrokerConfig { log_dirs: vec![folder.path().to_owned()], ..BrokerConfig::for_test() };
    let (before, mut one) = {
        let broker = Broker::start(config.clone()).unwrap();
        let mut client = Client::connect(&broker);
        create(&mut client, "t", 3);
        let mut one = alone(&broker, "g", "one", "t");
        assert_eq!(commit(&mut one, 2, 5), 0);
        let found = described(&mut client, "g");
        broker.stop().unwrap();
        (found, one)
    };
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    while described(&mut client, "g").error_code == ErrorCode::CoordinatorLoadInProgress.code() {
        std::thread::yield_now();
    }
    assert_eq!(described(&mut client, "g"), before);
    one.client = client;
    assert_eq!((one.beat(), commit(&mut one, 2, 6)), (0, 0), "it is still a member");
}

/// What nobody can read is passed over, and told; the groups beside it are as they were.
#[test]
fn broken_records_of_groups_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let config = BrokerConfig { log_dirs: vec![folder.path().to_owned()], ..BrokerConfig::for_test() };
    let mut one = {
        let broker = Broker::start(config.clone()).unwrap();
        let mut client = Client::connect(&broker);
        create(&mut client, "t", 3);
        let mut one = alone(&broker, "g", "one", "t");
        assert_eq!(commit(&mut one, 2, 5), 0);
        let keys: [&[u8]; 6] = [
            b"\0\x05\0\x01g\0\x01x",
            b"\0\x08\0\x01g\0\x01x",
            b"\0\x02\0\x01g",
            b"\0\x63g",
            b"g",
            b"\0\x01\xff",
        ];
        let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
        keys.iter()
            .for_each(|key| builder.append(&NewRecord::new(b"\0\0\xff\xff\xff\xff").key(*key)).unwrap());
        let records = Some(Records::Bytes(builder.finish().unwrap().buffer.into()));
        let partition_data = vec![PartitionProduceData { index: 0, records }];
        let topic = TopicProduceData {
            name: "__consumer_offsets".into(),
            partition_data,
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 1000,
            topic_data: vec![topic],
            ..ProduceRequest::default()
        };
        // As a tool of Kafka's that may.
        let frame = encode_request(&request, 9, 7, Some("__admin_client")).unwrap();
        client.raw(&frame.into_bytes().unwrap());
        let frame = client.frame().unwrap();
        assert_eq!(client.read::<ProduceRequest>(frame, 9).responses[0].partition_responses[0].error_code, 0);
        broker.stop().unwrap();
        one
    };
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    while described(&mut client, "g").error_code == ErrorCode::CoordinatorLoadInProgress.code() {
        std::thread::yield_now();
    }
    assert_eq!(
        (&*described(&mut client, "g").group_state, described(&mut client, "g").members.len()),
        ("Stable", 1)
    );
    one.client = client;
    assert_eq!((one.beat(), commit(&mut one, 2, 6)), (0, 0));
}

#[test]
fn a_classic_group_becomes_one_that_the_broker_assigns_and_classic_again() {
    let (broker, mut client) = start();
    create(&mut client, "t", 2);
    let mut old = Member::new(Client::connect(&broker), "g");
    assert_eq!(old.join(&["t"]).error_code, 0);
    let id = old.id.to_string();
    assert_eq!(old.sync(&[(&id, "")]).error_code, 0);
    let mut new = alone(&broker, "g", "new", "t");
    assert_eq!(described(&mut client, "g").members.len(), 2);
    let types: Vec<i8> =
        described(&mut client, "g").members.iter().map(|member| member.member_type).collect();
    assert_eq!(types.iter().sum::<i8>(), 1, "one of each");
    assert_eq!(old.beat(), ErrorCode::RebalanceInProgress.code());
    assert_eq!(old.join(&["t"]).error_code, 0);
    assert_eq!((old.sync(&[]).error_code, old.beat()), (0, 0));
    assert_eq!((new.beat(), new.count()), (0, 1));
    // The one that speaks the newer protocol leaves.
    let leave = ConsumerGroupHeartbeatRequest { member_epoch: -1, ..new.beat.clone() };
    assert_eq!(new.send(&leave), 0);
    assert_eq!(described(&mut client, "g").error_code, ErrorCode::GroupIdNotFound.code());
    assert_eq!(old.join(&["t"]).error_code, 0);
}

#[test]
fn a_subscription_of_a_hundred_thousand_topics_is_heard() {
    let (broker, mut client) = start();
    create(&mut client, "t", 2);
    let mut one = alone(&broker, "g", "one", "t");
    let mut many = consumer(&broker, "g", "many");
    let names: Vec<String> = (0..100_000).map(|number| format!("topic-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let join = many.joining(&names, None);
    // What is said of it does not fit into a batch.
    assert_eq!(many.send(&join), ErrorCode::UnknownServerError.code());
    assert_eq!((one.beat(), one.count()), (0, 2), "nobody else is disturbed");
    let join = many.joining(&names[..10_000], None);
    assert_eq!((many.send(&join), many.count()), (0, 0));
    assert_eq!((one.beat(), one.count()), (0, 2));
}

/// Java's consumer and confluent-kafka's ask so for topics of which they know only the ids, with
/// names that are empty.
#[test]
fn topics_are_found_by_their_ids_whatever_their_names_are() {
    let (_broker, mut client) = start();
    create(&mut client, "t", 2);
    create(&mut client, "u", 1);
    let ids: Vec<Uuid> = client
        .call(&MetadataRequest { topics: None, ..MetadataRequest::default() }, 13)
        .topics
        .iter()
        .map(|topic| topic.topic_id)
        .collect();
    let by =
        |topic_id: Uuid, name: Option<&str>| MetadataRequestTopic { topic_id, name: name.map(Into::into) };
    let mut ask = |topics: Vec<MetadataRequestTopic>| -> Vec<(i16, String, usize)> {
        let told =
            client.call(&MetadataRequest { topics: Some(topics), ..MetadataRequest::default() }, 13).topics;
        let row = |topic: &MetadataResponseTopic| {
            (topic.error_code, topic.name.as_deref().unwrap_or("none").to_owned(), topic.partitions.len())
        };
        told.iter().map(row).collect()
    };
    let both = [(0, "t".to_owned(), 2), (0, "u".to_owned(), 1)];
    assert_eq!(ask(vec![by(ids[0], Some("")), by(ids[1], Some(""))]), both);
    assert_eq!(ask(vec![by(ids[0], None), by(ids[1], Some("t")), by(Uuid::ZERO, Some("t"))]), both);
    let unknown = ErrorCode::UnknownTopicId.code();
    assert_eq!(ask(vec![by(Uuid([9; 16]), Some(""))]), [(unknown, "none".to_owned(), 0)]);
}

#[test]
fn clients_find_that_the_broker_can_assign() {
    let (_broker, mut client) = start();
    let told = client.call(&api_versions(), 3);
    let feature = told.finalized_features.iter().find(|feature| &*feature.name == "group.version").unwrap();
    assert_eq!((feature.min_version_level, feature.max_version_level), (1, 1));
    assert!(told.api_keys.iter().any(|api| (api.api_key, api.max_version) == (68, 1)));
}
