//! What a review found in compaction, in the bound of open files and in group commit, a test each.

#![allow(clippy::cast_possible_wrap)]

mod support;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use klamm_log::{
    CleanupPolicy, Depth, DirConfig, Durability, LeaderEpoch, Log, LogConfig, LogDir, NewRecord, Offset,
    Position, Timestamp,
};
use klamm_record::{BatchBuilder, BatchOptions, BatchProducer, EndTransaction, Outcome};
use klamm_sim::{HeldClock, HookDisk};
use klamm_types::{ProducerEpoch, ProducerId};
use support::{append, copy_as_killed};

const NOW: i64 = 1_000_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn compacted() -> LogConfig {
    LogConfig {
        cleanup_policy: CleanupPolicy::Compact,
        segment_bytes: 2048,
        index_interval_bytes: 200,
        delete_retention: Duration::from_secs(10),
        file_delete_delay: Duration::ZERO,
        ..LogConfig::default()
    }
}

fn open(path: &Path, disk: &HookDisk, log: LogConfig, max_open_files: usize) -> LogDir {
    let disk = Arc::new(disk.clone());
    let config = DirConfig { log, disk, max_open_files, clock: HeldClock::at(NOW), ..DirConfig::default() };
    LogDir::open_with(path, config).unwrap()
}

fn put(log: &Log, key: &str, value: &str) {
    log.append(&NewRecord::new(value).key(key).at(at(NOW)), Durability::Written).unwrap();
}

fn many(log: &Log, count: usize, keys: usize) {
    (0..count).for_each(|n| put(log, &format!("{}", n % keys), &"x".repeat(1500)));
}

fn keys(log: &Log) -> BTreeSet<String> {
    let key = |record: &klamm_log::OwnedRecord| {
        String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned()
    };
    support::all(log).iter().map(key).collect()
}

fn offset(number: i64) -> Offset {
    Offset::new(number).unwrap()
}

fn is_of(path: &Path, log: &str) -> bool {
    path.to_string_lossy().contains(log) && path.extension().is_some_and(|kind| kind == "log")
}

/// The part after it would else be taken for clean, and a tombstone in it go before what it
/// deletes.
#[test]
fn what_retention_took_out_of_a_cleaning_is_not_noted_as_clean() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = open(tmp.path(), &HookDisk::default(), compacted(), 512);
    let log = dir.log("t", 0).unwrap();
    put(&log, "a", &"x".repeat(700));
    log.roll().unwrap();
    put(&log, "k", "deleted below");
    put(&log, "b", &"x".repeat(700));
    log.roll().unwrap();
    log.append(&NewRecord::tombstone("k").at(at(NOW)), Durability::Written).unwrap();
    put(&log, "c", &"x".repeat(1500));
    log.roll().unwrap();
    let mut cleaning = dir.start_cleaning(at(NOW)).unwrap().unwrap();
    cleaning.step().unwrap();
    log.advance_start(offset(1)).unwrap();
    assert_eq!(log.enforce_retention(at(NOW)).unwrap(), 1);
    cleaning.run().unwrap();
    for later in [0, 60_000] {
        log.compact(at(NOW + later)).unwrap();
    }
    assert!(!keys(&log).contains("k"), "it was deleted, and is back");
}

fn append_batch(log: &Log, options: BatchOptions, key: &[u8], value: &[u8]) {
    let mut builder = BatchBuilder::new(Vec::new(), options);
    builder.append(&NewRecord::new(value).key(key).at(at(NOW))).unwrap();
    let mut batch = builder.finish().unwrap().buffer;
    match options.control {
        true => log.append_as_follower(&batch, Durability::Written),
        false => log.append_batches(&mut batch, LeaderEpoch::ZERO, Depth::Header, Durability::Written),
    }
    .unwrap();
}

fn transactional(sequence: Option<u32>) -> BatchOptions {
    let producer = BatchProducer { id: ProducerId::new(7).unwrap(), epoch: ProducerEpoch::new(0).unwrap() };
    BatchOptions {
        producer: Some(producer),
        base_sequence: sequence,
        transactional: true,
        ..BatchOptions::default()
    }
}

fn mark(log: &Log, outcome: Outcome) {
    let marker = EndTransaction { outcome, coordinator_epoch: 0 };
    let options = BatchOptions {
        control: true,
        base_offset: log.bounds().end(),
        leader_epoch: Some(LeaderEpoch::ZERO),
        ..transactional(None)
    };
    append_batch(log, options, &marker.key(), &marker.value());
}

/// A segment that is clean in part and cannot be cleaned now was written anew, and lost its end
/// before its recovery point knew.
#[test]
fn a_segment_behind_what_can_be_cleaned_stays_as_it_is() {
    let tmp = tempfile::tempdir().unwrap();
    let disk = HookDisk::default();
    let (living, dead) = (tmp.path().join("living"), tmp.path().join("dead"));
    let dir = open(&living, &disk, compacted(), 512);
    let log = dir.log("t", 0).unwrap();
    put(&log, "a", "1");
    put(&log, "b", "1");
    log.compact(at(NOW)).unwrap().unwrap();
    let end = log.bounds().end();
    put(&log, "tail", "goes");
    assert_eq!(log.truncate_to(end).unwrap(), end, "the clean segment is active again");
    log.set_committed(Some(end));
    put(&log, "c", "1");
    append_batch(&log, transactional(Some(0)), b"d", b"aborted");
    log.roll().unwrap();
    mark(&log, Outcome::Abort);
    append_batch(&log, transactional(Some(1)), b"e", b"1");
    mark(&log, Outcome::Commit);
    log.append(&NewRecord::new("on the disk").key("f"), Durability::Synced).unwrap();
    let (end, before) = (log.bounds().end(), log.segments().unwrap()[0].bytes);
    log.compact(at(NOW)).unwrap();
    assert_eq!(log.segments().unwrap()[0].bytes, before);
    copy_as_killed(&living, &dead);
    let again = open(&dead, &disk, compacted(), 512);
    assert_eq!(again.log("t", 0).unwrap().bounds().end(), end, "{:?}", again.cuts());
}

#[test]
fn neither_compaction_nor_retention_opens_all_files_at_once() {
    type Work = fn(&Log);
    let compact: Work = |log| drop(log.compact(at(NOW)).unwrap().unwrap());
    let retain: Work = |log| assert_eq!(log.enforce_retention(at(NOW)).unwrap(), 200);
    let restart: Work = |log| log.restart_at(offset(1000)).unwrap();
    for (name, policy, work) in [
        ("compaction", CleanupPolicy::Compact, compact),
        ("retention", CleanupPolicy::Delete, retain),
        ("restart", CleanupPolicy::Delete, restart),
    ] {
        let (tmp, disk) = (tempfile::tempdir().unwrap(), HookDisk::default());
        let config = LogConfig { cleanup_policy: policy, retention_bytes: Some(0), ..compacted() };
        let dir = open(tmp.path(), &disk, config, 4);
        let log = dir.log("t", 0).unwrap();
        many(&log, 200, 200);
        work(&log);
        assert!(disk.most_open_logs() < 12, "{name}: {}", disk.most_open_logs());
    }
}

#[test]
fn retention_that_fails_on_the_way_goes_on_where_it_stopped() {
    let (tmp, disk) = (tempfile::tempdir().unwrap(), HookDisk::default());
    let config = LogConfig { cleanup_policy: CleanupPolicy::Delete, retention_bytes: Some(0), ..compacted() };
    let dir = open(tmp.path(), &disk, config.clone(), 4);
    let log = dir.log("t", 0).unwrap();
    many(&log, 20, 20);
    disk.set(|operation, path| match operation == "rename" && path.ends_with("00000000000000000007.log") {
        true => Err(io::Error::from_raw_os_error(5)),
        false => Ok(()),
    });
    log.enforce_retention(at(NOW)).unwrap_err();
    assert_eq!((log.bounds().start().get(), support::all(&log).len()), (7, 13), "what could not go is there");
    disk.clear();
    assert_eq!(log.enforce_retention(at(NOW)).unwrap(), 13);
    dir.close().unwrap();
    drop((log, dir));
    let dir = open(tmp.path(), &disk, config, 4);
    assert_eq!(dir.log("t", 0).unwrap().bounds().start().get(), 20, "nothing is back");
}

#[test]
fn a_handle_on_a_removed_log_never_reads_the_one_that_came_after() {
    let (tmp, disk) = (tempfile::tempdir().unwrap(), HookDisk::default());
    let dir = open(tmp.path(), &disk, LogConfig::default(), 1);
    let old = dir.log("t", 0).unwrap();
    append(&old, "old");
    dir.remove(&old.partition().clone()).unwrap();
    append(&dir.log("t", 0).unwrap(), "new");
    for other in ["u", "w", "u", "w"] {
        append(&dir.log(other, 0).unwrap(), "closes the files of the others");
    }
    let read = old.records(Position::Start).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    assert!(read.unwrap_err().to_string().contains("removed"));
}

#[test]
fn the_cleaning_of_a_removed_log_leaves_the_one_that_came_after_alone() {
    let (tmp, disk) = (tempfile::tempdir().unwrap(), HookDisk::default());
    let dir = open(tmp.path(), &disk, compacted(), 512);
    let begin = || {
        let log = dir.log("t", 0).unwrap();
        many(&log, 20, 3);
        let mut cleaning = dir.start_cleaning(at(NOW)).unwrap().unwrap();
        while !log.path().join("00000000000000000000.log.cleaned").exists() {
            cleaning.step().unwrap();
        }
        (log, cleaning)
    };
    let (old, of_old) = begin();
    dir.remove(&old.partition().clone()).unwrap();
    let (new, of_new) = begin();
    drop(of_old);
    of_new.run().unwrap();
    put(&new, "k", "v");
}

#[test]
fn a_cleaning_that_a_truncation_overtakes_before_it_begins_does_not_sync_for_ever() {
    let (tmp, disk) = (tempfile::tempdir().unwrap(), HookDisk::default());
    let dir = open(tmp.path(), &disk, compacted(), 512);
    let log = dir.log("t", 0).unwrap();
    many(&log, 20, 3);
    let (syncs, cut, own) = (Arc::new(AtomicUsize::new(0)), AtomicBool::new(false), log.clone());
    let count = Arc::clone(&syncs);
    disk.set(move |operation, path| {
        if operation == "sync" && is_of(path, "t-0") {
            if !cut.swap(true, SeqCst) {
                own.truncate_to(offset(5)).unwrap();
            }
            assert!(count.fetch_add(1, SeqCst) < 1000, "it syncs for ever");
        }
        Ok(())
    });
    let begun = dir.start_cleaning(at(NOW)).unwrap();
    assert!(begun.is_none() && log.cleaning().is_none(), "what was dirty is gone");
    disk.clear();
    assert!(syncs.load(SeqCst) < 100);
}

#[test]
fn a_log_that_cannot_be_read_does_not_keep_others_from_being_cleaned() {
    let (tmp, disk) = (tempfile::tempdir().unwrap(), HookDisk::default());
    let clock = HeldClock::at(NOW);
    let config = DirConfig {
        log: compacted(),
        disk: Arc::new(disk.clone()),
        max_open_files: 2,
        clock: clock.clone(),
        ..DirConfig::default()
    };
    let dir = LogDir::open_with(tmp.path(), config).unwrap();
    let (bad, good) = (dir.log("bad", 0).unwrap(), dir.log("good", 0).unwrap());
    many(&bad, 30, 3);
    many(&good, 20, 3);
    bad.sync().unwrap();
    disk.set(|operation, path| match operation == "read" && is_of(path, "bad-0") {
        true => Err(io::Error::from_raw_os_error(5)),
        false => Ok(()),
    });
    let round = || dir.start_cleaning(at(NOW)).map(|cleaning| cleaning.map(klamm_log::Cleaning::run));
    let failed = (0..5).filter(|_| matches!(round(), Err(_) | Ok(Some(Err(_))))).count();
    assert_eq!((failed, good.dirtiness(at(NOW)).unwrap().dirty_bytes), (1, 0), "told once, and passed over");
    disk.clear();
    clock.pass(Duration::from_secs(60));
    let later = dir.clean(at(NOW)).unwrap();
    assert_eq!(later.len(), 1, "and tried again");
}

#[test]
fn a_sync_that_fails_when_a_file_is_closed_is_told_to_the_next_opening() {
    let (tmp, disk) = (tempfile::tempdir().unwrap(), HookDisk::default());
    let dir = open(tmp.path(), &disk, LogConfig::default(), 1);
    append(&dir.log("a", 0).unwrap(), "may be lost");
    disk.set(|operation, path| match operation == "sync" && is_of(path, "a-0") {
        true => Err(io::Error::from_raw_os_error(5)),
        false => Ok(()),
    });
    for other in ["b", "c", "b", "c"] {
        append(&dir.log(other, 0).unwrap(), "closes the file of a");
    }
    disk.clear();
    assert!(tmp.path().join("a-0/sync-failed").exists());
}

/// Who wants a sync whatever is durable waits like everyone else, and not until the others have
/// nothing more to write.
#[test]
fn under_constant_load_each_waiter_gets_its_turn() {
    let tmp = tempfile::tempdir().unwrap();
    let config = LogConfig { segment_bytes: 1024, ..LogConfig::default() };
    let dir = open(tmp.path(), &HookDisk::default(), config, 512);
    let log = dir.log("t", 0).unwrap();
    let (stop, appended) = (AtomicBool::new(false), AtomicUsize::new(0));
    let longest = std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                while !stop.load(SeqCst) {
                    log.append(&NewRecord::new(&"x".repeat(300)), Durability::Synced).unwrap();
                    appended.fetch_add(1, SeqCst);
                }
            });
        }
        let round = || {
            let before = appended.load(SeqCst);
            dir.maintain(at(NOW)).unwrap();
            appended.load(SeqCst) - before
        };
        let longest = (0..30).map(|_| round()).max();
        stop.store(true, SeqCst);
        longest.unwrap()
    });
    // Counted in what the others did meanwhile: some turns of each, not all that they ever will.
    assert!(longest < 16 * 40, "{longest} appends during one round of maintenance");
}
