//! Commands on a whole broker, on a disk that is watched or held: what they ask of the disk, and
//! what other clients see meanwhile.

mod beside;
mod visibility;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::task::Poll;

use klamm_protocol::messages::alter_client_quotas_request as quotas;
use klamm_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use klamm_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use klamm_protocol::messages::incremental_alter_configs_request as configs;
use klamm_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::response_header::ResponseHeader;
use klamm_protocol::{
    ByteString, ErrorCode, Message, Request, RequestHead, encode_request, response_header_version,
};
use klamm_sim::HookDisk;

use crate::environment::Environment;
use crate::handlers::{Outcome, Round, Turn, handle};
use crate::shared::Shared;
use crate::work::Place;
use crate::{Broker, BrokerConfig};

/// A broker in a directory, on a disk with a hook.
struct Held {
    broker: Option<Broker>,
    disk: HookDisk,
    folder: tempfile::TempDir,
}

impl Held {
    fn start() -> Held {
        let (disk, folder) = (HookDisk::default(), tempfile::tempdir().unwrap());
        let mut held = Held { broker: None, disk, folder };
        held.restart();
        held
    }

    fn restart(&mut self) {
        self.broker.take().map(Broker::stop).transpose().unwrap();
        let config = BrokerConfig {
            log_dirs: vec![self.folder.path().to_owned()],
            num_partitions: 3,
            ..BrokerConfig::for_test()
        };
        let environment = Environment { disk: Arc::new(self.disk.clone()), ..Environment::default() };
        self.broker = Some(Broker::start_in(&config, &environment).unwrap());
    }

    fn shared(&self) -> Arc<Shared> {
        Arc::clone(self.broker.as_ref().unwrap().shared())
    }

    fn ask<R: Request>(&self, request: &R, version: i16) -> R::Response {
        ask(&self.shared(), request, version)
    }

    /// What this thread syncs while this is done; others write checkpoints meanwhile.
    fn syncs(&self, work: impl FnOnce()) -> Vec<PathBuf> {
        let synced = Arc::new(Mutex::new(Vec::new()));
        let (noted, own) = (Arc::clone(&synced), std::thread::current().id());
        self.disk.set(move |operation, path: &Path| {
            if operation.starts_with("sync") && std::thread::current().id() == own {
                noted.lock().unwrap().push(path.to_owned());
            }
            Ok(())
        });
        work();
        self.disk.clear();
        let synced = synced.lock().unwrap();
        synced.clone()
    }
}

/// Answers a request as a thread of the broker does that may wait for the disk.
fn ask<R: Request>(shared: &Arc<Shared>, request: &R, version: i16) -> R::Response {
    let Outcome::Answer(answer) = finish(begin(shared, request, version)) else { panic!("an answer") };
    let frame = answer.frame.into_bytes().unwrap();
    let mut reader = klamm_protocol::codec::Reader::new(frame.slice(4..));
    ResponseHeader::read(&mut reader, response_header_version(R::KEY, version)).unwrap();
    R::Response::decode(reader.into_rest(), version).unwrap()
}

/// Begins to answer a request.
fn begin<R: Request>(shared: &Arc<Shared>, request: &R, version: i16) -> Outcome {
    let frame = encode_request(request, version, 7, Some("test")).unwrap().into_bytes().unwrap();
    let head = RequestHead::read(frame.slice(4..)).unwrap();
    let turn = Turn { round: Round::Last, may_block: true, peer: IpAddr::V4(Ipv4Addr::LOCALHOST) };
    handle(shared, &head, turn)
}

/// Runs the slices of a request to their end.
fn finish(outcome: Outcome) -> Outcome {
    let Outcome::Sliced(mut running) = outcome else { return outcome };
    loop {
        if let Poll::Ready(outcome) = running.slice(Place::Worker, None) {
            return outcome;
        }
    }
}

fn new_topic(name: &str, partitions: i32) -> CreatableTopic {
    CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: 1,
        ..Default::default()
    }
}

fn creation(topics: impl IntoIterator<Item = CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest { topics: topics.into_iter().collect(), ..Default::default() }
}

fn names(count: usize) -> Vec<ByteString> {
    (0..count).map(|number| format!("t{number}").into()).collect()
}

/// The errors of results, each with how often it occurs.
fn tally(errors: impl IntoIterator<Item = i16>) -> BTreeMap<i16, usize> {
    errors.into_iter().fold(BTreeMap::new(), |mut tally, error| {
        *tally.entry(error).or_default() += 1;
        tally
    })
}

/// One sync of the metadata log and one of the directory, however many topics a request creates,
/// and no more than that and one new version of each checkpoint when it deletes them.
#[test]
fn syncs_do_not_grow_with_the_topics_of_a_request() {
    let held = Held::start();
    held.ask(&creation([new_topic("warm", 1)]), 7);
    let synced = held.syncs(|| {
        let created = held.ask(&creation(names(300).iter().map(|name| new_topic(name, 2))), 7);
        assert_eq!(tally(created.topics.iter().map(|t| t.error_code)), BTreeMap::from([(0, 300)]));
    });
    assert!(synced.len() <= 2, "{synced:?}");
    let grown = held.syncs(|| {
        use klamm_protocol::messages::create_partitions_request::*;
        let topics =
            names(300).into_iter().map(|name| CreatePartitionsTopic { name, count: 3, assignments: None });
        let request = CreatePartitionsRequest { topics: topics.collect(), ..Default::default() };
        let grown = held.ask(&request, 3);
        assert_eq!(tally(grown.results.iter().map(|t| t.error_code)), BTreeMap::from([(0, 300)]));
    });
    assert!(grown.len() <= 2, "{grown:?}");
    let removed = held.syncs(|| {
        let request = DeleteTopicsRequest { topic_names: names(300), ..Default::default() };
        let removed = held.ask(&request, 5);
        assert_eq!(tally(removed.responses.iter().map(|t| t.error_code)), BTreeMap::from([(0, 300)]));
    });
    assert!(removed.len() <= 10, "{removed:?}");
    assert_eq!(held.shared().metadata.image().topics().count(), 1);
}

#[test]
fn topics_that_clients_ask_for_are_created_together() {
    let held = Held::start();
    let topics =
        names(200).into_iter().map(|name| MetadataRequestTopic { name: Some(name), ..Default::default() });
    let request = MetadataRequest {
        topics: Some(topics.collect()),
        allow_auto_topic_creation: true,
        ..Default::default()
    };
    let synced = held.syncs(|| {
        let found = held.ask(&request, 12);
        assert_eq!(tally(found.topics.iter().map(|t| t.error_code)), BTreeMap::from([(0, 200)]));
        assert!(found.topics.iter().all(|topic| topic.partitions.len() == 3));
    });
    assert!(synced.len() <= 2, "{synced:?}");
}

#[test]
fn quotas_and_settings_of_a_request_are_one_command() {
    let mut held = Held::start();
    let count = 20_000;
    let entry = |number: usize| quotas::EntryData {
        entity: vec![quotas::EntityData {
            entity_type: "client-id".into(),
            entity_name: Some(format!("client-{number}").into()),
        }],
        ops: vec![quotas::OpData { key: "producer_byte_rate".into(), value: 1000.0, remove: false }],
    };
    let synced = held.syncs(|| {
        let request = quotas::AlterClientQuotasRequest {
            entries: (0..count).map(entry).collect(),
            validate_only: false,
        };
        let altered = held.ask(&request, 1);
        assert_eq!(tally(altered.entries.iter().map(|e| e.error_code)), BTreeMap::from([(0, count)]));
    });
    assert!(synced.len() <= 1, "{synced:?}");
    let resource = |number: usize| configs::AlterConfigsResource {
        resource_type: 32,
        resource_name: format!("group-{number}").into(),
        configs: vec![configs::AlterableConfig {
            name: "consumer.session.timeout.ms".into(),
            config_operation: 0,
            value: Some("50000".into()),
        }],
    };
    let synced = held.syncs(|| {
        let resources = (0..5000).map(resource).collect();
        let altered =
            held.ask(&configs::IncrementalAlterConfigsRequest { resources, validate_only: false }, 1);
        assert_eq!(tally(altered.responses.iter().map(|r| r.error_code)), BTreeMap::from([(0, 5000)]));
    });
    assert!(synced.len() <= 1, "{synced:?}");
    // More than fits into a batch: a transaction, which a restart reads as one.
    held.restart();
    let image = held.shared().metadata.image();
    assert_eq!((image.quotas().iter().count(), image.configured_groups().count()), (count, 5000));
}

/// As Kafka: all topics of such a request are refused, and nothing is created.
#[test]
fn a_request_creates_at_most_10_000_partitions() {
    let held = Held::start();
    for (topics, version) in [
        (vec![new_topic("a", 10_001)], 7),
        (vec![new_topic("a", 1), new_topic("b", 10_000)], 7),
        ((0..2000).map(|n| new_topic(&format!("t{n}"), 1000)).collect(), 2),
    ] {
        let count = topics.len();
        for validate_only in [true, false] {
            let request = CreateTopicsRequest { validate_only, ..creation(topics.clone()) };
            let refused = held.ask(&request, version);
            let violated = ErrorCode::PolicyViolation.code();
            assert_eq!(
                tally(refused.topics.iter().map(|t| t.error_code)),
                BTreeMap::from([(violated, count)])
            );
        }
    }
    assert_eq!(held.shared().metadata.image().topics().count(), 0);
}

/// What a power failure leaves of partitions that were created and never written to: some have no
/// directory, some an empty one.
#[test]
fn a_partition_without_its_directory_is_created_again() {
    let mut held = Held::start();
    held.ask(&creation([new_topic("t", 4)]), 7);
    held.broker.take().map(Broker::stop).transpose().unwrap();
    let path = |name: &str| held.folder.path().join(name);
    std::fs::remove_dir_all(path("t-0")).unwrap();
    std::fs::write(path("t-1/partition.metadata"), "").unwrap();
    std::fs::remove_dir_all(path("t-2")).unwrap();
    std::fs::create_dir(path("t-2")).unwrap();
    // Where the log is known to have had records, a new one would give their offsets out again.
    std::fs::remove_dir_all(path("t-3")).unwrap();
    std::fs::write(path("recovery-point-offset-checkpoint"), "0\n1\nt 3 5\n").unwrap();
    held.restart();
    let shared = held.shared();
    let image = shared.metadata.image();
    let topic = image.topic("t").unwrap();
    let online = (0..4).map(|number| shared.metadata.log(topic, number).is_ok()).collect::<Vec<_>>();
    assert_eq!(online, [true, true, true, false]);
    let found = held.ask(&MetadataRequest { topics: None, ..Default::default() }, 12);
    let errors = found.topics[0].partitions.iter().map(|partition| partition.error_code);
    assert_eq!(tally(errors), BTreeMap::from([(0, 3), (ErrorCode::LeaderNotAvailable.code(), 1)]));
}

/// A request is cancelled when its client disconnects or the broker stops: it is dropped between
/// two slices.
#[test]
fn a_metadata_request_that_is_cancelled_creates_no_topics() {
    let held = Held::start();
    let topic = |name| MetadataRequestTopic { name: Some(name), ..Default::default() };
    let topics = names(3000).into_iter().map(topic).collect();
    let request = MetadataRequest { topics: Some(topics), ..Default::default() };
    for slices in [1, 2, 3] {
        let Outcome::Sliced(mut running) = begin(&held.shared(), &request, 9) else {
            panic!("runs in slices")
        };
        (0..slices).for_each(|_| assert!(running.slice(Place::Worker, None).is_pending()));
        assert!(running.is_large(), "it is cancelled only if it is large");
        drop(running);
        assert_eq!(held.shared().metadata.image().topics().count(), 0);
    }
}

#[test]
fn a_metadata_request_that_is_cancelled_creates_no_further_topics() {
    let held = Held::start();
    let topic = |name| MetadataRequestTopic { name: Some(name), ..Default::default() };
    let topics = names(1000).into_iter().map(topic).collect();
    let request = MetadataRequest { topics: Some(topics), ..Default::default() };
    let there = || held.shared().metadata.image().topics().count();
    let Outcome::Sliced(mut running) = begin(&held.shared(), &request, 9) else { panic!("runs in slices") };
    while there() == 0 {
        assert!(running.slice(Place::Worker, None).is_pending(), "it creates topics");
    }
    assert!(running.is_large(), "it is cancelled only if it is large");
    drop(running);
    // Topics with three partitions each, until there are 1,000 partitions.
    assert_eq!(there(), 334);
    let found = held.ask(&request, 9);
    assert_eq!(tally(found.topics.iter().map(|t| t.error_code)), BTreeMap::from([(0, 1000)]));
}
