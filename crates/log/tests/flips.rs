//! Bits of the checkpoints, and of the headers of two batches, flipped, after a clean stop and
//! after a kill. A case serves what was acknowledged, or names the file; those that do neither are
//! listed in [`undetected`], with the reason. One bit of each byte is flipped; with
//! `KLAMM_DAMAGE=all` each is.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use klamm_log::{
    Depth, DirConfig, Durability, KnownLog, LogConfig, LogDir, Offset, Position, ReadLimit, TopicPartition,
    Visibility,
};
use klamm_record::BatchHeader;
use support::{append, batch, copy_as_killed, epoch};

const SEGMENT: &str = "t-0/00000000000000000000.log";
const MARKER: &str = ".kafka_cleanshutdown";
const CHECKPOINTS: [&str; 5] = [
    "recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint",
    "replication-offset-checkpoint",
    "cleaner-offset-checkpoint",
    "t-0/leader-epoch-checkpoint",
];
const BATCHES: usize = 12;

/// What a log serves: its bounds, its records, the epochs of its batches and its epoch history.
#[derive(PartialEq, Eq, Debug)]
struct Served {
    bounds: (i64, i64),
    records: Vec<(i64, Vec<u8>)>,
    batches: Vec<(i64, Option<i32>)>,
    epochs: Vec<(i32, i64)>,
}

fn settings() -> LogConfig {
    LogConfig { index_interval_bytes: 150, ..LogConfig::default() }
}

/// Twelve batches of three records in epochs 1 and 4, whose first five records were deleted; and a
/// compacted log.
fn acknowledged(path: &Path) -> LogDir {
    let dir = support::open(path, settings());
    let log = dir.log("t", 0).unwrap();
    for n in 0..BATCHES {
        let mut three = batch(&n.to_string(), 3, 1000);
        let leader = if n < 5 { 1 } else { 4 };
        log.append_batches(&mut three, epoch(leader), Depth::Header, Durability::Written).unwrap();
    }
    log.advance_start(Offset::from(5)).unwrap();
    append(&dir.log("u", 0).unwrap(), "another");
    fs::write(path.join("cleaner-offset-checkpoint"), "0\n1\nu 0 1\n").unwrap();
    dir
}

/// What is served, or what is said of a file.
fn opened(path: &Path) -> Result<Served, String> {
    let known = KnownLog { latest_epoch: Some(epoch(4)), ..KnownLog::default() };
    let name: TopicPartition = "t-0".parse().unwrap();
    let config = DirConfig {
        log: settings(),
        known: Arc::new(BTreeMap::from([(name.clone(), known)])),
        ..DirConfig::default()
    };
    let dir = LogDir::open_with(path, config).map_err(|error| error.to_string())?;
    let offline = dir.offline().into_iter().map(|log| log.error.to_string());
    let told = offline.chain(dir.inconsistencies().into_iter().map(|found| found.to_string()));
    if let Some(told) = told.chain(dir.cuts().into_iter().map(|cut| cut.to_string())).next() {
        return Err(told);
    }
    let log = dir.get(&name).ok_or("no log")?;
    let (start, end) = (log.bounds().start(), log.bounds().end());
    let mut records = Vec::new();
    for record in log.records(Position::Start).map_err(|error| error.to_string())? {
        let record = record.map_err(|error| error.to_string())?;
        records.push((record.offset.get(), record.value.unwrap_or_default().to_vec()));
    }
    let limit = ReadLimit { max_bytes: 1 << 20, visibility: Visibility::All };
    let bytes = log.read(start, limit).and_then(|slice| slice.read()).map_err(|error| error.to_string())?;
    let (mut rest, mut batches) = (&bytes[..], Vec::new());
    while let Ok(header) = BatchHeader::parse(rest) {
        batches.push((header.base_offset().get(), header.leader_epoch().map(klamm_log::LeaderEpoch::get)));
        rest = &rest[header.size()..];
    }
    let epochs = log.epochs().entries().iter().map(|entry| (entry.epoch.get(), entry.start.get())).collect();
    Ok(Served { bounds: (start.get(), end.get()), records, batches, epochs })
}

/// Why a case serves something else and names no file; `None` where that must not be.
fn undetected(file: &str, byte: usize, header: usize) -> Option<&'static str> {
    match file {
        "log-start-offset-checkpoint" => {
            Some("a start between the first batch and the log end contradicts nothing")
        }
        SEGMENT if header == BATCHES / 2 && (12..16).contains(&byte) => {
            Some("the leader epoch of a batch that opening does not read: offsets and records are right")
        }
        _ => None,
    }
}

/// Flips each bit of `range` in a file of `from` and checks what is then served. Returns cases,
/// named ones, undetected ones.
fn flip_all(
    from: &Path,
    want: &Served,
    file: &str,
    range: std::ops::Range<usize>,
    header: usize,
) -> [usize; 3] {
    let bytes = fs::read(from.join(file)).unwrap();
    let (mut counts, mut silent) = ([0; 3], Vec::new());
    for at in range.clone() {
        for bit in bits(at) {
            let root = tempfile::tempdir().unwrap();
            let is_clean = from.join(MARKER).exists();
            copy_as_killed(from, root.path());
            if is_clean {
                fs::copy(from.join(MARKER), root.path().join(MARKER)).unwrap();
            }
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            fs::write(root.path().join(file), flipped).unwrap();
            counts[0] += 1;
            match opened(root.path()) {
                Ok(served) if served == *want => {}
                Ok(served) => match undetected(file, at - range.start, header) {
                    Some(_) => counts[2] += 1,
                    None => silent.push(format!("{file}, byte {at}, bit {bit}: {served:?}")),
                },
                Err(told) => {
                    assert!(told.contains("t-0") || told.contains("checkpoint"), "{file}: {told}");
                    counts[1] += 1;
                }
            }
        }
    }
    assert!(
        silent.is_empty(),
        "{} silent cases, such as {:#?}",
        silent.len(),
        &silent[..silent.len().min(8)]
    );
    counts
}

/// The bits of the byte at `at` that are flipped.
fn bits(at: usize) -> std::ops::Range<usize> {
    let is_all = std::env::var("KLAMM_DAMAGE").is_ok_and(|value| value == "all");
    if is_all { 0..8 } else { at % 8..at % 8 + 1 }
}

fn matrix(killed: bool) {
    let root = tempfile::tempdir().unwrap();
    let (path, copy) = (root.path().join("a"), root.path().join("b"));
    let dir = acknowledged(&path);
    if killed {
        copy_as_killed(&path, &copy);
        // As Kafka's and our checkpoints are after the first round.
        fs::write(copy.join("recovery-point-offset-checkpoint"), "0\n2\nt 0 6\nu 0 0\n").unwrap();
        fs::write(copy.join("replication-offset-checkpoint"), "0\n2\nt 0 6\nu 0 0\n").unwrap();
    }
    dir.close().unwrap();
    let from = if killed { &copy } else { &path };
    let before = tempfile::tempdir().unwrap();
    copy_as_killed(from, before.path());
    let want = opened(before.path()).unwrap();
    assert_eq!((want.bounds, want.records.len()), ((5, 36), 31));
    println!("| file | cases | named | undetected |\n|---|---|---|---|");
    for file in CHECKPOINTS {
        let length = fs::read(from.join(file)).unwrap().len();
        println!("| {file} | {:?} |", flip_all(from, &want, file, 0..length, 0));
    }
    let size = usize::try_from(fs::metadata(from.join(SEGMENT)).unwrap().len()).unwrap();
    let bytes = fs::read(from.join(SEGMENT)).unwrap();
    let (mut at, mut starts) = (0, Vec::new());
    while at < size {
        starts.push(at);
        at += BatchHeader::parse(&bytes[at..]).unwrap().size();
    }
    for header in [BATCHES / 2, BATCHES - 1] {
        let range = starts[header]..starts[header] + BatchHeader::SIZE;
        println!("| batch {header} | {:?} |", flip_all(from, &want, SEGMENT, range, header));
    }
}

#[test]
fn after_a_clean_stop_a_flipped_bit_is_harmless_or_named() {
    matrix(false);
}

#[test]
fn after_a_kill_a_flipped_bit_is_harmless_or_named() {
    matrix(true);
}

#[test]
fn an_epoch_above_that_of_the_partition_is_not_adopted_from_a_batch_that_an_index_entry_names() {
    let root = tempfile::tempdir().unwrap();
    // Each batch has an index entry, so that opening reads no other.
    let dir = support::open(root.path(), LogConfig { index_interval_bytes: 1, ..settings() });
    let log = dir.log("t", 0).unwrap();
    for n in 0..BATCHES {
        let mut three = batch(&n.to_string(), 3, 1000);
        log.append_batches(&mut three, epoch(4), Depth::Header, Durability::Written).unwrap();
    }
    drop(log);
    dir.close().unwrap();
    let (path, checkpoint) = (root.path().join(SEGMENT), root.path().join("t-0/leader-epoch-checkpoint"));
    let (mut bytes, epochs) = (fs::read(&path).unwrap(), fs::read(&checkpoint).unwrap());
    let last = (1..BATCHES).fold(0, |at, _| at + BatchHeader::parse(&bytes[at..]).unwrap().size());
    assert_eq!(bytes[last + 15], 4);
    bytes[last + 14] ^= 1;
    fs::write(&path, bytes).unwrap();
    for _ in 0..2 {
        let told = opened(root.path()).unwrap_err();
        assert!(told.contains(SEGMENT) && told.contains("leader epoch"), "{told}");
        assert_eq!(fs::read(&checkpoint).unwrap(), epochs);
    }
}

#[test]
fn a_batch_whose_base_offset_lies_beyond_the_log_end_is_an_error_and_not_the_end_of_what_is_there() {
    let root = tempfile::tempdir().unwrap();
    let dir = support::open(root.path(), settings());
    let log = dir.log("t", 0).unwrap();
    for n in 0..BATCHES {
        append(&log, &n.to_string());
    }
    log.roll().unwrap();
    append(&log, "behind");
    drop(log);
    dir.close().unwrap();
    let path = root.path().join(SEGMENT);
    let mut bytes = fs::read(&path).unwrap();
    bytes[3] ^= 1;
    fs::write(&path, bytes).unwrap();
    let log = support::open(root.path(), settings()).log("t", 0).unwrap();
    let limit = ReadLimit { max_bytes: 1 << 20, visibility: Visibility::All };
    let error = log.read(Offset::ZERO, limit).map(|slice| slice.len()).unwrap_err().to_string();
    assert!(error.contains(SEGMENT) && error.contains("base offset"), "{error}");
}
