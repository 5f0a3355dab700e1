//! Whoever reads a log while its end is truncated, as followers do often, sees what was there
//! before or after, and no damage.
//!
//! Each test truncates the log, and appends other records, at each read of the log's file in turn.

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use klamm_log::{
    Depth, Durability, LeaderEpoch, Log, LogConfig, LogDir, NewRecord, Offset, Position, ReadError, Timestamp,
};
use klamm_record::{BatchBuilder, BatchOptions, BatchProducer};
use klamm_sim::HookDisk;
use klamm_types::{ProducerEpoch, ProducerId};
use support::{append, open_hook};

/// Records before the truncation, those that it leaves, and those that are appended then.
const BEFORE: u32 = 60;
const LEFT: u32 = 25;
const AFTER: u32 = 30;

/// A log of two segments that is truncated, in its last one, at the read with this number.
struct Truncated {
    log: Log,
    reads: Arc<AtomicUsize>,
    disk: HookDisk,
    _dir: LogDir,
}

impl Truncated {
    fn at_read(path: &Path, number: usize) -> Truncated {
        let config = LogConfig { index_interval_bytes: 300, ..LogConfig::default() };
        let (disk, dir) = open_hook(path, config);
        let log = dir.log("t", 0).unwrap();
        for n in 0..BEFORE {
            append(&log, &old(n));
            if n == 9 {
                log.roll().unwrap();
            }
        }
        let (own, reads) = (log.clone(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&reads);
        disk.set(move |operation, path| {
            let is_read = operation == "read" && path.extension().is_some_and(|kind| kind == "log");
            if is_read && count.fetch_add(1, Ordering::SeqCst) == number {
                own.truncate_to(Offset::from(LEFT)).unwrap();
                for n in 0..AFTER {
                    append(&own, &new(n));
                }
            }
            Ok(())
        });
        Truncated { log, reads, disk, _dir: dir }
    }

    /// Whether the log was truncated at all: there was a read with the number.
    fn is_done(&self) -> bool {
        let is_done = self.log.bounds().end() != Offset::from(BEFORE);
        self.disk.clear();
        is_done
    }
}

/// Longer records replace shorter ones, so that no batch begins where one began before.
fn old(n: u32) -> String {
    format!("old {n:04}")
}

fn new(n: u32) -> String {
    format!("new {n:04} {}", "x".repeat(40))
}

/// What the log may hold at an offset.
fn is_expected(offset: i64, value: &str) -> bool {
    let offset = u32::try_from(offset).unwrap();
    value == old(offset) || (offset >= LEFT && value == new(offset - LEFT))
}

/// Runs `read` with a truncation at each read that it makes, and says how many there were.
fn at_each_read(read: impl Fn(&Log)) -> usize {
    for number in 0.. {
        let tmp = tempfile::tempdir().unwrap();
        let truncated = Truncated::at_read(tmp.path(), number);
        read(&truncated.log);
        if !truncated.is_done() {
            return truncated.reads.load(Ordering::SeqCst);
        }
    }
    unreachable!("a log is read to its end by a number of reads")
}

#[test]
fn a_reader_reports_no_damage() {
    let reads = at_each_read(|log| {
        let mut reader = log.reader(Position::Start).unwrap();
        let mut next = 0;
        loop {
            match reader.next() {
                Ok(Some(record)) => {
                    assert_eq!(record.offset.get(), next);
                    assert!(is_expected(next, std::str::from_utf8(record.value.unwrap()).unwrap()));
                    next += 1;
                }
                Ok(None) | Err(ReadError::OutOfRange { .. }) => break,
                Err(error) => panic!("after {next} records: {error}"),
            }
        }
        assert!(next >= i64::from(LEFT + AFTER), "{next}");
    });
    assert!(reads > 2, "{reads}");
}

#[test]
fn a_lookup_reports_no_damage() {
    let reads = at_each_read(|log| {
        let mut lookup = log.lookup(0);
        for offset in (0..LEFT + AFTER).rev() {
            let record = lookup.get(Offset::from(offset)).unwrap().unwrap();
            assert!(is_expected(offset.into(), std::str::from_utf8(record.value.unwrap()).unwrap()));
        }
    });
    assert!(reads > 20, "{reads}");
}

#[test]
fn verifying_finds_nothing() {
    let depths = [Depth::Header, Depth::Records { limit: 1 << 20 }];
    for depth in depths {
        let reads = at_each_read(|log| assert_eq!(log.verify(depth).unwrap(), []));
        assert!(reads > 2, "{reads}");
    }
}

#[test]
fn times_are_found() {
    let reads = at_each_read(|log| {
        log.offset_since(Timestamp::from_millis(i64::MAX)).unwrap();
        assert!(log.offset_of_max_timestamp().unwrap().is_some());
    });
    assert!(reads > 2, "{reads}");
}

#[test]
fn verifying_still_names_what_is_damaged() {
    use std::os::unix::fs::FileExt;
    let reads = at_each_read(|log| {
        let file = log.path().join("00000000000000000000.log");
        let file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
        file.write_all_at(b"?", 70).unwrap();
        let found = log.verify(Depth::Header).unwrap();
        assert!(found.iter().any(|finding| finding.kind.is_damage() && finding.position == 0), "{found:?}");
    });
    assert!(reads > 2, "{reads}");
}

/// Appends a batch of an idempotent producer, so that the log keeps snapshots of its state.
fn append_idempotent(log: &Log, sequence: u32) {
    let producer = BatchProducer { id: ProducerId::new(1).unwrap(), epoch: ProducerEpoch::new(0).unwrap() };
    let options =
        BatchOptions { producer: Some(producer), base_sequence: Some(sequence), ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(Vec::new(), options);
    builder.append(&NewRecord::new("value").at(Timestamp::from_millis(1))).unwrap();
    let mut batch = builder.finish().unwrap().buffer;
    log.append_batches(&mut batch, LeaderEpoch::ZERO, Depth::Header, Durability::Written).unwrap();
}

#[test]
fn verifying_finds_no_fault_in_snapshots_that_a_truncation_removes() {
    for number in 0..6 {
        let tmp = tempfile::tempdir().unwrap();
        let (disk, dir) = open_hook(tmp.path(), LogConfig::default());
        let log = dir.log("t", 0).unwrap();
        for sequence in 0..4 {
            append_idempotent(&log, sequence);
            log.roll().unwrap();
        }
        let (own, opened) = (log.clone(), AtomicUsize::new(0));
        disk.set(move |operation, path| {
            let is_snapshot = path.extension().is_some_and(|kind| kind == "snapshot");
            if is_snapshot && operation == "open_read" && opened.fetch_add(1, Ordering::SeqCst) == number {
                own.truncate_to(Offset::from(1)).unwrap();
            }
            Ok(())
        });
        assert_eq!(log.verify(Depth::Header).unwrap(), [], "at snapshot {number}");
        disk.clear();
    }
}
