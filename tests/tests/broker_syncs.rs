//! On a real disk: with `flush.messages=1` each response to a produce or a commit comes after a
//! sync of its log, and requests that wait at the same time share syncs.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use klamm_broker::BrokerConfig;
use klamm_broker::testing::TestBroker;
use klamm_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_sim::HookDisk;
use klamm_tests::admin::create;
use klamm_tests::client::Client;
use klamm_tests::groups::{Member, wait_until_loaded};
use klamm_tests::requests::batch_of;

const PRODUCE_VERSION: i16 = 9;
const COMMIT_VERSION: i16 = 8;
/// Requests that come while a sync is running.
const OTHERS: usize = 8;
/// Longest wait for the disk to be asked for something.
const LONGEST: Duration = Duration::from_secs(60);

/// What the disk was asked to do with the logs of a topic.
#[derive(Default)]
struct Seen {
    writes: usize,
    syncs: usize,
    /// Whether there was no write since the last sync.
    is_synced: bool,
    /// Whether syncs wait.
    is_held: bool,
}

/// A broker on the operating system's disk that syncs each record, and what it does to the logs of
/// one topic.
struct Counted {
    seen: Arc<(Mutex<Seen>, Condvar)>,
    broker: TestBroker,
    _directory: tempfile::TempDir,
}

impl Counted {
    fn start(topic: &'static str) -> Counted {
        let (directory, disk) = (tempfile::tempdir().unwrap(), HookDisk::default());
        let mut config = BrokerConfig::for_test();
        config.log_dirs = vec![directory.path().to_owned()];
        config.topic.log.flush_messages = Some(1);
        // One for each request that waits.
        config.io_threads = 2 * OTHERS;
        let seen = Arc::<(Mutex<Seen>, Condvar)>::default();
        let noted = Arc::clone(&seen);
        disk.set(move |operation, path| {
            if is_log_of(path, topic) {
                note(&noted, operation);
            }
            Ok(())
        });
        let broker = TestBroker::start_on(Arc::new(disk), config).unwrap();
        Counted { seen, broker, _directory: directory }
    }

    fn client(&self) -> Client {
        Client::connect(self.broker.running())
    }

    /// Runs `ready` under the lock until it says that what was waited for is there.
    fn wait_until(&self, what: &str, ready: impl Fn(&Seen) -> bool) {
        let (seen, changed) = &*self.seen;
        let seen = seen.lock().unwrap();
        let (seen, timeout) = changed.wait_timeout_while(seen, LONGEST, |seen| !ready(seen)).unwrap();
        assert!(!timeout.timed_out(), "{what}: {} writes, {} syncs", seen.writes, seen.syncs);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        let (seen, changed) = &*self.seen;
        let changing = change(&mut seen.lock().unwrap());
        changed.notify_all();
        changing
    }
}

/// A test that fails must not leave the broker waiting for the disk, or it would never stop.
impl Drop for Counted {
    fn drop(&mut self) {
        self.change(|seen| seen.is_held = false);
    }
}

fn note((seen, changed): &(Mutex<Seen>, Condvar), operation: &str) {
    let mut seen = seen.lock().unwrap();
    match operation {
        "write" => (seen.writes, seen.is_synced) = (seen.writes + 1, false),
        "sync" => {
            seen.syncs += 1;
            changed.notify_all();
            seen = changed.wait_while(seen, |seen| seen.is_held).unwrap();
            seen.is_synced = true;
        }
        _ => {}
    }
    changed.notify_all();
}

fn is_log_of(path: &Path, topic: &str) -> bool {
    let directory = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    directory.starts_with(&format!("{topic}-")) && path.extension().is_some_and(|kind| kind == "log")
}

fn produce() -> ProduceRequest {
    let partition_data = vec![PartitionProduceData { index: 0, records: Some(batch_of(&["v"])) }];
    let topic_data = vec![TopicProduceData { name: "t".into(), partition_data, ..Default::default() }];
    ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data, ..ProduceRequest::default() }
}

/// A commit of one that is no member.
fn commit(committed_offset: i64) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition { committed_offset, ..Default::default() };
    let topic =
        OffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..OffsetCommitRequest::default()
    }
}

/// The topic `t`, and the topic of offsets.
fn prepare(counted: &Counted) {
    assert_eq!(create(&mut counted.client(), "t", 1, &[]).0, 0);
    drop(Member::new(counted.client(), "g"));
    wait_until_loaded(&mut counted.client());
}

#[test]
fn each_produce_is_synced_before_it_is_acknowledged() {
    let counted = Counted::start("t");
    prepare(&counted);
    let mut client = counted.client();
    for number in 1..=40 {
        let error = client.call(&produce(), PRODUCE_VERSION).responses[0].partition_responses[0].error_code;
        let seen = counted.change(|seen| (seen.writes, seen.is_synced));
        assert_eq!((error, seen), (0, (number, true)));
    }
}

#[test]
fn each_commit_is_synced_before_it_is_acknowledged() {
    let counted = Counted::start("__consumer_offsets");
    prepare(&counted);
    let mut client = counted.client();
    for number in 1..=40 {
        let error = client.call(&commit(5), COMMIT_VERSION).topics[0].partitions[0].error_code;
        let seen = counted.change(|seen| (seen.writes, seen.is_synced));
        assert_eq!((error, seen), (0, (number, true)));
    }
}

/// Holds the sync of the first request until all others have written, and returns the number of
/// syncs after it.
fn syncs_of_others(
    counted: &Counted,
    send: impl Fn(&mut Client),
    receive: impl Fn(&mut Client) -> i16,
) -> usize {
    let mut clients = [(); 1 + OTHERS].map(|()| counted.client());
    let before = counted.change(|seen| {
        seen.is_held = true;
        (seen.writes, seen.syncs)
    });
    send(&mut clients[0]);
    counted.wait_until("the first", |seen| seen.syncs == before.1 + 1);
    clients[1..].iter_mut().for_each(&send);
    counted.wait_until("all others", |seen| seen.writes == before.0 + clients.len());
    let held = counted.change(|seen| {
        seen.is_held = false;
        seen.syncs
    });
    assert!(clients.iter_mut().all(|client| receive(client) == 0));
    counted.change(|seen| seen.syncs) - held
}

#[test]
fn produces_that_wait_at_the_same_time_share_a_sync() {
    let counted = Counted::start("t");
    prepare(&counted);
    let syncs = syncs_of_others(
        &counted,
        |client| client.send(&produce(), PRODUCE_VERSION),
        |client| {
            let frame = client.frame().unwrap();
            let answer = client.read::<ProduceRequest>(frame, PRODUCE_VERSION);
            answer.responses[0].partition_responses[0].error_code
        },
    );
    assert_eq!(syncs, 1);
}

#[test]
fn commits_of_one_partition_that_wait_at_the_same_time_share_a_sync() {
    let counted = Counted::start("__consumer_offsets");
    prepare(&counted);
    let syncs = syncs_of_others(
        &counted,
        |client| client.send(&commit(7), COMMIT_VERSION),
        |client| {
            let frame = client.frame().unwrap();
            client.read::<OffsetCommitRequest>(frame, COMMIT_VERSION).topics[0].partitions[0].error_code
        },
    );
    assert_eq!(syncs, 1);
}
