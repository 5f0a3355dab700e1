//! Settings of a single group (`kafka-configs --entity-type groups`), as Kafka 4.3.1 has them:
//! whether it is there or not, within the broker's bounds, from the next heartbeat on, after a
//! restart.

use std::time::{Duration, Instant};

use klamm_broker::{Broker, BrokerConfig, ConsumerBounds};
use klamm_protocol::ErrorCode;
use klamm_protocol::messages::alter_configs_request::{
    AlterConfigsRequest, AlterConfigsResource, AlterableConfig,
};
use klamm_protocol::messages::list_config_resources_request::ListConfigResourcesRequest;
use klamm_tests::admin::{BROKER, GROUP, TOPIC, alter, create, describe, set, value};
use klamm_tests::client::Client;
use klamm_tests::consumers::{Consumer, described};

const SESSION: &str = "consumer.session.timeout.ms";
const HEARTBEAT: &str = "consumer.heartbeat.interval.ms";
const ASSIGNMENT: &str = "consumer.assignment.interval.ms";

fn start(config: BrokerConfig) -> (Broker, Client) {
    let broker = Broker::start(config).unwrap();
    let client = Client::connect(&broker);
    (broker, client)
}

/// With Kafka's bounds.
fn bounded() -> BrokerConfig {
    let mut config = BrokerConfig { consumer_bounds: ConsumerBounds::default(), ..BrokerConfig::for_test() };
    config.groups.consumer.times.heartbeat_interval = Duration::from_secs(5);
    config
}

fn listed(client: &mut Client, kinds: &[i8]) -> Result<Vec<(i8, String)>, i16> {
    let request = ListConfigResourcesRequest { resource_types: kinds.to_vec() };
    let told = client.call(&request, 1);
    let name = |found: &klamm_protocol::messages::list_config_resources_response::ConfigResource| {
        (found.resource_type, found.resource_name.to_string())
    };
    match told.error_code {
        0 => Ok(told.config_resources.iter().map(name).collect()),
        error => Err(error),
    }
}

#[test]
fn a_group_has_the_brokers_settings_or_its_own() {
    let (_broker, mut client) = start(bounded());
    assert_eq!(value(&mut client, GROUP, "g", SESSION), ("45000".to_owned(), 5));
    assert_eq!(set(&mut client, GROUP, "g", SESSION, Some("50000")), (0, String::new()));
    let entries = describe(&mut client, GROUP, "g", None);
    assert_eq!(entries.len(), 3);
    let session = entries.iter().find(|entry| &*entry.name == SESSION).unwrap();
    let given: Vec<_> =
        session.synonyms.iter().map(|given| (&*given.name, given.value.as_deref(), given.source)).collect();
    assert_eq!(given, [(SESSION, Some("50000"), 8), ("group.consumer.session.timeout.ms", Some("45000"), 5)]);
    assert_eq!((session.config_source, session.read_only, session.config_type), (8, false, 3));
    // What is not its own follows the broker's, which can be changed for one of them.
    let key = "group.consumer.assignment.interval.ms";
    assert_eq!(set(&mut client, BROKER, "", key, Some("700")).0, 0);
    assert_eq!(value(&mut client, GROUP, "g", ASSIGNMENT), ("700".to_owned(), 3));
    assert_eq!(set(&mut client, BROKER, "", key, Some("15001")).0, ErrorCode::InvalidConfig.code());
    // It is listed as long as it has settings, though no such group was ever seen.
    assert_eq!(listed(&mut client, &[GROUP]), Ok(vec![(GROUP, "g".to_owned())]));
    assert_eq!(set(&mut client, GROUP, "g", SESSION, None).0, 0);
    assert_eq!(listed(&mut client, &[GROUP]), Ok(vec![]));
}

#[test]
fn what_cannot_be_is_refused_as_a_whole() {
    let (_broker, mut client) = start(bounded());
    let (config, request) = (ErrorCode::InvalidConfig.code(), ErrorCode::InvalidRequest.code());
    for (group, changes, want) in [
        ("g", vec![("foo.bar", 0, Some("1")), (SESSION, 0, Some("50000"))], config),
        ("g", vec![("share.session.timeout.ms", 0, Some("50000"))], config),
        ("g", vec![(SESSION, 0, Some("x"))], config),
        ("g", vec![(SESSION, 0, Some("44999"))], config),
        ("g", vec![(SESSION, 0, Some("60001"))], config),
        ("g", vec![(HEARTBEAT, 0, Some("15001"))], config),
        ("g", vec![(ASSIGNMENT, 0, Some("-1"))], config),
        ("g", vec![(SESSION, 2, Some("50000"))], config),
        ("g", vec![(SESSION, 0, None)], request),
        ("", vec![(SESSION, 0, Some("50000"))], request),
        ("g", vec![("foo.bar", 1, None)], 0),
        ("g", vec![], 0),
    ] {
        let (error, words) = alter(&mut client, GROUP, group, &changes);
        assert_eq!(error, want, "{changes:?}: {words}");
        assert_eq!(words.is_empty(), error == 0, "{changes:?}");
    }
    assert_eq!(
        alter(&mut client, GROUP, "g", &[(SESSION, 0, Some("44999"))]).1,
        "consumer.session.timeout.ms is \"44999\", expected at least group.consumer.min.session.timeout.ms"
    );
    assert_eq!(listed(&mut client, &[GROUP]), Ok(vec![]));
}

#[test]
fn replacing_takes_away_what_is_not_named() {
    let (_broker, mut client) = start(bounded());
    let both = [(SESSION, 0, Some("50000")), (HEARTBEAT, 0, Some("6000"))];
    assert_eq!(alter(&mut client, GROUP, "g", &both).0, 0);
    let configs = vec![AlterableConfig { name: HEARTBEAT.into(), value: Some("7000".into()) }];
    let resource = AlterConfigsResource { resource_type: GROUP, resource_name: "g".into(), configs };
    let request = AlterConfigsRequest { resources: vec![resource], validate_only: false };
    assert_eq!(client.call(&request, 2).responses[0].error_code, 0);
    assert_eq!(value(&mut client, GROUP, "g", HEARTBEAT), ("7000".to_owned(), 8));
    assert_eq!(value(&mut client, GROUP, "g", SESSION), ("45000".to_owned(), 5));
}

#[test]
fn members_are_told_with_the_next_heartbeat() {
    let (broker, mut client) = start(BrokerConfig::for_test());
    create(&mut client, "t", 1, &[]);
    let mut one = Consumer::new(Client::connect(&broker), "g", "one");
    let join = one.joining(&["t"], None);
    assert_eq!(one.call(&join).heartbeat_interval_ms, 100);
    assert_eq!(set(&mut client, GROUP, "g", HEARTBEAT, Some("250")).0, 0);
    assert_eq!(set(&mut client, GROUP, "other", HEARTBEAT, Some("300")).0, 0);
    let beat = one.beat.clone();
    assert_eq!(one.call(&beat).heartbeat_interval_ms, 250);
    // A session that was begun before keeps its length; from the next heartbeat on it has the new
    // one.
    assert_eq!(set(&mut client, GROUP, "g", SESSION, Some("300")).0, 0);
    let began = Instant::now();
    assert_eq!(one.beat(), 0);
    while !described(&mut client, "g").members.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "its session does not end");
        std::thread::yield_now();
    }
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[test]
fn they_are_there_after_a_restart_and_cut_where_the_bounds_are_others() {
    let folder = tempfile::tempdir().unwrap();
    let config = |least: u64| {
        let mut config = BrokerConfig { log_dirs: vec![folder.path().into()], ..BrokerConfig::for_test() };
        config.consumer_bounds.least.heartbeat_interval = Duration::from_millis(least);
        config.groups.consumer.times.heartbeat_interval = Duration::from_millis(1_000);
        config
    };
    let (broker, mut client) = start(config(1));
    create(&mut client, "t", 1, &[]);
    assert_eq!(set(&mut client, GROUP, "g", HEARTBEAT, Some("250")).0, 0);
    drop(client);
    broker.stop().unwrap();
    for (least, want) in [(1, 250), (400, 400)] {
        let (broker, mut client) = start(config(least));
        let mut one = Consumer::new(Client::connect(&broker), "g", "one");
        let join = one.joining(&["t"], None);
        let told = loop {
            let told = one.call(&join);
            // The group is being loaded.
            if told.error_code != ErrorCode::CoordinatorLoadInProgress.code() {
                break told;
            }
        };
        assert_eq!((told.error_code, told.heartbeat_interval_ms), (0, want));
        assert_eq!(value(&mut client, GROUP, "g", HEARTBEAT), ("250".to_owned(), 8));
        drop((client, one));
        broker.stop().unwrap();
    }
}

#[test]
fn what_has_settings_is_listed_by_kind() {
    let (_broker, mut client) = start(BrokerConfig::for_test());
    create(&mut client, "t", 1, &[]);
    assert_eq!(set(&mut client, GROUP, "g", SESSION, Some("1000")).0, 0);
    let own = |kind: i8, name: &str| (kind, name.to_owned());
    assert_eq!(
        listed(&mut client, &[]),
        Ok(vec![own(GROUP, "g"), own(8, "1"), own(BROKER, "1"), own(TOPIC, "t")])
    );
    assert_eq!(listed(&mut client, &[TOPIC, GROUP, TOPIC]), Ok(vec![own(GROUP, "g"), own(TOPIC, "t")]));
    assert_eq!(listed(&mut client, &[TOPIC, 99]), Err(ErrorCode::UnsupportedVersion.code()));
    let first = client.call(&ListConfigResourcesRequest::default(), 0);
    assert_eq!((first.error_code, first.config_resources.len()), (0, 0));
}

/// Whoever embeds the broker sets what it likes; the bounds are for administrators.
#[test]
fn times_that_a_program_has_set_beyond_the_bounds_keep_nothing_from_being_changed() {
    let mut config = bounded();
    config.groups.consumer.times.session_timeout = Duration::from_secs(6);
    let (_broker, mut client) = start(config);
    assert_eq!(set(&mut client, BROKER, "", "log.retention.ms", Some("7200000")), (0, String::new()));
    assert_eq!(value(&mut client, BROKER, "1", "log.retention.ms").0, "7200000");
    assert_eq!(set(&mut client, GROUP, "g", ASSIGNMENT, Some("2000")), (0, String::new()));
}
