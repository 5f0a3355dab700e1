//! What an embedder relies on, a promise a test.

#![allow(clippy::cast_possible_wrap)]

mod support;

#[cfg(feature = "async")]
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use klamm_log::{
    AppendError, Clock, Compression, Depth, DirConfig, Durability, LogConfig, LogDir, LogError, NewRecord,
    Offset, OpenError, Position, ReadError, ReadLimit, Timestamp, TopicPartition, Visibility,
};
use klamm_sim::HeldClock;
use support::{all, append, batch, copy_as_killed, epoch, open, small_segments, values};

#[test]
fn records_come_back_after_a_clean_stop() {
    let root = tempfile::tempdir().unwrap();
    let dir = open(root.path(), small_segments());
    let log = dir.log("t", 0).unwrap();
    for n in 0..500 {
        append(&log, &format!("value {n}"));
    }
    dir.close().unwrap();
    assert!(root.path().join(".kafka_cleanshutdown").exists());
    let dir = open(root.path(), small_segments());
    let log = dir.log("t", 0).unwrap();
    assert_eq!(values(&log), (0..500).map(|n| format!("value {n}")).collect::<Vec<_>>());
    assert!(log.segments().unwrap().len() > 10);
    assert_eq!(append(&log, "next"), Offset::from(500));
    assert!(!root.path().join(".kafka_cleanshutdown").exists(), "a marker must not stand over new writes");
}

#[test]
fn a_torn_tail_is_cut_and_the_rest_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let (path, killed) = (root.path().join("a"), root.path().join("b"));
    let dir = open(&path, LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for n in 0..10 {
        append(&log, &format!("{n}"));
    }
    let file = "t-0/00000000000000000000.log";
    let whole = std::fs::read(path.join(file)).unwrap();
    for cut in [1, 30, 70, 100] {
        let _ = std::fs::remove_dir_all(&killed);
        copy_as_killed(&path, &killed);
        std::fs::write(killed.join(file), &whole[..whole.len() - cut]).unwrap();
        let log = open(&killed, LogConfig::default()).log("t", 0).unwrap();
        let left = 10 - cut.div_ceil(whole.len() / 10);
        assert_eq!(values(&log), (0..left).map(|n| n.to_string()).collect::<Vec<_>>(), "cut {cut}");
        assert_eq!(append(&log, "again").get(), left as i64);
    }
}

#[test]
fn damage_before_the_recovery_point_is_an_error_that_names_the_place() {
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
    let [offline] = &LogDir::open(&killed).unwrap().offline()[..] else { panic!("the log is offline") };
    let error = offline.error.to_string();
    assert!(
        error.starts_with("damage in ") && error.contains("00000000000000000000.log at byte 276"),
        "{error}"
    );
    assert!(error.contains("where offset 4 should be: batch checksum does not match"), "{error}");
}

#[test]
fn damage_after_a_clean_stop_is_found_by_the_read() {
    let root = tempfile::tempdir().unwrap();
    let dir = open(root.path(), small_segments());
    let log = dir.log("t", 0).unwrap();
    for n in 0..100 {
        append(&log, &format!("value {n}"));
    }
    dir.close().unwrap();
    let file = root.path().join("t-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[70] ^= 0x10;
    std::fs::write(&file, bytes).unwrap();
    let log = open(root.path(), small_segments()).log("t", 0).unwrap();
    let mut reader = log.reader(Position::Start).unwrap();
    let Err(ReadError::Damage(damage)) = reader.next() else {
        panic!("damage is an error, not a silent skip")
    };
    assert_eq!((damage.position, damage.offset.get()), (0, 0));
    let Err(ReadError::Damage(_)) = reader.next() else { panic!("and stays one") };
    reader.seek(Offset::from(50)).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().value, Some(&b"value 50"[..]));
}

#[test]
fn indexes_are_caches() {
    let root = tempfile::tempdir().unwrap();
    let dir = open(root.path(), small_segments());
    let log = dir.log("t", 0).unwrap();
    for n in 0..300 {
        append(&log, &format!("value {n}"));
    }
    dir.close().unwrap();
    for spoil in ["remove", "zeros", "garbage", "empty"] {
        for entry in std::fs::read_dir(root.path().join("t-0")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "index" || e == "timeindex") {
                match spoil {
                    "remove" => std::fs::remove_file(&path).unwrap(),
                    "zeros" => std::fs::write(&path, [0; 2400]).unwrap(),
                    "garbage" => std::fs::write(
                        &path,
                        b"\x00\x00\x00\x05\x00\x00\x00\x11garbagegarbage\x7f\xff\xff\xff",
                    )
                    .unwrap(),
                    _ => std::fs::write(&path, []).unwrap(),
                }
            }
        }
        let dir = open(root.path(), small_segments());
        let log = dir.log("t", 0).unwrap();
        assert_eq!(values(&log).len(), 300, "{spoil}");
        for n in [0, 17, 150, 299] {
            let mut reader = log.reader(Offset::from(n)).unwrap();
            assert_eq!(reader.next().unwrap().unwrap().offset, Offset::from(n), "{spoil}");
        }
        dir.close().unwrap();
    }
}

#[test]
fn a_folder_is_held_by_one() {
    let root = tempfile::tempdir().unwrap();
    let dir = LogDir::open(root.path()).unwrap();
    let error = LogDir::open(root.path()).unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }));
    assert!(error.to_string().ends_with("is in use by another process, which holds its .lock"), "{error}");
    dir.close().unwrap();
    LogDir::open(root.path()).unwrap();
}

#[test]
fn a_closed_log_reads_but_takes_no_writes() {
    let root = tempfile::tempdir().unwrap();
    let dir = LogDir::open(root.path()).unwrap();
    let log = dir.log("t", 0).unwrap();
    append(&log, "a");
    dir.close().unwrap();
    let error = log.append(&NewRecord::new("b"), Durability::Written).unwrap_err();
    assert_eq!(error.to_string(), "log t-0 is closed");
    assert_eq!(values(&log), ["a"]);
    assert!(matches!(dir.log("u", 0), Err(OpenError::Closed)));
    assert_eq!(log.follow(Position::Start).unwrap().count(), 1, "following ends");
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let config = LogConfig { max_message_bytes: 200, segment_bytes: 1024, ..LogConfig::default() };
    let log = open(root.path(), config).log("t", 0).unwrap();
    let error = log.append(&NewRecord::new(&[0; 300]), Durability::Written).unwrap_err();
    assert_eq!(error.to_string(), "a batch has 370 bytes, expected at most 200 (max.message.bytes)");
    let mut many: Vec<u8> = (0..8).flat_map(|_| batch("v", 10, 0)).collect();
    let error = log.append_batches(&mut many, epoch(0), Depth::Header, Durability::Written).unwrap_err();
    assert!(error.to_string().ends_with("expected at most 1024 (segment.bytes)"), "{error}");
    let mut broken = batch("v", 3, 0);
    *broken.last_mut().unwrap() ^= 1;
    let error = log.append_batches(&mut broken, epoch(0), Depth::Header, Durability::Written).unwrap_err();
    assert!(error.to_string().starts_with("batch 0: batch checksum does not match"), "{error}");
    let none = log.append_batches(&mut [], epoch(0), Depth::Header, Durability::Written).unwrap_err();
    assert_eq!(none.to_string(), "batch 0: batch is cut short: expected 61 bytes, got 0");
    assert_eq!((all(&log).len(), log.bounds().end().get()), (0, 0));
}

#[test]
fn an_old_epoch_is_fenced() {
    let root = tempfile::tempdir().unwrap();
    let log = LogDir::open(root.path()).unwrap().log("t", 0).unwrap();
    log.append_batches(&mut batch("a", 2, 0), epoch(3), Depth::Header, Durability::Written).unwrap();
    let error =
        log.append_batches(&mut batch("b", 2, 0), epoch(2), Depth::Header, Durability::Written).unwrap_err();
    assert!(matches!(error, AppendError::FencedEpoch { .. }), "{error}");
    log.append_batches(&mut batch("c", 2, 0), epoch(5), Depth::Header, Durability::Written).unwrap();
    assert_eq!(log.end_of_epoch(epoch(4)).map(|e| (e.epoch.get(), e.offset.get())), Some((3, 2)));
    let text = std::fs::read_to_string(log.path().join("leader-epoch-checkpoint")).unwrap();
    assert_eq!(text, "0\n2\n3 0\n5 2\n");
}

#[test]
fn readers_and_retention_stop_at_the_commit_bound() {
    let root = tempfile::tempdir().unwrap();
    let config = LogConfig { retention_bytes: Some(0), ..small_segments() };
    let log = open(root.path(), config).log("t", 0).unwrap();
    for n in 0..100 {
        append(&log, &format!("value {n}"));
    }
    log.set_committed(Some(Offset::from(20)));
    assert_eq!(values(&log).len(), 20);
    let limit = |visibility| ReadLimit { max_bytes: 1 << 20, visibility };
    assert!(log.read(Offset::from(21), limit(Visibility::Committed)).unwrap().is_empty(), "not yet");
    assert!(log.read(Offset::from(101), limit(Visibility::Committed)).is_err(), "beyond the end");
    assert!(log.read(Offset::from(20), limit(Visibility::Committed)).unwrap().is_empty());
    assert!(!log.read(Offset::from(20), limit(Visibility::All)).unwrap().is_empty());
    log.enforce_retention(Timestamp::from_millis(0)).unwrap();
    assert!(log.bounds().start() <= Offset::from(20));
    log.set_committed(None);
    assert!(log.enforce_retention(Timestamp::from_millis(0)).unwrap() > 0);
    assert_eq!((log.bounds().start(), log.bounds().end()), (Offset::from(100), Offset::from(100)));
    assert_eq!(append(&log, "next"), Offset::from(100));
}

#[test]
fn retention_by_time_takes_whole_segments_and_their_files_go_later() {
    let root = tempfile::tempdir().unwrap();
    let clock = HeldClock::at(1_000_000);
    let log = LogConfig { retention_time: Some(Duration::from_secs(60)), ..small_segments() };
    let config =
        DirConfig { log, clock: clock.clone(), retention_interval: Duration::ZERO, ..DirConfig::default() };
    let dir = LogDir::open_with(root.path(), config).unwrap();
    let log = dir.log("t", 0).unwrap();
    for n in 0..60 {
        append(&log, &format!("old {n}"));
    }
    log.roll().unwrap();
    clock.set(1_100_000);
    for n in 0..60 {
        append(&log, &format!("new {n}"));
    }
    let before = log.segments().unwrap().len();
    let mut reader = log.reader(Position::Start).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().value, Some(&b"old 0"[..]));
    let retired = dir.maintain(Timestamp::from_millis(1_100_000)).unwrap().retired_segments;
    assert_eq!((log.bounds().start().get(), log.segments().unwrap().len()), (60, before - retired));
    assert_eq!(values(&log)[0], "new 0");
    let files =
        || std::fs::read_dir(log.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let deleted = || files().filter(|f| f.starts_with('0') && f.ends_with(".deleted")).count();
    assert_eq!(deleted(), retired * 3);
    clock.pass(Duration::from_secs(60));
    dir.maintain(Timestamp::from_millis(1_100_000)).unwrap();
    assert_eq!(deleted(), 0);
    while let Ok(Some(_)) = reader.next() {}
    assert!(matches!(reader.next(), Err(ReadError::OutOfRange { .. })), "what was deleted is out of range");
}

#[test]
fn deleted_records_stay_deleted_after_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let dir = open(root.path(), small_segments());
    let log = dir.log("t", 0).unwrap();
    for n in 0..50 {
        append(&log, &format!("value {n}"));
    }
    log.advance_start(Offset::from(33)).unwrap();
    let beyond = log.advance_start(Offset::from(51)).unwrap_err();
    assert_eq!(beyond.to_string(), "offset 51 is not in the log, which has 33 to 50");
    dir.close().unwrap();
    let text = std::fs::read_to_string(root.path().join("log-start-offset-checkpoint")).unwrap();
    assert_eq!(text, "0\n1\nt 0 33\n");
    let log = open(root.path(), small_segments()).log("t", 0).unwrap();
    assert_eq!(values(&log)[0], "value 33");
}

#[test]
fn a_removed_log_is_gone_and_can_be_made_anew() {
    let root = tempfile::tempdir().unwrap();
    let dir = LogDir::open(root.path()).unwrap();
    let name: TopicPartition = "t-0".parse().unwrap();
    append(&dir.log("t", 0).unwrap(), "old");
    let old = dir.get(&name).unwrap();
    assert!(dir.remove(&name).unwrap() && !dir.remove(&name).unwrap());
    assert!(matches!(old.sync(), Err(LogError::Closed { .. })));
    assert_eq!(dir.log("t", 0).unwrap().bounds().end(), Offset::ZERO);
    dir.close().unwrap();
    LogDir::open(root.path()).unwrap();
    let left =
        std::fs::read_dir(root.path()).unwrap().filter(|e| e.as_ref().unwrap().path().is_dir()).count();
    assert_eq!(left, 1, "the removed log's files are cleared away");
}

#[test]
fn many_threads_append_and_each_record_has_one_offset() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path(), small_segments()).log("t", 0).unwrap();
    let read = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let log = &log;
            scope.spawn(move || {
                for n in 0..200 {
                    append(log, &format!("{thread} {n}"));
                }
            });
        }
        scope.spawn(|| {
            let followed = log.follow(Position::Start).unwrap().take(800);
            followed.zip(0..).for_each(|(record, n)| {
                assert_eq!(record.unwrap().offset, Offset::from(n));
                read.fetch_add(1, Ordering::Relaxed);
            });
        });
    });
    assert_eq!(read.load(Ordering::Relaxed), 800);
}

#[test]
fn synced_means_that_the_recovery_point_has_passed() {
    let root = tempfile::tempdir().unwrap();
    let log = open(root.path(), small_segments()).log("t", 0).unwrap();
    append(&log, "a");
    assert_eq!(log.recovery_point(), Offset::ZERO);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let offset = log.append(&NewRecord::new("b"), Durability::Synced).unwrap();
                assert!(log.recovery_point() > offset);
            });
        }
    });
}

#[test]
fn flush_ms_syncs_in_the_background() {
    let root = tempfile::tempdir().unwrap();
    let config = LogConfig { flush_time: Some(Duration::from_secs(5)), ..LogConfig::default() };
    let clock = HeldClock::at(0);
    let config = DirConfig { log: config, clock: clock.clone(), ..DirConfig::default() };
    let dir = LogDir::open_with(root.path(), config).unwrap();
    let log = dir.log("t", 0).unwrap();
    let synced = |now| {
        clock.set(now);
        dir.maintain(clock.now()).unwrap().synced_logs
    };
    append(&log, "a");
    assert_eq!((synced(0), synced(4_999), synced(5_000)), (0, 0, 1));
    assert_eq!(log.recovery_point(), log.bounds().end());
}

#[test]
fn every_codec_round_trips_through_the_embedders_face() {
    for compression in Compression::ALL {
        let root = tempfile::tempdir().unwrap();
        let log = open(root.path(), LogConfig { compression, ..LogConfig::default() }).log("t", 0).unwrap();
        let mut writer = log.writer(Durability::Written);
        for n in 0..5000 {
            writer.push(&NewRecord::new(&format!("value {n}")).key("k")).unwrap();
        }
        writer.flush().unwrap();
        assert_eq!(values(&log).len(), 5000, "{compression}");
        let mut reader = log.reader(Offset::from(1234)).unwrap();
        assert_eq!(reader.next().unwrap().unwrap().value, Some(&b"value 1234"[..]), "{compression}");
    }
}

#[test]
fn a_batch_larger_than_the_read_budget_is_still_whole() {
    let root = tempfile::tempdir().unwrap();
    let log = LogDir::open(root.path()).unwrap().log("t", 0).unwrap();
    append(&log, &"x".repeat(900_000));
    let limit = ReadLimit { max_bytes: 1, visibility: Visibility::Committed };
    assert!(log.read(Offset::ZERO, limit).unwrap().len() > 900_000);
    assert_eq!(values(&log)[0].len(), 900_000);
}

#[cfg(feature = "async")]
#[test]
fn a_task_is_woken_when_the_log_grows() {
    use std::task::{Context, Poll, Wake, Waker};
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let root = tempfile::tempdir().unwrap();
    let log = LogDir::open(root.path()).unwrap().log("t", 0).unwrap();
    let (count, mut reader) = (Arc::new(Count(AtomicUsize::new(0))), log.reader(Position::Start).unwrap());
    let waker = Waker::from(Arc::clone(&count));
    let mut context = Context::from_waker(&waker);
    assert_eq!(reader.poll_ready(&mut context), Poll::Pending);
    assert_eq!(reader.poll_ready(&mut context), Poll::Pending);
    append(&log, "a");
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert_eq!(reader.poll_ready(&mut context), Poll::Ready(()));
    assert!(reader.next().unwrap().is_some() && reader.next().unwrap().is_none());
}

#[test]
fn waiting_ends_with_the_time() {
    let root = tempfile::tempdir().unwrap();
    let log = LogDir::open(root.path()).unwrap().log("t", 0).unwrap();
    let mut reader = log.reader(Position::End).unwrap();
    assert!(reader.next_within(Duration::from_millis(1)).unwrap().is_none());
    append(&log, "a");
    assert!(reader.next_within(Duration::MAX).unwrap().is_some());
}

#[test]
fn wrong_names_settings_and_checkpoints_are_named() {
    let root = tempfile::tempdir().unwrap();
    let dir = LogDir::open(root.path()).unwrap();
    let error = dir.log("../x", 0).unwrap_err().to_string();
    assert_eq!(error, "topic name has '/' at 2, expected only a-z A-Z 0-9 . _ -");
    assert!(dir.log("t", u32::MAX).is_err());
    dir.close().unwrap();
    let config =
        DirConfig { log: LogConfig { segment_bytes: 7, ..LogConfig::default() }, ..DirConfig::default() };
    let error = LogDir::open_with(root.path(), config).unwrap_err().to_string();
    assert_eq!(error, "segment.bytes is 7, expected 1,024 to 2,147,483,647");
    std::fs::write(root.path().join("recovery-point-offset-checkpoint"), "0\n1\nt zero 1\n").unwrap();
    let dir = LogDir::open(root.path()).unwrap();
    let [named] = &dir.inconsistencies()[..] else { panic!("the line is named") };
    let named = named.to_string();
    assert!(named.contains("recovery-point-offset-checkpoint"), "{named}");
    assert!(named.contains("\"t zero 1\" in line 3"), "{named}");
    dir.close().unwrap();
    let file = root.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = LogDir::open(&file).unwrap_err().to_string();
    assert!(error.starts_with("cannot create folder "), "{error}");
}
