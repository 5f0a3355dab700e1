//! Log files are open under a bound, and nobody who reads or writes notices.

#![allow(clippy::cast_possible_wrap, clippy::cast_possible_truncation)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use klamm_log::{
    DirConfig, Durability, LeaderEpoch, LogConfig, LogDir, LogError, NewRecord, Position, Timestamp,
};
use klamm_sim::HookDisk;
use support::{append, values};

const MOST: usize = 4;

fn config(disk: &HookDisk) -> DirConfig {
    let log = LogConfig { segment_bytes: 1024, ..LogConfig::default() };
    DirConfig { max_open_files: MOST, disk: Arc::new(disk.clone()), log, ..DirConfig::default() }
}

#[test]
fn thirty_logs_in_turn_with_four_files() {
    let tmp = tempfile::tempdir().unwrap();
    let disk = HookDisk::default();
    let dir = LogDir::open_with(tmp.path(), config(&disk)).unwrap();
    let logs: Vec<_> = (0..30).map(|n| dir.log("t", n).unwrap()).collect();
    let mut want: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for round in 0..40 {
        for (n, log) in logs.iter().enumerate() {
            let value = format!("{round} of {n}, and some more to fill a segment");
            append(log, &value);
            want.entry(n).or_default().push(value);
        }
    }
    for (n, log) in logs.iter().enumerate() {
        assert!(log.segments().unwrap().len() > 2);
        assert_eq!(&values(log), &want[&n]);
    }
    let most = disk.most_open_logs();
    // One that is being opened comes before another is closed.
    assert!(most <= 2 * MOST + 1, "{most} were open");
    drop((logs, dir));
    let dir = LogDir::open_with(tmp.path(), config(&disk)).unwrap();
    for (n, log) in dir.logs().iter().enumerate() {
        let number = log.partition().partition() as usize;
        assert_eq!(&values(log), &want[&number], "log {n}");
    }
    assert!(disk.most_open_logs() <= 2 * MOST + 2, "two threads open them");
}

/// Counts syncs of `.log` files.
fn count_syncs(disk: &HookDisk) -> Arc<AtomicUsize> {
    let syncs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&syncs);
    disk.set(move |operation, path| {
        let is_sync = operation == "sync" && path.extension().is_some_and(|kind| kind == "log");
        count.fetch_add(usize::from(is_sync), Ordering::SeqCst);
        Ok(())
    });
    syncs
}

#[test]
fn appending_to_more_logs_than_files_may_be_open_syncs_nothing() {
    let tmp = tempfile::tempdir().unwrap();
    let disk = HookDisk::default();
    let dir =
        LogDir::open_with(tmp.path(), DirConfig { log: LogConfig::default(), ..config(&disk) }).unwrap();
    let logs: Vec<_> = (0..2 * MOST as u32).map(|n| dir.log("t", n).unwrap()).collect();
    let syncs = count_syncs(&disk);
    for round in 0..20 {
        for log in &logs {
            // The first append notes the epoch.
            assert!(round == 0 || !log.append_may_wait(LeaderEpoch::ZERO));
            append(log, &format!("{round}"));
        }
        // All were used since the last round.
        dir.maintain(Timestamp::from_millis(0)).unwrap();
    }
    assert_eq!(syncs.load(Ordering::SeqCst), 0);
    assert_eq!(disk.open_logs(), logs.len());
}

#[test]
fn files_that_are_not_used_any_more_are_synced_and_closed_by_maintenance() {
    let tmp = tempfile::tempdir().unwrap();
    let disk = HookDisk::default();
    let dir =
        LogDir::open_with(tmp.path(), DirConfig { log: LogConfig::default(), ..config(&disk) }).unwrap();
    let logs: Vec<_> = (0..2 * MOST as u32).map(|n| dir.log("t", n).unwrap()).collect();
    for log in &logs {
        append(log, "once");
    }
    let syncs = count_syncs(&disk);
    // The first round finds that they were used, the second that they were not since.
    for _ in 0..2 {
        append(&logs[0], "again");
        dir.maintain(Timestamp::from_millis(0)).unwrap();
    }
    assert_eq!((disk.open_logs(), syncs.load(Ordering::SeqCst)), (MOST, MOST));
    assert!(logs.iter().all(|log| !values(log).is_empty()));
}

#[test]
fn an_append_that_has_to_wait_for_the_sync_of_another_log_says_so_before() {
    let tmp = tempfile::tempdir().unwrap();
    let disk = HookDisk::default();
    let dir =
        LogDir::open_with(tmp.path(), DirConfig { log: LogConfig::default(), ..config(&disk) }).unwrap();
    let logs: Vec<_> = (0..2 * MOST as u32 + 1).map(|n| dir.log("t", n).unwrap()).collect();
    let syncs = count_syncs(&disk);
    for _ in 0..10 {
        for log in &logs {
            let (may_wait, before) = (log.append_may_wait(LeaderEpoch::ZERO), syncs.load(Ordering::SeqCst));
            append(log, "value");
            assert!(may_wait || syncs.load(Ordering::SeqCst) == before);
        }
    }
    assert!(syncs.load(Ordering::SeqCst) > 10);
    assert!(disk.most_open_logs() <= 2 * MOST + 1);
}

#[test]
fn readers_and_writers_at_once_do_not_notice() {
    let tmp = tempfile::tempdir().unwrap();
    let disk = HookDisk::default();
    let dir = LogDir::open_with(tmp.path(), config(&disk)).unwrap();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let log = dir.log("t", n).unwrap();
            let own = log.clone();
            scope.spawn(move || {
                (0..300).for_each(|value| {
                    append(&own, &format!("value {value:04}"));
                });
            });
            scope.spawn(move || {
                let followed: Vec<_> =
                    log.follow(Position::Start).unwrap().take(300).map(Result::unwrap).collect();
                assert!(followed.iter().enumerate().all(|(n, record)| record.offset.get() == n as i64));
            });
        }
    });
    // Where all were in use there may be more; the next that is opened closes them.
    for n in 8..10 {
        append(&dir.log("t", n).unwrap(), "value");
    }
    for _ in 0..2 {
        dir.maintain(Timestamp::from_millis(0)).unwrap();
    }
    assert!(disk.open_logs() <= MOST, "what nobody uses any more is closed: {}", disk.open_logs());
}

#[test]
fn a_removed_segment_stays_open_only_as_long_as_it_is_read() {
    let tmp = tempfile::tempdir().unwrap();
    let disk = HookDisk::default();
    let dir = LogDir::open_with(tmp.path(), config(&disk)).unwrap();
    let log = dir.log("t", 0).unwrap();
    (0..100).for_each(|n| {
        append(&log, &format!("value {n:04}"));
    });
    let mut reader = log.reader(Position::Start).unwrap();
    assert!(reader.next().unwrap().is_some());
    log.advance_start(log.bounds().end()).unwrap();
    assert!(log.enforce_retention(Timestamp::from_millis(1)).unwrap() > 3);
    drop(reader);
    for _ in 0..2 {
        dir.maintain(Timestamp::from_millis(0)).unwrap();
    }
    assert!(disk.open_logs() <= MOST, "{}", disk.open_logs());
}

#[test]
fn what_cannot_be_synced_when_a_file_is_closed_fails_its_log_and_no_other() {
    let tmp = tempfile::tempdir().unwrap();
    let disk = HookDisk::default();
    let mut settings = config(&disk);
    settings.log.segment_bytes = 1 << 20;
    let dir = LogDir::open_with(tmp.path(), settings).unwrap();
    let logs: Vec<_> = (0..MOST as u32 + 1).map(|n| dir.log("t", n).unwrap()).collect();
    append(&logs[0], "may be lost");
    let broken = logs[0].path().join("00000000000000000000.log");
    disk.set(move |operation, path| match operation == "sync" && path == broken {
        true => Err(std::io::Error::from_raw_os_error(5)),
        false => Ok(()),
    });
    let mut failed = Ok(());
    for round in 0..3 {
        logs[1..].iter().for_each(|log| {
            append(log, &format!("{round}"));
        });
        failed = failed.and(dir.maintain(Timestamp::from_millis(0)).map(drop));
    }
    assert!(failed.is_err(), "maintenance says so");
    let refused = logs[0].sync().unwrap_err();
    assert!(refused.to_string().contains("cannot sync"), "{refused}");
    disk.clear();
    assert!(
        matches!(logs[0].sync(), Err(LogError::Failed { .. })),
        "it is not tried again as if nothing were lost"
    );
    assert!(logs[0].append(&NewRecord::new("more"), Durability::Written).is_err());
    for log in &logs[1..] {
        log.sync().unwrap();
    }
}
