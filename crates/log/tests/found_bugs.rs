//! Bugs that were found, each with the test that showed it. The disk underneath can fail or do
//! something at each operation.

#![allow(clippy::cast_possible_wrap, clippy::cast_possible_truncation, clippy::type_complexity)]

mod support;
use klamm_log::*;
use klamm_record::{BatchBuilder, BatchOptions, NewRecord};
use klamm_sim::HeldClock;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::*;

fn enospc() -> io::Error {
    io::Error::from_raw_os_error(28)
}
fn fbatch(base: i64, n: usize, control: bool) -> Vec<u8> {
    let o = BatchOptions {
        base_offset: Offset::new(base).unwrap(),
        leader_epoch: LeaderEpoch::new(0),
        control,
        transactional: control,
        ..Default::default()
    };
    let mut b = BatchBuilder::new(Vec::new(), o);
    for i in 0..n {
        b.append(
            &NewRecord::new(&format!("{}", base + i as i64))
                .key(&[0u8, 0, 0, 1])
                .at(Timestamp::from_millis(1)),
        )
        .unwrap();
    }
    b.finish().unwrap().buffer
}

#[test]
fn index_write_error_loses_acknowledged() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), LogConfig { index_interval_bytes: 1, ..LogConfig::default() });
    let log = dir.log("t", 0).unwrap();
    disk.set(|op, p| {
        if op == "write" && p.extension().is_some_and(|e| e == "index") { Err(enospc()) } else { Ok(()) }
    });
    let mut acked = vec![];
    for n in 0..200 {
        if let Ok(o) = log.append(&NewRecord::new(&format!("{n}")), Durability::Synced) {
            acked.push(o.get());
        }
    }
    let n = acked.len();
    acked.dedup();
    assert_eq!((n, acked.len()), (200, 200), "distinct offsets; log has {}", log.bounds().end());
}

#[test]
fn failed_open_marks_clean() {
    let root = tempfile::tempdir().unwrap();
    let (path, killed) = (root.path().join("a"), root.path().join("b"));
    let dir = open(&path, LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for n in 0..10 {
        append(&log, &format!("{n}"));
    }
    log.sync().unwrap();
    dir.maintain(Timestamp::from_millis(0)).unwrap();
    copy_as_killed(&path, &killed);
    let file = killed.join("t-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&file).unwrap();
    let size = bytes.len() / 10;
    bytes[4 * size + 65] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(LogDir::open(&killed).unwrap().offline().len(), 1);
    assert!(!killed.join(".kafka_cleanshutdown").exists(), "clean marker after failed recovery");
    assert_eq!(LogDir::open(&killed).unwrap().offline().len(), 1, "still damaged");
}

#[test]
fn retention_takes_fresh_records() {
    let root = tempfile::tempdir().unwrap();
    let clock = HeldClock::at(0);
    let log = LogConfig { retention_time: Some(Duration::from_secs(60)), ..LogConfig::default() };
    let config = DirConfig { log, clock: clock.clone(), ..DirConfig::default() };
    let dir = LogDir::open_with(root.path(), config).unwrap();
    let log = dir.log("t", 0).unwrap();
    for _ in 0..2 {
        append(&log, &"x".repeat(5000));
    }
    append(&log, "small");
    clock.set(100_000);
    let fresh = append(&log, "fresh");
    log.enforce_retention(Timestamp::from_millis(101_000)).unwrap();
    assert!(log.bounds().start() <= fresh, "a record 1 s old is gone: {:?}", log.bounds());
}

#[test]
fn half_failed_roll() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for n in 0..5 {
        append(&log, &format!("{n}"));
    }
    disk.set(|op, p| {
        if op == "open" && p.to_string_lossy().ends_with("05.timeindex") { Err(enospc()) } else { Ok(()) }
    });
    assert!(log.roll().is_err());
    disk.clear();
    for n in 5..10 {
        log.append(&NewRecord::new(&format!("{n}")), Durability::Synced).unwrap();
    }
    dir.close().unwrap();
    let log = open(root.path(), LogConfig::default()).log("t", 0).unwrap();
    assert_eq!(values(&log), (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
}
#[test]
fn half_failed_roll_by_size() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), small_segments());
    let log = dir.log("t", 0).unwrap();
    append(&log, &"a".repeat(2000));
    disk.set(|op, p| {
        if op == "open" && p.extension().is_some_and(|e| e == "timeindex") { Err(enospc()) } else { Ok(()) }
    });
    assert!(log.append(&NewRecord::new(&"b".repeat(2000)), Durability::Written).is_err());
    disk.clear();
    append(&log, "small"); // fits the old segment
    append(&log, &"c".repeat(2000)); // rolls at 2
    assert_eq!(values(&log).len(), 3);
    dir.close().unwrap();
    let log = open(root.path(), small_segments()).log("t", 0).unwrap();
    assert_eq!(log.reader(Offset::from(1)).unwrap().next().unwrap().unwrap().offset, Offset::from(1));
}

#[test]
fn remove_leaves_checkpoints() {
    let root = tempfile::tempdir().unwrap();
    let (path, killed) = (root.path().join("a"), root.path().join("b"));
    let dir = open(&path, LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for n in 0..50 {
        append(&log, &format!("{n}"));
    }
    log.advance_start(Offset::from(33)).unwrap();
    dir.maintain(Timestamp::from_millis(0)).unwrap();
    dir.remove(log.partition()).unwrap();
    let log = dir.log("t", 0).unwrap();
    for n in 0..10 {
        log.append(&NewRecord::new(&format!("new {n}")), Durability::Synced).unwrap();
    }
    copy_as_killed(&path, &killed);
    let log = open(&killed, LogConfig::default()).log("t", 0).unwrap();
    assert_eq!(values(&log).len(), 10, "{:?}", log.bounds());
}
#[test]
fn restart_at_leaves_start_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    let (path, killed) = (root.path().join("a"), root.path().join("b"));
    let dir = open(&path, LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for n in 0..50 {
        append(&log, &format!("{n}"));
    }
    log.advance_start(Offset::from(33)).unwrap();
    dir.maintain(Timestamp::from_millis(0)).unwrap();
    log.restart_at(Offset::from(10)).unwrap();
    for n in 0..10 {
        log.append(&NewRecord::new(&format!("new {n}")), Durability::Synced).unwrap();
    }
    copy_as_killed(&path, &killed);
    let log = open(&killed, LogConfig::default()).log("t", 0).unwrap();
    assert_eq!(values(&log).len(), 10, "{:?}", log.bounds());
}

#[test]
fn truncate_during_sync() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    append(&log, "a");
    append(&log, "b");
    let (l2, once, syncs) = (log.clone(), AtomicBool::new(false), Arc::new(AtomicUsize::new(0)));
    let s2 = Arc::clone(&syncs);
    disk.set(move |op, p| {
        if op == "sync" && p.extension().is_some_and(|e| e == "log") {
            s2.fetch_add(1, Ordering::SeqCst);
            if !once.swap(true, Ordering::SeqCst) {
                l2.truncate_to(Offset::ZERO).unwrap();
            }
        }
        Ok(())
    });
    log.sync().unwrap();
    assert_eq!(log.bounds().end(), Offset::ZERO);
    eprintln!("synced {:?} end {:?}", log.recovery_point(), log.bounds().end());
    let before = syncs.load(Ordering::SeqCst);
    log.append(&NewRecord::new("c"), Durability::Synced).unwrap();
    assert!(syncs.load(Ordering::SeqCst) > before, "Synced returned without a sync");
}
#[test]
fn sync_spins_after_truncate() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    append(&log, "a");
    let (entered, go) = (Arc::new(std::sync::Barrier::new(2)), Arc::new(std::sync::Barrier::new(2)));
    let (e2, g2, once, syncs) =
        (entered.clone(), go.clone(), AtomicBool::new(false), Arc::new(AtomicUsize::new(0)));
    let s2 = syncs.clone();
    disk.set(move |op, p| {
        if op == "sync" && p.extension().is_some_and(|e| e == "log") {
            s2.fetch_add(1, Ordering::SeqCst);
            if !once.swap(true, Ordering::SeqCst) {
                e2.wait();
                g2.wait();
            }
        }
        Ok(())
    });
    let l1 = log.clone();
    let _t1 = std::thread::spawn(move || l1.sync());
    entered.wait();
    let l2 = log.clone();
    let t2 = std::thread::spawn(move || l2.append(&NewRecord::new("b"), Durability::Synced));
    while log.bounds().end() != Offset::from(2) {
        std::thread::yield_now();
    }
    std::thread::sleep(Duration::from_millis(50));
    log.truncate_to(Offset::ZERO).unwrap();
    go.wait();
    std::thread::sleep(Duration::from_secs(1));
    let n = syncs.load(Ordering::SeqCst);
    assert!(t2.is_finished(), "append still spinning after {n} syncs");
}

#[test]
fn follower_gap_unreadable() {
    let root = tempfile::tempdir().unwrap();
    let (path, killed) = (root.path().join("a"), root.path().join("b"));
    let dir = open(&path, LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    log.append_as_follower(&fbatch(3_000_000_000, 3, false), Durability::Synced).unwrap();
    copy_as_killed(&path, &killed);
    let r = open(&killed, LogConfig::default()).log("t", 0).unwrap();
    eprintln!("after kill {:?}", r.bounds());
    eprintln!("{:?}", log.records(Position::Start).unwrap().next());
    assert_eq!(values(&log).len(), 3);
}
#[test]
fn follower_gap_panics() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path(), LogConfig::default()).log("t", 0).unwrap();
    log.append_as_follower(&fbatch(5_000_000_000, 3, false), Durability::Written).unwrap();
}

#[test]
fn sigbus() {
    for _round in 0..20 {
        let root = tempfile::tempdir().unwrap();
        let config = LogConfig { index_interval_bytes: 1, ..LogConfig::default() };
        let dir = open(root.path(), config.clone());
        let log = dir.log("t", 0).unwrap();
        for _n in 0..20_000 {
            append(&log, "v");
        }
        log.roll().unwrap();
        append(&log, "last");
        dir.close().unwrap();
        let file = root.path().join("t-0/00000000000000000000.log");
        let mut bytes = std::fs::read(&file).unwrap();
        let size = bytes.len() / 20_000;
        bytes[19_000 * size + 16] = 9; // magic of one batch
        std::fs::write(&file, bytes).unwrap();
        let log = open(root.path(), config).log("t", 0).unwrap();
        let limit = ReadLimit { max_bytes: 1, visibility: Visibility::All };
        let stop = AtomicBool::new(false);
        std::thread::scope(|s| {
            s.spawn(|| {
                let mut n = 0u32;
                while !stop.load(Ordering::Relaxed) {
                    n = (n + 7919) % 18_000;
                    let _ = log.read(Offset::from(n), limit);
                }
            });
            std::thread::sleep(Duration::from_millis(5));
            let e = log.read(Offset::from(19_000), limit);
            assert!(e.is_err());
            stop.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn recovery_point_after_truncation() {
    let root = tempfile::tempdir().unwrap();
    let (path, killed) = (root.path().join("a"), root.path().join("b"));
    let dir = open(&path, LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    log.append_batches(&mut batch("a", 10, 0), epoch(0), Depth::Header, Durability::Synced).unwrap();
    dir.maintain(Timestamp::from_millis(0)).unwrap();
    assert_eq!(log.truncate_to(Offset::from(5)).unwrap(), Offset::ZERO);
    log.append_batches(&mut batch("b", 3, 0), epoch(0), Depth::Header, Durability::Written).unwrap();
    copy_as_killed(&path, &killed);
    let file = killed.join("t-0/00000000000000000000.log");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap(); // torn, never synced
    LogDir::open(&killed).unwrap();
}
#[test]
fn recovery_point_after_failed_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for _n in 0..10 {
        append(&log, "x");
    }
    log.sync().unwrap();
    dir.maintain(Timestamp::from_millis(0)).unwrap();
    disk.set(|op, p| {
        if op == "open" && p.to_string_lossy().contains("recovery-point") { Err(enospc()) } else { Ok(()) }
    });
    assert!(log.truncate_to(Offset::from(5)).is_err());
    disk.clear();
    log.truncate_to(Offset::from(5)).unwrap();
    let text = std::fs::read_to_string(root.path().join("recovery-point-offset-checkpoint")).unwrap();
    assert_eq!(text, "0\n1\nt 0 5\n");
}

#[test]
fn follow_ends_at_marker() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path(), LogConfig::default()).log("t", 0).unwrap();
    let l2 = log.clone();
    let t = std::thread::spawn(move || l2.follow(Position::Start).unwrap().take(2).count());
    log.append_as_follower(&fbatch(0, 1, false), Durability::Written).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    log.append_as_follower(&fbatch(1, 1, true), Durability::Written).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    log.append_as_follower(&fbatch(2, 1, false), Durability::Written).unwrap();
    assert_eq!(t.join().unwrap(), 2);
}
#[test]
fn follow_of_failed_log_never_ends() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    append(&log, "a");
    let l2 = log.clone();
    let t = std::thread::spawn(move || l2.follow(Position::Start).unwrap().count());
    disk.set(|op, _p| if op == "sync" { Err(io::Error::from_raw_os_error(5)) } else { Ok(()) });
    assert!(log.sync().is_err());
    let _ = dir.close();
    std::thread::sleep(Duration::from_millis(500));
    assert!(t.is_finished());
}
#[test]
fn follow_ends_when_commit_in_batch() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path(), LogConfig::default()).log("t", 0).unwrap();
    log.append_as_follower(&fbatch(0, 10, false), Durability::Written).unwrap();
    log.set_committed(Some(Offset::from(5)));
    let l2 = log.clone();
    let t = std::thread::spawn(move || l2.follow(Position::Start).unwrap().take(1).count());
    std::thread::sleep(Duration::from_millis(50));
    log.set_committed(None);
    assert_eq!(t.join().unwrap(), 1);
}

#[test]
fn commit_bound_leak() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path(), LogConfig::default()).log("t", 0).unwrap();
    log.append_as_follower(&fbatch(0, 50, false), Durability::Written).unwrap();
    log.roll().unwrap();
    eprintln!("{:?}", log.segments().unwrap().len());
    log.append_as_follower(&fbatch(70, 10, false), Durability::Written).unwrap();
    log.set_committed(Some(Offset::from(60)));
    eprintln!("{:?}", values(&log).len());
    assert_eq!(values(&log).len(), 50);
}
#[test]
fn commit_bound_leak_gap_roll_by_append() {
    let root = tempfile::tempdir().unwrap();
    let log =
        open(root.path(), LogConfig { segment_bytes: 1024, ..LogConfig::default() }).log("t", 0).unwrap();
    log.append_as_follower(&fbatch(0, 50, false), Durability::Written).unwrap();
    log.append_as_follower(&fbatch(70, 50, false), Durability::Written).unwrap();
    assert_eq!(log.segments().unwrap().len(), 2);
    log.set_committed(Some(Offset::from(60)));
    assert_eq!(values(&log).len(), 50);
}
#[test]
fn race_leak() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    append(&log, "a");
    log.set_committed(Some(Offset::from(1)));
    let (l2, once) = (log.clone(), AtomicBool::new(false));
    disk.set(move |op, p| {
        if op == "read" && p.extension().is_some_and(|e| e == "log") && !once.swap(true, Ordering::SeqCst) {
            append(&l2, "uncommitted");
        }
        Ok(())
    });
    assert_eq!(values(&log).len(), 1);
}
#[test]
fn truncated_records_seen() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for n in 0..10 {
        append(&log, &format!("{n}"));
    }
    let l2 = log.clone();
    let rd = Mutex::new(log.reader(Position::Start).unwrap());
    let seen = Arc::new(Mutex::new(None));
    let s2 = seen.clone();
    let started = AtomicBool::new(false);
    disk.set(move |op, p| {
        if op == "sync_dir" && p.ends_with("t-0") && !started.swap(true, Ordering::SeqCst) {
            *s2.lock().unwrap() = Some((l2.bounds().end().get(), {
                let mut r = rd.lock().unwrap();
                let mut n = 0;
                while let Ok(Some(_)) = r.next() {
                    n += 1;
                }
                n
            }));
        }
        Ok(())
    });
    log.truncate_to(Offset::from(5)).unwrap();
    assert_eq!(*seen.lock().unwrap(), Some((5, 5)));
}

#[test]
fn clean_damage_is_cut() {
    let root = tempfile::tempdir().unwrap();
    let dir = open(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for n in 0..10 {
        log.append(&NewRecord::new(&format!("{n}")), Durability::Synced).unwrap();
    }
    dir.close().unwrap();
    let file = root.path().join("t-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&file).unwrap();
    let (len, size) = (bytes.len(), bytes.len() / 10);
    bytes[4 * size + 16] = 9;
    std::fs::write(&file, &bytes).unwrap();
    let r = LogDir::open(root.path());
    assert_eq!(
        std::fs::metadata(&file).unwrap().len() as usize,
        len,
        "synced records after the damage were cut off; open said {:?}",
        r.is_ok()
    );
}

#[test]
fn maintain_after_close() {
    let root = tempfile::tempdir().unwrap();
    let (path, _killed) = (root.path().join("a"), root.path().join("b"));
    let dir = open(&path, LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for n in 0..50 {
        append(&log, &format!("{n}"));
    }
    log.advance_start(Offset::from(33)).unwrap();
    dir.maintain(Timestamp::from_millis(0)).unwrap();
    dir.close().unwrap();
    let dir2 = open(&path, LogConfig::default());
    dir2.remove(log.partition()).unwrap();
    let log2 = dir2.log("t", 0).unwrap();
    for _n in 0..10 {
        log2.append(&NewRecord::new("new"), Durability::Synced).unwrap();
    }
    dir2.maintain(Timestamp::from_millis(0)).unwrap();
    let before = std::fs::read_to_string(path.join("log-start-offset-checkpoint")).unwrap();
    let _ = dir.maintain(Timestamp::from_millis(100_000));
    let after = std::fs::read_to_string(path.join("log-start-offset-checkpoint")).unwrap();
    assert_eq!(before, after, "closed handle wrote");
}
#[test]
fn marker_over_open_logs() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    append(&log, "a");
    let (l2, done) = (log.clone(), Arc::new(AtomicBool::new(false)));
    let d2 = done.clone();
    disk.set(move |op, p| {
        if op == "sync_dir" && std::fs::exists(p.join(".kafka_cleanshutdown")).unwrap() {
            d2.store(l2.append(&NewRecord::new("late"), Durability::Written).is_ok(), Ordering::SeqCst);
        }
        Ok(())
    });
    dir.close().unwrap();
    assert!(!done.load(Ordering::SeqCst), "append accepted while marker stands");
}
#[test]
fn max_offset_name_panics() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("t-0")).unwrap();
    std::fs::write(root.path().join("t-0/09223372036854775807.log"), "").unwrap();
    let _ = LogDir::open(root.path());
}
#[test]
fn epochs_not_written_back() {
    let root = tempfile::tempdir().unwrap();
    let (path, killed) = (root.path().join("a"), root.path().join("b"));
    let dir = open(&path, LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for _n in 0..40 {
        append(&log, "x");
    }
    copy_as_killed(&path, &killed);
    // a kill in truncate_to between the cut and the epoch checkpoint
    std::fs::write(killed.join("t-0/leader-epoch-checkpoint"), "0\n2\n0 0\n5 50\n").unwrap();
    let dir = open(&killed, LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for _n in 0..20 {
        append(&log, "x");
    }
    assert_eq!(log.epochs().epoch_at(Offset::from(55)).unwrap(), epoch(0));
    dir.close().unwrap();
    let log = open(&killed, LogConfig::default()).log("t", 0).unwrap();
    assert_eq!(log.epochs().epoch_at(Offset::from(55)).unwrap(), epoch(0));
}
#[test]
fn wrong_index_entry_skips() {
    let root = tempfile::tempdir().unwrap();
    let config = LogConfig { index_interval_bytes: 1, ..LogConfig::default() };
    let dir = open(root.path(), config.clone());
    let log = dir.log("t", 0).unwrap();
    for _n in 0..200 {
        append(&log, "v");
    }
    log.roll().unwrap();
    append(&log, "last");
    dir.close().unwrap();
    let file = root.path().join("t-0/00000000000000000000.index");
    let mut b = std::fs::read(&file).unwrap();
    // entry at offset 100 ends: flip bit 6
    let at = (0..b.len() / 8).find(|i| b[i * 8 + 3] == 100).unwrap() * 8;
    b[at + 3] ^= 64;
    std::fs::write(&file, b).unwrap();
    let log = open(root.path(), config).log("t", 0).unwrap();
    let mut bad = vec![];
    for n in 0..200 {
        let mut r = log.reader(Offset::from(n)).unwrap();
        let g = r.next().unwrap().unwrap().offset;
        if g != Offset::from(n) {
            bad.push((n, g.get()));
        }
    }
    assert!(bad.is_empty(), "{bad:?}");
}
#[test]
fn writer_mixed_sizes() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path(), LogConfig::default()).log("t", 0).unwrap();
    let mut w = log.writer(Durability::Written);
    for _ in 0..100 {
        w.push(&NewRecord::new(&[1u8; 100])).unwrap();
    }
    let big = vec![2u8; 1_045_000];
    let r = w.push(&NewRecord::new(&big));
    eprintln!("{:?}", r.as_ref().map_err(std::string::ToString::to_string));
    w.flush().unwrap();
    assert_eq!(log.bounds().end(), Offset::from(101));
}

/// The pages that a failed sync did not write may be gone: another sync would say nothing about
/// them.
#[test]
fn a_failed_sync_is_never_followed_by_success() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    append(&log, "written");
    disk.set(|op, path| {
        if op == "sync" && path.extension().is_some_and(|e| e == "log") { Err(enospc()) } else { Ok(()) }
    });
    assert!(log.append(&NewRecord::new("lost?"), Durability::Synced).is_err());
    disk.clear();
    assert!(matches!(log.sync(), Err(LogError::Failed { .. })));
    assert!(log.append(&NewRecord::new("more"), Durability::Written).is_err());
    assert_eq!(values(&log)[0], "written", "it can still be read");
    assert!(dir.close().is_err());
    assert!(!root.path().join(".kafka_cleanshutdown").exists());
}

/// A gap that a follower was given, at the border of two segments, is no lost end: after a kill all
/// is there.
#[test]
fn follower_gap_at_a_roll_survives_a_kill() {
    let root = tempfile::tempdir().unwrap();
    let (living, dead) = (root.path().join("living"), root.path().join("dead"));
    let dir = open(&living, LogConfig { segment_bytes: 1024, ..LogConfig::default() });
    let log = dir.log("t", 0).unwrap();
    let mut base = 0;
    for _ in 0..30 {
        log.append_as_follower(&fbatch(base, 3, false), Durability::Written).unwrap();
        base += 10;
    }
    assert!(log.segments().unwrap().len() > 2);
    copy_as_killed(&living, &dead);
    let dir = open(&dead, LogConfig::default());
    assert_eq!((values(&dir.log("t", 0).unwrap()).len(), dir.cuts()), (90, Vec::new()));
}

/// Opening passes over the log of the metadata quorum. Where nobody has asked for it, and it was
/// not recovered, a clean stop of the others must not vouch for it.
#[test]
fn no_marker_stands_over_a_log_that_was_not_recovered() {
    let root = tempfile::tempdir().unwrap();
    let name: TopicPartition = "__cluster_metadata-0".parse().unwrap();
    let marker = root.path().join(".kafka_cleanshutdown");
    {
        let dir = LogDir::open(root.path()).unwrap();
        append(&dir.create(&name, LogConfig::default(), None).unwrap(), "v");
        append(&dir.log("t", 0).unwrap(), "v");
    }
    std::fs::remove_file(&marker).unwrap();
    {
        let dir = LogDir::open(root.path()).unwrap();
        append(&dir.log("t", 0).unwrap(), "v");
    }
    assert!(!marker.exists(), "the metadata log was not recovered");
    {
        let dir = LogDir::open(root.path()).unwrap();
        dir.create(&name, LogConfig::default(), None).unwrap();
    }
    assert!(marker.exists());
}

/// A killed Kafka leaves indexes as long as it has reserved them, zeros behind their entries. They
/// were taken for entries of a first batch of one record, and appended to, so that Kafka did not
/// start with them.
#[test]
fn zeros_behind_an_index_are_no_entries() {
    let root = tempfile::tempdir().unwrap();
    let (path, killed) = (root.path().join("a"), root.path().join("b"));
    let dir = open(&path, LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    append(&log, "one");
    log.sync().unwrap();
    dir.maintain(Timestamp::from_millis(0)).unwrap();
    append(&log, "two");
    copy_as_killed(&path, &killed);
    let indexes = ["index", "timeindex"].map(|kind| killed.join(format!("t-0/00000000000000000000.{kind}")));
    for (file, entry) in indexes.iter().zip([8, 12]) {
        let mut bytes = std::fs::read(file).unwrap_or_default();
        bytes.resize(1000 * entry, 0);
        std::fs::write(file, bytes).unwrap();
    }
    let dir = open(&killed, LogConfig::default());
    append(&dir.log("t", 0).unwrap(), "three");
    dir.close().unwrap();
    for file in indexes {
        let length = std::fs::metadata(&file).unwrap().len();
        assert!(length <= 24, "{} has {length} bytes", file.display());
    }
}
