//! Maintenance goes on when the wall clock is set back: it is scheduled by time that passes.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use klamm_log::{Clock, DirConfig, LogConfig, LogDir};
use klamm_sim::HeldClock;
use support::append;

const DAY: i64 = 86_400_000;
const NOW: i64 = 1_700_000_000_000;

/// A directory whose clock is set back by a day after a first round of maintenance.
fn set_back(path: &Path, log: LogConfig) -> (LogDir, Arc<HeldClock>) {
    let clock = HeldClock::at(NOW);
    let config = DirConfig {
        log,
        clock: clock.clone(),
        retention_interval: Duration::from_secs(300),
        checkpoint_interval: Duration::from_secs(60),
        ..DirConfig::default()
    };
    let dir = LogDir::open_with(path, config).unwrap();
    append(&dir.log("t", 0).unwrap(), "before");
    dir.maintain(clock.now()).unwrap();
    clock.set_wall(NOW - DAY);
    (dir, clock)
}

#[test]
fn checkpoints_are_written() {
    let tmp = tempfile::tempdir().unwrap();
    let (dir, clock) = set_back(tmp.path(), LogConfig::default());
    let checkpointed = |pass| {
        clock.pass(Duration::from_secs(pass));
        dir.maintain(clock.now()).unwrap().checkpointed
    };
    assert_eq!(
        (checkpointed(59), checkpointed(1), checkpointed(59), checkpointed(1)),
        (false, true, false, true)
    );
}

#[test]
fn flush_ms_syncs() {
    let tmp = tempfile::tempdir().unwrap();
    let config = LogConfig { flush_time: Some(Duration::from_secs(5)), ..LogConfig::default() };
    let (dir, clock) = set_back(tmp.path(), config);
    let log = dir.log("t", 0).unwrap();
    append(&log, "after");
    clock.pass(Duration::from_secs(5));
    assert_eq!(dir.maintain(clock.now()).unwrap().synced_logs, 1);
    assert_eq!(log.recovery_point(), log.bounds().end());
}

#[test]
fn retention_is_enforced_and_retired_files_are_deleted() {
    let tmp = tempfile::tempdir().unwrap();
    let config = LogConfig { retention_bytes: Some(0), ..LogConfig::default() };
    let (dir, clock) = set_back(tmp.path(), config);
    let log = dir.log("t", 0).unwrap();
    append(&log, "after");
    let retired = |pass| {
        clock.pass(Duration::from_secs(pass));
        dir.maintain(clock.now()).unwrap().retired_segments
    };
    assert_eq!((retired(299), retired(1)), (0, 1));
    let deleted = || {
        let names = std::fs::read_dir(log.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().ends_with(".log.deleted")).count()
    };
    assert!(deleted() > 0);
    clock.set_wall(NOW - 2 * DAY);
    retired(300);
    assert_eq!(deleted(), 0);
}

#[test]
fn a_removed_log_is_deleted() {
    let tmp = tempfile::tempdir().unwrap();
    let (dir, clock) = set_back(tmp.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    dir.remove(log.partition()).unwrap();
    clock.set_wall(NOW - 2 * DAY);
    clock.pass(Duration::from_secs(60));
    dir.maintain(clock.now()).unwrap();
    let left: Vec<_> = std::fs::read_dir(tmp.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with("-delete")), "{left:?}");
}

#[test]
fn a_clock_set_forward_makes_nothing_due() {
    let tmp = tempfile::tempdir().unwrap();
    let (dir, clock) = set_back(tmp.path(), LogConfig::default());
    clock.set_wall(NOW + 30 * DAY);
    let done = dir.maintain(clock.now()).unwrap();
    assert_eq!((done.checkpointed, done.retired_segments), (false, 0));
}
