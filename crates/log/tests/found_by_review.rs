//! Bugs that a review found, each with the test that showed it: gaps at a roll, removal during a
//! checkpoint, transactions and retention, repair.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use klamm_log::{
    DirConfig, Durability, LogConfig, LogDir, NewRecord, Offset, OnDamage, ReadError, ReadLimit, Timestamp,
    Visibility,
};
use klamm_record::{BatchBuilder, BatchOptions, BatchProducer, EndTransaction, Outcome};
use klamm_sim::{HeldClock, SimDisk};
use klamm_types::{ProducerEpoch, ProducerId};
use support::open_hook;
use support::{all, append, copy_as_killed, epoch, open};

fn at(offset: u32) -> Offset {
    Offset::from(offset)
}

#[test]
fn creating_and_removing_logs_keeps_nobody_from_those_there_are() {
    let tmp = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(tmp.path(), LogConfig::default());
    dir.log("here", 0).unwrap();
    for change in [
        |dir: &LogDir| drop(dir.log("new", 0).unwrap()),
        |dir: &LogDir| {
            dir.remove(&"new-0".parse().unwrap()).unwrap();
        },
    ] {
        // The disk takes its time until someone has found the log that is there.
        let (reached, found) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let (reaches, finds, met) = (Arc::clone(&reached), Arc::clone(&found), AtomicBool::new(false));
        disk.set(move |op, _| {
            if op == "sync_dir" && !met.swap(true, Ordering::SeqCst) {
                reaches.wait();
                finds.wait();
            }
            Ok(())
        });
        let changing = std::thread::spawn({
            let dir = dir.clone();
            move || change(&dir)
        });
        reached.wait();
        let here = dir.get(&"here-0".parse().unwrap()).unwrap();
        here.append(&NewRecord::new("v"), Durability::Written).unwrap();
        found.wait();
        changing.join().unwrap();
    }
}

/// A follower's batch of `count` records of 800 or 5 bytes.
fn plain(base: u32, leader: i32, size: usize) -> Vec<u8> {
    built(
        BatchOptions { base_offset: at(base), leader_epoch: Some(epoch(leader)), ..BatchOptions::default() },
        1,
        size,
    )
}

fn producer() -> BatchProducer {
    BatchProducer { id: ProducerId::new(1).unwrap(), epoch: ProducerEpoch::new(0).unwrap() }
}

/// Five records of a transaction that begins at 0.
fn in_transaction() -> Vec<u8> {
    let options = BatchOptions {
        producer: Some(producer()),
        base_sequence: Some(0),
        leader_epoch: Some(epoch(0)),
        transactional: true,
        ..BatchOptions::default()
    };
    built(options, 5, 5)
}

fn built(options: BatchOptions, count: usize, size: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new(), options);
    let value = "x".repeat(size);
    for _ in 0..count {
        builder.append(&NewRecord::new(&value).at(Timestamp::from_millis(1000))).unwrap();
    }
    builder.finish().unwrap().buffer
}

fn aborted_at(base: u32) -> Vec<u8> {
    let end = EndTransaction { outcome: Outcome::Abort, coordinator_epoch: 1 };
    let options = BatchOptions {
        producer: Some(producer()),
        base_offset: at(base),
        leader_epoch: Some(epoch(0)),
        transactional: true,
        control: true,
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(Vec::new(), options);
    builder.append(&NewRecord::new(&end.value()).key(&end.key()).at(Timestamp::from_millis(1000))).unwrap();
    builder.finish().unwrap().buffer
}

const STABLE: ReadLimit = ReadLimit { max_bytes: 1000, visibility: Visibility::Stable };

#[test]
fn what_a_follower_was_told_is_synced_behind_a_gap_is_there_after_a_kill() {
    let root = tempfile::tempdir().unwrap();
    let (living, dead) = (root.path().join("living"), root.path().join("dead"));
    let log = open(&living, LogConfig { segment_bytes: 1024, ..LogConfig::default() }).log("t", 0).unwrap();
    for base in [0, 10, 11] {
        log.append_as_follower(&plain(base, 0, 800), Durability::Synced).unwrap();
    }
    copy_as_killed(&living, &dead);
    assert_eq!(all(&open(&dead, LogConfig::default()).log("t", 0).unwrap()).len(), 3);
}

#[test]
fn after_a_roll_before_a_gap_and_a_refused_append_a_leader_goes_on() {
    for no_space in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let (disk, dir) = open_hook(root.path(), LogConfig { segment_bytes: 1024, ..LogConfig::default() });
        let log = dir.log("t", 0).unwrap();
        log.append_as_follower(&plain(0, 5, 800), Durability::Synced).unwrap();
        if no_space {
            disk.set(|operation, path| {
                match path.extension().is_some_and(|e| e == "log") && operation == "write" {
                    true => Err(std::io::Error::from_raw_os_error(28)),
                    false => Ok(()),
                }
            });
        }
        let stale = if no_space { 5 } else { 3 };
        log.append_as_follower(&plain(10, stale, 800), Durability::Synced).unwrap_err();
        disk.clear();
        assert_eq!(append(&log, "leader"), at(1));
        dir.close().unwrap();
        assert_eq!(all(&open(root.path(), LogConfig::default()).log("t", 0).unwrap()).len(), 2);
    }
}

#[test]
fn a_log_that_is_removed_while_checkpoints_are_written_leaves_no_line() {
    let root = tempfile::tempdir().unwrap();
    let config = DirConfig { checkpoint_interval: Duration::ZERO, ..DirConfig::default() };
    let dir = LogDir::open_with(root.path(), config).unwrap();
    std::thread::scope(|scope| {
        let rounds: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| (0..100).for_each(|n| drop(dir.maintain(Timestamp::from_millis(n))))))
            .collect();
        while !rounds.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            let log = dir.log("t", 0).unwrap();
            log.append(&NewRecord::new("x"), Durability::Synced).unwrap();
            dir.remove(log.partition()).unwrap();
        }
    });
    assert_eq!(append(&dir.log("t", 0).unwrap(), "anew"), at(0));
}

#[test]
fn what_is_stable_is_never_before_the_start() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path(), LogConfig::default()).log("t", 0).unwrap();
    log.append_as_follower(&in_transaction(), Durability::Written).unwrap();
    assert!(log.read(at(5), STABLE).unwrap().is_empty(), "what is not stable yet is no error");
    log.append_as_follower(&plain(5, 0, 5), Durability::Written).unwrap();
    log.advance_start(at(6)).unwrap();
    assert_eq!(log.bounds().stable(), at(6));
    assert!(log.read(at(6), STABLE).unwrap().is_empty());
}

#[test]
fn which_transactions_were_aborted_is_not_known_of_what_was_deleted() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path(), LogConfig { retention_bytes: Some(1), ..LogConfig::default() })
        .log("t", 0)
        .unwrap();
    log.append_as_follower(&in_transaction(), Durability::Written).unwrap();
    log.append_as_follower(&aborted_at(5), Durability::Written).unwrap();
    log.roll().unwrap();
    append(&log, "x");
    assert_eq!(log.aborted_transactions(at(0), at(7)).unwrap().len(), 1);
    log.enforce_retention(Timestamp::from_millis(0)).unwrap();
    let error = log.aborted_transactions(at(0), at(7)).unwrap_err();
    assert!(matches!(error, ReadError::OutOfRange { .. }), "{error}");
}

#[test]
fn a_log_that_was_cut_by_choice_opens_after_a_kill() {
    let root = tempfile::tempdir().unwrap();
    let (living, dead) = (root.path().join("living"), root.path().join("dead"));
    let dir = open(&living, LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for n in 0..10 {
        append(&log, &n.to_string());
    }
    dir.close().unwrap();
    let file = living.join("t-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let config = DirConfig { on_damage: OnDamage::Cut, ..DirConfig::default() };
    let log = LogDir::open_with(&living, config).unwrap().log("t", 0).unwrap();
    log.append(&NewRecord::new("after"), Durability::Synced).unwrap();
    let left = all(&log).len();
    copy_as_killed(&living, &dead);
    assert_eq!(all(&open(&dead, LogConfig::default()).log("t", 0).unwrap()).len(), left);
}

/// Segments that retention has taken are not kept open for a later sync.
#[test]
fn retired_segments_are_let_go() {
    let root = tempfile::tempdir().unwrap();
    let config = LogConfig {
        segment_bytes: 1024,
        retention_bytes: Some(1),
        file_delete_delay: Duration::ZERO,
        ..LogConfig::default()
    };
    let dir = open(root.path(), config);
    let log = dir.log("t", 0).unwrap();
    for round in 0..20 {
        for _ in 0..10 {
            append(&log, &"x".repeat(300));
        }
        log.enforce_retention(Timestamp::from_millis(round)).unwrap();
    }
    log.enforce_retention(Timestamp::from_millis(100)).unwrap();
    log.sync().unwrap();
    let names = std::fs::read_dir(log.path()).unwrap().count();
    assert!(names < 12, "{names} files");
}

/// The times of a segment that was rolled after its batches had been synced are not lost with its
/// index.
#[test]
fn a_segment_rolled_after_a_sync_keeps_its_times_after_a_loss_of_power() {
    let disk = SimDisk::default();
    let opened = |disk: &SimDisk, retention: Option<u64>| {
        let log = LogConfig {
            index_interval_bytes: 0,
            retention_time: retention.map(Duration::from_millis),
            ..LogConfig::default()
        };
        let (clock, disk) = (HeldClock::at(0), Arc::new(disk.clone()));
        let config = DirConfig { log, clock, disk, recovery_threads: 1, ..DirConfig::default() };
        let dir = LogDir::open_with("/d", config).unwrap();
        let log = dir.log("t", 0).unwrap();
        (dir, log)
    };
    for time in [1000, 1_000_000] {
        let (dir, log) = opened(&disk, None);
        let record = NewRecord::new("value").at(Timestamp::from_millis(time));
        (0..3).for_each(|_| assert!(log.append(&record, Durability::Synced).is_ok()));
        if time > 1000 {
            log.roll().unwrap();
        }
        dir.close().unwrap();
    }
    for found in disk.crash(1) {
        let (_dir, log) = opened(&found.disk, Some(10_000));
        assert_eq!(log.enforce_retention(Timestamp::from_millis(1_000_100)).unwrap(), 0, "{}", found.how);
    }
}

#[test]
fn without_the_snapshots_before_it_a_truncation_reads_the_batches() {
    let root = tempfile::tempdir().unwrap();
    let dir = open(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    log.append_as_follower(&in_transaction(), Durability::Synced).unwrap();
    for _ in 0..3 {
        log.roll().unwrap();
        append(&log, "x");
    }
    dir.close().unwrap();
    for name in ["00000000000000000005.snapshot", "00000000000000000006.snapshot"] {
        std::fs::remove_file(root.path().join("t-0").join(name)).unwrap();
    }
    let log = open(root.path(), LogConfig::default()).log("t", 0).unwrap();
    log.truncate_to(at(6)).unwrap();
    assert_eq!(log.bounds().stable(), at(0));
}

/// A reader is told of the transactions in what it got, not of all that follow.
#[test]
fn a_slice_knows_about_where_it_ends() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path(), LogConfig { index_interval_bytes: 100, ..LogConfig::default() })
        .log("t", 0)
        .unwrap();
    for n in 0..50 {
        append(&log, &format!("value {n}"));
    }
    for (max_bytes, first) in [(1, 0), (500, 0), (500, 20), (1 << 20, 0)] {
        let limit = ReadLimit { max_bytes, visibility: Visibility::Committed };
        let slice = log.read(at(first), limit).unwrap();
        let whole =
            klamm_record::Batches::new(slice.read().unwrap()).flatten().last().map(|b| b.next_offset());
        match slice.offsets_before().unwrap() {
            Some(before) => {
                assert!(Some(before) >= whole && before < whole.unwrap() + 5, "{before} {whole:?}");
            }
            None => assert!(whole > Some(at(45)), "{whole:?}"),
        }
    }
}

/// While a round of maintenance syncs rolled segments, nobody is told that what lies behind them is
/// durable.
#[test]
fn nothing_is_called_synced_while_a_segment_before_it_is_being_synced() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    append(&log, "sealed");
    log.roll().unwrap();
    let told = Arc::new(std::sync::Mutex::new(None));
    let (other, early) = (log.clone(), Arc::clone(&told));
    disk.set(move |operation, path| {
        let is_sealed = path.ends_with("t-0/00000000000000000000.log") && operation == "sync";
        if is_sealed && early.lock().unwrap().is_none() {
            let (tell, hear) = std::sync::mpsc::channel();
            let log = other.clone();
            std::thread::spawn(move || {
                tell.send(log.append(&NewRecord::new("behind"), Durability::Synced).is_ok())
            });
            // A log that is right lets this time pass: the append waits for the sync that waits
            // here.
            *early.lock().unwrap() = Some(hear.recv_timeout(Duration::from_millis(100)).is_ok());
        }
        Ok(())
    });
    dir.maintain(Timestamp::from_millis(1000)).unwrap();
    disk.clear();
    assert_eq!(*told.lock().unwrap(), Some(false), "acknowledged before the segment before it was synced");
}
