//! The features of the cluster: ranges, finalized levels, upgrades and downgrades, and what a level
//! turns off.

use std::path::Path;

use klamm_broker::{Broker, BrokerConfig, RebalanceProtocols};
use klamm_protocol::ApiKey;
use klamm_protocol::messages::api_versions_request::ApiVersionsRequest;
use klamm_protocol::messages::api_versions_response::ApiVersionsResponse;
use klamm_protocol::messages::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use klamm_protocol::messages::consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest;
use klamm_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use klamm_protocol::messages::update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest};
use klamm_tests::client::Client;
use klamm_tests::fixtures;
use klamm_tests::requests::api_versions;

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSUPPORTED: i16 = 35;

fn start(dir: &Path) -> (Broker, Client) {
    let mut config = BrokerConfig { log_dirs: vec![dir.to_owned()], ..BrokerConfig::for_test() };
    config.topic.log.retention_time = None;
    let broker = Broker::start(config).unwrap();
    let client = Client::connect(&broker);
    (broker, client)
}

fn versions(client: &mut Client, version: i16) -> ApiVersionsResponse {
    client.call(&api_versions(), version)
}

fn finalized(client: &mut Client) -> Vec<(String, i16, i16)> {
    let told = versions(client, 4).finalized_features;
    told.iter().map(|one| (one.name.to_string(), one.min_version_level, one.max_version_level)).collect()
}

fn supported(client: &mut Client, version: i16) -> Vec<(String, i16, i16)> {
    let told = versions(client, version).supported_features;
    told.iter().map(|one| (one.name.to_string(), one.min_version, one.max_version)).collect()
}

fn level(name: &str, level: i16) -> (String, i16, i16) {
    (name.to_owned(), level, level)
}

fn range(name: &str, min: i16, max: i16) -> (String, i16, i16) {
    (name.to_owned(), min, max)
}

/// The error code, and the error message.
fn update(client: &mut Client, changes: &[(&str, i16, i8)], validate_only: bool) -> (i16, String) {
    let change = |(name, level, direction): &(&str, i16, i8)| FeatureUpdateKey {
        feature: (*name).into(),
        max_version_level: *level,
        upgrade_type: *direction,
        ..Default::default()
    };
    let feature_updates = changes.iter().map(change).collect();
    let request = UpdateFeaturesRequest { feature_updates, validate_only, ..Default::default() };
    let told = client.call(&request, 2);
    (told.error_code, told.error_message.map(|text| text.to_string()).unwrap_or_default())
}

/// The error codes of a heartbeat and of a description in the consumer protocol.
fn consumer_protocol(client: &mut Client, group: &str) -> (i16, i16) {
    let beat = ConsumerGroupHeartbeatRequest {
        group_id: group.into(),
        member_id: "m".into(),
        rebalance_timeout_ms: 1000,
        subscribed_topic_names: Some(Vec::new()),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    // It makes the topic of the groups.
    client.call(&FindCoordinatorRequest { key: group.into(), ..Default::default() }, 3);
    let beat = client.call(&beat, 1).error_code;
    let describe = ConsumerGroupDescribeRequest { group_ids: vec![group.into()], ..Default::default() };
    (beat, client.call(&describe, 1).groups[0].error_code)
}

#[test]
fn a_new_directory_finalizes_what_works() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, mut client) = start(dir.path());
    assert_eq!(finalized(&mut client), [level("group.version", 1), level("metadata.version", 30)]);
    let all = [
        range("eligible.leader.replicas.version", 0, 0),
        range("group.version", 0, 1),
        range("kraft.version", 0, 0),
        range("metadata.version", 7, 30),
        range("share.version", 0, 0),
        range("streams.version", 0, 0),
        range("transaction.version", 0, 0),
    ];
    assert_eq!(supported(&mut client, 4), all);
    // Clients of version 3 cannot read a range that begins at 0.
    assert_eq!(supported(&mut client, 3), [range("metadata.version", 7, 30)]);
}

#[test]
fn a_directory_of_kafka_with_higher_levels_starts_and_keeps_them() {
    let dir = tempfile::tempdir().unwrap();
    fixtures::copy_to(dir.path());
    for _ in 0..2 {
        let (broker, mut client) = start(dir.path());
        assert_eq!(finalized(&mut client), [level("group.version", 1), level("metadata.version", 30)]);
        // The records say 2: an upgrade to 0 would be a downgrade.
        let (code, words) = update(&mut client, &[("transaction.version", 0, UPGRADE)], true);
        assert_eq!(code, 95);
        assert!(words.contains("Can't downgrade the version of this feature"), "{words}");
        broker.stop().unwrap();
    }
}

#[test]
fn levels_change_all_or_none_and_stay_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, mut client) = start(dir.path());
    let epoch = versions(&mut client, 4).finalized_features_epoch;
    let down = ("group.version", 0, SAFE_DOWNGRADE);
    let (code, words) = update(&mut client, &[down, ("share.version", 1, UPGRADE)], false);
    let want = "The update failed for all features since the following feature had an error: Invalid update version \
                1 for feature share.version. Local controller 1 only supports versions 0-0";
    assert_eq!((code, &*words), (95, want));
    assert_eq!(update(&mut client, &[down], true), (0, String::new()));
    assert_eq!(finalized(&mut client).len(), 2);
    assert_eq!(update(&mut client, &[down], false), (0, String::new()));
    assert_eq!(finalized(&mut client), [level("metadata.version", 30)]);
    assert!(versions(&mut client, 4).finalized_features_epoch > epoch);
    broker.stop().unwrap();
    let (_broker, mut client) = start(dir.path());
    assert_eq!(finalized(&mut client), [level("metadata.version", 30)]);
}

#[test]
fn older_versions_of_the_request_change_levels_too() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, mut client) = start(dir.path());
    let feature = |allow_downgrade, upgrade_type| FeatureUpdateKey {
        feature: "group.version".into(),
        max_version_level: 0,
        allow_downgrade,
        upgrade_type,
    };
    for (version, update, want) in [
        (0, feature(false, UPGRADE), 95),
        (1, feature(false, UPGRADE), 95),
        (1, feature(false, 9), 95),
        (0, feature(true, UPGRADE), 0),
        (1, feature(false, SAFE_DOWNGRADE), 0),
    ] {
        let request = UpdateFeaturesRequest { feature_updates: vec![update], ..Default::default() };
        let told = client.call(&request, version);
        assert_eq!((told.error_code, told.results[0].error_code), (want, want), "{version}");
    }
}

#[test]
fn at_group_version_0_the_consumer_protocol_is_off() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, mut client) = start(dir.path());
    assert_eq!(consumer_protocol(&mut client, "g"), (0, 0));
    assert_eq!(update(&mut client, &[("group.version", 0, SAFE_DOWNGRADE)], false).0, 0);
    assert_eq!(consumer_protocol(&mut client, "g"), (UNSUPPORTED, UNSUPPORTED));
    assert_eq!(update(&mut client, &[("group.version", 1, UPGRADE)], false).0, 0);
    assert_eq!(consumer_protocol(&mut client, "h"), (0, 0));
}

#[test]
fn the_consumer_protocol_can_be_turned_off_by_a_setting() {
    let protocols: RebalanceProtocols = "classic".parse().unwrap();
    let config = BrokerConfig { rebalance_protocols: protocols, ..BrokerConfig::for_test() };
    let broker = Broker::start(config).unwrap();
    let mut client = Client::connect(&broker);
    assert_eq!(consumer_protocol(&mut client, "g"), (UNSUPPORTED, UNSUPPORTED));
}

#[test]
fn the_name_of_the_clients_software_is_checked() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, mut client) = start(dir.path());
    for version in ApiKey::ApiVersions.versions().filter(|version| (3..5).contains(version)) {
        for (name, software_version, want) in
            [("a", "1", 0), ("", "1", 42), ("a", "", 42), ("a b", "1", 42), ("-a", "1", 42), ("a", "1-", 42)]
        {
            let request = ApiVersionsRequest {
                client_software_name: name.into(),
                client_software_version: software_version.into(),
                ..Default::default()
            };
            let told = client.call(&request, version);
            assert_eq!((told.error_code, told.api_keys.is_empty()), (want, want != 0), "{name:?}");
        }
    }
}
