//! Commands beside each other, and on a disk that fails: what one answers must hold whatever
//! becomes of the others.

use std::io;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use klamm_protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use klamm_protocol::messages::incremental_alter_configs_request::IncrementalAlterConfigsRequest;
use klamm_types::TopicId;

use super::super::commit::Touches;
use super::super::record::MetadataRecord;
use super::*;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// Gives a topic, or with `BROKER` this broker, a retention time in milliseconds.
fn retention(kind: i8, name: &str, millis: u64) -> IncrementalAlterConfigsRequest {
    let key = if kind == TOPIC { "retention.ms" } else { "log.retention.ms" };
    let value = configs::AlterableConfig {
        name: key.into(),
        config_operation: 0,
        value: Some(millis.to_string().into()),
    };
    let resource = configs::AlterConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configs: vec![value],
    };
    IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false }
}

fn altered(shared: &Arc<Shared>, request: &IncrementalAlterConfigsRequest) -> i16 {
    ask(shared, request, 1).responses[0].error_code
}

fn deletion(name: &str) -> DeleteTopicsRequest {
    let topics = vec![DeleteTopicState { name: Some(name.into()), ..Default::default() }];
    DeleteTopicsRequest { topics, ..Default::default() }
}

fn created(held: &Held, name: &str) -> i16 {
    held.ask(&creation([new_topic(name, 1)]), 7).topics[0].error_code
}

fn failing(held: &Held, fails: impl Fn(&str, &Path) -> bool + Send + Sync + 'static) {
    held.disk.set(move |operation, path| match fails(operation, path) {
        true => Err(io::Error::other("the disk fails")),
        false => Ok(()),
    });
}

/// The first command's change is in the log and will never be durable: that it is there already is
/// no reason to answer the second.
#[test]
fn a_change_that_another_command_could_not_make_durable_is_refused_again() {
    let held = Held::start();
    assert_eq!(created(&held, "t"), 0);
    failing(&held, |operation, path| {
        operation == "sync" && path.to_string_lossy().contains("__cluster_metadata")
    });
    let request = retention(TOPIC, "t", 1000);
    let shared = held.shared();
    assert_eq!(altered(&shared, &request), ErrorCode::KafkaStorageError.code());
    held.disk.clear();
    assert_eq!(altered(&shared, &request), ErrorCode::KafkaStorageError.code());
}

/// What a command finds there may come of another one that is not durable.
#[test]
fn a_topic_that_could_not_be_made_durable_is_no_topic_that_exists() {
    let held = Held::start();
    failing(&held, |operation, path| {
        operation == "sync" && path.to_string_lossy().contains("__cluster_metadata")
    });
    let refused = ErrorCode::KafkaStorageError.code();
    assert_eq!((created(&held, "t"), created(&held, "t")), (refused, refused));
    assert_eq!(held.ask(&deletion("t"), 6).responses[0].error_code, refused);
}

/// The retention time of the log of `t`.
fn retained(shared: &Shared) -> Option<Duration> {
    let image = shared.metadata.image();
    let log = shared.metadata.log(image.topic("t").unwrap(), 0).unwrap();
    log.config().retention_time
}

/// What the metadata log says of the retention time of `t`.
fn said(shared: &Shared) -> Option<Duration> {
    let image = shared.metadata.image();
    let broker = image.broker_configs("1").get("log.retention.ms").cloned();
    let own = image.topic("t").unwrap().configs.get("retention.ms").cloned();
    own.or(broker).map(|millis| Duration::from_millis(millis.parse().unwrap()))
}

#[test]
fn of_changes_that_come_together_the_last_is_what_logs_do() {
    let held = Held::start();
    assert_eq!(created(&held, "t"), 0);
    for kind in [BROKER, TOPIC] {
        let name = if kind == TOPIC { "t" } else { "1" };
        for round in 0..200 {
            let together = Barrier::new(2);
            std::thread::scope(|scope| {
                for of in [1, 2] {
                    let (shared, together) = (held.shared(), &together);
                    scope.spawn(move || {
                        together.wait();
                        let request = retention(kind, name, 1_000_000 + 10 * round + of);
                        assert_eq!(altered(&shared, &request), 0);
                    });
                }
            });
            let shared = held.shared();
            assert_eq!(retained(&shared), said(&shared), "round {round}");
        }
    }
}

/// The files of a deleted topic that cannot be removed must not become those of the next topic of
/// its name.
#[test]
fn a_topic_does_not_take_over_the_log_of_a_deleted_one_that_the_disk_keeps() {
    let mut held = Held::start();
    assert_eq!(created(&held, "t"), 0);
    // The checkpoints have lines of the log.
    held.restart();
    failing(&held, |operation, path| {
        operation == "open" && path.to_string_lossy().ends_with("checkpoint.tmp")
    });
    assert_eq!(held.ask(&deletion("t"), 6).responses[0].error_code, 0);
    assert_ne!(created(&held, "t"), 0);
    held.disk.clear();
    assert_eq!(created(&held, "t"), 0);
    let shared = held.shared();
    let image = shared.metadata.image();
    let log = shared.metadata.log(image.topic("t").unwrap(), 0).unwrap();
    assert_eq!(log.failure(), None);
    assert!(log.append(&klamm_log::NewRecord::new("x"), klamm_log::Durability::Written).is_ok());
}

/// A command that takes its topics back has two changes: the topics are its own until the end.
#[test]
fn the_end_of_an_inner_change_does_not_free_the_topics_of_the_outer() {
    let held = Held::start();
    let metadata = &held.shared().metadata;
    let id = TopicId::new([7; 16]).unwrap();
    let busy = || metadata.decided.lock().is_busy("t");
    let topic = MetadataRecord::Topic { name: "t".parse().unwrap(), id };
    let ((), outer) = metadata.submit(&Touches::topics(["t"]), |plan| plan.add([topic]));
    let removal = MetadataRecord::RemoveTopic { id };
    let ((), inner) = metadata.submit(&Touches::nothing(), |plan| plan.add([removal]));
    let mut inner = inner.unwrap();
    inner.leave_busy();
    drop(inner);
    assert!(busy());
    drop(outer.unwrap());
    assert!(!busy());
}
