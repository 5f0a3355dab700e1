//! A log is truncated while it is synced, or after a part of it was read.

mod support;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use klamm_log::{Clock, Durability, Log, LogConfig, NewRecord, Offset, ReadLimit, SystemClock, Visibility};
use klamm_record::{BatchBuilder, BatchOptions, BatchProducer, EndTransaction, Outcome};
use klamm_sim::HookDisk;
use klamm_types::{ProducerEpoch, ProducerId};
use support::{append, epoch, open, open_hook};

/// Does something at the first sync of a segment's file whose name ends so, and notes which of
/// these files are synced.
fn at_sync(disk: &HookDisk, end: &'static str, work: impl Fn() + Send + Sync + 'static) -> Synced {
    let (synced, once) = (Synced::default(), AtomicBool::new(false));
    let noted = synced.clone();
    disk.set(move |operation, path: &Path| {
        if operation == "sync" && path.extension().is_some_and(|kind| kind == "log") {
            noted.lock().unwrap().push(path.to_owned());
            if path.to_string_lossy().ends_with(end) && !once.swap(true, Ordering::SeqCst) {
                work();
            }
        }
        Ok(())
    });
    synced
}

type Synced = Arc<Mutex<Vec<PathBuf>>>;

/// Segments 0 and 2. While segment 2 is synced, the log is cut inside segment 0, appended to and
/// rolled at 2 again.
#[test]
fn a_segment_that_is_rolled_again_during_a_sync_is_synced_by_the_next() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    append(&log, "a");
    append(&log, "b");
    log.roll().unwrap();
    append(&log, "c");
    let cut = log.clone();
    let synced = at_sync(&disk, "02.log", move || {
        cut.truncate_to(Offset::from(1)).unwrap();
        append(&cut, "B");
        cut.roll().unwrap();
    });
    log.sync().unwrap();
    synced.lock().unwrap().clear();
    log.append(&NewRecord::new("C"), Durability::Synced).unwrap();
    let synced = synced.lock().unwrap().clone();
    disk.clear();
    assert!(synced.iter().any(|path| path.ends_with("00000000000000000000.log")), "{synced:?}");
}

/// While the records before the new start are synced, some of them are cut off and replaced.
#[test]
fn the_records_before_a_start_are_durable_whatever_is_truncated_meanwhile() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    (0..10).for_each(|n| _ = append(&log, &n.to_string()));
    let cut = log.clone();
    at_sync(&disk, ".log", move || {
        cut.truncate_to(Offset::from(3)).unwrap();
        (0..4).for_each(|n| _ = append(&cut, &format!("new {n}")));
    });
    log.advance_start(Offset::from(5)).unwrap();
    disk.clear();
    assert_eq!(log.bounds().start(), Offset::from(5));
    assert!(log.recovery_point() >= Offset::from(5), "{}", log.recovery_point());
}

/// What was read before a truncation says nothing about the batches that are written in its place.
#[test]
fn a_read_after_a_truncation_ends_with_a_whole_batch() {
    let root = tempfile::tempdir().unwrap();
    let dir = open(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    (0..20).for_each(|_| _ = append(&log, "ten bytes."));
    let size = usize::try_from(log.bytes().unwrap() / 20).unwrap();
    drop((log, dir));
    let log = open(root.path(), LogConfig::default()).log("t", 0).unwrap();
    let limit = |max_bytes| ReadLimit { max_bytes, visibility: Visibility::All };
    assert_eq!(log.read(Offset::ZERO, limit(15 * size)).unwrap().len(), 15 * size);
    log.truncate_to(Offset::from(10)).unwrap();
    (0..20).for_each(|_| _ = append(&log, "seventeen bytes.."));
    let slice = log.read(Offset::ZERO, limit(1 << 20)).unwrap();
    assert_eq!((slice.len() as u64, slice.reaches_end()), (log.bytes().unwrap(), true));
}

/// A follower that is told to begin anew has nothing that is known to be committed.
#[test]
fn a_commit_bound_stays_set_when_a_log_begins_anew() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path(), LogConfig::default()).log("t", 0).unwrap();
    (0..10).for_each(|n| _ = append(&log, &n.to_string()));
    log.set_committed(Some(Offset::from(5)));
    log.restart_at(Offset::from(50)).unwrap();
    append(&log, "not committed");
    assert_eq!(log.bounds().committed(), Offset::from(50));
    log.set_committed(None);
    log.restart_at(Offset::from(60)).unwrap();
    append(&log, "committed at once");
    assert_eq!(log.bounds().committed(), Offset::from(61));
}

/// Appends a record of a transaction and the marker that aborts it, as a follower copies them.
fn abort_transaction(log: &Log, producer: ProducerId) {
    let options = BatchOptions {
        producer: Some(BatchProducer { id: producer, epoch: ProducerEpoch::new(0).unwrap() }),
        leader_epoch: Some(epoch(0)),
        transactional: true,
        ..BatchOptions::default()
    };
    let append = |options, record: &NewRecord<'_>| {
        let mut batch = BatchBuilder::new(Vec::new(), options);
        batch.append(&record.at(SystemClock.now())).unwrap();
        log.append_as_follower(&batch.finish().unwrap().buffer, Durability::Written).unwrap();
    };
    append(BatchOptions { base_sequence: Some(0), ..options }, &NewRecord::new("aborted"));
    let options = BatchOptions { base_offset: log.bounds().end(), control: true, ..options };
    let end = EndTransaction { outcome: Outcome::Abort, coordinator_epoch: 1 };
    append(options, &NewRecord::new(&end.value()).key(&end.key()));
}

/// While the index of aborted transactions is compared with the batches, some of them are cut off.
/// They are not damaged: the comparison is made again.
#[test]
fn an_index_of_aborted_transactions_is_compared_again_after_a_truncation() {
    let root = tempfile::tempdir().unwrap();
    let producer = ProducerId::new(1).unwrap();
    {
        let dir = open(root.path(), LogConfig::default());
        let log = dir.log("t", 0).unwrap();
        abort_transaction(&log, producer);
        (0..10).for_each(|n| _ = append(&log, &n.to_string()));
        dir.close().unwrap();
    }
    let index = root.path().join("t-0/00000000000000000000.txnindex");
    let mut bytes = std::fs::read(&index).unwrap();
    bytes[9] = 9; // The producer's id.
    std::fs::write(&index, bytes).unwrap();
    let (disk, dir) = open_hook(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    let (cut, once) = (log.clone(), AtomicBool::new(false));
    disk.set(move |operation, path: &Path| {
        let is_read = operation == "read" && path.extension().is_some_and(|kind| kind == "log");
        if is_read && !once.swap(true, Ordering::SeqCst) {
            cut.truncate_to(Offset::from(5)).unwrap();
        }
        Ok(())
    });
    let found = log.aborted_transactions(Offset::ZERO, log.bounds().end()).unwrap();
    disk.clear();
    assert_eq!(log.bounds().end(), Offset::from(5));
    assert_eq!(found.iter().map(|aborted| aborted.producer_id).collect::<Vec<_>>(), [producer]);
}
