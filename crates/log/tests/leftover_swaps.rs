//! A `.swap` file that no finished cleaning has written destroys no segment.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use klamm_log::{CleanupPolicy, DirConfig, LogConfig, LogDir, OpenError};
use support::{append, open, values};

fn log_file(root: &Path) -> PathBuf {
    root.join("t-0/00000000000000000000.log")
}

fn swap_file(root: &Path) -> PathBuf {
    root.join("t-0/00000000000000000000.log.swap")
}

/// Ten records in a closed directory.
fn closed() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let dir = open(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for n in 0..10 {
        append(&log, &format!("value {n}"));
    }
    dir.close().unwrap();
    root
}

#[test]
fn a_damaged_one_is_named_and_nothing_is_removed() {
    for damaged in [b"four".to_vec(), vec![0; 100]] {
        for compacts in [false, true] {
            let root = closed();
            let original = fs::read(log_file(root.path())).unwrap();
            let deleted = root.path().join("t-0/00000000000000000005.log.deleted");
            fs::write(&deleted, &original).unwrap();
            fs::write(swap_file(root.path()), &damaged).unwrap();
            let policy = if compacts { CleanupPolicy::Compact } else { CleanupPolicy::Delete };
            let log = LogConfig { cleanup_policy: policy, ..LogConfig::default() };
            let dir = LogDir::open_with(root.path(), DirConfig { log, ..DirConfig::default() }).unwrap();
            let error: OpenError = dir.log("t", 0).unwrap_err();
            assert!(error.to_string().contains("00000000000000000000.log.swap"), "{error}");
            assert_eq!(fs::read(log_file(root.path())).unwrap(), original);
            assert!(deleted.exists());
            drop(dir);
            fs::remove_file(swap_file(root.path())).unwrap();
            assert_eq!(values(&open(root.path(), LogConfig::default()).log("t", 0).unwrap()).len(), 10);
        }
    }
}

#[test]
fn an_empty_one_replaces_nothing_in_a_log_that_is_not_compacted() {
    let root = closed();
    fs::write(swap_file(root.path()), b"").unwrap();
    let dir = open(root.path(), LogConfig::default());
    assert_eq!(values(&dir.log("t", 0).unwrap()).len(), 10);
    assert!(!swap_file(root.path()).exists());
}
