//! A base offset that has changed on the disk, in a batch that opening does not read. The CRC does
//! not cover it: a read compares it with the batches before and behind.

mod support;

use std::fs;
use std::path::Path;

use klamm_log::{Durability, LogConfig, LogDir, Offset, ReadError, ReadLimit, Visibility};
use klamm_record::BatchHeader;
use support::batch;

const SEGMENT: &str = "t-0/00000000000000000000.log";
const MARKER: &str = ".kafka_cleanshutdown";
const INDEX: &str = "t-0/00000000000000000000.index";
/// Batches in the first segment, which is sealed, and in each that follows it.
const BATCHES: usize = 8;
/// Records in a batch.
const RECORDS: i64 = 3;

fn settings(index_interval_bytes: u32) -> LogConfig {
    LogConfig { index_interval_bytes, ..LogConfig::default() }
}

/// Two sealed segments and an active one, closed.
fn written(path: &Path, config: LogConfig) {
    let dir = support::open(path, config);
    let log = dir.log("t", 0).unwrap();
    for n in 0..3 * BATCHES {
        if n > 0 && n % BATCHES == 0 {
            log.roll().unwrap();
        }
        let mut records = batch(&n.to_string(), usize::try_from(RECORDS).unwrap(), 1000);
        log.append_batches(&mut records, support::epoch(1), klamm_log::Depth::Header, Durability::Written)
            .unwrap();
    }
    dir.close().unwrap();
}

/// Base offset and bytes of the whole batches that a read returns.
fn read(log: &klamm_log::Log, at: i64, max_bytes: usize) -> Result<Vec<(i64, Vec<u8>)>, ReadError> {
    let limit = ReadLimit { max_bytes, visibility: Visibility::All };
    let bytes = log.read(Offset::from(u32::try_from(at).unwrap()), limit)?.read()?;
    let (mut rest, mut batches) = (&bytes[..], Vec::new());
    while let Some(header) = BatchHeader::parse(rest).ok().filter(|header| header.size() <= rest.len()) {
        batches.push((header.base_offset().get(), rest[..header.size()].to_vec()));
        rest = &rest[header.size()..];
    }
    Ok(batches)
}

/// Where the batches of a segment's file begin, in bytes.
fn positions(bytes: &[u8]) -> Vec<usize> {
    let (mut at, mut found) = (0, Vec::new());
    while let Ok(header) = BatchHeader::parse(&bytes[at..]) {
        found.push(at);
        at += header.size();
    }
    found
}

/// Reads at every offset, a batch and many at a time. Whatever is served is what was written;
/// returns the offsets that are not served, each of which is an error that names the file.
fn unserved(dir: &LogDir, want: &[(i64, Vec<u8>)]) -> Vec<i64> {
    let log = dir.log("t", 0).unwrap();
    let mut errors = Vec::new();
    for at in 0..RECORDS * i64::try_from(3 * BATCHES).unwrap() {
        for max_bytes in [1, 400, 1 << 20] {
            match read(&log, at, max_bytes) {
                Ok(got) => {
                    let from = usize::try_from(at / RECORDS).unwrap();
                    assert!(!got.is_empty(), "nothing at {at}");
                    assert!(
                        want[from..].starts_with(&got),
                        "read at {at}, at most {max_bytes} bytes: {got:?}"
                    );
                }
                Err(ReadError::Damage(damage)) => {
                    assert!(damage.path.ends_with(SEGMENT), "{damage}");
                    errors.push(at);
                }
                Err(other) => panic!("read at {at}: {other}"),
            }
        }
    }
    errors.dedup();
    errors
}

#[test]
fn a_changed_base_offset_is_named_and_no_record_is_served_at_another_offset() {
    for interval in [1, 150, 1 << 20] {
        for batch_number in 0..BATCHES {
            flip_base_offset(interval, batch_number, |_| {});
        }
    }
}

/// The index that is built instead has the same batches.
#[test]
fn an_index_that_is_built_from_batches_with_a_changed_base_offset_leads_to_none_of_them() {
    for batch_number in 0..BATCHES {
        flip_base_offset(1, batch_number, |path| fs::remove_file(path.join(INDEX)).unwrap());
    }
}

fn flip_base_offset(interval: u32, batch_number: usize, also: impl Fn(&Path)) {
    let whole = tempfile::tempdir().unwrap();
    written(whole.path(), settings(interval));
    let want: Vec<_> = {
        let dir = support::open(whole.path(), settings(interval));
        let log = dir.log("t", 0).unwrap();
        let segments =
            (0..3).flat_map(|n| read(&log, RECORDS * n * i64::try_from(BATCHES).unwrap(), 1 << 20).unwrap());
        segments.collect()
    };
    assert_eq!(want.len(), 3 * BATCHES);
    let bytes = fs::read(whole.path().join(SEGMENT)).unwrap();
    let position = positions(&bytes)[batch_number];
    for bit in 0..64 {
        let root = tempfile::tempdir().unwrap();
        support::copy_as_killed(whole.path(), root.path());
        fs::copy(whole.path().join(MARKER), root.path().join(MARKER)).unwrap();
        let mut flipped = bytes.clone();
        flipped[position + bit / 8] ^= 1 << (bit % 8);
        fs::write(root.path().join(SEGMENT), flipped).unwrap();
        also(root.path());
        let dir = support::open(root.path(), settings(interval));
        let errors = unserved(&dir, &want);
        let own = RECORDS * i64::try_from(batch_number).unwrap();
        let case = format!("interval {interval}, batch {batch_number}, bit {bit}: {errors:?}");
        assert!(errors.contains(&own), "not named: {case}");
        let rest = RECORDS * i64::try_from(BATCHES).unwrap();
        assert!(errors.iter().all(|at| (own..rest).contains(at)), "{case}");
        // A negative offset is no header, and no walk goes on behind it.
        if interval == 1 && bit != 7 {
            assert_eq!(errors, (own..own + RECORDS).collect::<Vec<_>>(), "only its own records: {case}");
        }
    }
}
