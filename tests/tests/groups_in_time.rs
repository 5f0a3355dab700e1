//! What becomes of the offsets of groups, and of the topic that they are logged in, as time passes.

use std::time::Duration;

use klamm_broker::testing::TestBroker;
use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::messages::metadata_request::MetadataRequest;
use klamm_tests::admin::{TOPIC, create, value};
use klamm_tests::client::Client;
use klamm_tests::groups::{Member, committed, wait_until_loaded};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn start(config: BrokerConfig) -> (TestBroker, Client) {
    let broker = TestBroker::start_with(config).unwrap();
    let mut client = Client::connect(broker.running());
    create(&mut client, "t", 1, &[]);
    (broker, client)
}

fn member(broker: &TestBroker, group: &str) -> Member {
    Member::new(Client::connect(broker.running()), group)
}

/// A week, unless somebody is there who reads the topic.
#[test]
fn offsets_that_nobody_uses_expire_after_offsets_retention_minutes() {
    let (broker, mut client) = start(BrokerConfig::for_test());
    assert_eq!(member(&broker, "left").commit("t", 5), 0);
    let mut classic = member(&broker, "classic");
    assert_eq!(classic.join(&["t"]).error_code, 0);
    let id = classic.id.to_string();
    assert_eq!(classic.sync(&[(&id, "everything")]).error_code, 0);
    assert_eq!(classic.commit("t", 6), 0);
    let mut found = |broker: &TestBroker, days: u32| {
        broker.advance(DAY * days).unwrap();
        ["left", "classic"].map(|group| committed(&mut client, group, "t"))
    };
    assert_eq!(found(&broker, 6), [5, 6]);
    assert_eq!(found(&broker, 2), [-1, 6], "the classic group has a member that reads it");
    assert_eq!(classic.leave(), 0);
    assert_eq!(found(&broker, 6), [-1, 6], "it was used until its member left");
    assert_eq!(found(&broker, 2), [-1, -1]);
}

#[test]
fn the_retention_of_offsets_is_a_setting() {
    let mut config = BrokerConfig::for_test();
    config.groups.offsets_retention = DAY;
    let (broker, mut client) = start(config);
    assert_eq!(member(&broker, "g").commit("t", 5), 0);
    broker.advance(DAY - Duration::from_secs(1)).unwrap();
    assert_eq!(committed(&mut client, "g", "t"), 5);
    broker.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(committed(&mut client, "g", "t"), -1);
}

#[test]
fn offsets_are_logged_in_fifty_partitions_that_are_compacted() {
    let config = BrokerConfig {
        offsets_partitions: BrokerConfig::default().offsets_partitions,
        ..BrokerConfig::for_test()
    };
    let (broker, mut client) = start(config);
    assert_eq!(member(&broker, "g").commit("t", 5), 0);
    let told = client.call(&MetadataRequest { topics: None, ..MetadataRequest::default() }, 12);
    let offsets =
        told.topics.iter().find(|topic| topic.name.as_deref() == Some("__consumer_offsets")).unwrap();
    assert_eq!((offsets.partitions.len(), offsets.is_internal), (50, true));
    assert_eq!(value(&mut client, TOPIC, "__consumer_offsets", "cleanup.policy").0, "compact");
}

/// Of 3,000 commits that take nine segments the last is left, and is found after a restart.
#[test]
fn what_is_left_of_a_compacted_topic_is_all_that_counts() {
    let config = BrokerConfig { offsets_segment_bytes: 1 << 20, ..BrokerConfig::for_test() };
    let (mut broker, mut client) = start(config);
    let words = "w".repeat(3000);
    let (mut one, mut other) = (member(&broker, "one"), member(&broker, "other"));
    assert_eq!(other.commit("t", 7), 0);
    for offset in 0..3000 {
        assert_eq!(one.commit_with("t", offset, &words), 0);
    }
    let size = |broker: &TestBroker| {
        let text = broker.running().metrics();
        let name = "kafka_log_log_size{topic=\"__consumer_offsets\",partition=\"0\"} ";
        text.lines().find_map(|line| line.strip_prefix(name)?.parse::<u64>().ok()).unwrap()
    };
    assert!(size(&broker) > 8 << 20);
    broker.advance(DAY).unwrap();
    assert!(size(&broker) < 2 << 20, "{}", size(&broker));
    broker.restart().unwrap();
    drop(client);
    client = Client::connect(broker.running());
    wait_until_loaded(&mut client);
    assert_eq!(["one", "other"].map(|group| committed(&mut client, group, "t")), [2999, 7]);
    let broker: &Broker = broker.running();
    assert!(broker.metrics().contains("num_partitions{state=\"failed\"} 0"));
}
