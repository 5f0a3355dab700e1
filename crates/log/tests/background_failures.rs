//! What fails in the background is told to the directory's observer, and so is what retention
//! deletes.

mod support;

use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use klamm_log::{
    CleanupPolicy, DirConfig, Durability, LogConfig, LogDir, LogEvent, NewRecord, Observer, Timestamp,
};
use klamm_sim::HookDisk;
use support::append;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Writes down what it is told.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl Heard {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Observer for Heard {
    fn on_event(&self, event: &LogEvent<'_>) {
        let of = |log: &Option<&klamm_log::TopicPartition>| log.map_or("-".into(), ToString::to_string);
        self.0.lock().unwrap().push(match event {
            LogEvent::Failed { task, log, .. } => format!("{task} of {} failed", of(log)),
            LogEvent::Recovered { task, log } => format!("{task} of {} recovered", of(log)),
            LogEvent::SegmentDeleted { log, base_offset, next_offset, bytes } => {
                format!(
                    "{log} lost {base_offset} to {next_offset}: {}",
                    if *bytes > 0 { "some" } else { "none" }
                )
            }
            other => format!("{other:?}"),
        });
    }
}

fn open(path: &Path, log: LogConfig) -> (LogDir, HookDisk, Arc<Heard>) {
    let (disk, heard) = (HookDisk::default(), Arc::new(Heard::default()));
    let config = DirConfig {
        log,
        disk: Arc::new(disk.clone()),
        observer: heard.clone(),
        retention_interval: Duration::ZERO,
        checkpoint_interval: Duration::ZERO,
        ..DirConfig::default()
    };
    (LogDir::open_with(path, config).unwrap(), disk, heard)
}

/// Fails each of these operations on a name that ends so.
fn fail(disk: &HookDisk, operation: &'static str, end: &'static str) {
    disk.set(move |done, path| match done == operation && path.to_string_lossy().ends_with(end) {
        true => Err(io::Error::from_raw_os_error(5)),
        false => Ok(()),
    });
}

#[test]
fn checkpoints_that_cannot_be_written() {
    let tmp = tempfile::tempdir().unwrap();
    let (dir, disk, heard) = open(tmp.path(), LogConfig::default());
    append(&dir.log("t", 0).unwrap(), "value");
    fail(&disk, "open", "checkpoint.tmp");
    for _ in 0..2 {
        dir.maintain(NOW).unwrap_err();
        assert_eq!(heard.take(), ["checkpoints of - failed"]);
    }
    disk.clear();
    for want in [&["checkpoints of - recovered"][..], &[]] {
        assert!(dir.maintain(NOW).unwrap().checkpointed);
        assert_eq!(heard.take(), want);
    }
}

#[test]
fn retention_that_cannot_rename_and_what_it_deletes() {
    let tmp = tempfile::tempdir().unwrap();
    let (dir, disk, heard) = open(tmp.path(), LogConfig { retention_bytes: Some(0), ..LogConfig::default() });
    let log = dir.log("t", 0).unwrap();
    append(&log, "value");
    append(&log, "value");
    fail(&disk, "rename", ".log");
    dir.maintain(NOW).unwrap_err();
    assert_eq!(heard.take(), ["retention of t-0 failed"]);
    disk.clear();
    dir.maintain(NOW).unwrap();
    assert_eq!(heard.take(), ["t-0 lost 0 to 2: some", "retention of t-0 recovered"]);
}

#[test]
fn syncs_that_fail_and_the_removal_of_their_log() {
    let tmp = tempfile::tempdir().unwrap();
    let (dir, disk, heard) =
        open(tmp.path(), LogConfig { flush_time: Some(Duration::ZERO), ..LogConfig::default() });
    let log = dir.log("t", 0).unwrap();
    append(&log, "value");
    fail(&disk, "sync", ".log");
    dir.maintain(NOW).unwrap_err();
    assert_eq!(heard.take(), ["sync of t-0 failed"]);
    disk.clear();
    dir.remove(log.partition()).unwrap();
    assert_eq!(heard.take(), ["sync of t-0 recovered"]);
    dir.maintain(NOW).unwrap();
    assert_eq!(heard.take(), [""; 0]);
}

#[test]
fn files_of_deleted_logs_that_cannot_be_removed() {
    let tmp = tempfile::tempdir().unwrap();
    let config =
        LogConfig { retention_bytes: Some(0), file_delete_delay: Duration::ZERO, ..LogConfig::default() };
    let (dir, disk, heard) = open(tmp.path(), config);
    append(&dir.log("t", 0).unwrap(), "value");
    dir.maintain(NOW).unwrap();
    heard.take();
    fail(&disk, "remove", ".deleted");
    dir.maintain(NOW).unwrap_err();
    assert_eq!(heard.take(), ["retention of t-0 failed"]);
    disk.clear();
    dir.maintain(NOW).unwrap();
    assert_eq!(heard.take(), ["retention of t-0 recovered"]);
    let left = std::fs::read_dir(tmp.path().join("t-0")).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let deleted = names.filter(|name| name.ends_with(".deleted") && name.starts_with('0'));
    assert_eq!(deleted.count(), 0, "what could not be removed at first is removed later");
}

#[test]
fn a_damaged_log_that_cannot_be_cleaned() {
    let tmp = tempfile::tempdir().unwrap();
    let config = LogConfig {
        cleanup_policy: CleanupPolicy::Compact,
        min_cleanable_dirty_ratio: 0.0,
        ..LogConfig::default()
    };
    let (dir, _, heard) = open(tmp.path(), config);
    let log = dir.log("t", 0).unwrap();
    for n in 0..10 {
        log.append(&NewRecord::new(&format!("{n}")).key("k"), Durability::Written).unwrap();
    }
    log.roll().unwrap();
    let file = log.path().join("00000000000000000000.log");
    let file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    file.write_all_at(b"?", 65).unwrap();
    dir.clean(NOW).unwrap_err();
    assert_eq!(heard.take(), ["cleaning of t-0 failed"]);
    dir.clean(NOW).unwrap();
    assert_eq!(heard.take(), [""; 0], "it is not tried again");
}
