//! What other clients see of a topic while it is created, grown or deleted. The disk is held at
//! each of the command's steps while they ask.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use klamm_protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use klamm_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use klamm_protocol::messages::describe_topic_partitions_request::{
    DescribeTopicPartitionsRequest, TopicRequest,
};
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use klamm_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::{ErrorCode, Records};
use klamm_record::{BatchBuilder, BatchOptions, NewRecord};
use klamm_types::Offset;

use super::{Held, ask, creation, new_topic};
use crate::shared::Shared;

/// A disk that stops at each step of a command until the test lets it go on.
struct Steps {
    reached: Receiver<String>,
    go_on: Sender<()>,
}

/// Holds operations whose path has `part` in it. Each is announced before it is carried out.
fn hold(held: &Held, part: &'static str) -> Steps {
    let (announce, reached) = channel();
    let (go_on, may_go_on) = channel();
    let channels = Mutex::new((announce, may_go_on));
    held.disk.set(move |operation, path: &Path| {
        let is_change = !matches!(operation, "read" | "open_read");
        if is_change && path.to_string_lossy().contains(part) && is_of_the_command() {
            let channels = channels.lock().unwrap();
            // The test may have ended.
            if channels.0.send(format!("{operation} {}", path.display())).is_ok() {
                let _ = channels.1.recv();
            }
        }
        Ok(())
    });
    Steps { reached, go_on }
}

/// The name of the thread whose operations are held: those of others, which write checkpoints, are
/// not.
const COMMAND: &str = "command";

fn is_of_the_command() -> bool {
    std::thread::current().name() == Some(COMMAND)
}

fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    std::thread::Builder::new().name(COMMAND.to_owned()).spawn(work).unwrap()
}

/// Carries `command` out, and calls `look` at each step that `part` of a path holds; returns how
/// many there were.
fn step_by_step(
    held: &Held,
    part: &'static str,
    command: impl FnOnce(&Arc<Shared>) + Send + 'static,
    mut look: impl FnMut(&str),
) -> usize {
    let steps = hold(held, part);
    let shared = held.shared();
    let (ended, end) = channel();
    let thread = spawn(move || {
        command(&shared);
        let _ = ended.send(());
    });
    let mut count = 0;
    loop {
        match steps.reached.recv_timeout(Duration::from_millis(20)) {
            Ok(step) => {
                look(&step);
                count += 1;
                steps.go_on.send(()).unwrap();
            }
            Err(_) if end.try_recv().is_ok() => break,
            Err(_) => {}
        }
    }
    drop(steps);
    thread.join().unwrap();
    held.disk.clear();
    count
}

/// What clients that ask for partition 0 of `t`, and for `number`, are told by each API: the error
/// codes.
fn told(shared: &Arc<Shared>, number: i32) -> BTreeMap<&'static str, BTreeSet<i16>> {
    BTreeMap::from([
        ("Metadata", metadata(shared)),
        ("DescribeTopicPartitions", describe(shared)),
        ("ListOffsets", list_offsets(shared, number)),
        ("Fetch", fetch(shared, number)),
        ("Produce", produce(shared, number)),
    ])
}

fn metadata(shared: &Arc<Shared>) -> BTreeSet<i16> {
    let named = vec![MetadataRequestTopic { name: Some("t".into()), ..Default::default() }];
    let ask_for = |topics| {
        let request = MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() };
        ask(shared, &request, 12).topics
    };
    let topics = [None, Some(named)].into_iter().flat_map(ask_for);
    topics.flat_map(|t| t.partitions.into_iter().map(|p| p.error_code).chain([t.error_code])).collect()
}

fn describe(shared: &Arc<Shared>) -> BTreeSet<i16> {
    let topics = vec![TopicRequest { name: "t".into() }];
    let request =
        DescribeTopicPartitionsRequest { topics, response_partition_limit: 100, ..Default::default() };
    let topics = ask(shared, &request, 0).topics.into_iter();
    topics.flat_map(|t| t.partitions.into_iter().map(|p| p.error_code).chain([t.error_code])).collect()
}

fn list_offsets(shared: &Arc<Shared>, number: i32) -> BTreeSet<i16> {
    let partition = ListOffsetsPartition { partition_index: number, timestamp: 5, current_leader_epoch: -1 };
    let topics = vec![ListOffsetsTopic { name: "t".into(), partitions: vec![partition] }];
    let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
    let topics = ask(shared, &request, 7).topics.into_iter();
    topics.flat_map(|topic| topic.partitions).map(|partition| partition.error_code).collect()
}

fn fetch(shared: &Arc<Shared>, number: i32) -> BTreeSet<i16> {
    let partition = FetchPartition {
        partition: number,
        partition_max_bytes: 1000,
        current_leader_epoch: -1,
        ..Default::default()
    };
    let topics = vec![FetchTopic { topic: "t".into(), partitions: vec![partition], ..Default::default() }];
    let request = FetchRequest { max_bytes: 1000, topics, session_epoch: -1, ..Default::default() };
    let topics = ask(shared, &request, 11).responses.into_iter();
    topics.flat_map(|topic| topic.partitions).map(|partition| partition.error_code).collect()
}

fn produce(shared: &Arc<Shared>, number: i32) -> BTreeSet<i16> {
    let mut batch =
        BatchBuilder::new(Vec::new(), BatchOptions { base_offset: Offset::ZERO, ..Default::default() });
    batch.append(&NewRecord::new("a")).unwrap();
    let records = Some(Records::Bytes(batch.finish().unwrap().buffer.into()));
    let partition_data = vec![PartitionProduceData { index: number, records }];
    let topic_data = vec![TopicProduceData { name: "t".into(), partition_data, ..Default::default() }];
    let request = ProduceRequest { acks: 1, topic_data, ..Default::default() };
    let topics = ask(shared, &request, 9).responses.into_iter();
    topics.flat_map(|topic| topic.partition_responses).map(|partition| partition.error_code).collect()
}

/// A topic is there, with all of its partitions, or it is not.
fn is_there_or_not(told: &BTreeMap<&str, BTreeSet<i16>>, step: &str) -> bool {
    let unknown = BTreeSet::from([ErrorCode::UnknownTopicOrPartition.code()]);
    let there = BTreeSet::from([0]);
    let (all_there, all_unknown) =
        (told.values().all(|errors| *errors == there), told.values().all(|errors| *errors == unknown));
    assert!(all_there || all_unknown, "at {step}: {told:?}");
    all_there
}

#[test]
fn a_topic_that_is_created_is_not_there_until_all_its_logs_are_open() {
    let held = Held::start();
    let create = |shared: &Arc<Shared>| {
        let created = ask(shared, &creation([new_topic("t", 3)]), 7);
        assert_eq!(created.topics[0].error_code, 0);
    };
    let steps = step_by_step(&held, "/t-", create, |step| {
        assert!(!is_there_or_not(&told(&held.shared(), 0), step), "{step}");
    });
    assert!(steps >= 3 * 3, "{steps} steps");
    assert!(is_there_or_not(&told(&held.shared(), 0), "the end"));
}

#[test]
fn partitions_that_are_added_are_not_there_until_their_logs_are_open() {
    let held = Held::start();
    held.ask(&creation([new_topic("t", 1)]), 7);
    let grow = |shared: &Arc<Shared>| {
        let topics = vec![CreatePartitionsTopic { name: "t".into(), count: 3, assignments: None }];
        let grown = ask(shared, &CreatePartitionsRequest { topics, ..Default::default() }, 3);
        assert_eq!(grown.results[0].error_code, 0);
    };
    let steps = step_by_step(&held, "/t-2", grow, |step| {
        let shared = held.shared();
        assert!(metadata(&shared).iter().all(|error| *error == 0), "at {step}");
        assert_eq!(shared.metadata.image().topic("t").unwrap().count(), 1, "at {step}");
        let unknown = BTreeSet::from([ErrorCode::UnknownTopicOrPartition.code()]);
        assert_eq!((list_offsets(&shared, 2), fetch(&shared, 2)), (unknown.clone(), unknown), "at {step}");
    });
    assert!(steps >= 3, "{steps} steps");
    assert_eq!(held.shared().metadata.image().topic("t").unwrap().count(), 3);
}

#[test]
fn a_topic_that_is_deleted_is_gone_before_its_logs_are() {
    let held = Held::start();
    held.ask(&creation([new_topic("t", 3)]), 7);
    assert!(is_there_or_not(&told(&held.shared(), 0), "the start"));
    let delete = |shared: &Arc<Shared>| {
        let request = DeleteTopicsRequest { topic_names: vec!["t".into()], ..Default::default() };
        assert_eq!(ask(shared, &request, 5).responses[0].error_code, 0);
    };
    let steps = step_by_step(&held, "/t-", delete, |step| {
        assert!(!is_there_or_not(&told(&held.shared(), 0), step), "{step}");
    });
    assert!(steps >= 3, "{steps} steps");
}

/// Clients that found the topic before it was deleted are told that it is unknown, whatever its
/// files are called by then.
#[test]
fn a_request_that_a_deletion_overtakes_is_told_so() {
    let held = Held::start();
    held.ask(&creation([new_topic("t", 1)]), 7);
    let shared = held.shared();
    let before = Arc::clone(shared.metadata.image().shared_topic("t").unwrap());
    held.ask(&DeleteTopicsRequest { topic_names: vec!["t".into()], ..Default::default() }, 5);
    held.ask(&creation([new_topic("t", 1)]), 7);
    let unknown = ErrorCode::UnknownTopicOrPartition;
    assert_eq!(shared.metadata.unless_gone(&before, ErrorCode::KafkaStorageError), unknown);
    assert!(shared.metadata.log(&before, 0).is_err());
    assert!(shared.metadata.is_online(&before, 0), "as it was when it was found");
}

/// A client's command is carried out while the disk is still at work for another's.
#[test]
fn a_large_command_does_not_hold_up_others() {
    let held = Held::start();
    let directory = held.folder.path().to_string_lossy().into_owned();
    let (reached, at_step) = channel();
    let (go_on, may_go_on) = channel::<()>();
    let channels = Mutex::new((reached, may_go_on));
    held.disk.set(move |operation, path: &Path| {
        if operation == "sync_dir" && path.to_string_lossy() == directory && is_of_the_command() {
            let channels = channels.lock().unwrap();
            let _ = channels.0.send(());
            let _ = channels.1.recv();
        }
        Ok(())
    });
    let shared = held.shared();
    let large = spawn(move || ask(&shared, &creation([new_topic("large", 500)]), 7));
    at_step.recv().unwrap();
    let small = held.ask(&creation([new_topic("small", 1)]), 7);
    assert_eq!(small.topics[0].error_code, 0);
    let twice = held.ask(&DeleteTopicsRequest { topic_names: vec!["small".into()], ..Default::default() }, 5);
    assert_eq!(twice.responses[0].error_code, 0);
    assert!(held.shared().metadata.image().topic("large").is_none());
    drop(go_on);
    assert_eq!(large.join().unwrap().topics[0].error_code, 0);
    assert_eq!(held.shared().metadata.image().topic("large").map(super::super::Topic::count), Some(500));
}
