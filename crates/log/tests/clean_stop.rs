//! What a clean stop costs: logs that were not written to need no sync.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use klamm_log::{DirConfig, Log, LogDir, LogError, Offset};
use klamm_sim::HookDisk;
use support::{append, copy_as_killed, values};

type Change = fn(&Log) -> Result<(), LogError>;

const LOGS: u32 = 3_003;
/// Checkpoints and the marker, each a file and its directory, and one log.
const SYNCS: usize = 20;

/// Opens a directory on a disk that counts syncs.
fn open_counting(path: &Path) -> (LogDir, Arc<AtomicUsize>) {
    let (disk, syncs) = (HookDisk::default(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&syncs);
    disk.set(move |operation, _| {
        if matches!(operation, "sync" | "sync_dir") {
            count.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    });
    let dir = LogDir::open_with(path, DirConfig { disk: Arc::new(disk), ..DirConfig::default() }).unwrap();
    (dir, syncs)
}

/// Logs without records, as a clean stop leaves them.
fn write_empty_logs(path: &Path, count: u32) {
    for n in 0..count {
        let log = path.join(format!("t-{n}"));
        std::fs::create_dir(&log).unwrap();
        for kind in ["log", "index", "timeindex"] {
            std::fs::write(log.join(format!("00000000000000000000.{kind}")), []).unwrap();
        }
    }
    std::fs::write(path.join(".kafka_cleanshutdown"), "{\"version\":0,\"brokerEpoch\":-1}").unwrap();
}

#[test]
fn unmodified_logs_are_not_synced() {
    let tmp = tempfile::tempdir().unwrap();
    write_empty_logs(tmp.path(), LOGS);
    let (dir, syncs) = open_counting(tmp.path());
    append(&dir.log("t", 17).unwrap(), "one");
    let before = syncs.load(Ordering::SeqCst);
    dir.close().unwrap();
    let closing = syncs.load(Ordering::SeqCst) - before;
    assert!(closing <= SYNCS, "{closing} syncs");
    let (dir, _) = open_counting(tmp.path());
    assert_eq!(values(&dir.log("t", 17).unwrap()), ["one"]);
}

#[test]
fn a_log_is_synced_that_was_modified_by_anything_but_an_append() {
    let changes: [Change; 2] = [|log| log.truncate_to(Offset::from(1)).map(drop), Log::roll];
    for change in changes {
        let tmp = tempfile::tempdir().unwrap();
        let (dir, _) = open_counting(tmp.path());
        for n in 0..3 {
            append(&dir.log("t", 0).unwrap(), &format!("{n}"));
        }
        dir.close().unwrap();
        let (dir, syncs) = open_counting(tmp.path());
        let log = dir.log("t", 0).unwrap();
        change(&log).unwrap();
        let before = syncs.load(Ordering::SeqCst);
        dir.close().unwrap();
        assert!(syncs.load(Ordering::SeqCst) - before > 8, "the log was not synced");
    }
}

#[test]
fn a_log_that_was_recovered_is_synced() {
    let tmp = tempfile::tempdir().unwrap();
    let (live, killed) = (tmp.path().join("live"), tmp.path().join("killed"));
    let dir = LogDir::open(&live).unwrap();
    append(&dir.log("t", 0).unwrap(), "in the page cache");
    copy_as_killed(&live, &killed);
    let (dir, syncs) = open_counting(&killed);
    let before = syncs.load(Ordering::SeqCst);
    dir.close().unwrap();
    assert!(syncs.load(Ordering::SeqCst) - before > 8, "the log was not synced");
}
