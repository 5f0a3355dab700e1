//! `flush.messages`: an append that makes so many unsynced records syncs before it returns, and
//! concurrent ones share a sync.

mod support;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use klamm_log::{Depth, Durability, LeaderEpoch, Log, LogConfig, LogDir, NewRecord};
use klamm_record::{BatchBuilder, BatchOptions, BatchProducer};
use klamm_sim::HookDisk;
use klamm_types::{ProducerEpoch, ProducerId};
use support::{append, epoch, open_hook};

fn flush_messages(most: u64) -> LogConfig {
    LogConfig { flush_messages: Some(most), ..LogConfig::default() }
}

/// Counts the syncs of log files from now on.
fn count_syncs(disk: &HookDisk) -> Arc<AtomicUsize> {
    let syncs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&syncs);
    disk.set(move |operation, path| {
        counter.fetch_add(usize::from(is_log_sync(operation, path)), Ordering::SeqCst);
        Ok(())
    });
    syncs
}

fn is_log_sync(operation: &str, path: &Path) -> bool {
    operation == "sync" && path.extension().is_some_and(|kind| kind == "log")
}

fn is_synced(log: &Log) -> bool {
    log.recovery_point() == log.bounds().end()
}

/// One batch of an idempotent producer.
fn produced() -> Vec<u8> {
    let producer = BatchProducer { id: ProducerId::new(7).unwrap(), epoch: ProducerEpoch::new(0).unwrap() };
    let options =
        BatchOptions { producer: Some(producer), base_sequence: Some(0), ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(Vec::new(), options);
    builder.append(&NewRecord::new("v")).unwrap();
    builder.finish().unwrap().buffer
}

fn append_batch(log: &Log, mut batch: Vec<u8>) {
    log.append_batches(&mut batch, LeaderEpoch::ZERO, Depth::Header, Durability::Written).unwrap();
}

#[test]
fn every_way_to_append_syncs_before_it_returns() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), flush_messages(1));
    let log = dir.log("t", 0).unwrap();
    let as_follower = || {
        let mut batch = support::batch("v", 1, 0);
        let end = log.bounds().end();
        klamm_record::BatchHeader::assign(&mut batch, end, epoch(0));
        log.append_as_follower(&batch, Durability::Written).unwrap();
    };
    let with_writer = || {
        let mut writer = log.writer(Durability::Written);
        writer.push(&NewRecord::new("v")).unwrap();
        writer.flush().unwrap();
    };
    let ways: [(&str, &dyn Fn()); 4] = [
        ("append", &|| assert!(append(&log, "v") >= klamm_log::Offset::ZERO)),
        ("append_batches", &|| append_batch(&log, support::batch("v", 3, 0))),
        ("append_as_follower", &as_follower),
        ("writer", &with_writer),
    ];
    for (name, way) in ways {
        let syncs = count_syncs(&disk);
        way();
        assert_eq!((syncs.load(Ordering::SeqCst), is_synced(&log)), (1, true), "{name}");
    }
}

#[test]
fn the_append_that_reaches_the_number_syncs_and_no_other() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), flush_messages(3));
    let log = dir.log("t", 0).unwrap();
    let syncs = count_syncs(&disk);
    let after = |_| {
        append(&log, "v");
        syncs.load(Ordering::SeqCst)
    };
    assert_eq!([(); 7].map(after), [0, 0, 1, 1, 1, 2, 2]);
}

#[test]
fn the_setting_applies_from_the_next_append_on() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    let syncs = count_syncs(&disk);
    append(&log, "v");
    log.set_config(flush_messages(1)).unwrap();
    append(&log, "v");
    assert_eq!((syncs.load(Ordering::SeqCst), is_synced(&log)), (1, true));
    log.set_config(LogConfig::default()).unwrap();
    append(&log, "v");
    assert_eq!((syncs.load(Ordering::SeqCst), is_synced(&log)), (1, false));
}

/// A producer whose request timed out while its sync was running sends the batch again.
#[test]
fn a_duplicate_is_not_acknowledged_before_the_batch_is_synced() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    append_batch(&log, produced());
    log.set_config(flush_messages(1)).unwrap();
    let syncs = count_syncs(&disk);
    append_batch(&log, produced());
    assert_eq!((log.bounds().end().get(), syncs.load(Ordering::SeqCst), is_synced(&log)), (1, 1, true));
}

/// The first sync is held until all others have appended: one more sync is enough for them.
#[test]
fn concurrent_appends_share_a_sync() {
    const OTHERS: i64 = 20;
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), flush_messages(1));
    let log = dir.log("t", 0).unwrap();
    append(&log, "v");
    let (entered, wait) = mpsc::channel();
    let (go, held) = mpsc::channel::<()>();
    let (syncs, entered, held) = (Arc::new(AtomicUsize::new(0)), Mutex::new(entered), Mutex::new(held));
    let counter = Arc::clone(&syncs);
    disk.set(move |operation, path| {
        if is_log_sync(operation, path) && counter.fetch_add(1, Ordering::SeqCst) == 0 {
            entered.lock().unwrap().send(()).unwrap();
            held.lock().unwrap().recv().unwrap();
        }
        Ok(())
    });
    let synced_append = || {
        let offset = append(&log, "v");
        assert!(log.recovery_point() > offset, "acknowledged before it was synced");
    };
    std::thread::scope(|scope| {
        scope.spawn(synced_append);
        wait.recv().unwrap();
        (0..OTHERS).for_each(|_| drop(scope.spawn(synced_append)));
        while log.bounds().end().get() < 2 + OTHERS {
            std::thread::yield_now();
        }
        go.send(()).unwrap();
    });
    assert_eq!(syncs.load(Ordering::SeqCst), 2);
}

#[test]
fn an_append_that_may_wait_for_the_disk_is_known_before() {
    let root = tempfile::tempdir().unwrap();
    let dir = LogDir::open(root.path()).unwrap();
    let log = dir.log("t", 0).unwrap();
    assert!(log.append_may_wait(epoch(0)), "the first of an epoch");
    append(&log, "v");
    assert!(!log.append_may_wait(epoch(0)));
    assert!(log.append_may_wait(epoch(1)), "the first of a later epoch");
    log.set_config(flush_messages(1000)).unwrap();
    assert!(log.append_may_wait(epoch(0)), "flush.messages");
    log.set_config(LogConfig::default()).unwrap();
    dir.close().unwrap();
    let dir = LogDir::open(root.path()).unwrap();
    let log = dir.log("t", 0).unwrap();
    assert!(log.append_may_wait(epoch(0)), "the first since a clean stop takes its marker away");
    append(&log, "v");
    assert!(!log.append_may_wait(epoch(0)));
    log.truncate_to(klamm_log::Offset::ZERO).unwrap();
    assert!(log.append_may_wait(epoch(0)), "a truncation has removed the epoch");
}
