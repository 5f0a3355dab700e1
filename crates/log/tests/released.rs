//! A log that is released, in a directory that had been closed cleanly: what was written to it
//! before is not durable.

mod support;

use std::path::Path;
use std::sync::Arc;

use klamm_log::disk::Disk;
use klamm_log::{DirConfig, LogConfig, LogDir, TopicPartition};
use klamm_sim::SimDisk;
use support::{append, values};

fn name() -> TopicPartition {
    "t-0".parse().unwrap()
}

fn open(disk: &SimDisk) -> LogDir {
    let config = DirConfig { disk: Arc::new(disk.clone()), ..DirConfig::default() };
    LogDir::open_with("/data", config).unwrap()
}

/// A directory that was closed cleanly, is open again, and has a log that was written to and
/// released.
fn released(disk: &SimDisk) -> LogDir {
    let dir = open(disk);
    append(&dir.log("t", 0).unwrap(), "a");
    dir.close().unwrap();
    let dir = open(disk);
    append(&dir.log("t", 0).unwrap(), "b");
    dir.release(&name());
    dir
}

#[test]
fn a_clean_stop_syncs_a_log_that_was_released_and_opened_again() {
    let disk = SimDisk::default();
    let dir = released(&disk);
    dir.create(&name(), LogConfig::default(), None).unwrap();
    dir.close().unwrap();
    for found in disk.crash(7) {
        let dir = open(&found.disk);
        assert_eq!(values(&dir.log("t", 0).unwrap()), ["a", "b"], "{}", found.how);
    }
}

#[test]
fn a_sync_of_a_log_that_was_released_and_opened_again_makes_it_durable() {
    let disk = SimDisk::default();
    let dir = released(&disk);
    dir.create(&name(), LogConfig::default(), None).unwrap().sync().unwrap();
    for found in disk.crash(7) {
        let dir = open(&found.disk);
        assert_eq!(values(&dir.log("t", 0).unwrap()), ["a", "b"], "{}", found.how);
    }
}

#[test]
fn no_marker_stands_over_a_log_that_was_written_to_and_is_still_released() {
    let disk = SimDisk::default();
    let dir = released(&disk);
    dir.close().unwrap();
    assert!(disk.stat(Path::new("/data/.kafka_cleanshutdown")).is_err());
    for found in disk.crash(7) {
        let dir = open(&found.disk);
        assert_eq!(dir.offline().len(), 0, "{}", found.how);
        assert_eq!(values(&dir.log("t", 0).unwrap())[0], "a", "{}", found.how);
    }
}
