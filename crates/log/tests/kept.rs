//! Opening never deletes a valid batch: what it cuts off behind the first that is not valid is kept
//! in `.cut` files, and a compacted log is read completely when no checkpoint says that it was
//! compacted.

mod support;

use std::fs;
use std::path::Path;

use klamm_log::{
    CleanupPolicy, DirConfig, Durability, LogConfig, LogDir, NewRecord, OnDamage, OpenError, Timestamp,
};
use support::{append, open, values};

/// Thirty records in three segments, killed before anything was synced.
fn unsynced(path: &Path) {
    let living = tempfile::tempdir().unwrap();
    let dir = open(living.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for n in 0..30 {
        append(&log, &format!("value {n:02}"));
        if n % 10 == 9 && n < 29 {
            log.roll().unwrap();
        }
    }
    support::copy_as_killed(living.path(), path);
}

fn file(root: &Path, base: usize, suffix: &str) -> std::path::PathBuf {
    root.join("t-0").join(format!("{base:020}.{suffix}"))
}

/// Damages the batch with this number in a segment.
fn damage(path: &Path, number: usize) -> usize {
    let mut bytes = fs::read(path).unwrap();
    let size = |bytes: &[u8], at: usize| {
        12 + u32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize
    };
    let at = (0..number).fold(0, |at, _| at + size(&bytes, at));
    bytes[at + 30] ^= 0xff;
    fs::write(path, bytes).unwrap();
    at
}

#[test]
fn what_is_cut_off_behind_damage_is_kept_and_named() {
    for on_damage in [OnDamage::Refuse, OnDamage::Cut] {
        let root = tempfile::tempdir().unwrap();
        unsynced(root.path());
        let at = damage(&file(root.path(), 10, "log"), 4);
        let before = [10, 20].map(|base| fs::read(file(root.path(), base, "log")).unwrap());
        let dir = LogDir::open_with(root.path(), DirConfig { on_damage, ..DirConfig::default() }).unwrap();
        assert_eq!(values(&dir.log("t", 0).unwrap()).len(), 14);
        let cut = &dir.cuts()[0];
        let kept = [file(root.path(), 10, "cut"), file(root.path(), 20, "cut")];
        assert_eq!(cut.kept, kept, "{cut}");
        assert!(kept.iter().all(|path| cut.to_string().contains(&path.display().to_string())), "{cut}");
        assert_eq!(fs::read(&kept[0]).unwrap(), &before[0][at..]);
        assert_eq!(fs::read(&kept[1]).unwrap(), before[1]);
        append(&dir.log("t", 0).unwrap(), "after");
        dir.close().unwrap();
        assert_eq!(values(&open(root.path(), LogConfig::default()).log("t", 0).unwrap()).len(), 15);
        assert!(kept.iter().all(|path| path.exists()), "they stay");
    }
}

#[test]
fn a_second_cut_does_not_replace_the_first() {
    let root = tempfile::tempdir().unwrap();
    for round in 0..2 {
        for name in [".kafka_cleanshutdown", "recovery-point-offset-checkpoint"] {
            let _there_in_the_second_round = fs::remove_file(root.path().join(name));
        }
        unsynced(root.path());
        damage(&file(root.path(), 20, "log"), 3 + round);
        drop(open(root.path(), LogConfig::default()));
    }
    let first = fs::read(file(root.path(), 20, "cut")).unwrap();
    let second = fs::read(file(root.path(), 20, "1.cut")).unwrap();
    assert!(first.len() > second.len() && !second.is_empty());
}

#[test]
fn a_torn_last_batch_without_a_valid_one_behind_it_leaves_no_file() {
    let root = tempfile::tempdir().unwrap();
    unsynced(root.path());
    let path = file(root.path(), 20, "log");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    let dir = open(root.path(), LogConfig::default());
    assert_eq!(values(&dir.log("t", 0).unwrap()).len(), 29);
    assert_eq!(dir.cuts()[0].kept.len(), 0);
    assert!(!file(root.path(), 20, "cut").exists());
}

#[test]
fn a_log_that_would_keep_more_than_the_setting_allows_does_not_open_and_stays_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    unsynced(root.path());
    damage(&file(root.path(), 20, "log"), 3);
    let before = fs::read(file(root.path(), 20, "log")).unwrap();
    let log = LogConfig { max_cut_bytes: 100, ..LogConfig::default() };
    let opened = LogDir::open_with(root.path(), DirConfig { log: log.clone(), ..DirConfig::default() });
    let error: OpenError = match opened {
        Err(error) => error,
        Ok(dir) => dir.log("t", 0).unwrap_err(),
    };
    assert!(error.to_string().contains("log.cut.max.bytes"), "{error}");
    assert_eq!(fs::read(file(root.path(), 20, "log")).unwrap(), before);
}

#[test]
fn a_compacted_log_without_checkpoints_is_read_completely() {
    for policy in [CleanupPolicy::Compact, CleanupPolicy::Delete] {
        let (root, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let config =
            LogConfig { cleanup_policy: CleanupPolicy::Compact, segment_bytes: 1024, ..LogConfig::default() };
        let dir = open(root.path(), config);
        let log = dir.log("t", 0).unwrap();
        for n in 0..200 {
            let (key, value) = (format!("k{}", n * n % 37), format!("value {n}"));
            let record = NewRecord::new(&value).key(&key).at(Timestamp::from_millis(1000 + n));
            log.append(&record, Durability::Synced).unwrap();
        }
        log.compact(Timestamp::from_millis(1_000_000_000)).unwrap().unwrap();
        let want = values(&log);
        support::copy_as_killed(root.path(), killed.path());
        for name in ["recovery-point-offset-checkpoint", "cleaner-offset-checkpoint"] {
            fs::remove_file(killed.path().join(name)).unwrap();
        }
        let dir = open(killed.path(), LogConfig { cleanup_policy: policy, ..LogConfig::default() });
        assert_eq!(values(&dir.log("t", 0).unwrap()), want, "{policy:?}: {:?}", dir.cuts());
        assert_eq!(dir.cuts(), []);
    }
}
