//! The data folder of a Kafka node under this broker: everything is there, or the start is refused
//! by name before a byte changes. `tests/clients/turns` does the same with a real Kafka, both ways.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use klamm_broker::{Broker, BrokerConfig};
use klamm_log::{Durability, LogConfig, LogDir, NewRecord, TopicPartition};
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::leader_change_message::{LeaderChangeMessage, Voter};
use klamm_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use klamm_protocol::messages::metadata_request::MetadataRequest;
use klamm_protocol::messages::metadata_response::MetadataResponse;
use klamm_protocol::metadata::abort_transaction_record::AbortTransactionRecord;
use klamm_protocol::metadata::access_control_entry_record::AccessControlEntryRecord;
use klamm_protocol::metadata::begin_transaction_record::BeginTransactionRecord;
use klamm_protocol::metadata::config_record::ConfigRecord;
use klamm_protocol::metadata::delegation_token_record::DelegationTokenRecord;
use klamm_protocol::metadata::end_transaction_record::EndTransactionRecord;
use klamm_protocol::metadata::feature_level_record::FeatureLevelRecord;
use klamm_protocol::metadata::partition_change_record::PartitionChangeRecord;
use klamm_protocol::metadata::partition_record::PartitionRecord;
use klamm_protocol::metadata::register_broker_record::RegisterBrokerRecord;
use klamm_protocol::metadata::remove_access_control_entry_record::RemoveAccessControlEntryRecord;
use klamm_protocol::metadata::remove_topic_record::RemoveTopicRecord;
use klamm_protocol::metadata::topic_record::TopicRecord;
use klamm_protocol::metadata::unregister_broker_record::UnregisterBrokerRecord;
use klamm_protocol::metadata::user_scram_credential_record::UserScramCredentialRecord;
use klamm_protocol::{Message, Record, Uuid, encode_metadata_record};
use klamm_record::{BatchBuilder, BatchOptions, Batches, RecordBatch};
use klamm_tests::admin::{create, value};
use klamm_tests::client::Client;
use klamm_tests::fixtures;
use klamm_tests::requests::{batch_of, produce};
use klamm_types::Timestamp;
use tempfile::TempDir;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A copy of one of the folders that Kafka wrote.
fn folder(name: &str) -> TempDir {
    let copied = tempfile::tempdir().unwrap();
    copy(&fixtures::root().with_file_name(name), copied.path());
    copied
}

fn start(path: &Path) -> Result<(Broker, Client), String> {
    let mut config = BrokerConfig { log_dirs: vec![path.to_owned()], ..BrokerConfig::for_test() };
    config.topic.log.retention_time = None;
    let broker = Broker::start(config).map_err(|error| error.to_string())?;
    let client = Client::connect(&broker);
    Ok((broker, client))
}

/// All files and what is in them.
fn contents(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(contents(&entry));
        } else {
            found.insert(entry.clone(), fs::read(&entry).unwrap());
        }
    }
    found
}

fn metadata(client: &mut Client) -> MetadataResponse {
    client.call(&MetadataRequest { topics: None, ..MetadataRequest::default() }, 12)
}

fn names(client: &mut Client) -> Vec<String> {
    metadata(client).topics.iter().filter_map(|topic| Some(topic.name.as_ref()?.to_string())).collect()
}

/// The id and the leader epoch of a topic's first partition.
fn topic(client: &mut Client, name: &str) -> (Uuid, i32) {
    let topics = metadata(client).topics;
    let found = topics.iter().find(|topic| topic.name.as_deref() == Some(name)).unwrap();
    (found.topic_id, found.partitions[0].leader_epoch)
}

/// Error, offset and epoch of the end of partition 0, asked for by a client that believes in
/// `epoch`.
fn end(client: &mut Client, name: &str, epoch: i32) -> (i16, i64, i32) {
    let partition = ListOffsetsPartition {
        timestamp: -1,
        current_leader_epoch: epoch,
        ..ListOffsetsPartition::default()
    };
    let topics = vec![ListOffsetsTopic { name: name.into(), partitions: vec![partition] }];
    let request = ListOffsetsRequest { replica_id: -1, topics, ..ListOffsetsRequest::default() };
    let found = client.call(&request, 7).topics[0].partitions[0].clone();
    (found.error_code, found.offset, found.leader_epoch)
}

fn fetch_error(client: &mut Client, name: &str, epoch: i32) -> i16 {
    let partition = FetchPartition {
        current_leader_epoch: epoch,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let topics =
        vec![FetchTopic { topic: name.into(), partitions: vec![partition], ..FetchTopic::default() }];
    let request = FetchRequest { max_bytes: 1 << 20, topics, session_epoch: -1, ..FetchRequest::default() };
    client.call(&request, 12).responses[0].partitions[0].error_code
}

#[test]
fn a_node_that_kafka_has_stopped_starts_with_all_it_had() {
    let folder = folder("kafka-4.3.1");
    let (broker, mut client) = start(folder.path()).unwrap();
    let there: Vec<String> = names(&mut client);
    for partition in fixtures::partitions().iter().filter(|name| !name.starts_with("__cluster_metadata")) {
        let (name, number) = partition.rsplit_once('-').unwrap();
        assert!(there.iter().any(|topic| topic == name), "{name} is not in {there:?}");
        let id = fs::read_to_string(fixtures::root().join(partition).join("partition.metadata")).unwrap();
        let (known, epoch) = topic(&mut client, name);
        assert!(id.contains(&known.to_string()), "{partition}: {id} {known}");
        if number == "0" {
            assert_eq!(end(&mut client, name, epoch).0, 0, "{partition}");
        }
    }
    // Settings too: it is one of those that the records were made under.
    assert_eq!(value(&mut client, 2, "broker-lz4", "compression.type").0, "lz4");
    broker.stop().unwrap();
    // What Kafka's broker noted for itself is there again.
    assert_eq!(
        fs::read(folder.path().join(".kafka_cleanshutdown")).unwrap(),
        fs::read(fixtures::root().join(".kafka_cleanshutdown")).unwrap()
    );
}

#[test]
fn the_leader_epoch_goes_on_where_kafka_left_it() {
    let folder = folder("kafka-4.3.1");
    let (broker, mut client) = start(folder.path()).unwrap();
    let (id, epoch) = topic(&mut client, "epochs");
    assert_eq!(epoch, 5, "Kafka has led it three times, and its stops count too");
    let (_, before, latest) = end(&mut client, "epochs", epoch);
    assert_eq!(latest, epoch);
    for (named, error) in [(-1, 0), (epoch, 0), (epoch - 1, 74), (epoch + 1, 75)] {
        assert_eq!(end(&mut client, "epochs", named).0, error, "ListOffsets in epoch {named}");
        assert_eq!(fetch_error(&mut client, "epochs", named), error, "Fetch in epoch {named}");
    }
    assert_eq!(produce(&mut client, "epochs", id, batch_of(&["v"]), -1, 12).error_code, 0);
    assert_eq!(end(&mut client, "epochs", -1).1, before + 1);
    broker.stop().unwrap();
    let epochs = fs::read_to_string(folder.path().join("epochs-0/leader-epoch-checkpoint")).unwrap();
    assert!(epochs.ends_with(&format!("\n5 {before}\n")), "{epochs}");
}

#[test]
fn a_metadata_log_that_begins_with_a_snapshot_is_read_from_there() {
    let folder = folder("kafka-snapshot");
    let (broker, mut client) = start(folder.path()).unwrap();
    assert_eq!(names(&mut client), ["kept", "late"]);
    assert_eq!(value(&mut client, 2, "kept", "retention.ms").0, "777000");
    assert_eq!(create(&mut client, "new", 1, &[]).0, 0);
    broker.stop().unwrap();
    let (_broker, mut client) = start(folder.path()).unwrap();
    assert_eq!(names(&mut client), ["kept", "late", "new"]);
}

#[test]
fn a_log_without_the_snapshot_that_it_needs_is_refused() {
    let folder = folder("kafka-snapshot");
    let snapshot = folder.path().join("__cluster_metadata-0/00000000000000000051-0000000001.checkpoint");
    let whole = fs::read(&snapshot).unwrap();
    fs::remove_file(&snapshot).unwrap();
    let error = start(folder.path()).unwrap_err();
    assert!(
        error.contains("begins at offset 50, expected a snapshot up to there, got one up to 0"),
        "{error}"
    );
    // A snapshot that is not whole is no snapshot either, wherever it is cut.
    let footer = whole.len() - 75;
    for (cut, want) in [
        (0, "is no whole snapshot"),
        (10, "checkpoint at byte 0"),
        (83, "is no whole snapshot"),
        (200, "checkpoint at byte 83"),
        (footer, "is no whole snapshot"),
        (whole.len() - 1, "checkpoint at byte"),
    ] {
        fs::write(&snapshot, &whole[..cut]).unwrap();
        let error = start(folder.path()).unwrap_err();
        assert!(error.contains(want), "cut at {cut}: {error}");
    }
}

/// Kafka's log may have been cut back to before its snapshot: what is decided now must not come
/// before the snapshot's end.
#[test]
fn a_log_that_ends_before_its_snapshot_goes_on_behind_it() {
    for is_empty in [false, true] {
        let folder = folder("kafka-snapshot");
        let segment = folder.path().join("__cluster_metadata-0/00000000000000000050.log");
        if is_empty {
            fs::write(segment, "").unwrap();
        } else {
            fs::remove_file(segment).unwrap();
        }
        for round in 0..2 {
            let (_broker, mut client) = start(folder.path()).unwrap();
            let expected = if round == 0 { vec!["kept"] } else { vec!["fresh", "kept"] };
            assert_eq!(names(&mut client), expected, "empty: {is_empty}, round {round}");
            create(&mut client, "fresh", 1, &[]);
        }
    }
}

/// A batch of the metadata log.
struct Logged {
    times: Vec<Option<Timestamp>>,
    values: Vec<Bytes>,
}

fn logged(path: &Path) -> Vec<Logged> {
    let log = path.join("__cluster_metadata-0");
    let mut names: Vec<_> = fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|name| name.extension().is_some_and(|extension| extension == "log"));
    names.sort();
    let all = names.iter().flat_map(|name| Batches::new(fs::read(name).unwrap().into())).map(Result::unwrap);
    let read = |batch: RecordBatch| {
        let records = batch.records(1 << 20).unwrap();
        let records = records.iter().map(Result::unwrap);
        let (times, values) =
            records.map(|r| (r.timestamp, Bytes::copy_from_slice(r.value.unwrap()))).unzip();
        Logged { times, values }
    };
    all.filter(|batch| !batch.is_control()).map(read).collect()
}

/// Kafka's controllers read no batch whose records differ in time, and do not start when they find
/// one.
#[test]
fn all_records_of_a_batch_of_metadata_bear_one_time() {
    let folder = tempfile::tempdir().unwrap();
    {
        let (_broker, mut client) = start(folder.path()).unwrap();
        assert_eq!(create(&mut client, "large", 2000, &[]).0, 0);
    }
    let batches = logged(folder.path());
    assert!(batches.iter().any(|batch| batch.values.len() > 2000));
    for batch in batches {
        assert!(batch.times.windows(2).all(|two| two[0] == two[1]), "{:?}", batch.times);
    }
}

/// A cluster whose features were never upgraded does not know which folder a partition is in.
#[test]
fn records_are_those_of_the_clusters_metadata_version() {
    for (level, version) in [(7, 0), (16, 0), (17, 1), (30, 1)] {
        let folder = folder("kafka-snapshot");
        let record = FeatureLevelRecord { name: "metadata.version".into(), feature_level: level };
        append(folder.path(), &[encoded(&record, 0)]);
        {
            let (_broker, mut client) = start(folder.path()).unwrap();
            assert_eq!(create(&mut client, "new", 1, &[]).0, 0);
        }
        let values = logged(folder.path()).pop().unwrap().values;
        let frame = klamm_protocol::decode_metadata_record(values.last().unwrap().clone()).unwrap();
        assert_eq!((frame.record_type, frame.version), (PartitionRecord::TYPE, version), "level {level}");
        assert_eq!(names(&mut start(folder.path()).unwrap().1), ["kept", "late", "new"], "level {level}");
    }
}

/// What `kafka-storage format` leaves: an identity, and what the first start is to decide.
fn formatted(records: &[Bytes]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let kafka = fixtures::root().with_file_name("kafka-snapshot");
    fs::copy(kafka.join("meta.properties"), folder.path().join("meta.properties")).unwrap();
    let mut snapshot = Vec::new();
    let batch = |control, key: Option<&[u8]>, values: &[Bytes]| {
        let mut builder = BatchBuilder::new(Vec::new(), BatchOptions { control, ..BatchOptions::default() });
        for value in values {
            let record = NewRecord::new(value.as_ref());
            builder.append(&key.map_or(record, |key| record.key(key))).unwrap();
        }
        builder.finish().unwrap().buffer
    };
    snapshot.extend(batch(true, Some(&[0, 0, 0, 3]), &[Bytes::from_static(&[0; 11])]));
    snapshot.extend(batch(false, None, records));
    snapshot.extend(batch(true, Some(&[0, 0, 0, 4]), &[Bytes::from_static(&[0; 3])]));
    fs::write(folder.path().join("bootstrap.checkpoint"), snapshot).unwrap();
    folder
}

#[test]
fn a_folder_that_was_only_formatted_begins_with_what_it_was_formatted_with() {
    let level =
        |level| encoded(&FeatureLevelRecord { name: "metadata.version".into(), feature_level: level }, 0);
    let user =
        encoded(&UserScramCredentialRecord { name: "alice".into(), mechanism: 1, ..Default::default() }, 0);
    let formatted_with = [level(21), level(20)];
    let folder = formatted(&formatted_with);
    {
        let (_broker, mut client) = start(folder.path()).unwrap();
        assert_eq!(create(&mut client, "new", 1, &[]).0, 0);
    }
    assert_eq!(logged(folder.path())[0].values, formatted_with);
    let folder = formatted(&[level(21), user]);
    let before = contents(folder.path());
    let error = start(folder.path()).unwrap_err();
    assert!(error.contains("the SCRAM credentials of user alice"), "{error}");
    assert!(contents(folder.path()) == before, "the folder has changed");
}

#[test]
fn logs_that_are_in_the_way_are_named_before_a_byte_changes() {
    let kept = |folder: &Path| folder.join("kept-0/partition.metadata");
    type Harm = fn(&Path);
    let harms: [(Harm, &str); 2] = [
        (
            |folder| fs::create_dir(folder.join("kept-0.0123456789abcdef0123456789abcdef-future")).unwrap(),
            "a partition on its way",
        ),
        (
            |folder| copy(&folder.join("__cluster_metadata-0"), &folder.join("more/__cluster_metadata-0")),
            "move one away",
        ),
    ];
    for (harm, want) in harms {
        let folder = folder("kafka-snapshot");
        assert!(kept(folder.path()).exists());
        harm(folder.path());
        fs::remove_file(folder.path().join(".kafka_cleanshutdown")).unwrap();
        let before = contents(folder.path());
        let config = BrokerConfig {
            log_dirs: vec![folder.path().to_owned(), folder.path().join("more")],
            ..BrokerConfig::for_test()
        };
        let error = Broker::start(config).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
        assert!(contents(folder.path()) == before, "{want}: the folder has changed");
    }
}

const OTHERS: Uuid = Uuid([7; 16]);

fn encoded<R: Record>(record: &R, version: i16) -> Bytes {
    encode_metadata_record(record, version).unwrap()
}

fn topic_record(name: &str) -> Bytes {
    encoded(&TopicRecord { name: name.into(), topic_id: OTHERS }, 0)
}

fn partition(replicas: &[i32]) -> Bytes {
    let record = PartitionRecord {
        partition_id: 0,
        topic_id: OTHERS,
        replicas: replicas.to_vec(),
        ..Default::default()
    };
    encoded(&record, 1)
}

fn moved(replicas: &[i32]) -> Bytes {
    let (partition_id, replicas) = (0, Some(replicas.to_vec()));
    encoded(&PartitionChangeRecord { partition_id, topic_id: OTHERS, replicas, ..Default::default() }, 1)
}

fn broker(broker_id: i32) -> Bytes {
    encoded(&RegisterBrokerRecord { broker_id, ..Default::default() }, 1)
}

fn remote(value: &str) -> Bytes {
    let (resource_type, resource_name, name) = (2, "moved".into(), "remote.storage.enable".into());
    encoded(&ConfigRecord { resource_type, resource_name, name, value: Some(value.into()) }, 0)
}

/// Appends records to a folder's metadata log, as its leader would.
fn append(path: &Path, values: &[Bytes]) {
    append_batch(
        path,
        BatchOptions::default(),
        &values.iter().map(|value| (None, value)).collect::<Vec<_>>(),
    );
}

fn append_batch(path: &Path, options: BatchOptions, records: &[(Option<&[u8]>, &Bytes)]) {
    let dir = LogDir::open(path).unwrap();
    let name: TopicPartition = "__cluster_metadata-0".parse().unwrap();
    let log = dir.create(&name, LogConfig::default(), None).unwrap();
    let leader_epoch = log.epochs().latest().map(|latest| latest.epoch);
    let options = BatchOptions { base_offset: log.bounds().end(), leader_epoch, ..options };
    let mut builder = BatchBuilder::new(Vec::new(), options);
    for (key, value) in records {
        let record = NewRecord::new(value.as_ref());
        builder.append(&key.map_or(record, |key| record.key(key))).unwrap();
    }
    log.append_as_follower(&builder.finish().unwrap().buffer, Durability::Written).unwrap();
    dir.close().unwrap();
}

#[test]
fn what_cannot_be_carried_over_is_refused_by_name_before_a_byte_changes() {
    let acl = |id| encoded(&AccessControlEntryRecord { id: Uuid([id; 16]), ..Default::default() }, 0);
    let no_acl = |id| encoded(&RemoveAccessControlEntryRecord { id: Uuid([id; 16]) }, 0);
    let user =
        encoded(&UserScramCredentialRecord { name: "alice".into(), mechanism: 1, ..Default::default() }, 0);
    let token = encoded(&DelegationTokenRecord { token_id: "t".into(), ..Default::default() }, 0);
    let level =
        |level| encoded(&FeatureLevelRecord { name: "metadata.version".into(), feature_level: level }, 0);
    let gone = encoded(&UnregisterBrokerRecord { broker_id: 2, ..Default::default() }, 0);
    let removed = encoded(&RemoveTopicRecord { topic_id: OTHERS }, 0);
    let unknown = Bytes::from_static(&[1, 77, 0]);
    for (records, want) in [
        (vec![broker(2)], Some("It has broker 2, which is registered too")),
        (vec![broker(2), gone], None),
        (
            vec![topic_record("moved"), partition(&[1, 2])],
            Some("It has partition moved-0 with replicas on the brokers [1, 2]"),
        ),
        (vec![topic_record("moved"), partition(&[1, 2]), moved(&[1])], None),
        (
            vec![topic_record("moved"), partition(&[1]), moved(&[2])],
            Some("It has partition moved-0 with replicas on the brokers [2]"),
        ),
        (vec![topic_record("moved"), partition(&[1, 2]), removed.clone()], None),
        (
            vec![topic_record("moved"), partition(&[1]), remote("true")],
            Some("It has the remote segments of topic moved (remote.storage.enable)"),
        ),
        (vec![topic_record("moved"), partition(&[1]), remote("true"), remote("false")], None),
        (vec![topic_record("moved"), partition(&[1]), remote("true"), removed.clone()], None),
        (
            vec![topic_record("moved"), partition(&[1]), remote(" TRUE")],
            Some("It has the remote segments of topic moved (remote.storage.enable)"),
        ),
        (vec![topic_record("moved"), partition(&[1]), remote("true"), removed, topic_record("moved")], None),
        (vec![acl(1), acl(2)], Some("It has 2 access control entries (kafka-acls --list)")),
        (vec![acl(1), no_acl(1)], None),
        (vec![user.clone(), token], Some("It has the SCRAM credentials of user alice; 1 delegation tokens")),
        (vec![level(99)], Some("It has metadata.version 99, expected 7 to 30 (Kafka 3.3 to 4.3)")),
        (vec![unknown], Some("It has records of the unknown type 77")),
        (vec![Bytes::from_static(&[1, 2, 9, 1])], Some("the record at offset ")),
        (vec![Bytes::from_static(&[9])], Some("the record at offset ")),
        (vec![encoded(&BeginTransactionRecord::default(), 0), user.clone()], None),
        (
            vec![
                encoded(&BeginTransactionRecord::default(), 0),
                user.clone(),
                encoded(&AbortTransactionRecord::default(), 0),
            ],
            None,
        ),
        (
            vec![
                encoded(&BeginTransactionRecord::default(), 0),
                user,
                encoded(&EndTransactionRecord::default(), 0),
            ],
            Some("It has the SCRAM credentials of user alice"),
        ),
    ] {
        let folder = folder("kafka-snapshot");
        append(folder.path(), &records);
        let before = contents(folder.path());
        match (start(folder.path()), want) {
            (Ok(_), None) => {}
            (Err(error), Some(want)) => {
                assert!(error.contains(want), "{error}");
                assert!(contents(folder.path()) == before, "{want}: the folder has changed");
            }
            (got, want) => panic!("expected {want:?}, got {:?}", got.err()),
        }
    }
}

#[test]
fn a_quorum_of_others_is_refused() {
    let folder = folder("kafka-snapshot");
    let voter = |voter_id| Voter { voter_id, ..Voter::default() };
    let change = LeaderChangeMessage { leader_id: 1, voters: vec![voter(1), voter(2)], ..Default::default() };
    let options = BatchOptions { control: true, ..BatchOptions::default() };
    append_batch(folder.path(), options, &[(Some(&[0, 0, 0, 2]), &change.encode(0).unwrap())]);
    let error = start(folder.path()).unwrap_err();
    assert!(error.contains("a quorum of the voters {1, 2}, expected only this node, 1"), "{error}");
}

#[test]
fn a_transaction_of_the_metadata_that_never_ended_has_no_part_in_what_comes_after() {
    let folder = folder("kafka-snapshot");
    append(folder.path(), &[encoded(&BeginTransactionRecord::default(), 0), topic_record("half")]);
    {
        let (_broker, mut client) = start(folder.path()).unwrap();
        assert_eq!(names(&mut client), ["kept", "late"]);
        assert_eq!(create(&mut client, "whole", 1, &[]).0, 0);
    }
    let (_broker, mut client) = start(folder.path()).unwrap();
    assert_eq!(names(&mut client), ["kept", "late", "whole"]);
}

#[test]
fn a_folder_of_another_node_or_cluster_is_refused_before_it_is_opened() {
    let one = folder("kafka-snapshot");
    let other = folder("kafka-4.3.1");
    let before = contents(one.path());
    let config = |dirs: &[&Path], node_id| BrokerConfig {
        log_dirs: dirs.iter().map(|dir| dir.to_path_buf()).collect(),
        node_id,
        ..BrokerConfig::for_test()
    };
    for (config, want) in [
        (config(&[one.path()], 2), "the folder belongs to node.id=1, this broker has node.id=2"),
        (config(&[one.path(), other.path()], 1), "the folder belongs to cluster"),
    ] {
        let error = Broker::start(config).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
        assert!(contents(one.path()) == before, "{want}: the folder has changed");
    }
}

#[test]
fn a_log_that_was_killed_in_the_middle_of_a_record_is_cut_there_and_one_that_was_not_is_damaged() {
    let folder = folder("kafka-snapshot");
    let segment = folder.path().join("__cluster_metadata-0/00000000000000000050.log");
    let mut bytes = fs::read(&segment).unwrap();
    let whole = bytes.len();
    bytes.extend_from_within(whole - 40..);
    fs::write(&segment, &bytes).unwrap();
    let error = start(folder.path()).unwrap_err();
    assert!(error.contains("00000000000000000050.log at byte"), "{error}");
    fs::remove_file(folder.path().join(".kafka_cleanshutdown")).unwrap();
    let (_broker, mut client) = start(folder.path()).unwrap();
    assert_eq!(names(&mut client), ["kept", "late"]);
    assert_eq!(fs::metadata(&segment).unwrap().len(), whole as u64);
}
