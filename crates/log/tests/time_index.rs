//! A time index is a cache: whatever its file holds, lookups by time give what the batches say, and
//! retention deletes by the batches alone.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use klamm_log::{DirConfig, Durability, Log, LogConfig, LogDir, NewRecord, Timestamp};
use klamm_sim::HeldClock;
use support::{all, copy_as_killed};

const NOW: i64 = 1_790_000_000_000;
const HOUR: i64 = 3_600_000;
const RECORDS: i64 = 48;

fn config() -> LogConfig {
    LogConfig {
        index_interval_bytes: 150,
        retention_time: Some(Duration::from_millis(30 * HOUR as u64)),
        file_delete_delay: Duration::ZERO,
        ..LogConfig::default()
    }
}

fn open_at(path: &Path, now: i64) -> (LogDir, Log) {
    let config = DirConfig { log: config(), clock: HeldClock::at(now), ..DirConfig::default() };
    let dir = LogDir::open_with(path, config).unwrap();
    let log = dir.log("t", 0).unwrap();
    (dir, log)
}

/// Times of the records: rising, with an early peak in each group of ten, and equal ones.
fn time(n: i64) -> i64 {
    let base = NOW - 10 * HOUR + (n / 10) * 10_000;
    match n % 10 {
        3 => base + 9_500,
        4 | 5 => base + 4_000,
        k => base + k * 1_000,
    }
}

/// Three segments with sixteen records each, one in a batch; the last is active.
fn sound(path: &Path) {
    let (dir, log) = open_at(path, NOW);
    for n in 0..RECORDS {
        let value = format!("value {n}");
        let record = NewRecord::new(&value).at(Timestamp::from_millis(time(n)));
        log.append(&record, Durability::Written).unwrap();
        if n % 16 == 15 && n + 1 < RECORDS {
            log.roll().unwrap();
        }
    }
    dir.close().unwrap();
}

/// Everything that a time index could change: lookups around each time, the largest time, the
/// segments' times.
fn answers(log: &Log) -> Vec<String> {
    let mut found = vec![format!("{:?}", log.offset_of_max_timestamp().unwrap())];
    for n in 0..RECORDS {
        for near in [0, 1] {
            let at = log.offset_since(Timestamp::from_millis(time(n) + near)).unwrap();
            found.push(format!("{n} {near} {:?}", at.map(|found| found.offset.get())));
        }
    }
    found.extend(log.segments().unwrap().iter().map(|segment| format!("{:?}", segment.largest_timestamp)));
    found
}

fn index(path: &Path, base: usize) -> PathBuf {
    path.join("t-0").join(format!("{base:020}.timeindex"))
}

/// Damages of a file: a name, and what the file holds then.
fn damages(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    // Every bit of the last entry, and some of the others.
    let last = bytes.len().saturating_sub(12) * 8;
    for bit in (0..last).step_by(5).chain(last..bytes.len() * 8) {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        all.push((format!("bit {bit}"), flipped));
    }
    for (from, to) in [(0, 1), (0, 2), (1, 2)] {
        let mut zeroed = bytes.to_vec();
        zeroed[bytes.len() * from / 2..bytes.len() * to / 2].fill(0);
        all.push((format!("zeros from {from} to {to} halves"), zeroed));
    }
    for length in (0..bytes.len()).step_by(5) {
        all.push((format!("cut to {length}"), bytes[..length].to_vec()));
    }
    all.push(("three stray bytes".into(), [bytes, &[1, 2, 3]].concat()));
    all.push(("an entry of 0xff".into(), [bytes, &[0xff; 12]].concat()));
    all.push(("an entry of zeros".into(), [bytes, &[0; 12]].concat()));
    all.push(("all 0xff".into(), vec![0xff; bytes.len()]));
    all.push(("the first entry again".into(), [bytes, &bytes[..12]].concat()));
    let reversed = bytes.chunks_exact(12).rev().flatten().copied().collect();
    all.push(("backwards".into(), reversed));
    all
}

#[test]
fn lookups_by_time_give_the_same_whatever_a_time_index_holds() {
    let root = tempfile::tempdir().unwrap();
    sound(root.path());
    let want = answers(&open_at(root.path(), NOW).1);
    let mut cases = 0;
    for base in [0, 16, 32] {
        let file = index(root.path(), base);
        let bytes = fs::read(&file).unwrap();
        assert!(bytes.len() >= 3 * 12, "an index with some entries: {}", bytes.len());
        for (name, damaged) in damages(&bytes) {
            fs::write(&file, damaged).unwrap();
            let (dir, log) = open_at(root.path(), NOW);
            assert_eq!(answers(&log), want, "{name} in segment {base}");
            drop((dir, log));
            cases += 1;
        }
        fs::write(&file, bytes).unwrap();
    }
    println!("{cases} damaged time indexes");
}

#[test]
fn lookups_stay_right_after_appending_and_truncating_behind_a_damaged_time_index() {
    let root = tempfile::tempdir().unwrap();
    sound(root.path());
    let bytes = fs::read(index(root.path(), 32)).unwrap();
    for (name, damaged) in damages(&bytes).into_iter().step_by(7) {
        let mut found = Vec::new();
        for content in [&bytes, &damaged] {
            let copy = tempfile::tempdir().unwrap();
            copy_as_killed(root.path(), copy.path());
            fs::write(copy.path().join(".kafka_cleanshutdown"), "{\"version\":0,\"brokerEpoch\":-1}")
                .unwrap();
            fs::write(index(copy.path(), 32), content).unwrap();
            let (dir, log) = open_at(copy.path(), NOW);
            log.truncate_to(klamm_log::Offset::from(41)).unwrap();
            for n in 41..RECORDS {
                let record = NewRecord::new("again").at(Timestamp::from_millis(time(n) + 7));
                log.append(&record, Durability::Written).unwrap();
            }
            let live = answers(&log);
            dir.close().unwrap();
            drop(log);
            assert_eq!(answers(&open_at(copy.path(), NOW).1), live, "{name}, opened again");
            found.push(live);
        }
        assert_eq!(found[0], found[1], "{name}");
    }
}

#[test]
fn retention_deletes_nothing_young_whatever_a_time_index_holds() {
    let root = tempfile::tempdir().unwrap();
    sound(root.path());
    let records = all(&open_at(root.path(), NOW).1).len();
    let mut cases = 0;
    for base in [0, 32] {
        let file = index(root.path(), base);
        let bytes = fs::read(&file).unwrap();
        for (name, damaged) in damages(&bytes) {
            fs::write(&file, damaged).unwrap();
            let (dir, log) = open_at(root.path(), NOW);
            let retired = log.enforce_retention(Timestamp::from_millis(NOW)).unwrap();
            assert_eq!((retired, all(&log).len()), (0, records), "{name} in segment {base}");
            drop((dir, log));
            cases += 1;
        }
        fs::write(&file, bytes).unwrap();
    }
    println!("{cases} damaged time indexes");
}

#[test]
fn retention_deletes_what_is_old_whatever_a_time_index_holds() {
    let root = tempfile::tempdir().unwrap();
    sound(root.path());
    let bytes = fs::read(index(root.path(), 0)).unwrap();
    // The first segment ended at that time; the second is younger.
    let now = time(13) + 30 * HOUR + 1;
    for (name, damaged) in damages(&bytes).into_iter().step_by(5) {
        let copy = tempfile::tempdir().unwrap();
        copy_as_killed(root.path(), copy.path());
        fs::write(index(copy.path(), 0), damaged).unwrap();
        let (dir, log) = open_at(copy.path(), now);
        assert_eq!(log.enforce_retention(Timestamp::from_millis(now - 1)).unwrap(), 0, "{name}: not yet");
        assert_eq!(log.enforce_retention(Timestamp::from_millis(now)).unwrap(), 1, "{name}");
        assert_eq!(log.bounds().start().get(), 16, "{name}");
        drop((dir, log));
    }
}

#[test]
fn a_flipped_time_in_a_batch_header_deletes_nothing() {
    let root = tempfile::tempdir().unwrap();
    sound(root.path());
    let file = root.path().join("t-0/00000000000000000000.log");
    let bytes = fs::read(&file).unwrap();
    fs::remove_file(index(root.path(), 0)).unwrap();
    // Each batch says 1970, but none has a checksum that agrees.
    let mut old = bytes.clone();
    let mut at = 0;
    while at < old.len() {
        old[at + 35..at + 43].copy_from_slice(&1i64.to_be_bytes());
        at += 12 + u32::from_be_bytes(old[at + 8..at + 12].try_into().unwrap()) as usize;
    }
    fs::write(&file, old).unwrap();
    let (_dir, log) = open_at(root.path(), NOW);
    assert_eq!(log.enforce_retention(Timestamp::from_millis(NOW)).unwrap(), 0);
    assert_eq!(log.bounds().start().get(), 0);
}

#[test]
fn kafkas_own_index_whose_last_entry_is_not_at_the_last_batch_is_believed() {
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/kafka-4.3.1/odd-timestamps-0");
    let root = tempfile::tempdir().unwrap();
    copy_as_killed(&fixture, &root.path().join("odd-timestamps-0"));
    let clock: Arc<HeldClock> = HeldClock::at(NOW);
    let dir = LogDir::open_with(root.path(), DirConfig { clock, ..DirConfig::default() }).unwrap();
    let log = dir.log("odd-timestamps", 0).unwrap();
    let largest = log.segments().unwrap()[0].largest_timestamp;
    assert_eq!(largest, Some(Timestamp::from_millis(1_700_000_002_900)));
    assert_eq!(log.offset_of_max_timestamp().unwrap().unwrap().offset.get(), 38);
}
