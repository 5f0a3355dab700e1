//! A first segment that is missing is named; one that retention, or Kafka, has deleted is not
//! missed.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use klamm_log::{Depth, DirConfig, FindingKind, LogConfig, LogDir, Offset, OnDamage, Timestamp};
use support::{append, copy_as_killed, open, values};

const NOTE: &str = "t-0/first-segment-checkpoint.deleted";
const DEEP: Depth = Depth::Records { limit: 1 << 20 };

/// Thirty records in three segments; `delete` is the start that is set before retention runs.
fn filled(path: &Path, delete: i64) -> LogDir {
    let dir = open(path, LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for n in 0..30 {
        append(&log, &n.to_string());
        if n % 10 == 9 && n < 29 {
            log.roll().unwrap();
        }
    }
    log.sync().unwrap();
    dir.maintain(Timestamp::from_millis(0)).unwrap();
    log.advance_start(Offset::new(delete).unwrap()).unwrap();
    log.enforce_retention(Timestamp::from_millis(0)).unwrap();
    dir
}

/// The directory after a clean stop and after a kill.
fn stopped_and_killed(delete: i64) -> [tempfile::TempDir; 2] {
    let (stopped, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dir = filled(stopped.path(), delete);
    copy_as_killed(stopped.path(), killed.path());
    dir.close().unwrap();
    [stopped, killed]
}

fn segment(root: &Path, base: usize) -> PathBuf {
    root.join(format!("t-0/{base:020}.log"))
}

#[test]
fn a_missing_first_segment_is_named_until_a_repair_accepts_it() {
    for root in stopped_and_killed(0) {
        fs::remove_file(segment(root.path(), 0)).unwrap();
        let dir = open(root.path(), LogConfig::default());
        let told = dir.inconsistencies();
        assert!(told.iter().any(|found| found.path == segment(root.path(), 0)), "{told:?}");
        let log = dir.log("t", 0).unwrap();
        assert_eq!(values(&log).len(), 20);
        let findings = log.verify(DEEP).unwrap();
        let missing = FindingKind::MissingSegment { expected: Offset::ZERO, got: Offset::from(10) };
        assert!(findings.iter().any(|found| found.kind == missing && missing.is_damage()), "{findings:?}");
        drop((dir, log));
        let repair = DirConfig { on_damage: OnDamage::Cut, ..DirConfig::default() };
        LogDir::open_with(root.path(), repair).unwrap().close().unwrap();
        let dir = open(root.path(), LogConfig::default());
        assert_eq!(dir.inconsistencies(), []);
        assert_eq!(dir.log("t", 0).unwrap().verify(DEEP).unwrap(), []);
    }
}

#[test]
fn what_retention_has_deleted_is_not_missed() {
    for root in stopped_and_killed(15) {
        assert!(!segment(root.path(), 0).exists());
        let dir = open(root.path(), LogConfig::default());
        assert_eq!(dir.inconsistencies(), []);
        assert_eq!(values(&dir.log("t", 0).unwrap()).len(), 15);
    }
}

/// Kafka removes files with this suffix when it opens a log.
#[test]
fn without_a_note_nothing_is_missed() {
    for root in stopped_and_killed(0) {
        fs::remove_file(root.path().join(NOTE)).unwrap();
        fs::remove_file(segment(root.path(), 0)).unwrap();
        let dir = open(root.path(), LogConfig::default());
        assert_eq!(dir.inconsistencies(), []);
        let log = dir.log("t", 0).unwrap();
        assert_eq!(values(&log).len(), 20);
        append(&log, "more");
        drop(log);
        dir.close().unwrap();
        assert_eq!(fs::read_to_string(root.path().join(NOTE)).unwrap(), "0\n1\n10\n", "noted again");
    }
}

#[test]
fn a_log_that_begins_anew_has_no_note() {
    let root = tempfile::tempdir().unwrap();
    let dir = filled(root.path(), 15);
    let log = dir.log("t", 0).unwrap();
    assert!(root.path().join(NOTE).exists());
    log.restart_at(Offset::from(5)).unwrap();
    assert!(!root.path().join(NOTE).exists());
}
