//! A partition whose log cannot be opened is offline, by name; the broker starts and serves the
//! others.

use std::path::{Path, PathBuf};

use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use klamm_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use klamm_protocol::messages::metadata_request::MetadataRequest;
use klamm_tests::admin::create;
use klamm_tests::client::Client;
use klamm_tests::http::ask;
use klamm_tests::requests::{batch_of, produce, topic};

fn start(path: &Path) -> (Broker, Client) {
    start_on(&[path.to_owned()])
}

fn start_on(directories: &[PathBuf]) -> (Broker, Client) {
    let config = BrokerConfig {
        log_dirs: directories.to_vec(),
        http_listener: Some("127.0.0.1:0".parse().unwrap()),
        ..BrokerConfig::for_test()
    };
    let broker = Broker::start(config).unwrap();
    let client = Client::connect(&broker);
    (broker, client)
}

/// Topics `t` and `u` with a record each, stopped cleanly.
fn filled(path: &Path) {
    let (broker, mut client) = start(path);
    for name in ["t", "u"] {
        assert_eq!(create(&mut client, name, 1, &[]).0, 0);
        let id = topic(&mut client, name);
        assert_eq!(produce(&mut client, name, id, batch_of(&["v"]), -1, 13).error_code, 0);
    }
    broker.stop().unwrap();
}

fn send(client: &mut Client, name: &str) -> i16 {
    let id = topic(client, name);
    produce(client, name, id, batch_of(&["v"]), -1, 13).error_code
}

type Damage = fn(&Path);

const CUT_SHORT: Damage = |log| {
    let file = log.join("00000000000000000000.log");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
};

const CASES: [(&str, Damage, &str); 5] = [
    ("a log that is cut short", CUT_SHORT, ".log"),
    ("no partition.metadata", |log| std::fs::remove_file(log.join("partition.metadata")).unwrap(), "t-0"),
    ("an empty partition.metadata", |log| std::fs::write(log.join("partition.metadata"), "").unwrap(), "t-0"),
    (
        "a malformed partition.metadata",
        |log| std::fs::write(log.join("partition.metadata"), "version: 0\ntopic_id: ?").unwrap(),
        "partition.metadata",
    ),
    (
        "the partition.metadata of another topic",
        |log| drop(std::fs::copy(log.join("../u-0/partition.metadata"), log.join("partition.metadata"))),
        "t-0",
    ),
];

#[test]
fn a_partition_that_cannot_be_opened_is_named_and_the_others_are_served() {
    for (name, damage, named) in CASES {
        for killed in [false, true] {
            let root = tempfile::tempdir().unwrap();
            filled(root.path());
            if killed {
                std::fs::remove_file(root.path().join(".kafka_cleanshutdown")).unwrap();
            }
            damage(&root.path().join("t-0"));
            let (broker, mut client) = start(root.path());
            assert_eq!((send(&mut client, "t"), send(&mut client, "u")), (56, 0), "{name}");
            let topics = client.call(&MetadataRequest { topics: None, ..Default::default() }, 12).topics;
            let offline: Vec<_> = topics.iter().map(|t| t.partitions[0].offline_replicas.len()).collect();
            assert_eq!(offline, [1, 0], "{name}");
            let (status, health) = ask(broker.http_address().unwrap(), "GET /healthz");
            assert!(
                status.contains("503") && health.starts_with("partition t-0 is offline"),
                "{name}: {health}"
            );
            assert!(health.contains(named), "{name}: {health}");
            broker.stop().unwrap();
        }
    }
}

#[test]
fn a_topic_whose_partition_is_offline_can_be_deleted_and_created_again() {
    let root = tempfile::tempdir().unwrap();
    filled(root.path());
    CUT_SHORT(&root.path().join("t-0"));
    let (broker, mut client) = start(root.path());
    let request = DeleteTopicsRequest { topic_names: vec!["t".into()], ..DeleteTopicsRequest::default() };
    assert_eq!(client.call(&request, 5).responses[0].error_code, 0);
    assert_eq!(ask(broker.http_address().unwrap(), "GET /healthz").1, "ok\n");
    assert_eq!(create(&mut client, "t", 1, &[]).0, 0);
    assert_eq!(send(&mut client, "t"), 0);
}

#[test]
fn an_epoch_checkpoint_that_a_kill_left_empty_is_no_reason_not_to_serve() {
    let root = tempfile::tempdir().unwrap();
    filled(root.path());
    std::fs::remove_file(root.path().join(".kafka_cleanshutdown")).unwrap();
    std::fs::write(root.path().join("t-0/leader-epoch-checkpoint"), "").unwrap();
    std::fs::write(root.path().join("__cluster_metadata-0/leader-epoch-checkpoint"), "").unwrap();
    std::fs::write(root.path().join("__cluster_metadata-0/partition.metadata"), "").unwrap();
    let (_broker, mut client) = start(root.path());
    assert_eq!((send(&mut client, "t"), send(&mut client, "u")), (0, 0));
}

/// Makes the directory what a kill leaves before the first checkpoint, with a bit flipped in the
/// only batch of `t`.
fn killed_with_a_flipped_bit(root: &Path, at: usize) {
    filled(root);
    std::fs::remove_file(root.join(".kafka_cleanshutdown")).unwrap();
    std::fs::write(root.join("recovery-point-offset-checkpoint"), "0\n1\nt 0 0\n").unwrap();
    let file = root.join("t-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[at] ^= 0x40;
    std::fs::write(file, bytes).unwrap();
}

const LEADER_EPOCH_AT: usize = 15;
const LENGTH_OF_A_RECORD_AT: usize = 61;
const CUT: &str = "t-0/00000000000000000000.cut";

#[test]
fn a_batch_of_a_leader_epoch_that_the_partition_never_had_is_cut_off_and_kept() {
    let root = tempfile::tempdir().unwrap();
    killed_with_a_flipped_bit(root.path(), LEADER_EPOCH_AT);
    let (broker, mut client) = start(root.path());
    assert_eq!((send(&mut client, "t"), send(&mut client, "u")), (0, 0));
    assert!(root.path().join(CUT).exists());
    broker.stop().unwrap();
    let epochs = std::fs::read_to_string(root.path().join("t-0/leader-epoch-checkpoint")).unwrap();
    assert_eq!(epochs, "0\n1\n0 0\n");
}

#[test]
fn a_log_of_which_all_was_cut_off_is_not_taken_for_one_that_was_only_begun() {
    let root = tempfile::tempdir().unwrap();
    killed_with_a_flipped_bit(root.path(), LENGTH_OF_A_RECORD_AT);
    std::fs::remove_file(root.path().join("t-0/partition.metadata")).unwrap();
    std::fs::write(root.path().join(CUT), "what was cut off").unwrap();
    for _ in 0..2 {
        let (broker, mut client) = start(root.path());
        assert_eq!((send(&mut client, "t"), send(&mut client, "u")), (56, 0));
        assert!(root.path().join(CUT).exists());
        broker.stop().unwrap();
    }
}

/// Partitions of a topic that Metadata describes with an error.
fn offline_in_metadata(client: &mut Client) -> usize {
    let topics = client.call(&MetadataRequest { topics: None, ..Default::default() }, 12).topics;
    topics.iter().flat_map(|topic| &topic.partitions).filter(|partition| partition.error_code == 5).count()
}

#[test]
fn health_names_the_partitions_of_a_directory_that_comes_back_empty() {
    for recreated in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let directories = ["a", "b"].map(|name| root.path().join(name));
        let (broker, mut client) = start_on(&directories);
        assert_eq!(create(&mut client, "t", 6, &[]).0, 0);
        broker.stop().unwrap();
        let lost = std::fs::read_dir(&directories[1]).unwrap().map(|entry| entry.unwrap().file_name());
        let lost: Vec<_> = lost.filter_map(|name| name.into_string().ok()).collect();
        let lost: Vec<_> = lost.iter().filter(|name| name.starts_with("t-")).collect();
        assert!(!lost.is_empty());
        std::fs::remove_dir_all(&directories[1]).unwrap();
        if recreated {
            std::fs::create_dir(&directories[1]).unwrap();
        }
        let (broker, mut client) = start_on(&directories);
        assert_eq!(offline_in_metadata(&mut client), lost.len());
        let (status, health) = ask(broker.http_address().unwrap(), "GET /healthz");
        assert!(status.contains("503"), "{status}");
        assert_eq!(health.lines().count(), lost.len(), "{health}");
        for name in lost {
            assert!(health.contains(&format!("partition {name} is offline")), "{health}");
        }
        let request = DeleteTopicsRequest { topic_names: vec!["t".into()], ..Default::default() };
        assert_eq!(client.call(&request, 5).responses[0].error_code, 0);
        assert_eq!(ask(broker.http_address().unwrap(), "GET /healthz").1, "ok\n");
    }
}

fn grow(client: &mut Client, name: &str, count: i32) -> i16 {
    let topic = CreatePartitionsTopic { name: name.into(), count, assignments: None };
    let request = CreatePartitionsRequest { topics: vec![topic], ..Default::default() };
    client.call(&request, 3).results[0].error_code
}

/// Copies the files of a log.
fn copy(root: &Path, from: &str, to: &str) {
    std::fs::create_dir(root.join(to)).unwrap();
    for entry in std::fs::read_dir(root.join(from)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), root.join(to).join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_copy_of_a_log_becomes_no_partition_and_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    filled(root.path());
    copy(root.path(), "t-0", "t-1");
    copy(root.path(), "t-0", "zz-0");
    let bytes = |name: &str| std::fs::read(root.path().join(name).join("00000000000000000000.log")).unwrap();
    for _ in 0..2 {
        let (broker, mut client) = start(root.path());
        for _ in 0..2 {
            assert_eq!(grow(&mut client, "t", 2), 56);
            assert_eq!(create(&mut client, "zz", 1, &[]).0, 56);
        }
        assert_eq!(offline_in_metadata(&mut client), 0);
        assert_eq!((send(&mut client, "t"), send(&mut client, "u")), (0, 0));
        let (_, health) = ask(broker.http_address().unwrap(), "GET /healthz");
        assert_eq!(health, "ok\n");
        broker.stop().unwrap();
        assert_eq!(bytes("t-1"), bytes("zz-0"));
    }
    std::fs::remove_dir_all(root.path().join("t-1")).unwrap();
    let (_broker, mut client) = start(root.path());
    assert_eq!(grow(&mut client, "t", 2), 0);
}
