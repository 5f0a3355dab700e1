//! Groups of consumers at the broker: every API in every version, restarts, what Kafka has logged,
//! and one group beside another.

use std::time::{Duration, Instant};

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::messages::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use klamm_protocol::messages::delete_groups_request::DeleteGroupsRequest;
use klamm_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use klamm_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use klamm_protocol::messages::describe_groups_response::DescribedGroup;
use klamm_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use klamm_protocol::messages::list_groups_request::ListGroupsRequest;
use klamm_protocol::messages::metadata_request::MetadataRequest;
use klamm_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use klamm_protocol::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use klamm_tests::admin::create;
use klamm_tests::client::Client;
use klamm_tests::groups::{Member, committed, subscription, wait_until_loaded};
use klamm_tests::requests::{batch_of, produce, topic};

fn start() -> (Broker, Client) {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let client = Client::connect(&broker);
    (broker, client)
}

fn member(broker: &Broker, group: &str) -> Member {
    Member::new(Client::connect(broker), group)
}

/// A group of one, with everything.
fn alone(broker: &Broker, group: &str) -> Member {
    let mut member = member(broker, group);
    assert_eq!(member.join(&["t"]).error_code, 0);
    let id = member.id.to_string();
    assert_eq!(&member.sync(&[(&id, "everything")]).assignment[..], b"everything");
    member
}

fn described(client: &mut Client, group: &str) -> DescribedGroup {
    let request = DescribeGroupsRequest { groups: vec![group.into()], ..Default::default() };
    client.call(&request, 5).groups[0].clone()
}

fn delete(client: &mut Client, group: &str) -> i16 {
    client.call(&DeleteGroupsRequest { groups_names: vec![group.into()] }, 2).results[0].error_code
}

#[test]
fn members_share_a_topic_in_every_version() {
    let (broker, _client) = start();
    for version in 0..=9 {
        let group = format!("g{version}");
        let (mut first, mut second) = (member(&broker, &group), member(&broker, &group));
        (first.version, second.version) = (version, version);
        let told = first.join(&["t"]);
        assert_eq!((told.error_code, told.generation_id, told.leader == first.id), (0, 1, true), "{version}");
        second.send_join(&["t"]);
        if version >= 4 {
            assert_eq!(second.read_join().error_code, 79, "comes again with its id");
            second.send_join(&["t"]);
        }
        while first.beat() != 27 {
            std::thread::yield_now();
        }
        let (led, followed) = (first.join(&["t"]), second.read_join());
        assert_eq!((led.members.len(), followed.members.len(), led.generation_id), (2, 0, 2), "{version}");
        assert_eq!(&led.members[0].metadata[..], &subscription(&["t"])[..]);
        let (a, b) = (first.id.to_string(), second.id.to_string());
        assert_eq!(&first.sync(&[(&a, "one"), (&b, "two")]).assignment[..], b"one");
        assert_eq!(&second.sync(&[]).assignment[..], b"two");
        assert_eq!((first.beat(), second.beat()), (0, 0));
        assert_eq!((second.leave(), second.beat()), (0, 25), "{version}");
        assert_eq!(first.beat(), 27);
    }
}

#[test]
fn offsets_are_committed_and_fetched_in_every_version() {
    let (broker, mut client) = start();
    let id = topic(&mut client, "t");
    let mut own = alone(&broker, "g");
    for version in 2..=10 {
        let partition = |index, offset| OffsetCommitRequestPartition {
            partition_index: index,
            committed_offset: offset,
            committed_leader_epoch: if version >= 6 { 0 } else { -1 },
            committed_metadata: Some("words".into()),
        };
        let (name, topic_id) = if version < 10 { ("t".into(), Default::default()) } else { ("".into(), id) };
        let known = OffsetCommitRequestTopic {
            name,
            topic_id,
            partitions: vec![partition(0, i64::from(version)), partition(9, 1)],
        };
        let request = OffsetCommitRequest {
            group_id: "g".into(),
            generation_id_or_member_epoch: 1,
            member_id: own.id.clone(),
            topics: vec![known],
            ..OffsetCommitRequest::default()
        };
        let told = own.client.call(&request, version);
        let codes: Vec<_> = told.topics[0].partitions.iter().map(|partition| partition.error_code).collect();
        assert_eq!(codes, [0, 3], "{version}: there is no partition 9");
        assert_eq!(own.committed("t"), i64::from(version));
    }
    for version in 1..=10 {
        let (one, several) = if version < 8 {
            let topics = vec![OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0, 9] }];
            (Some(topics), Vec::new())
        } else {
            let (name, topic_id) =
                if version < 10 { ("t".into(), Default::default()) } else { ("".into(), id) };
            let topics =
                Some(vec![OffsetFetchRequestTopics { name, topic_id, partition_indexes: vec![0, 9] }]);
            (
                Some(Vec::new()),
                vec![OffsetFetchRequestGroup { group_id: "g".into(), topics, ..Default::default() }],
            )
        };
        let group_id = if version < 8 { "g".into() } else { "".into() };
        let request = OffsetFetchRequest { group_id, topics: one, groups: several, ..Default::default() };
        let told = client.call(&request, version);
        let found: Vec<_> = if version < 8 {
            told.topics[0]
                .partitions
                .iter()
                .map(|p| (p.committed_offset, p.error_code, p.metadata.clone()))
                .collect()
        } else {
            let partitions = &told.groups[0].topics[0].partitions;
            partitions.iter().map(|p| (p.committed_offset, p.error_code, p.metadata.clone())).collect()
        };
        assert_eq!(found, [(10, 0, Some("words".into())), (-1, 0, Some("".into()))], "{version}");
    }
    // All that there are.
    let request = OffsetFetchRequest { group_id: "g".into(), topics: None, ..OffsetFetchRequest::default() };
    let told = client.call(&request, 7);
    assert_eq!((told.topics.len(), told.topics[0].partitions.len()), (1, 1));
}

#[test]
fn who_may_not_commit_is_told_why() {
    let (broker, mut client) = start();
    topic(&mut client, "t");
    let mut own = alone(&broker, "g");
    assert_eq!(own.commit("t", 5), 0);
    assert_eq!(own.commit("nowhere", 5), 3);
    own.generation = 7;
    assert_eq!(own.commit("t", 6), 22);
    own.id = "nobody".into();
    assert_eq!(own.commit("t", 6), 25);
    (own.id, own.generation) = ("".into(), -1);
    assert_eq!(own.commit("t", 6), 25, "the group has members");
    let mut new = member(&broker, "new");
    new.generation = 1;
    assert_eq!(new.commit("t", 6), 22, "there is no such group");
    new.generation = -1;
    assert_eq!(new.commit("t", 6), 0, "it has no members");
    assert_eq!((own.committed("t"), new.committed("t")), (5, 6));
    (new.group, new.generation) = (String::new(), 1);
    assert_eq!(new.commit("t", 6), 22, "a group without a name is one that is not there");
}

#[test]
fn coordinators_of_transactions_and_share_groups_are_refused_with_a_code_that_is_not_retriable() {
    let (_broker, mut client) = start();
    for (kind, version, want) in
        [(0, 3, 0), (1, 1, 53), (1, 2, 53), (1, 3, 35), (1, 6, 35), (2, 5, 42), (2, 6, 35), (3, 6, 42)]
    {
        let key = if version < 4 { ("k".into(), Vec::new()) } else { ("".into(), vec!["k".into()]) };
        let request = FindCoordinatorRequest { key: key.0, key_type: kind, coordinator_keys: key.1 };
        let told = client.call(&request, version);
        let code = told.coordinators.first().map_or(told.error_code, |found| found.error_code);
        assert_eq!(code, want, "type {kind} in version {version}");
    }
}

/// librdkafka takes no other code than those of authorization for final, and shows the message
/// beside it.
#[test]
fn every_version_that_refuses_a_coordinator_of_transactions_says_why() {
    let (_broker, mut client) = start();
    for version in 1..=6 {
        let keys = if version < 4 { ("tx".into(), Vec::new()) } else { ("".into(), vec!["tx".into()]) };
        let request = FindCoordinatorRequest { key: keys.0, key_type: 1, coordinator_keys: keys.1 };
        let told = client.call(&request, version);
        let message = told.coordinators.first().map_or(&told.error_message, |found| &found.error_message);
        assert_eq!(message.as_deref(), Some("this broker has no transactions"), "version {version}");
    }
}

#[test]
fn groups_are_listed_described_and_deleted() {
    let (broker, mut client) = start();
    topic(&mut client, "t");
    let mut own = alone(&broker, "g");
    let mut offsets = member(&broker, "offsets only");
    assert_eq!(offsets.commit("t", 3), 0);
    let listed = |client: &mut Client, states: &[&str], types: &[&str]| {
        let of = |texts: &[&str]| texts.iter().map(|text| (*text).into()).collect();
        let request = ListGroupsRequest { states_filter: of(states), types_filter: of(types) };
        let groups = client.call(&request, 5).groups;
        groups
            .iter()
            .map(|g| format!("{} {} {}", g.group_id, g.group_state, g.protocol_type))
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(&mut client, &[], &[]), ["g Stable consumer", "offsets only Empty "]);
    assert_eq!(listed(&mut client, &["empty"], &["classic"]), ["offsets only Empty "]);
    assert_eq!(listed(&mut client, &[], &["consumer"]), [""; 0]);
    let found = described(&mut client, "g");
    assert_eq!(
        (&*found.group_state, &*found.protocol_type, &*found.protocol_data),
        ("Stable", "consumer", "range")
    );
    let told = &found.members[0];
    assert_eq!(
        (&*told.client_id, &*told.client_host, &told.member_assignment[..]),
        ("test", "/127.0.0.1", &b"everything"[..])
    );
    assert_eq!(
        (described(&mut client, "x").error_code, &*described(&mut client, "x").group_state),
        (0, "Dead")
    );
    let request = DescribeGroupsRequest { groups: vec!["x".into()], ..Default::default() };
    assert_eq!(client.call(&request, 6).groups[0].error_code, 69);
    let forget = |client: &mut Client, group: &str, name: &str| {
        let partitions = vec![OffsetDeleteRequestPartition { partition_index: 0 }];
        let topics = vec![OffsetDeleteRequestTopic { name: name.into(), partitions }];
        let told = client.call(&OffsetDeleteRequest { group_id: group.into(), topics }, 0);
        if told.error_code == 0 { told.topics[0].partitions[0].error_code } else { told.error_code }
    };
    assert_eq!(own.commit("t", 4), 0);
    assert_eq!(forget(&mut client, "g", "t"), 86, "it reads the topic");
    assert_eq!(forget(&mut client, "g", "nowhere"), 3);
    assert_eq!((forget(&mut client, "offsets only", "t"), offsets.committed("t")), (0, -1));
    assert_eq!(forget(&mut client, "x", "t"), 69);
    assert_eq!((delete(&mut client, "g"), delete(&mut client, "x")), (68, 69));
    assert_eq!((own.leave(), delete(&mut client, "g"), own.committed("t")), (0, 0, -1));
    assert_eq!(listed(&mut client, &[], &[]), ["offsets only Empty "], "a group stays without offsets");
}

#[test]
fn groups_and_offsets_are_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = BrokerConfig { log_dirs: vec![folder.path().to_owned()], ..BrokerConfig::for_test() };
    let mut own = {
        let broker = Broker::start(config.clone()).unwrap();
        let mut client = Client::connect(&broker);
        topic(&mut client, "t");
        let mut own = alone(&broker, "g");
        for offset in 0..50 {
            assert_eq!(own.commit("t", offset), 0);
        }
        let mut gone = alone(&broker, "gone");
        assert_eq!((gone.leave(), delete(&mut client, "gone")), (0, 0));
        broker.stop().unwrap();
        own
    };
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    // What was logged is read beside the first requests.
    while described(&mut client, "g").error_code == 14 {
        std::thread::yield_now();
    }
    assert_eq!(
        (&*described(&mut client, "g").group_state, &*described(&mut client, "gone").group_state),
        ("Stable", "Dead")
    );
    assert_eq!(committed(&mut client, "g", "t"), 49);
    own.client = client;
    assert_eq!((own.beat(), own.commit("t", 50)), (0, 0), "it is still a member");
    assert_eq!(&own.sync(&[]).assignment[..], b"everything");
}

#[test]
fn offsets_go_with_their_topic() {
    let (broker, mut client) = start();
    create(&mut client, "t", 1, &[]);
    create(&mut client, "u", 1, &[]);
    let mut own = alone(&broker, "g");
    assert_eq!((own.commit("t", 5), own.commit("u", 6)), (0, 0));
    let request =
        DeleteTopicsRequest { topic_names: vec!["t".into()], timeout_ms: 1000, ..Default::default() };
    assert_eq!(client.call(&request, 5).responses[0].error_code, 0);
    assert_eq!((own.committed("t"), own.committed("u")), (-1, 6));
}

#[test]
fn a_group_that_waits_keeps_no_other_waiting() {
    let config = BrokerConfig { io_threads: 2, ..BrokerConfig::for_test() };
    let broker = Broker::start(config).unwrap();
    let mut waiting = Vec::new();
    for number in 0..20 {
        let group = format!("g{number}");
        let _first = alone(&broker, &group);
        let mut second = member(&broker, &group);
        second.version = 3;
        // The first does not join again: this one waits for it, and holds no thread.
        second.send_join(&["t"]);
        waiting.push((_first, second));
    }
    let begun = Instant::now();
    let mut own = alone(&broker, "other");
    assert_eq!(own.beat(), 0);
    assert!(begun.elapsed() < Duration::from_secs(5));
    for (first, second) in &mut waiting {
        assert_eq!(first.leave(), 0);
        assert_eq!((second.read_join().error_code, second.generation), (0, 2));
    }
}

#[test]
fn a_member_whose_client_is_gone_is_waited_for_until_its_session_ends() {
    let mut config = BrokerConfig::for_test();
    config.groups.min_session_timeout = Duration::from_millis(1);
    let broker = Broker::start(config).unwrap();
    let mut first = alone(&broker, "g");
    let mut second = member(&broker, "g");
    second.version = 3;
    second.send_join(&["t"]);
    while first.beat() != 27 {
        std::thread::yield_now();
    }
    drop(second);
    assert_eq!(first.join(&["t"]).members.len(), 2, "nobody knows that it is gone");
    let id = first.id.to_string();
    first.sync(&[(&id, "half")]);
    while first.beat() == 0 {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(first.join(&["t"]).members.len(), 1);
}

#[test]
fn the_topic_of_offsets_is_made_when_it_is_first_needed() {
    let config = BrokerConfig { offsets_partitions: 4, ..BrokerConfig::for_test() };
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    let topics = |client: &mut Client| {
        let all = client.call(&MetadataRequest { topics: None, ..MetadataRequest::default() }, 12).topics;
        all.iter()
            .map(|topic| (topic.name.clone().unwrap().to_string(), topic.is_internal, topic.partitions.len()))
            .collect::<Vec<_>>()
    };
    assert!(topics(&mut client).is_empty());
    assert_eq!(described(&mut client, "g").error_code, 16, "nobody has found the coordinator yet");
    let request =
        FindCoordinatorRequest { coordinator_keys: vec!["g".into(), "h".into()], ..Default::default() };
    let told = client.call(&request, 4).coordinators;
    let port = i32::from(broker.address().port);
    assert_eq!(
        told.iter().map(|found| (found.error_code, found.node_id, found.port)).collect::<Vec<_>>(),
        [(0, 1, port); 2]
    );
    assert_eq!(topics(&mut client), [("__consumer_offsets".to_owned(), true, 4)]);
    for (key_type, want) in [(1, 35), (9, 42)] {
        let request =
            FindCoordinatorRequest { key: "x".into(), key_type, ..FindCoordinatorRequest::default() };
        assert_eq!(client.call(&request, 3).error_code, want);
    }
}

#[test]
fn what_kafka_has_logged_of_groups_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    klamm_tests::fixtures::copy_to(folder.path());
    let config = BrokerConfig { log_dirs: vec![folder.path().to_owned()], ..BrokerConfig::for_test() };
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    wait_until_loaded(&mut client);
    let table = std::fs::read_to_string(klamm_tests::fixtures::root().join("consumer-groups.txt")).unwrap();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows: Vec<_> = rows.filter(|row| row.len() == 9 && row[0] != "GROUP").collect();
    assert!(rows.len() >= 10, "{} rows", rows.len());
    for row in rows {
        let (group, topic, partition) = (row[0], row[1], row[2].parse().unwrap());
        let topics = vec![OffsetFetchRequestTopics {
            name: topic.into(),
            partition_indexes: vec![partition],
            ..Default::default()
        }];
        let asked =
            OffsetFetchRequestGroup { group_id: group.into(), topics: Some(topics), ..Default::default() };
        let told = client.call(&OffsetFetchRequest { groups: vec![asked], ..Default::default() }, 8);
        let found = told.groups[0].topics[0].partitions[0].committed_offset;
        assert_eq!(found.to_string(), row[3], "{group} {topic}-{partition}");
    }
    let shares = member(&broker, "group-share").join(&["input"]);
    assert_eq!(shares.error_code, 23, "a share group has the name");
}

#[test]
fn a_coordinator_that_is_being_made_is_found_whole() {
    let config = BrokerConfig {
        offsets_partitions: 400,
        io_threads: 4,
        network_threads: 2,
        ..BrokerConfig::for_test()
    };
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    let find = FindCoordinatorRequest { key: "g".into(), ..FindCoordinatorRequest::default() };
    let mut first = Client::connect(&broker);
    first.send(&find, 3);
    // The topic is there before all of its logs are.
    let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
    while client.call(&all, 12).topics.is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(client.call(&find, 3).error_code, 0);
    for number in 0..400 {
        assert_eq!(described(&mut client, &format!("g{number}")).error_code, 0, "g{number}");
    }
    assert!(first.frame().is_ok());
}

#[test]
fn nobody_else_writes_to_the_topic_of_offsets() {
    let (broker, mut client) = start();
    let _own = alone(&broker, "g");
    let id = topic(&mut client, "__consumer_offsets");
    let told = produce(&mut client, "__consumer_offsets", id, batch_of(&["forged"]), -1, 13);
    assert_eq!(told.error_code, 17);
}

#[test]
fn a_log_of_many_stretches_is_loaded_and_offsets_of_topics_that_are_gone_are_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let config = BrokerConfig { log_dirs: vec![folder.path().to_owned()], ..BrokerConfig::for_test() };
    let words = "w".repeat(3000);
    {
        let broker = Broker::start(config.clone()).unwrap();
        let mut client = Client::connect(&broker);
        create(&mut client, "t", 1, &[]);
        create(&mut client, "gone", 1, &[]);
        let mut own = alone(&broker, "g");
        assert_eq!(own.commit("gone", 3), 0);
        for offset in 0..1500 {
            assert_eq!(own.commit_with("t", offset, &words), 0);
        }
        broker.stop().unwrap();
    }
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    let request =
        DeleteTopicsRequest { topic_names: vec!["gone".into()], timeout_ms: 1000, ..Default::default() };
    assert_eq!(client.call(&request, 5).responses[0].error_code, 0, "while it is being loaded");
    while described(&mut client, "g").error_code == 14 {
        std::thread::yield_now();
    }
    assert_eq!(committed(&mut client, "g", "t"), 1499);
    while committed(&mut client, "g", "gone") != -1 {
        std::thread::yield_now();
    }
}

#[test]
fn many_offsets_go_with_their_topic_whatever_a_segment_can_hold() {
    let config = BrokerConfig { offsets_segment_bytes: 1 << 20, ..BrokerConfig::for_test() };
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    topic(&mut client, "t");
    for number in 0..60 {
        let name = format!("{number}{}", "n".repeat(30_000));
        assert_eq!(member(&broker, &name).commit("t", 1), 0);
    }
    let mut small = member(&broker, "small");
    assert_eq!(small.commit("t", 7), 0);
    let request =
        DeleteTopicsRequest { topic_names: vec!["t".into()], timeout_ms: 1000, ..Default::default() };
    assert_eq!(client.call(&request, 5).responses[0].error_code, 0);
    assert_eq!(small.committed("t"), -1);
}

#[test]
fn a_static_member_that_needs_no_time_does_not_stop_the_others() {
    let (broker, mut client) = start();
    let mut first = alone(&broker, "g");
    let mut fixed = member(&broker, "g");
    (fixed.instance, fixed.rebalance_ms) = (Some("one".into()), 0);
    fixed.send_join(&["t"]);
    while first.beat() != 27 {
        std::thread::yield_now();
    }
    assert_eq!((first.join(&["t"]).error_code, fixed.read_join().error_code), (0, 0));
    first.sync(&[]);
    assert_eq!(first.leave(), 0);
    // It is waited for, and nobody waits for that.
    assert_eq!(&*described(&mut client, "g").group_state, "PreparingRebalance");
    assert_eq!(alone(&broker, "other").beat(), 0);
}

#[test]
fn who_leaves_a_group_that_is_not_there_is_told_by_itself() {
    let (broker, _client) = start();
    let mut nobody = member(&broker, "nowhere");
    nobody.id = "x".into();
    for version in 0..=9 {
        nobody.version = version;
        assert_eq!(nobody.leave(), 25, "{version}");
    }
}

/// A small request must not make a large answer: a name, or a number of four bytes, may stand for
/// kilobytes.
#[test]
fn what_is_asked_for_many_times_is_answered_once() {
    let (broker, mut client) = start();
    topic(&mut client, "t");
    let mut own = alone(&broker, "g");
    own.commit("t", 7);
    let topics = OffsetFetchRequestTopics {
        name: "t".into(),
        partition_indexes: [0, 1].repeat(10_000),
        ..OffsetFetchRequestTopics::default()
    };
    let group = OffsetFetchRequestGroup {
        group_id: "g".into(),
        topics: Some(vec![topics; 10]),
        ..OffsetFetchRequestGroup::default()
    };
    let request = OffsetFetchRequest { groups: vec![group; 3], ..OffsetFetchRequest::default() };
    let told = client.call(&request, 9);
    assert_eq!((told.groups.len(), told.groups[0].topics.len()), (1, 1));
    let found: Vec<_> = told.groups[0].topics[0].partitions.iter().map(|p| p.committed_offset).collect();
    assert_eq!(found, [7, -1]);
    let groups = vec!["g".into(), "h".into(), "g".into()];
    let told = client.call(&DescribeGroupsRequest { groups, ..Default::default() }, 5);
    assert_eq!(told.groups.iter().map(|group| group.group_id.to_string()).collect::<Vec<_>>(), ["g", "h"]);
    let group_ids = vec!["g".into(); 1_000];
    let told = client.call(&ConsumerGroupDescribeRequest { group_ids, ..Default::default() }, 1);
    assert_eq!(told.groups.len(), 1);
}
