//! The start of a log, moved by `DeleteRecords`: kept through a kill, written once for many logs,
//! never believed against the batches.

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use klamm_log::{Log, LogConfig, LogDir, Offset, Timestamp};
use support::open_hook;
use support::{append, copy_as_killed, open, values};

const STARTS: &str = "log-start-offset-checkpoint";

fn filled(dir: &LogDir, partition: u32) -> Log {
    let log = dir.log("t", partition).unwrap();
    for n in 0..10 {
        append(&log, &n.to_string());
    }
    log
}

#[test]
fn a_kill_does_not_undo_the_deletion_of_records() {
    let root = tempfile::tempdir().unwrap();
    let (path, killed) = (root.path().join("a"), root.path().join("b"));
    let dir = open(&path, LogConfig::default());
    let log = filled(&dir, 0);
    log.advance_start(Offset::from(4)).unwrap();
    assert!(log.recovery_point() >= Offset::from(4), "what lies before the start is durable");
    copy_as_killed(&path, &killed);
    let dir = open(&killed, LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    assert_eq!((log.bounds().start(), values(&log).len()), (Offset::from(4), 6));
    assert_eq!(dir.inconsistencies(), []);
}

#[test]
fn the_starts_of_many_logs_are_written_once() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), LogConfig::default());
    let starts: Vec<_> =
        (0..20).map(|partition| (filled(&dir, partition), Offset::from(partition))).collect();
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    disk.set(move |operation, path| {
        if operation == "rename" && path.to_string_lossy().contains(STARTS) {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    });
    let done = Log::advance_starts(&starts);
    assert_eq!(
        done.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [[true; 11].as_slice(), &[false; 9]].concat()
    );
    assert_eq!(written.load(Ordering::SeqCst), 1);
    let text = fs::read_to_string(root.path().join(STARTS)).unwrap();
    assert_eq!(text.lines().count(), 12, "{text}");
}

/// Ten records, a start of 4 and a clean stop.
fn stopped(path: &Path) {
    let dir = open(path, LogConfig::default());
    filled(&dir, 0).advance_start(Offset::from(4)).unwrap();
    filled(&dir, 1);
    dir.close().unwrap();
}

#[test]
fn a_start_beyond_the_end_is_named_and_removes_nothing() {
    for killed in [false, true] {
        let root = tempfile::tempdir().unwrap();
        stopped(root.path());
        if killed {
            fs::remove_file(root.path().join(".kafka_cleanshutdown")).unwrap();
            // As a kill leaves it that comes before the first checkpoint.
            fs::remove_file(root.path().join("recovery-point-offset-checkpoint")).unwrap();
        }
        fs::write(root.path().join(STARTS), "0\n1\nt 0 44\n").unwrap();
        let dir = open(root.path(), LogConfig::default());
        let log = dir.log("t", 0).unwrap();
        assert_eq!((log.bounds().start(), values(&log).len()), (Offset::ZERO, 10));
        let told = dir.inconsistencies();
        assert!(told.iter().any(|found| found.path.ends_with(STARTS) && found.got == "44"), "{told:?}");
        append(&log, "more");
        assert_eq!(log.bounds().end(), Offset::from(11), "no offset is passed over");
    }
}

#[test]
fn what_can_be_read_of_a_checkpoint_is_used_and_the_rest_is_named() {
    for (text, start, told) in [
        ("0\n2\nt 0 4\n", 4, "the number of lines that follow"),
        ("0\n1\nt 0 x\n", 0, "topic, partition and offset"),
        ("0\n2\nt 0 x\nt 1 0\n", 0, "topic, partition and offset"),
        ("1\n1\nt 0 4\n", 4, "version 0"),
        ("0\n1\nq 0 4\n", 0, "a partition that has a directory"),
        ("0\n2\nt 0 4\nt 0 6\n", 4, "one line for each partition"),
    ] {
        let root = tempfile::tempdir().unwrap();
        stopped(root.path());
        fs::write(root.path().join(STARTS), text).unwrap();
        let dir = open(root.path(), LogConfig::default());
        assert_eq!(dir.log("t", 0).unwrap().bounds().start().get(), start, "{text:?}");
        assert_eq!(values(&dir.log("t", 1).unwrap()).len(), 10);
        let found = dir.inconsistencies();
        assert!(found.iter().any(|f| f.expected == told && f.path.ends_with(STARTS)), "{text:?}: {found:?}");
    }
}

#[test]
fn a_recovery_point_before_the_end_of_a_log_that_was_closed_is_named() {
    let root = tempfile::tempdir().unwrap();
    stopped(root.path());
    let points = root.path().join("recovery-point-offset-checkpoint");
    fs::write(&points, "0\n2\nt 0 7\nt 1 10\n").unwrap();
    let dir = open(root.path(), LogConfig::default());
    assert_eq!(values(&dir.log("t", 0).unwrap()).len(), 6);
    let told = dir.inconsistencies();
    assert!(told.len() == 1 && told[0].path == points && told[0].got == "7", "{told:?}");
}

#[test]
fn epochs_of_a_log_whose_records_were_all_deleted_are_believed_after_a_kill() {
    for retires in [false, true] {
        let (living, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let dir = open(living.path(), LogConfig::default());
        let log = dir.log("t", 0).unwrap();
        for n in 0..20 {
            append(&log, &n.to_string());
        }
        log.advance_start(log.bounds().end()).unwrap();
        if retires {
            assert_eq!(log.enforce_retention(Timestamp::from_millis(1000)).unwrap(), 1);
        }
        copy_as_killed(living.path(), killed.path());
        let dir = open(killed.path(), LogConfig::default());
        assert_eq!(dir.inconsistencies().iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
        assert_eq!(dir.log("t", 0).unwrap().bounds().start().get(), 20);
    }
}
