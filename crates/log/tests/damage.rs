//! Kinds of damage, each done to a sound log: what verifying names, what reading and opening do,
//! and what a repair drops.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use klamm_log::{
    Depth, DirConfig, Durability, FindingKind, Log, LogConfig, LogDir, NewRecord, OnDamage, Timestamp,
};
use support::{append, open, values};

const DEEP: Depth = Depth::Records { limit: 1 << 20 };

/// Twenty records in two segments, stopped cleanly; each batch has 75 or 76 bytes.
fn sound(path: &Path) {
    let config = LogConfig { index_interval_bytes: 150, ..LogConfig::default() };
    let dir = open(path, config);
    let log = dir.log("t", 0).unwrap();
    for n in 0..20 {
        let value = format!("value {n:02}");
        let record = NewRecord::new(&value).at(Timestamp::from_millis(1000 + n));
        log.append(&record, Durability::Written).unwrap();
        if n == 9 {
            log.roll().unwrap();
        }
    }
    dir.close().unwrap();
}

fn file(root: &Path, name: &str) -> PathBuf {
    root.join("t-0").join(name)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0xff;
    fs::write(path, bytes).unwrap();
}

fn cut(path: &Path, by: usize) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() - by]).unwrap();
}

/// Where the fourth batch of a segment starts.
fn fourth(path: &Path) -> usize {
    let bytes = fs::read(path).unwrap();
    (0..3).fold(0, |at, _| at + 12 + u32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize)
}

const FIRST: &str = "00000000000000000000.log";
const LAST: &str = "00000000000000000010.log";

/// What was done, to which file, the kind that is named first (or that nothing is), its offset,
/// records left by a repair.
type Case = (&'static str, &'static str, fn(&Path), &'static str, i64, usize);

const CASES: [Case; 9] = [
    ("a byte of a value", FIRST, |p| flip(p, fourth(p) + 70), "Batch", 3, 3),
    ("a byte of a header", FIRST, |p| flip(p, fourth(p) + 25), "Batch", 3, 3),
    ("a length", FIRST, |p| flip(p, fourth(p) + 9), "Batch", 3, 3),
    ("a base offset", FIRST, |p| flip(p, fourth(p) + 7), "Beyond", 3, 3),
    ("a sealed segment is torn", FIRST, |p| cut(p, 20), "Batch", 9, 9),
    (
        "zeros in the middle",
        FIRST,
        |p| {
            let at = fourth(p);
            let mut b = fs::read(p).unwrap();
            b[at..at + 40].fill(0);
            fs::write(p, b).unwrap();
        },
        "Batch",
        3,
        3,
    ),
    ("a byte of the last segment", LAST, |p| flip(p, fourth(p) + 70), "Batch", 13, 13),
    ("an index entry", "00000000000000000000.index", |p| flip(p, 7), "OffsetIndex", 2, 20),
    ("a time index entry", "00000000000000000000.timeindex", |p| flip(p, 7), "TimeIndex", 2, 20),
];

fn kind(kind: &FindingKind) -> &'static str {
    match kind {
        FindingKind::Batch(_) => "Batch",
        FindingKind::Order { .. } => "Order",
        FindingKind::Beyond { .. } => "Beyond",
        FindingKind::Gap { .. } => "Gap",
        FindingKind::Hole { .. } => "Hole",
        FindingKind::OffsetIndex => "OffsetIndex",
        FindingKind::TimeIndex { .. } => "TimeIndex",
        FindingKind::Snapshot => "Snapshot",
        _ => "another",
    }
}

fn reads(log: &Log) -> Result<usize, String> {
    let records = log.records(klamm_log::Position::Start).map_err(|e| e.to_string())?;
    records
        .map(|record| record.map_err(|error| error.to_string()))
        .collect::<Result<Vec<_>, _>>()
        .map(|all| all.len())
}

#[test]
fn a_sound_log_has_no_findings() {
    let root = tempfile::tempdir().unwrap();
    sound(root.path());
    let dir = open(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    assert_eq!(log.verify(DEEP).unwrap(), []);
    append(&log, "one more");
    assert_eq!(log.verify(DEEP).unwrap(), []);
}

#[test]
fn each_kind_of_damage_is_named_never_skipped_and_repaired_on_demand() {
    println!("| damage | opening or verifying says | reading gives | a repair leaves |\n|---|---|---|---|");
    for (name, damaged, damage, want, offset, left) in CASES {
        let root = tempfile::tempdir().unwrap();
        sound(root.path());
        damage(&file(root.path(), damaged));
        let is_index = damaged.ends_with("index");
        let mut told = String::from("refused");
        // Opening after a clean stop looks at the end only; what it finds there is an error.
        match LogDir::open(root.path()).and_then(|dir| dir.log("t", 0)) {
            Ok(log) => {
                let findings = log.verify(DEEP).unwrap();
                let first = findings.iter().find(|f| f.kind.is_damage() != is_index);
                let first = first.unwrap_or_else(|| panic!("{name} is not found: {findings:?}"));
                assert_eq!((kind(&first.kind), first.offset.get()), (want, offset), "{name}: {first}");
                told = format!("{}, offset {offset}", kind(&first.kind));
                let read = reads(&log);
                assert!(if is_index { read == Ok(20) } else { read.is_err() }, "{name}: {read:?}");
            }
            Err(error) => assert!(want == "Batch", "{name}: {error}"),
        }
        let config = DirConfig { on_damage: OnDamage::Cut, ..DirConfig::default() };
        let dir = LogDir::open_with(root.path(), config).unwrap();
        let log = dir.log("t", 0).unwrap();
        assert_eq!(values(&log).len(), left, "{name}, repaired");
        let reading = if is_index { "all 20" } else { "an error" };
        println!("| {name} | {told} | {reading} | {left} of 20 |");
        assert_eq!(dir.cuts().is_empty(), left == 20, "{name}: {:?}", dir.cuts());
        let wrong: Vec<_> = log.verify(DEEP).unwrap().into_iter().filter(|f| f.kind.is_damage()).collect();
        assert_eq!(wrong, [], "{name}, repaired");
        append(&log, "after");
        let count = values(&log).len();
        dir.close().unwrap();
        assert_eq!(
            values(&open(root.path(), LogConfig::default()).log("t", 0).unwrap()).len(),
            count,
            "{name}"
        );
    }
}

#[test]
fn after_an_unclean_stop_damage_before_the_recovery_point_is_found_when_it_is_read() {
    let root = tempfile::tempdir().unwrap();
    sound(root.path());
    fs::remove_file(root.path().join(".kafka_cleanshutdown")).unwrap();
    cut(&file(root.path(), FIRST), 20);
    let opened = LogDir::open(root.path()).and_then(|dir| dir.log("t", 0));
    let told = match opened {
        Ok(log) => reads(&log).unwrap_err(),
        Err(error) => error.to_string(),
    };
    assert!(told.contains("00000000000000000000.log at byte"), "{told}");
}

#[test]
fn a_segment_that_is_missing_in_the_middle_is_a_hole() {
    let root = tempfile::tempdir().unwrap();
    sound(root.path());
    let dir = open(root.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    log.roll().unwrap();
    append(&log, "third segment");
    dir.close().unwrap();
    fs::remove_file(file(root.path(), LAST)).unwrap();
    let dir = open(root.path(), LogConfig::default());
    let named: Vec<_> = dir.inconsistencies().into_iter().map(|found| found.path).collect();
    assert_eq!(named, [file(root.path(), FIRST)]);
    let log = dir.log("t", 0).unwrap();
    let findings = log.verify(DEEP).unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!((kind(&findings[0].kind), findings[0].offset.get()), ("Hole", 20), "{}", findings[0]);
    assert!(findings[0].kind.is_damage());
}

#[test]
fn a_sealed_segment_that_lost_whole_batches_or_all_is_a_hole() {
    for left in [0, 5] {
        let root = tempfile::tempdir().unwrap();
        sound(root.path());
        let path = file(root.path(), FIRST);
        let at: usize = if left == 0 { 0 } else { fourth(&path) };
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..at]).unwrap();
        let dir = open(root.path(), LogConfig::default());
        let named: Vec<_> = dir.inconsistencies().into_iter().map(|found| found.path).collect();
        assert_eq!(named, [path]);
        let log = dir.log("t", 0).unwrap();
        let findings = log.verify(DEEP).unwrap();
        let hole =
            findings.iter().find(|f| kind(&f.kind) == "Hole").unwrap_or_else(|| panic!("{findings:?}"));
        assert!(hole.kind.is_damage() && hole.offset.get() == 10, "{hole}");
    }
}

#[test]
fn a_log_whose_directory_is_missing_is_told_of() {
    let root = tempfile::tempdir().unwrap();
    sound(root.path());
    assert_eq!(open(root.path(), LogConfig::default()).missing(), []);
    fs::remove_dir_all(root.path().join("t-0")).unwrap();
    let missing = open(root.path(), LogConfig::default()).missing();
    assert_eq!(missing.len(), 1);
    assert_eq!((missing[0].0.to_string().as_str(), missing[0].1.get()), ("t-0", 20));
}
