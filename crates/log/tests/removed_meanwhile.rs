//! A log is removed, or its directory is closed, while another operation on the log is under way.

mod support;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use klamm_log::{
    CleanupPolicy, DirConfig, Durability, Log, LogConfig, LogDir, LogError, LogEvent, NewRecord, Observer,
    Offset, Step, Timestamp, TopicPartition,
};
use klamm_sim::HookDisk;
use support::{append, copy_as_killed, open, open_hook, values};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn name() -> TopicPartition {
    "t-0".parse().unwrap()
}

fn filled(dir: &LogDir, partition: u32, count: u32) -> Log {
    let log = dir.log("t", partition).unwrap();
    for n in 0..count {
        append(&log, &n.to_string());
    }
    log
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "log")
}

/// `DeleteRecords` of two logs: while it syncs the second, the first is removed and created again.
#[test]
fn the_start_of_a_removed_log_is_not_written_back() {
    let root = tempfile::tempdir().unwrap();
    let (path, killed) = (root.path().join("a"), root.path().join("b"));
    let (disk, dir) = open_hook(&path, LogConfig::default());
    let (removed, other) = (filled(&dir, 0, 10), filled(&dir, 1, 10));
    let (again, once) = (dir.clone(), AtomicBool::new(false));
    disk.set(move |operation, path| {
        let is_sync = operation == "sync" && is_log(path) && path.to_string_lossy().contains("t-1");
        if is_sync && !once.swap(true, Ordering::SeqCst) {
            assert!(again.remove(&name()).unwrap());
            filled(&again, 0, 6);
        }
        Ok(())
    });
    let done = Log::advance_starts(&[(removed, Offset::from(4)), (other, Offset::from(4))]);
    disk.clear();
    assert!(matches!(done[..], [Err(LogError::Closed { .. }), Ok(())]), "{done:?}");
    copy_as_killed(&path, &killed);
    let dir = open(&killed, LogConfig::default());
    assert_eq!(values(&dir.log("t", 0).unwrap()).len(), 6);
    assert_eq!(values(&dir.log("t", 1).unwrap()).len(), 6);
}

fn compacted() -> LogConfig {
    LogConfig {
        cleanup_policy: CleanupPolicy::Compact,
        min_cleanable_dirty_ratio: 0.0,
        ..LogConfig::default()
    }
}

/// A log with a segment to clean.
fn dirty(dir: &LogDir) -> Log {
    let log = dir.log("t", 0).unwrap();
    for n in 0..10 {
        log.append(&NewRecord::new(&n.to_string()).key("k"), Durability::Written).unwrap();
    }
    log.roll().unwrap();
    log
}

/// The cleaning begins with a sync. The removal stops before the directory gets its other name,
/// until the cleaning has begun.
#[test]
fn a_cleaning_writes_no_recovery_point_of_a_removed_log() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), compacted());
    drop(dirty(&dir));
    let [syncs, goes_on, has_begun] = [(); 3].map(|()| Arc::new(Barrier::new(2)));
    let (synced, forgotten, begun) = (syncs.clone(), goes_on.clone(), has_begun.clone());
    let once = AtomicBool::new(false);
    disk.set(move |operation, path| {
        if operation == "sync" && is_log(path) && !once.swap(true, Ordering::SeqCst) {
            synced.wait();
            goes_on.wait();
        }
        if operation == "rename" && path.ends_with("t-0") {
            forgotten.wait();
            begun.wait();
        }
        Ok(())
    });
    std::thread::scope(|scope| {
        let cleaning = scope.spawn(|| {
            let begun = dir.start_cleaning(NOW);
            has_begun.wait();
            begun.map(|cleaning| cleaning.is_some())
        });
        syncs.wait();
        assert!(dir.remove(&name()).unwrap());
        let begun = cleaning.join().unwrap();
        assert!(matches!(begun, Err(LogError::Closed { .. })), "{begun:?}");
    });
    disk.clear();
    assert_eq!(dir.log("t", 0).unwrap().bounds().end(), Offset::ZERO);
}

/// Writes down which tasks failed and recovered.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn on_event(&self, event: &LogEvent<'_>) {
        match event {
            LogEvent::Failed { task, .. } => self.0.lock().unwrap().push(format!("{task} failed")),
            LogEvent::Recovered { task, .. } => self.0.lock().unwrap().push(format!("{task} recovered")),
            _ => {}
        }
    }
}

#[test]
fn a_cleaning_that_fails_because_its_log_is_removed_is_no_failure() {
    let root = tempfile::tempdir().unwrap();
    let (disk, heard) = (HookDisk::default(), Arc::new(Heard::default()));
    let config = DirConfig {
        log: compacted(),
        disk: Arc::new(disk.clone()),
        observer: heard.clone(),
        ..DirConfig::default()
    };
    let dir = LogDir::open_with(root.path(), config).unwrap();
    drop(dirty(&dir));
    let mut cleaning = dir.start_cleaning(NOW).unwrap().unwrap();
    let (remover, once) = (dir.clone(), AtomicBool::new(false));
    disk.set(move |operation, path| {
        if operation == "read" && is_log(path) && !once.swap(true, Ordering::SeqCst) {
            assert!(remover.remove(&name()).unwrap());
            return Err(io::Error::from_raw_os_error(5));
        }
        Ok(())
    });
    let failed = loop {
        match cleaning.step() {
            Ok(Step::More(_)) => {}
            done => break done,
        }
    };
    disk.clear();
    assert!(failed.is_err(), "{failed:?}");
    assert_eq!(*heard.0.lock().unwrap(), [""; 0]);
}

#[test]
fn a_directory_that_is_closed_removes_nothing_of_the_next_who_opens_it() {
    let root = tempfile::tempdir().unwrap();
    let closed = open(root.path(), LogConfig::default());
    filled(&closed, 0, 10);
    closed.close().unwrap();
    let dir = open(root.path(), LogConfig::default());
    let log = filled(&dir, 0, 10);
    let removed = closed.remove(&name());
    assert!(matches!(removed, Err(LogError::Closed { .. })), "{removed:?}");
    assert!(root.path().join("t-0").is_dir());
    log.append(&NewRecord::new("more"), Durability::Synced).unwrap();
    dir.close().unwrap();
    let log = open(root.path(), LogConfig::default()).log("t", 0).unwrap();
    assert_eq!(values(&log).len(), 21);
}
