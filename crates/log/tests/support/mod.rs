//! What the tests of the log share.
#![allow(dead_code, unreachable_pub, clippy::cast_possible_wrap, clippy::cast_possible_truncation)]

use std::path::Path;
use std::sync::Arc;

use klamm_log::{
    DirConfig, Durability, LeaderEpoch, Log, LogConfig, LogDir, NewRecord, Offset, OwnedRecord, Position,
    Timestamp,
};
use klamm_record::{BatchBuilder, BatchOptions};
use klamm_sim::HookDisk;

/// A directory on a disk with a hook, which is not set yet.
pub fn open_hook(path: &Path, log: LogConfig) -> (HookDisk, LogDir) {
    let disk = HookDisk::default();
    let config = DirConfig { log, disk: Arc::new(disk.clone()), ..DirConfig::default() };
    (disk, LogDir::open_with(path, config).unwrap())
}

pub fn small_segments() -> LogConfig {
    LogConfig { segment_bytes: 3000, index_interval_bytes: 200, ..LogConfig::default() }
}

pub fn open(path: &Path, log: LogConfig) -> LogDir {
    LogDir::open_with(path, DirConfig { log, ..DirConfig::default() }).unwrap()
}

/// What a killed process leaves: all that was written, and no marker of a clean stop.
pub fn copy_as_killed(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_as_killed(&entry.path(), &target);
        } else if entry.file_name() != ".kafka_cleanshutdown" && entry.file_name() != ".lock" {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub fn append(log: &Log, value: &str) -> Offset {
    log.append(&NewRecord::new(value), Durability::Written).unwrap()
}

/// `count` records in one batch, each with the value `prefix-n`, time `time + n`.
pub fn batch(prefix: &str, count: usize, time: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    for n in 0..count {
        let time = Timestamp::from_millis(time + n as i64);
        builder.append(&NewRecord::new(&format!("{prefix}-{n}")).at(time)).unwrap();
    }
    builder.finish().unwrap().buffer
}

pub fn all(log: &Log) -> Vec<OwnedRecord> {
    log.records(Position::Start).unwrap().collect::<Result<_, _>>().unwrap()
}

pub fn values(log: &Log) -> Vec<String> {
    all(log).iter().map(|r| String::from_utf8(r.value.clone().unwrap().to_vec()).unwrap()).collect()
}

pub fn epoch(number: i32) -> LeaderEpoch {
    LeaderEpoch::new(number).unwrap()
}
