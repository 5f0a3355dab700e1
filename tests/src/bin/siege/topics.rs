//! Commands on many topics, groups and quotas at once, and what a client beside them notices.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use klamm_protocol::messages::alter_client_quotas_request as quotas;
use klamm_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use klamm_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use klamm_protocol::messages::incremental_alter_configs_request as configs;
use klamm_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::{ByteString, ErrorCode};
use klamm_tests::client::Client;

use crate::bystander::Bystander;
use crate::server::Server;

/// A command of the siege: what it is called, and how many errors its response has.
type Command = (&'static str, fn(&mut Client) -> usize);

const COMMANDS: [Command; 7] = [
    ("1,000 partitions created", |client| create(client, "a", 10, 100)),
    ("10,000 partitions created", |client| create(client, "b", 100, 100)),
    ("3,000 unknown topics asked for", ask_for_unknown),
    ("10,000 partitions deleted", |client| delete(client, names("b", 100))),
    ("3,000 topics deleted", |client| delete(client, names("unknown", 3000))),
    ("200,000 quotas altered", alter_quotas),
    ("settings of 100,000 groups altered", alter_groups),
];

/// For how long a client beside may wait, at most.
const LONGEST: Duration = Duration::from_secs(5);

pub(crate) fn run() {
    let folder = tempfile::tempdir().expect("writable");
    let server = Server::start(folder.path(), &["num.partitions=1"]);
    let bystander = Bystander::start(server.address, "beside");
    let watcher = Watcher::start(server.address);
    let mut client = Client::connect_to(server.address);
    for (what, command) in COMMANDS {
        let begun = Instant::now();
        let errors = command(&mut client);
        println!("{what}: {:?}", begun.elapsed());
        assert_eq!(errors, 0, "{what}");
    }
    let (responses, flaws) = watcher.stop();
    println!("{responses} responses with all topics meanwhile, {flaws} with a partition that has no leader");
    assert_eq!(flaws, 0);
    let served = bystander.stop();
    println!("beside: {} records, median {:?}, longest {:?}", served.rounds, served.median, served.longest);
    assert!(served.longest < LONGEST, "the others were not served");
    server.stop();
}

/// A client that asks for all topics, over and over, and counts responses in which a partition has
/// no leader.
struct Watcher {
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    thread: std::thread::JoinHandle<(usize, usize)>,
}

impl Watcher {
    fn start(address: SocketAddr) -> Watcher {
        let stop = std::sync::Arc::<std::sync::atomic::AtomicBool>::default();
        let stopping = std::sync::Arc::clone(&stop);
        let mut client = Client::connect_to(address);
        let thread = std::thread::spawn(move || {
            let (mut responses, mut flaws) = (0, 0);
            while !stopping.load(std::sync::atomic::Ordering::Relaxed) {
                let all = client.call(&MetadataRequest { topics: None, ..Default::default() }, 12);
                let without = ErrorCode::LeaderNotAvailable.code();
                let mut partitions = all.topics.iter().flat_map(|topic| &topic.partitions);
                flaws += usize::from(partitions.any(|partition| partition.error_code == without));
                responses += 1;
            }
            (responses, flaws)
        });
        Watcher { stop, thread }
    }

    fn stop(self) -> (usize, usize) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        self.thread.join().expect("it was served")
    }
}

fn names(prefix: &str, count: usize) -> Vec<ByteString> {
    (0..count).map(|number| format!("{prefix}-{number}").into()).collect()
}

fn count_errors(codes: impl Iterator<Item = i16>) -> usize {
    codes.filter(|code| *code != 0).count()
}

fn create(client: &mut Client, prefix: &str, topics: usize, partitions: i32) -> usize {
    let topic = |name| CreatableTopic {
        name,
        num_partitions: partitions,
        replication_factor: 1,
        ..CreatableTopic::default()
    };
    let topics = names(prefix, topics).into_iter().map(topic).collect();
    let request = CreateTopicsRequest { topics, ..CreateTopicsRequest::default() };
    count_errors(client.call(&request, 7).topics.iter().map(|topic| topic.error_code))
}

fn delete(client: &mut Client, topic_names: Vec<ByteString>) -> usize {
    let request = DeleteTopicsRequest { topic_names, ..DeleteTopicsRequest::default() };
    count_errors(client.call(&request, 5).responses.iter().map(|topic| topic.error_code))
}

fn ask_for_unknown(client: &mut Client) -> usize {
    let topic = |name| MetadataRequestTopic { name: Some(name), ..MetadataRequestTopic::default() };
    let topics = Some(names("unknown", 3000).into_iter().map(topic).collect());
    let request = MetadataRequest { topics, allow_auto_topic_creation: true, ..Default::default() };
    count_errors(client.call(&request, 12).topics.iter().map(|topic| topic.error_code))
}

fn alter_quotas(client: &mut Client) -> usize {
    let entry = |name| quotas::EntryData {
        entity: vec![quotas::EntityData { entity_type: "client-id".into(), entity_name: Some(name) }],
        ops: vec![quotas::OpData { key: "producer_byte_rate".into(), value: 1e9, remove: false }],
    };
    let entries = names("client", 200_000).into_iter().map(entry).collect();
    let request = quotas::AlterClientQuotasRequest { entries, validate_only: false };
    count_errors(client.call(&request, 1).entries.iter().map(|entry| entry.error_code))
}

fn alter_groups(client: &mut Client) -> usize {
    let resource = |resource_name| configs::AlterConfigsResource {
        resource_type: klamm_tests::admin::GROUP,
        resource_name,
        configs: vec![configs::AlterableConfig {
            name: "consumer.session.timeout.ms".into(),
            config_operation: 0,
            value: Some("50000".into()),
        }],
    };
    let resources = names("group", 100_000).into_iter().map(resource).collect();
    let request = configs::IncrementalAlterConfigsRequest { resources, validate_only: false };
    count_errors(client.call(&request, 1).responses.iter().map(|response| response.error_code))
}
