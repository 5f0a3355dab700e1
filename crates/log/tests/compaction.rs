//! Compaction: what stays, what goes and when, and what a crash, a reader or a truncation in the
//! middle of it sees.

#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap)]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use klamm_log::{
    AppendError, CleanerConfig, CleanupPolicy, Depth, DirConfig, Durability, LeaderEpoch, Log, LogConfig,
    LogDir, LogError, NewRecord, Offset, Position, ReadLimit, Step, Timestamp, Visibility,
};
use klamm_record::{
    BatchBuilder, BatchHeader, BatchOptions, BatchProducer, Compression, EndTransaction, Outcome,
};
use klamm_sim::HeldClock;
use klamm_types::{ProducerEpoch, ProducerId};
use proptest::prelude::*;

const NOW: i64 = 1_000_000;

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

fn open_with(path: &std::path::Path, log: LogConfig, cleaner: CleanerConfig) -> (LogDir, Log) {
    let config = DirConfig { log, cleaner, clock: HeldClock::at(NOW), ..DirConfig::default() };
    let dir = LogDir::open_with(path, config).unwrap();
    let log = dir.log("t", 0).unwrap();
    (dir, log)
}

fn open(path: &std::path::Path, log: LogConfig) -> (LogDir, Log) {
    open_with(path, log, CleanerConfig::default())
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn put(log: &Log, key: &str, value: &str) {
    log.append(&NewRecord::new(value).key(key), Durability::Written).unwrap();
}

fn delete(log: &Log, key: &str) {
    log.append(&NewRecord::tombstone(key), Durability::Written).unwrap();
}

/// Offset, key and value of each record.
type Rows = Vec<(i64, String, Option<String>)>;

fn rows(log: &Log) -> Rows {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let row = |record: klamm_log::OwnedRecord| {
        let key = text(record.key.as_deref().unwrap_or_default());
        (record.offset.get(), key, record.value.as_deref().map(text))
    };
    support::all(log).into_iter().map(row).collect()
}

fn headers(log: &Log) -> Vec<BatchHeader> {
    let mut headers = Vec::new();
    let mut next = log.bounds().start();
    loop {
        let limit = ReadLimit { max_bytes: 1 << 20, visibility: Visibility::All };
        let bytes = log.read(next, limit).unwrap().read().unwrap();
        let mut rest = &bytes[..];
        while let Ok(header) = BatchHeader::parse(rest) {
            headers.push(header);
            next = header.next_offset();
            rest = &rest[header.size()..];
        }
        if bytes.is_empty() {
            return headers;
        }
    }
}

#[test]
fn the_last_of_each_key_stays_where_it_was() {
    let tmp = tempfile::tempdir().unwrap();
    let (dir, log) = open(tmp.path(), compacted());
    for n in 0..400 {
        put(&log, &format!("key {}", n % 7), &format!("value {n}"));
    }
    let before = log.segments().unwrap().len();
    let cleaned = log.compact(at(NOW)).unwrap().unwrap();
    let want: Rows = (393..400).map(|n| (n, format!("key {}", n % 7), Some(format!("value {n}")))).collect();
    assert_eq!(rows(&log), want);
    assert_eq!((cleaned.keys, cleaned.records), (7, (400, 7)));
    assert_eq!((cleaned.first_dirty.get(), cleaned.end.get()), (0, 400));
    let after = log.segments().unwrap().len();
    assert!(before > 8 && cleaned.segments == (before, after - 1), "all but the new active one: {cleaned:?}");
    assert_eq!(log.bounds().start(), Offset::ZERO, "what is gone was before the start of nothing");
    assert_eq!(log.bounds().end().get(), 400);
    // Reading anywhere goes on at the next that is there.
    for from in [0, 1, 200, 392, 393] {
        let first = log.records(Position::At(Offset::new(from).unwrap())).unwrap().next().unwrap().unwrap();
        assert_eq!(first.offset.get(), 393.max(from));
    }
    let id = dir.clean(at(NOW)).unwrap();
    assert!(id.is_empty(), "nothing is dirty now: {id:?}");
    drop((dir, log));
    let (_dir, log) = open(tmp.path(), compacted());
    assert_eq!(rows(&log), want);
    assert_eq!(log.dirtiness(at(NOW)).unwrap().first_dirty.get(), 400, "the checkpoint says so");
}

#[test]
fn a_tombstone_stays_for_the_time_that_settings_give_it() {
    let tmp = tempfile::tempdir().unwrap();
    let (_dir, log) = open(tmp.path(), compacted());
    put(&log, "a", "1");
    put(&log, "b", "2");
    delete(&log, "a");
    let horizon = at(NOW + 10_000);
    for (name, now, want) in [
        ("the first cleaning sets its time", NOW, vec![1, 2]),
        ("which has not come", NOW + 9_999, vec![1, 2]),
        ("it has come", NOW + 10_000, vec![1]),
    ] {
        log.compact(at(now)).unwrap();
        assert_eq!(rows(&log).iter().map(|row| row.0).collect::<Vec<_>>(), want, "{name}");
        let marked: Vec<_> = headers(&log).into_iter().filter_map(|header| header.delete_horizon()).collect();
        assert!(marked.iter().all(|marked| *marked == horizon), "{name}: the time is set once");
    }
    put(&log, "c", "3");
    assert_eq!(rows(&log).last().unwrap().0, 3, "offsets are not given out twice");
}

#[test]
fn what_is_young_open_or_not_committed_waits() {
    let tmp = tempfile::tempdir().unwrap();
    let (dir, log) =
        open(tmp.path(), LogConfig { min_compaction_lag: Duration::from_secs(1), ..compacted() });
    for n in 0..200 {
        put(&log, "k", &format!("{n}"));
    }
    assert_eq!(log.compact(at(NOW + 999)).unwrap(), None, "too young");
    log.set_config(compacted()).unwrap();
    log.set_committed(Some(Offset::from(60)));
    log.compact(at(NOW)).unwrap().unwrap();
    log.set_committed(None);
    let found: Vec<_> = rows(&log).into_iter().map(|row| row.0).collect();
    let (first, rest) = (found[0], found.len() as i64);
    assert!(first > 30 && first < 60 && first + rest == 200, "{found:?}");
    drop(dir);
}

#[test]
fn a_map_that_is_too_small_takes_several_rounds() {
    let tmp = tempfile::tempdir().unwrap();
    let cleaner =
        CleanerConfig { dedupe_buffer_bytes: 24 * 20, io_buffer_bytes: 300, ..CleanerConfig::default() };
    let config = LogConfig { min_cleanable_dirty_ratio: 0.0, ..compacted() };
    let (dir, log) = open_with(tmp.path(), config, cleaner);
    for n in 0..300 {
        put(&log, &format!("{}", n % 50), &format!("{n}"));
    }
    log.roll().unwrap();
    let rounds = dir.clean(at(NOW)).unwrap();
    assert!(rounds.len() > 5, "{} rounds", rounds.len());
    assert!(rounds.iter().all(|round| round.keys <= 18), "18 of 20 slots");
    assert_eq!(rounds.last().unwrap().end.get(), 300);
    let found: Vec<_> = rows(&log).into_iter().map(|row| row.0).collect();
    assert_eq!(found, (250..300).collect::<Vec<_>>());
}

#[test]
fn a_record_without_a_key_is_refused() {
    let tmp = tempfile::tempdir().unwrap();
    let (_dir, log) = open(tmp.path(), compacted());
    let refused = log.append(&NewRecord::new("v"), Durability::Written);
    assert!(matches!(refused, Err(AppendError::NoKey { index: 0, record: 0 })), "{refused:?}");
    for compression in [Compression::None, Compression::Lz4] {
        let options = BatchOptions { compression, ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(Vec::new(), options);
        builder.append(&NewRecord::new("v").key("k")).unwrap();
        builder.append(&NewRecord::new("v")).unwrap();
        let mut batch = builder.finish().unwrap().buffer;
        let refused = log.append_batches(&mut batch, LeaderEpoch::ZERO, Depth::Header, Durability::Written);
        assert!(matches!(refused, Err(AppendError::NoKey { index: 0, record: 1 })), "{refused:?}");
    }
    assert_eq!(log.bounds().end(), Offset::ZERO);
}

#[test]
fn a_log_that_only_deletes_is_not_compacted() {
    let tmp = tempfile::tempdir().unwrap();
    let (_dir, log) = open(tmp.path(), LogConfig::default());
    let refused = log.compact(at(NOW)).unwrap_err();
    assert!(matches!(refused, LogError::Config(_)));
    assert_eq!(refused.to_string(), "cleanup.policy is delete, expected compact, or compact,delete");
}

#[test]
fn the_dirtiest_log_comes_first_and_those_below_the_ratio_not_at_all() {
    let tmp = tempfile::tempdir().unwrap();
    let config = DirConfig { log: compacted(), clock: HeldClock::at(NOW), ..DirConfig::default() };
    let dir = LogDir::open_with(tmp.path(), config).unwrap();
    let fill = |log: &Log, count: u32| (0..count).for_each(|n| put(log, &format!("key {n}"), "some value"));
    let logs: Vec<_> = (0..3).map(|n| dir.log("t", n).unwrap()).collect();
    for (log, dirty) in logs.iter().zip([100, 800, 60]) {
        fill(log, 300);
        log.compact(at(NOW)).unwrap().unwrap();
        fill(log, dirty);
        log.roll().unwrap();
    }
    fill(&logs[0], 400);
    logs[0].roll().unwrap();
    let cleaned: Vec<_> = dir.clean(at(NOW)).unwrap().into_iter().map(|c| c.partition.to_string()).collect();
    assert_eq!(cleaned, ["t-1", "t-0"], "t-2 is dirty by less than half");
}

#[test]
fn a_reader_in_the_middle_goes_on_and_a_slice_stays_readable() {
    let tmp = tempfile::tempdir().unwrap();
    let (_dir, log) = open(tmp.path(), compacted());
    for n in 0..300 {
        put(&log, &format!("{}", n % 10), &format!("{n}"));
    }
    let mut reader = log.reader(Position::Start).unwrap();
    for n in 0..100 {
        assert_eq!(reader.next().unwrap().unwrap().offset.get(), n);
    }
    let limit = ReadLimit { max_bytes: 200, visibility: Visibility::All };
    let slice = log.read(Offset::ZERO, limit).unwrap();
    let bytes = slice.read().unwrap();
    log.compact(at(NOW)).unwrap().unwrap();
    log.enforce_retention(at(NOW)).unwrap();
    assert_eq!(slice.read().unwrap(), bytes, "its file is kept as long as the slice");
    assert!(slice.offsets_before().unwrap().is_some(), "and so is what the index says of it");
    let mut found = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        found.push(record.offset.get());
    }
    assert!(found.is_sorted() && found.ends_with(&(290..300).collect::<Vec<_>>()), "{found:?}");
}

#[test]
fn truncation_in_the_middle_of_a_cleaning_wins() {
    let tmp = tempfile::tempdir().unwrap();
    let cleaner = CleanerConfig { io_buffer_bytes: 500, ..CleanerConfig::default() };
    // After each number of steps, for the cleaning looks different there.
    for steps in 0.. {
        let path = tmp.path().join(format!("{steps}"));
        let config = LogConfig { min_cleanable_dirty_ratio: 0.0, ..compacted() };
        let (dir, log) = open_with(&path, config, cleaner.clone());
        for n in 0..120 {
            put(&log, &format!("{}", n % 10), &format!("{n}"));
        }
        log.roll().unwrap();
        let mut cleaning = dir.start_cleaning(at(NOW)).unwrap().unwrap();
        let done = (0..steps).any(|_| matches!(cleaning.step().unwrap(), Step::Done(_)));
        let before = rows(&log);
        let end = log.truncate_to(Offset::from(35)).unwrap();
        let want: Rows = before.into_iter().filter(|row| row.0 < end.get()).collect();
        while !done && !matches!(cleaning.step().unwrap(), Step::Done(_)) {}
        drop(cleaning);
        assert_eq!(rows(&log), want, "after {steps} steps");
        put(&log, "new", "x");
        drop((dir, log));
        let (_dir, log) = open(&path, compacted());
        assert_eq!(rows(&log).len(), want.len() + 1, "after {steps} steps, opened again");
        let left: Vec<_> =
            std::fs::read_dir(path.join("t-0")).unwrap().map(|e| e.unwrap().file_name()).collect();
        let left: Vec<_> = left.iter().filter(|n| n.to_string_lossy().contains(".cleaned")).collect();
        assert!(left.is_empty(), "{left:?}");
        if done {
            assert!(steps > 10, "{steps} steps");
            break;
        }
    }
}

#[test]
fn retention_in_the_middle_of_a_cleaning_wins_too() {
    let tmp = tempfile::tempdir().unwrap();
    let cleaner = CleanerConfig { io_buffer_bytes: 500, ..CleanerConfig::default() };
    let config = LogConfig {
        cleanup_policy: CleanupPolicy::CompactAndDelete,
        min_cleanable_dirty_ratio: 0.0,
        retention_bytes: Some(2500),
        ..compacted()
    };
    let (dir, log) = open_with(tmp.path(), config, cleaner);
    for n in 0..200 {
        put(&log, &format!("{n}"), &format!("{n}"));
    }
    log.roll().unwrap();
    let mut cleaning = dir.start_cleaning(at(NOW)).unwrap().unwrap();
    assert!(log.cleaning().unwrap().total_bytes > 10_000);
    assert!(dir.start_cleaning(at(NOW)).unwrap().is_none(), "it is being cleaned already");
    for _ in 0..60 {
        assert!(matches!(cleaning.step().unwrap(), Step::More(_)));
    }
    let progress = log.cleaning().unwrap();
    assert!(progress.done_bytes > 0 && progress.done_bytes <= progress.total_bytes, "{progress:?}");
    assert!(log.enforce_retention(at(NOW)).unwrap() > 3);
    let start = log.bounds().start().get();
    while !matches!(cleaning.step().unwrap(), Step::Done(_)) {}
    drop(cleaning);
    assert_eq!(log.cleaning(), None);
    let found: Vec<_> = rows(&log).into_iter().map(|row| row.0).collect();
    assert_eq!(found, (start..200).collect::<Vec<_>>());
    let compact =
        LogConfig { cleanup_policy: CleanupPolicy::Compact, retention_bytes: Some(0), ..compacted() };
    log.set_config(compact).unwrap();
    assert_eq!(log.enforce_retention(at(NOW)).unwrap(), 0, "compact alone deletes nothing by size");
}

#[test]
fn damage_stops_the_cleaning_and_nothing_is_given_a_new_checksum() {
    let tmp = tempfile::tempdir().unwrap();
    let config = LogConfig { min_cleanable_dirty_ratio: 0.0, ..compacted() };
    let (dir, log) = open(tmp.path(), config.clone());
    for n in 0..100 {
        put(&log, &format!("{}", n % 3), &format!("{n}"));
    }
    log.roll().unwrap();
    dir.close().unwrap();
    drop((dir, log));
    let file = tmp.path().join("t-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[200] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let (dir, log) = open(tmp.path(), config);
    let error = dir.clean(at(NOW)).unwrap_err();
    assert!(matches!(&error, LogError::Damage(damage) if damage.path == file), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), bytes, "the file is as it was");
    assert!(dir.clean(at(NOW)).unwrap().is_empty(), "it is not tried again for ever");
    assert!(log.append(&NewRecord::new("v").key("k"), Durability::Written).is_ok());
}

fn transactional(log: &Log, producer: i64, sequence: u32, rows: &[(&str, &str)]) {
    let options = BatchOptions {
        producer: Some(producer_of(producer)),
        base_sequence: Some(sequence),
        transactional: true,
        ..BatchOptions::default()
    };
    append(log, options, rows);
}

fn producer_of(id: i64) -> BatchProducer {
    BatchProducer { id: ProducerId::new(id).unwrap(), epoch: ProducerEpoch::new(0).unwrap() }
}

fn append(log: &Log, options: BatchOptions, rows: &[(&str, &str)]) {
    let mut builder = BatchBuilder::new(Vec::new(), options);
    for (key, value) in rows {
        builder.append(&NewRecord::new(value).key(key).at(at(NOW))).unwrap();
    }
    let mut batch = builder.finish().unwrap().buffer;
    log.append_batches(&mut batch, LeaderEpoch::ZERO, Depth::Header, Durability::Written).unwrap();
}

fn mark(log: &Log, producer: i64, outcome: Outcome) {
    let marker = EndTransaction { outcome, coordinator_epoch: 0 };
    let (key, value) = (marker.key(), marker.value());
    let options = BatchOptions {
        base_offset: log.bounds().end(),
        leader_epoch: Some(LeaderEpoch::ZERO),
        producer: Some(producer_of(producer)),
        transactional: true,
        control: true,
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(Vec::new(), options);
    builder.append(&NewRecord::new(&value).key(&key).at(at(NOW))).unwrap();
    log.append_as_follower(&builder.finish().unwrap().buffer, Durability::Written).unwrap();
}

/// Offsets of batches that hold no record, and of markers.
fn empties_and_markers(log: &Log) -> (Vec<i64>, Vec<i64>) {
    let pick = |wanted: fn(&BatchHeader) -> bool| {
        headers(log).iter().filter(|header| wanted(header)).map(|header| header.base_offset().get()).collect()
    };
    (
        pick(|header| header.record_count() == 0),
        pick(|header| header.is_control() && header.record_count() > 0),
    )
}

#[test]
fn aborted_records_go_at_once_and_markers_when_nothing_needs_them() {
    let tmp = tempfile::tempdir().unwrap();
    let (dir, log) = open(tmp.path(), compacted());
    transactional(&log, 1, 0, &[("a", "aborted"), ("b", "aborted")]); // 0, 1
    transactional(&log, 2, 0, &[("a", "committed")]); // 2
    mark(&log, 1, Outcome::Abort); // 3
    mark(&log, 2, Outcome::Commit); // 4
    transactional(&log, 1, 2, &[("c", "committed")]); // 5
    mark(&log, 1, Outcome::Commit); // 6
    put(&log, "a", "plain"); // 7
    put(&log, "z", "plain"); // 8
    log.compact(at(NOW)).unwrap().unwrap();
    let kept: Vec<_> = rows(&log).into_iter().map(|row| row.0).collect();
    assert_eq!(kept, [5, 7, 8], "2 gave way to 7, 0 and 1 were aborted");
    // 1's last batch is the one at 5, and 2's the one at 2, whose record went.
    assert_eq!(empties_and_markers(&log), (vec![2], vec![3, 4, 6]));
    let aborted = log.aborted_transactions(Offset::ZERO, log.bounds().end()).unwrap();
    assert_eq!(aborted.len(), 1, "the marker's entry stays with it for a reader that has the batches");
    let before = producer_snapshot(&dir, tmp.path());
    drop((dir, log));

    let (dir, log) = open(tmp.path(), compacted());
    log.compact(at(NOW)).unwrap();
    // The abort's batches were gone in this pass: its time runs. The commit at 4 is held by the
    // empty batch at 2.
    let horizons: Vec<_> = headers(&log)
        .iter()
        .filter(|h| h.delete_horizon().is_some())
        .map(|h| h.base_offset().get())
        .collect();
    assert_eq!(horizons, [3]);
    assert!(log.aborted_transactions(Offset::ZERO, log.bounds().end()).unwrap().is_empty());
    log.compact(at(NOW + 10_000)).unwrap();
    assert_eq!(empties_and_markers(&log), (vec![2], vec![4, 6]));
    assert_eq!(producer_snapshot(&dir, tmp.path()), before, "the producers are known as before");
}

/// What a killed process would find out about producers from the batches.
fn producer_snapshot(dir: &LogDir, path: &std::path::Path) -> Vec<u8> {
    let copy = tempfile::tempdir().unwrap();
    support::copy_as_killed(path, copy.path());
    let _ = dir;
    let (killed, _log) = open(copy.path(), compacted());
    killed.close().unwrap();
    let mut snapshots: Vec<_> = std::fs::read_dir(copy.path().join("t-0"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "snapshot"))
        .collect();
    snapshots.sort();
    std::fs::read(snapshots.last().unwrap()).unwrap()
}

#[test]
fn a_batch_that_is_written_anew_says_what_it_said() {
    let tmp = tempfile::tempdir().unwrap();
    let (_dir, log) = open(tmp.path(), compacted());
    for compression in
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
    {
        let options = BatchOptions {
            compression,
            producer: Some(producer_of(i64::from(compression.id()))),
            base_sequence: Some(0),
            ..BatchOptions::default()
        };
        append(&log, options, &[("a", "1"), ("keep", compression_name(compression)), ("a", "2")]);
    }
    let options = BatchOptions { log_append_time: Some(at(77)), ..BatchOptions::default() };
    append(&log, options, &[("other", "x"), ("a", "last")]);
    let before = headers(&log);
    log.compact(at(NOW)).unwrap().unwrap();
    let after = headers(&log);
    assert_eq!(after.len(), before.len());
    for (before, after) in before.iter().zip(&after) {
        let of = |h: &BatchHeader| {
            (h.base_offset(), h.last_offset(), h.producer(), h.base_sequence(), h.leader_epoch())
        };
        assert_eq!(of(before), of(after));
        assert_eq!(
            (before.timestamp_type(), before.max_timestamp()),
            (after.timestamp_type(), after.max_timestamp())
        );
        let codec = if after.record_count() == 0 { Compression::None } else { before.compression() };
        assert_eq!(after.compression(), codec);
    }
    let last: Vec<_> = rows(&log).into_iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(last, [(13, "keep".to_owned()), (15, "other".to_owned()), (16, "a".to_owned())]);
    assert_eq!(support::all(&log).last().unwrap().timestamp, Some(at(77)));
}

fn compression_name(compression: Compression) -> &'static str {
    ["none", "gzip", "snappy", "lz4", "zstd"][compression.id() as usize]
}

#[test]
fn times_of_records_that_are_gone_are_not_found() {
    let tmp = tempfile::tempdir().unwrap();
    let (_dir, log) = open(tmp.path(), compacted());
    let late = NewRecord::new("late").key("a").at(at(9_000));
    let options =
        BatchOptions { producer: Some(producer_of(1)), base_sequence: Some(0), ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(Vec::new(), options);
    builder.append(&late).unwrap();
    let mut batch = builder.finish().unwrap().buffer;
    log.append_batches(&mut batch, LeaderEpoch::ZERO, Depth::Header, Durability::Written).unwrap();
    log.append(&NewRecord::new("early").key("b").at(at(5_000)), Durability::Written).unwrap();
    log.append(&NewRecord::new("again").key("a").at(at(4_000)), Durability::Written).unwrap();
    log.compact(at(NOW)).unwrap().unwrap();
    assert_eq!(
        headers(&log)[0].record_count(),
        0,
        "the producer's last batch keeps its header, and its time"
    );
    let largest = log.offset_of_max_timestamp().unwrap().unwrap();
    assert_eq!((largest.offset.get(), largest.timestamp), (1, at(5_000)));
    assert_eq!(log.offset_since(at(4_500)).unwrap().unwrap().offset.get(), 1);
    assert_eq!(log.offset_since(at(6_000)).unwrap(), None);
}

#[test]
fn a_segment_that_compaction_left_empty_does_not_hold_retention_up() {
    let tmp = tempfile::tempdir().unwrap();
    let config = LogConfig {
        cleanup_policy: CleanupPolicy::CompactAndDelete,
        segment_bytes: 1024,
        retention_time: Some(Duration::from_secs(1)),
        ..compacted()
    };
    let (_dir, log) = open(tmp.path(), config);
    for round in 0..3 {
        for n in 0..40 {
            log.append(
                &NewRecord::new(&format!("{round}")).key(&format!("{n}")).at(at(NOW)),
                Durability::Written,
            )
            .unwrap();
        }
    }
    log.compact(at(NOW)).unwrap().unwrap();
    put(&log, "late", "1");
    let segments = log.segments().unwrap();
    assert!(segments.iter().any(|segment| segment.bytes == 0), "{segments:?}");
    // Far beyond the times of records, and of the files of what is empty.
    let far = at(i64::MAX / 4);
    log.enforce_retention(far).unwrap();
    assert!(log.segments().unwrap().len() <= 2, "{:?}", log.segments());
}

#[test]
fn times_too_far_apart_to_be_written_anew_stay_as_they_are() {
    let tmp = tempfile::tempdir().unwrap();
    let (_dir, log) = open(tmp.path(), compacted());
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    builder.append(&NewRecord::tombstone("a").at(at(i64::MIN + 5))).unwrap();
    let mut batch = builder.finish().unwrap().buffer;
    log.append_batches(&mut batch, LeaderEpoch::ZERO, Depth::Header, Durability::Written).unwrap();
    put(&log, "b", "1");
    log.compact(at(NOW)).unwrap().unwrap();
    assert_eq!(rows(&log).len(), 2);
}

#[test]
fn the_background_cleans_and_ends_when_it_is_told() {
    let tmp = tempfile::tempdir().unwrap();
    let config = LogConfig { min_cleanable_dirty_ratio: 0.1, ..compacted() };
    let slow =
        CleanerConfig { max_bytes_per_second: Some(1), io_buffer_bytes: 500, ..CleanerConfig::default() };
    let (dir, log) = open_with(tmp.path(), config.clone(), slow);
    for n in 0..500 {
        put(&log, &format!("{}", n % 3), &format!("{n}"));
    }
    log.roll().unwrap();
    let background = dir.start_background();
    while log.cleaning().is_none_or(|progress| progress.done_bytes == 0) {
        std::thread::yield_now();
    }
    // At a byte a second it would take days; it waits, and stops when it has to.
    drop(background);
    assert_eq!((log.cleaning(), rows(&log).len()), (None, 500));
    drop((dir, log));
    let (dir, log) = open(tmp.path(), config);
    let background = dir.start_background();
    while rows(&log).len() > 3 {
        std::thread::yield_now();
    }
    drop(background);
}

#[test]
fn the_background_goes_by_settings_that_change() {
    let tmp = tempfile::tempdir().unwrap();
    let config = LogConfig { min_cleanable_dirty_ratio: 0.1, ..compacted() };
    let slow =
        CleanerConfig { max_bytes_per_second: Some(1), io_buffer_bytes: 500, ..CleanerConfig::default() };
    let (dir, log) = open_with(tmp.path(), config, slow.clone());
    for n in 0..500 {
        put(&log, &format!("{}", n % 3), &format!("{n}"));
    }
    log.roll().unwrap();
    let wrong = dir.set_cleaner(CleanerConfig { max_bytes_per_second: Some(0), ..slow }).unwrap_err();
    assert_eq!(wrong.to_string(), "log.cleaner.io.max.bytes.per.second is 0, expected at least 1");
    let background = dir.start_background();
    while log.cleaning().is_none_or(|progress| progress.done_bytes == 0) {
        std::thread::yield_now();
    }
    dir.set_cleaner(CleanerConfig::default()).unwrap();
    while rows(&log).len() > 3 {
        std::thread::yield_now();
    }
    drop(background);
}

#[derive(Clone, Debug)]
enum Op {
    Put(u8, u8),
    Delete(u8),
    Roll,
    Compact,
    Clean,
    Truncate(u8),
    Kill,
    Reopen,
    Later(u16),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        30 => (0..12u8, 1..40u8).prop_map(|(key, count)| Op::Put(key, count)),
        8 => (0..12u8).prop_map(Op::Delete),
        6 => Just(Op::Roll),
        5 => Just(Op::Compact),
        5 => Just(Op::Clean),
        2 => (0..30u8).prop_map(Op::Truncate),
        3 => Just(Op::Kill),
        2 => Just(Op::Reopen),
        3 => (0..15_000u16).prop_map(Op::Later),
    ]
}

/// The last of each key, without those that are gone.
fn table(rows: &Rows) -> BTreeMap<String, (i64, String)> {
    let mut table = BTreeMap::new();
    for (offset, key, value) in rows {
        match value {
            Some(value) => drop(table.insert(key.clone(), (*offset, value.clone()))),
            None => drop(table.remove(key)),
        }
    }
    table
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Model: all that was appended. Whatever is compacted, what a reader makes of the log as a
    /// table is the same, and each record that is there is one of the model's.
    #[test]
    fn a_compacted_log_is_the_same_table(ops in prop::collection::vec(op(), 1..60), map in 3..60usize) {
        let tmp = tempfile::tempdir().unwrap();
        let cleaner = CleanerConfig { dedupe_buffer_bytes: map * 24, io_buffer_bytes: 400, ..CleanerConfig::default() };
        let config = LogConfig { min_cleanable_dirty_ratio: 0.0, segment_bytes: 1024, ..compacted() };
        let (mut path, mut kills, mut now) = (tmp.path().join("0"), 0, NOW);
        let (mut dir, mut log) = open_with(&path, config.clone(), cleaner.clone());
        let mut model: Rows = Vec::new();
        for op in ops {
            let end = log.bounds().end().get();
            match op {
                Op::Put(key, count) => for n in 0..count {
                    let (key, value) = (format!("{}", (key + n % 3) % 12), format!("{n} at {end}"));
                    put(&log, &key, &value);
                    model.push((end + i64::from(n), key, Some(value)));
                },
                Op::Delete(key) => {
                    delete(&log, &format!("{key}"));
                    model.push((end, format!("{key}"), None));
                }
                Op::Roll => log.roll().unwrap(),
                Op::Compact => drop(log.compact(at(now)).unwrap()),
                Op::Clean => drop(dir.clean(at(now)).unwrap()),
                Op::Later(by) => now += i64::from(by),
                Op::Truncate(by) => {
                    // What a cleaning has taken away for the sake of what is cut now does not come
                    // back.
                    let to = (end - i64::from(by)).max(log.dirtiness(at(now)).unwrap().first_dirty.get());
                    let end = log.truncate_to(Offset::new(to).unwrap()).unwrap().get();
                    model.retain(|row| row.0 < end);
                }
                Op::Kill => {
                    kills += 1;
                    let killed = tmp.path().join(format!("{kills}"));
                    support::copy_as_killed(&path, &killed);
                    path = killed;
                    (dir, log) = open_with(&path, config.clone(), cleaner.clone());
                }
                Op::Reopen => {
                    drop((dir, log));
                    (dir, log) = open_with(&path, config.clone(), cleaner.clone());
                }
            }
            let found = rows(&log);
            prop_assert!(found.iter().all(|row| model.binary_search(row).is_ok()), "{found:?}");
            prop_assert_eq!(table(&found), table(&model));
            prop_assert!(log.verify(Depth::Header).unwrap().iter().all(|finding| !finding.kind.is_damage()));
        }
    }
}
