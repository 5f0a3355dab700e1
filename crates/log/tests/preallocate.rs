//! A file that is zeroed ahead of its records: quicker to sync, and nobody else sees the zeros.

mod support;

use std::fs;
use std::num::NonZeroU32;
use std::path::Path;

use klamm_log::{Durability, LogConfig, NewRecord, OpenError};
use support::open_hook;
use support::{append, copy_as_killed, open, values};

fn ahead() -> LogConfig {
    LogConfig { preallocate: NonZeroU32::new(10_000), segment_bytes: 2048, ..LogConfig::default() }
}

fn length(root: &Path, name: &str) -> u64 {
    fs::metadata(root.join("t-0").join(name)).unwrap().len()
}

const FIRST: &str = "00000000000000000000.log";

#[test]
fn the_zeros_go_when_the_segment_is_closed() {
    let root = tempfile::tempdir().unwrap();
    let dir = open(root.path(), ahead());
    let log = dir.log("t", 0).unwrap();
    let want: Vec<_> = (0..60).map(|n| format!("value {n}")).collect();
    want[..10].iter().for_each(|value| _ = append(&log, value));
    assert!(length(root.path(), FIRST) > 10_000, "zeroed ahead");
    assert_eq!(log.segments().unwrap()[0].bytes, length_of(&log), "which are not counted");
    want[10..].iter().for_each(|value| _ = append(&log, value));
    assert!(length(root.path(), FIRST) <= 2048, "cut off by the roll");
    assert_eq!(values(&log), want);
    drop((log, dir));
    let total: u64 = fs::read_dir(root.path().join("t-0"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".log"))
        .map(|entry| entry.metadata().unwrap().len())
        .sum();
    let dir = open(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    assert_eq!(total, log.segments().unwrap().iter().map(|segment| segment.bytes).sum::<u64>());
    assert_eq!(values(&log), want);
    assert!(log.verify(klamm_log::Depth::Header).unwrap().is_empty());
}

fn length_of(log: &klamm_log::Log) -> u64 {
    let limit = klamm_log::ReadLimit { max_bytes: 1 << 20, visibility: klamm_log::Visibility::All };
    log.read(log.bounds().start(), limit).unwrap().len() as u64
}

#[test]
fn after_a_kill_zeros_are_no_loss() {
    let root = tempfile::tempdir().unwrap();
    let (living, dead) = (root.path().join("living"), root.path().join("dead"));
    let dir = open(&living, ahead());
    let log = dir.log("t", 0).unwrap();
    append(&log, "one");
    append(&log, "two");
    copy_as_killed(&living, &dead);
    let dir = open(&dead, LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    assert_eq!(values(&log), ["one", "two"]);
    assert!(dir.cuts().is_empty(), "{:?}", dir.cuts());
    assert!(length(&dead, FIRST) < 200, "they are cut off");
}

#[test]
fn zeros_where_records_were_synced_are_damage() {
    let root = tempfile::tempdir().unwrap();
    let (living, dead) = (root.path().join("living"), root.path().join("dead"));
    let dir = open(&living, ahead());
    let log = dir.log("t", 0).unwrap();
    append(&log, "one");
    log.append(&NewRecord::new("two"), Durability::Synced).unwrap();
    dir.maintain(klamm_log::Timestamp::from_millis(0)).unwrap();
    copy_as_killed(&living, &dead);
    let file = dead.join("t-0").join(FIRST);
    let mut bytes = fs::read(&file).unwrap();
    bytes[70..].fill(0);
    fs::write(&file, bytes).unwrap();
    let config = klamm_log::DirConfig::default();
    let dir = klamm_log::LogDir::open_with(&dead, config).unwrap();
    let [offline] = &dir.offline()[..] else { panic!("the log is offline") };
    assert!(matches!(*offline.error, OpenError::Read(_)), "{}", offline.error);
}

#[test]
fn where_there_is_no_room_for_zeros_records_are_written_all_the_same() {
    let root = tempfile::tempdir().unwrap();
    let (disk, dir) = open_hook(root.path(), ahead());
    let log = dir.log("t", 0).unwrap();
    let once = std::sync::atomic::AtomicBool::new(true);
    disk.set(move |operation, path| {
        let is_log = path.extension().is_some_and(|kind| kind == "log");
        match operation == "write" && is_log && once.swap(false, std::sync::atomic::Ordering::SeqCst) {
            true => Err(std::io::Error::from_raw_os_error(28)),
            false => Ok(()),
        }
    });
    append(&log, "one");
    assert_eq!(values(&log), ["one"]);
}
