//! Records by their offsets: what a lookup says is what reading in order says, whatever was
//! truncated, deleted or compacted since.

mod support;

use std::collections::BTreeMap;

use klamm_log::{
    CleanupPolicy, Clock, Compression, Depth, Durability, LeaderEpoch, Log, LogConfig, LogDir, Lookup,
    NewRecord, Offset, OwnedRecord, Position, ReadError, SystemClock,
};
use klamm_record::{BatchBuilder, BatchOptions};
use proptest::prelude::*;
use support::{all, append, open, small_segments};

#[derive(Clone, Debug)]
enum Step {
    Append { records: usize, compression: Compression },
    Truncate(u16),
    AdvanceStart(u16),
    Compact,
    Get(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let compression = prop_oneof![Just(Compression::None), Just(Compression::Lz4)];
    let append =
        (1..60usize, compression).prop_map(|(records, compression)| Step::Append { records, compression });
    let step = prop_oneof![
        4 => append,
        1 => any::<u16>().prop_map(Step::Truncate),
        1 => any::<u16>().prop_map(Step::AdvanceStart),
        1 => Just(Step::Compact),
        20 => any::<u16>().prop_map(Step::Get),
    ];
    prop::collection::vec(step, 1..120)
}

/// An offset between the log's start and its end.
fn between(log: &Log, share: u16) -> Offset {
    let bounds = log.bounds();
    let length = bounds.end().since(bounds.start());
    Offset::new(bounds.start().get() + i64::from(share) * length / i64::from(u16::MAX)).unwrap()
}

fn append_batch(log: &Log, records: usize, compression: Compression) {
    let options = BatchOptions { compression, ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(Vec::new(), options);
    for n in 0..records {
        let offset = log.bounds().end() + u32::try_from(n).unwrap();
        let (key, value) = (format!("{}", offset.get() % 7), format!("value {offset}"));
        builder.append(&NewRecord::new(&value).key(&key)).unwrap();
    }
    let mut batch = builder.finish().unwrap().buffer;
    log.append_batches(&mut batch, LeaderEpoch::ZERO, Depth::Header, Durability::Written).unwrap();
}

fn take(log: &Log, lookup: &mut Lookup, step: &Step) {
    match *step {
        Step::Append { records, compression } => append_batch(log, records, compression),
        Step::Truncate(share) => drop(log.truncate_to(between(log, share)).unwrap()),
        Step::AdvanceStart(share) => log.advance_start(between(log, share / 8)).unwrap(),
        Step::Compact => drop(log.compact(SystemClock.now()).unwrap()),
        Step::Get(share) => {
            let offset = between(log, share);
            let found = lookup.get(offset).unwrap().map(OwnedRecord::from);
            let model: BTreeMap<Offset, OwnedRecord> =
                all(log).into_iter().map(|record| (record.offset, record)).collect();
            assert_eq!(found.as_ref(), model.get(&offset), "{offset}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_lookup_says_what_reading_says(steps in steps(), memory in prop_oneof![Just(0), Just(5_000), Just(1 << 20)]) {
        let tmp = tempfile::tempdir().unwrap();
        let config = LogConfig { cleanup_policy: CleanupPolicy::Compact, ..small_segments() };
        let dir = open(tmp.path(), config);
        let log = dir.log("t", 0).unwrap();
        let mut lookup = log.lookup(memory);
        for step in &steps {
            take(&log, &mut lookup, step);
        }
    }
}

#[test]
fn batches_stay_in_memory_up_to_the_bound() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = open(tmp.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    (0..200).for_each(|_| append_batch(&log, 50, Compression::None));
    let bound = 20_000;
    let mut lookup = log.lookup(bound);
    for n in 0..10_000 {
        lookup.get(Offset::new(n * 7_919 % 10_000).unwrap()).unwrap().expect("there");
        assert!(lookup.memory() <= bound, "{} bytes", lookup.memory());
    }
    assert!(lookup.memory() > bound / 2, "{} bytes of {bound}", lookup.memory());
}

/// A batch that is asked for again and again outlives those that are asked for once.
#[test]
fn what_is_used_stays() {
    let tmp = tempfile::tempdir().unwrap();
    let (disk, dir) = support::open_hook(tmp.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    (0..200).for_each(|_| append_batch(&log, 50, Compression::None));
    let mut lookup = log.lookup(20_000);
    lookup.get(Offset::ZERO).unwrap();
    for n in 1..200 {
        lookup.get(Offset::new(n * 50).unwrap()).unwrap();
        lookup.get(Offset::ZERO).unwrap();
    }
    disk.set(
        |operation, _| if operation == "read" { Err(std::io::Error::other("no more reads")) } else { Ok(()) },
    );
    assert!(lookup.get(Offset::ZERO).unwrap().is_some(), "the first batch was kept");
    assert!(lookup.get(Offset::new(50).unwrap()).is_err(), "the second was not");
}

#[test]
fn what_is_not_there() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = open(tmp.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for n in 0..4 {
        append(&log, &format!("{n}"));
    }
    log.advance_start(Offset::new(1).unwrap()).unwrap();
    log.set_committed(Offset::new(3));
    let mut lookup = log.lookup(1 << 20);
    let at = |n| Offset::new(n).unwrap();
    assert!(matches!(lookup.get(at(0)), Err(ReadError::OutOfRange { .. })));
    assert!(lookup.get(at(2)).unwrap().is_some());
    assert!(lookup.get(at(3)).unwrap().is_none(), "not committed");
    assert!(lookup.get(at(4)).unwrap().is_none(), "the end");
    assert!(matches!(lookup.get(at(5)), Err(ReadError::OutOfRange { .. })));
    log.set_committed(None);
    assert!(lookup.get(at(3)).unwrap().is_some());
}

/// The batch behind a gap is kept once, however often the gap is asked for.
#[test]
fn a_gap_costs_no_memory() {
    let tmp = tempfile::tempdir().unwrap();
    let dir = open(tmp.path(), LogConfig::default());
    let log = dir.log("t", 0).unwrap();
    for base in [0, 100] {
        let mut batch = support::batch("v", 3, 0);
        batch[..8].copy_from_slice(&i64::to_be_bytes(base));
        batch[12..16].copy_from_slice(&[0; 4]);
        log.append_as_follower(&batch, Durability::Written).unwrap();
    }
    let mut lookup = log.lookup(1 << 20);
    let mut memory = Vec::new();
    for offset in [50, 51, 52, 100] {
        let found = lookup.get(Offset::new(offset).unwrap()).unwrap();
        assert_eq!(found.is_some(), offset == 100);
        memory.push(lookup.memory());
    }
    assert_eq!(memory, [memory[0]; 4]);
}

#[test]
fn damage_is_an_error_again_and_again() {
    let tmp = tempfile::tempdir().unwrap();
    let log_file = {
        let dir = LogDir::open(tmp.path()).unwrap();
        let log = dir.log("t", 0).unwrap();
        append_batch(&log, 50, Compression::None);
        log.path().join("00000000000000000000.log")
    };
    let mut bytes = std::fs::read(&log_file).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&log_file, bytes).unwrap();
    let dir = LogDir::open(tmp.path()).unwrap();
    let log = dir.log("t", 0).unwrap();
    let mut lookup = log.lookup(1 << 20);
    for _ in 0..2 {
        assert!(matches!(lookup.get(Offset::ZERO), Err(ReadError::Damage(_))));
    }
    assert!(log.reader(Position::Start).unwrap().next().is_err());
}
