//! Every operation on the disk as the crash point, and everything that a machine may find when it
//! comes up again.
//!
//! A script appends, rolls, syncs, truncates, retires, compacts, checkpoints, closes and opens. It
//! is run once for each operation that it does, which is then the last before the crash
//! ([`klamm_sim::SimDisk`]); each disk that may be found is opened and held against what was
//! acknowledged. Then each operation fails once, and the script goes on.
//!
//! `CRASH_SCRIPT=NAME CRASH_AT=N cargo test -p klamm-log --test crash_matrix -- --nocapture` runs
//! one point.

#![allow(clippy::cast_possible_wrap, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use klamm_log::{
    CleanupPolicy, Depth, DirConfig, Durability, LeaderEpoch, Log, LogConfig, LogDir, NewRecord, Offset,
    Position, Timestamp,
};
use klamm_record::{BatchBuilder, BatchOptions, BatchProducer};
use klamm_sim::{Failure, Fault, Found, HeldClock, SimDisk};
use klamm_types::{ProducerEpoch, ProducerId};

/// What the script does; numbers are of records.
#[derive(Clone, Copy, Debug)]
enum Step {
    Append(usize, Durability),
    /// One batch of an idempotent producer.
    Produce(usize, Durability),
    /// Records with one of three keys in turn.
    Put(usize, Durability),
    /// A tombstone for one of the keys.
    Delete(u64, Durability),
    /// Fills the file with zeros ahead, until the log is opened again.
    Preallocate(u32),
    /// Compacts all, with tombstones that go the second time.
    Compact,
    Sync,
    Roll,
    /// Cuts so many records off the end.
    Truncate(i64),
    /// Moves the start forward by so many.
    Advance(i64),
    /// Keeps this many bytes, and removes the files at once.
    Retain(u64),
    /// Checkpoints, flushes, retention.
    Maintain,
    /// Stops cleanly and opens again.
    Reopen,
}

use Durability::{Synced, Written};
use Step::*;

const SCRIPTS: [(&str, &[Step]); 8] = [
    (
        "append",
        &[
            Append(3, Written),
            Append(1, Synced),
            Append(4, Written),
            Sync,
            Append(2, Written),
            Maintain,
            Append(2, Written),
            Append(1, Synced),
            Reopen,
            Append(2, Written),
            Append(1, Synced),
            Append(1, Written),
        ],
    ),
    (
        "roll",
        &[
            Append(9, Written),
            Roll,
            Append(2, Synced),
            Append(14, Written),
            Maintain,
            Append(9, Written),
            Sync,
            Roll,
            Append(1, Written),
            Reopen,
            Append(12, Written),
            Sync,
            Append(1, Written),
        ],
    ),
    (
        "truncate",
        &[
            Append(12, Written),
            Sync,
            Maintain,
            Truncate(3),
            Append(2, Written),
            Append(2, Synced),
            Truncate(9),
            Append(3, Written),
            Maintain,
            Append(1, Synced),
            Append(8, Written),
            Truncate(2),
            Sync,
            Reopen,
            Truncate(4),
            Append(1, Synced),
        ],
    ),
    (
        "retain",
        &[
            Append(20, Written),
            Sync,
            Advance(8),
            Maintain,
            Retain(900),
            Append(6, Written),
            Sync,
            Advance(9),
            Append(1, Synced),
            Retain(500),
            Maintain,
            Append(3, Written),
            Reopen,
            Append(1, Synced),
            Retain(100),
            Maintain,
            Append(1, Synced),
        ],
    ),
    (
        "retire",
        &[
            Append(9, Written),
            Advance(9),
            Retain(10_000),
            Append(2, Synced),
            Append(20, Written),
            Retain(100),
            Append(1, Synced),
            Maintain,
            Append(9, Written),
            Retain(0),
            Append(1, Synced),
            Reopen,
            Retain(0),
            Maintain,
            Append(1, Synced),
        ],
    ),
    (
        "produce",
        &[
            Produce(2, Written),
            Produce(3, Synced),
            Append(2, Written),
            Produce(1, Written),
            Roll,
            Produce(2, Synced),
            Append(8, Written),
            Maintain,
            Produce(1, Written),
            Sync,
            Truncate(4),
            Produce(2, Synced),
            Reopen,
            Produce(1, Written),
            Roll,
            Produce(1, Synced),
            Append(1, Written),
        ],
    ),
    (
        "preallocate",
        &[
            Preallocate(600),
            Append(3, Written),
            Append(2, Synced),
            Append(7, Written),
            Maintain,
            Append(6, Written),
            Sync,
            Truncate(2),
            Append(2, Synced),
            Roll,
            Append(2, Written),
            Reopen,
            Preallocate(100),
            Append(4, Synced),
            Append(1, Written),
        ],
    ),
    (
        "compact",
        &[
            Put(20, Written),
            Delete(1, Synced),
            Put(9, Written),
            Produce(2, Written),
            Compact,
            Put(2, Synced),
            Delete(0, Written),
            Maintain,
            Put(14, Written),
            Compact,
            Append(1, Written),
            Put(4, Written),
            Truncate(3),
            Put(12, Synced),
            Reopen,
            Compact,
            Delete(2, Synced),
        ],
    ),
];

fn settings(retention_bytes: Option<u64>) -> LogConfig {
    LogConfig {
        segment_bytes: 1024,
        delete_retention: Duration::ZERO,
        index_interval_bytes: 150,
        retention_bytes,
        file_delete_delay: Duration::ZERO,
        ..LogConfig::default()
    }
}

fn open(disk: &SimDisk) -> Result<(LogDir, Log), klamm_log::OpenError> {
    let config = DirConfig {
        log: settings(None),
        recovery_threads: 1,
        checkpoint_interval: Duration::ZERO,
        retention_interval: Duration::ZERO,
        clock: HeldClock::at(1000),
        disk: Arc::new(disk.clone()),
        ..DirConfig::default()
    };
    let dir = LogDir::open_with("/data", config)?;
    let log = dir.log("t", 0)?;
    Ok((dir, log))
}

/// What the program knows to be true.
#[derive(Clone, Debug, Default)]
struct Model {
    /// Everything that was ever given to the log at an offset.
    offered: BTreeMap<i64, BTreeSet<String>>,
    /// What is there now, as far as the log has said.
    current: BTreeMap<i64, String>,
    /// All before it was acknowledged as durable.
    synced: i64,
    /// The least and the most that the start can be.
    start: (i64, i64),
    end: i64,
    /// Numbers values, and the producer's records.
    values: u64,
    /// The producer's batches that are or were in the log: where, the first value, how many
    /// records.
    produced: Vec<(i64, String, u32)>,
}

impl Model {
    /// The producer's next sequence number.
    fn sequence(&self) -> u32 {
        let is_there = |(base, first, _): &&(i64, String, u32)| self.current.get(base) == Some(first);
        self.produced.iter().filter(is_there).map(|(_, _, count)| count).sum()
    }

    /// Whether a compaction was allowed to remove what is at this offset: a later record has its
    /// key, or it is a tombstone. One that was offered and not acknowledged may have been there
    /// too.
    fn may_be_compacted(&self, offset: i64, end: i64) -> bool {
        let offered = || self.offered.get(&offset).into_iter().flatten();
        if self.has_tables() && !offered().any(|row| row.contains('=')) {
            // Without a key, as no compacted topic takes it.
            return true;
        }
        let offered = offered();
        offered.filter_map(|row| row.split_once('=')).any(|(key, value)| {
            let has_key = |row: &String| row.split_once('=').is_some_and(|(of, _)| of == key);
            let mut later = self.offered.range(offset + 1..end.max(offset + 1));
            value.is_empty() || later.any(|(_, rows)| rows.iter().any(has_key))
        })
    }

    fn has_tables(&self) -> bool {
        self.current.values().any(|row| row.contains('='))
    }

    /// What is known to be there, and what was found beside it.
    fn with(&self, found: &BTreeMap<i64, String>) -> BTreeMap<i64, String> {
        let mut all = self.current.clone();
        all.extend(found.iter().map(|(offset, row)| (*offset, row.clone())));
        all
    }

    /// What a log has that was opened after an operation failed: a truncation may have been half
    /// done.
    fn adopt(&mut self, log: &Log) {
        let found: BTreeMap<_, _> = records(log).unwrap().into_iter().collect();
        for (offset, value) in
            self.current.range(..self.synced).filter(|(o, _)| **o >= log.bounds().start().get())
        {
            let is_compacted = !found.contains_key(offset) && self.may_be_compacted(*offset, self.end);
            assert!(is_compacted || found.get(offset) == Some(value), "{offset} was synced");
        }
        (self.current, self.end) = (found, log.bounds().end().get());
    }
}

struct Run {
    disk: SimDisk,
    open: Option<(LogDir, Log)>,
    model: Model,
}

type Done = Result<(), Box<dyn std::error::Error>>;

impl Run {
    fn new(fault: Option<Fault>) -> Run {
        Run { disk: SimDisk::with_fault(fault), open: None, model: Model::default() }
    }

    /// Runs the script; after an error it goes on only if `goes_on`.
    fn run(&mut self, script: &[Step], goes_on: impl Fn(&dyn std::error::Error) -> bool) {
        self.open = open(&self.disk).ok();
        for step in script {
            if self.open.is_none() {
                self.open = open(&self.disk).ok();
                if let Some((_, log)) = &self.open {
                    self.model.adopt(log);
                }
            }
            let done = match self.open.clone() {
                Some((dir, log)) => self.step(*step, &dir, &log),
                None => Err("it does not open".into()),
            };
            if done.is_err_and(|error| !goes_on(&*error)) {
                return;
            }
        }
    }

    fn step(&mut self, step: Step, dir: &LogDir, log: &Log) -> Done {
        match step {
            Append(count, durability) => (0..count).try_for_each(|_| self.append(log, durability)),
            Put(count, durability) => (0..count).try_for_each(|_| {
                let key = format!("key {}", self.model.values % 3);
                self.put(log, &key, durability)
            }),
            Preallocate(bytes) => {
                Ok(log.set_config(LogConfig { preallocate: NonZeroU32::new(bytes), ..settings(None) })?)
            }
            Delete(key, durability) => self.delete(log, &format!("key {key}"), durability),
            Compact => {
                let compact = LogConfig { cleanup_policy: CleanupPolicy::Compact, ..settings(None) };
                log.set_config(compact)?;
                log.compact(Timestamp::from_millis(1000))?;
                Ok(log.set_config(settings(None))?)
            }
            Produce(count, durability) => self.produce(log, count, durability),
            Sync => {
                log.sync()?;
                self.model.synced = self.model.end;
                Ok(())
            }
            Roll => Ok(log.roll()?),
            Truncate(records) => self.truncate(log, records),
            Advance(records) => {
                let to = (self.model.start.1 + records).min(self.model.end);
                self.model.start.1 = to;
                log.advance_start(at(to))?;
                self.model.start.0 = to;
                Ok(())
            }
            Retain(bytes) => {
                log.set_config(settings(Some(bytes)))?;
                self.model.start.1 = self.model.end;
                log.enforce_retention(Timestamp::from_millis(1000))?;
                log.enforce_retention(Timestamp::from_millis(2000))?;
                self.model.start.1 = log.bounds().start().get();
                Ok(log.set_config(settings(None))?)
            }
            Maintain => {
                dir.maintain(Timestamp::from_millis(1000))?;
                Ok(())
            }
            Reopen => self.reopen(dir),
        }
    }

    fn offer(&mut self, count: usize) -> Vec<String> {
        let values: Vec<_> =
            (0..count).map(|n| format!("value {:04}", self.model.values + n as u64)).collect();
        self.model.values += count as u64;
        for (value, offset) in values.iter().zip(self.model.end..) {
            self.model.offered.entry(offset).or_default().insert(value.clone());
        }
        values
    }

    fn appended(&mut self, values: Vec<String>, base: i64, durability: Durability) {
        assert_eq!(base, self.model.end, "an offset was given out twice, or left out");
        self.model.end += values.len() as i64;
        self.model.current.extend((base..).zip(values));
        if durability == Synced {
            self.model.synced = self.model.end;
        }
    }

    fn append(&mut self, log: &Log, durability: Durability) -> Done {
        let values = self.offer(1);
        let appended = log.append(&NewRecord::new(&values[0]), durability);
        self.follow(log, values, appended.map(Offset::get).map_err(Into::into), durability)
    }

    fn put(&mut self, log: &Log, key: &str, durability: Durability) -> Done {
        let value = self.offer(1).remove(0);
        let row = format!("{key}={value}");
        self.model.offered.entry(self.model.end).or_default().insert(row.clone());
        let appended = log.append(&NewRecord::new(&value).key(key), durability);
        self.follow(log, vec![row], appended.map(Offset::get).map_err(Into::into), durability)
    }

    fn delete(&mut self, log: &Log, key: &str, durability: Durability) -> Done {
        let row = format!("{key}=");
        self.model.offered.entry(self.model.end).or_default().insert(row.clone());
        let appended = log.append(&NewRecord::tombstone(key), durability);
        self.follow(log, vec![row], appended.map(Offset::get).map_err(Into::into), durability)
    }

    fn produce(&mut self, log: &Log, count: usize, durability: Durability) -> Done {
        let values = self.offer(count);
        let sequence = self.model.sequence();
        let mut batch = produced(sequence, &values);
        let appended = log.append_batches(&mut batch, LeaderEpoch::ZERO, Depth::Header, durability);
        let appended = appended.map(|appended| appended.base_offset.get()).map_err(Into::into);
        let (base, first) = (self.model.end, values[0].clone());
        let done = self.follow(log, values, appended, durability);
        if self.model.end > base {
            self.model.produced.push((base, first, count as u32));
        }
        done
    }

    /// When only a sync has failed, the records are there and not acknowledged.
    fn follow(
        &mut self,
        log: &Log,
        values: Vec<String>,
        appended: Result<i64, Box<dyn std::error::Error>>,
        durability: Durability,
    ) -> Done {
        match appended {
            Ok(base) => {
                self.appended(values, base, durability);
                Ok(())
            }
            Err(error) => {
                if log.bounds().end().get() > self.model.end {
                    self.appended(values, self.model.end, Written);
                }
                Err(error)
            }
        }
    }

    fn truncate(&mut self, log: &Log, records: i64) -> Done {
        let to = (self.model.end - records).max(self.model.start.1);
        // From now on what lies behind may be gone, whether it is said or not.
        self.model.synced = self.model.synced.min(to);
        let done = log.truncate_to(at(to));
        let end = log.bounds().end().get();
        self.model.synced = self.model.synced.min(end);
        self.model.current.retain(|offset, _| *offset < end);
        self.model.end = end;
        done?;
        Ok(())
    }

    fn reopen(&mut self, dir: &LogDir) -> Done {
        self.open = None;
        let end = self.model.end;
        dir.close()?;
        self.model.synced = end;
        self.open = Some(open(&self.disk)?);
        Ok(())
    }
}

fn at(offset: i64) -> Offset {
    Offset::new(offset).unwrap()
}

/// A batch of the one producer.
fn produced(sequence: u32, values: &[String]) -> Vec<u8> {
    let producer = BatchProducer { id: ProducerId::new(7).unwrap(), epoch: ProducerEpoch::new(0).unwrap() };
    let options =
        BatchOptions { producer: Some(producer), base_sequence: Some(sequence), ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(Vec::new(), options);
    for value in values {
        builder.append(&NewRecord::new(value).at(Timestamp::from_millis(1000))).unwrap();
    }
    builder.finish().unwrap().buffer
}

type Records = Vec<(i64, String)>;

fn records(log: &Log) -> Result<Records, String> {
    let stream = log.records(Position::Start).map_err(|error| error.to_string())?;
    let text = |bytes: bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let text = |record: klamm_log::OwnedRecord| {
        let value = record.value.map(text).unwrap_or_default();
        let row = record.key.map_or(value.clone(), |key| format!("{}={value}", text(key)));
        (record.offset.get(), row)
    };
    stream.map(|record| record.map(text).map_err(|error| error.to_string())).collect()
}

/// Holds a disk that was found against the model.
fn check(model: &Model, crashed: &Found) -> Result<(), String> {
    let (first, start, end) = reopened(&crashed.disk)?;
    for (offset, value) in &first {
        let offered = model.offered.get(offset).is_some_and(|values| values.contains(value));
        if !offered {
            return Err(format!("{value:?} at {offset} was never written"));
        }
    }
    let found: BTreeMap<i64, String> = first.iter().cloned().collect();
    let holes = (start..end).filter(|offset| !found.contains_key(offset));
    let holes: Vec<_> = holes.filter(|offset| !model.may_be_compacted(*offset, end)).collect();
    if !holes.is_empty() {
        return Err(format!("holes at {holes:?}, {start} to {end}, found {first:?}"));
    }
    if model.has_tables() && table(&found, end) != table(&model.with(&found), end) {
        return Err(format!("another table: {:?}", table(&found, end)));
    }
    if start < model.start.0 || start > model.start.1 {
        return Err(format!("the start is {start}, expected {:?}", model.start));
    }
    for (offset, value) in model.current.range(start..model.synced.max(start)) {
        if model.may_be_compacted(*offset, end) && !found.contains_key(offset) {
            continue;
        }
        match first.iter().find(|(found, _)| found == offset) {
            Some((_, found)) if found == value => {}
            found => return Err(format!("{offset} was synced as {value:?}, found {found:?}")),
        }
    }
    if end < model.synced {
        return Err(format!("the end is {end}, synced was {}", model.synced));
    }
    let again = reopened(&crashed.disk)?;
    if again != (first, start, end) {
        return Err("opened a second time it is another log".into());
    }
    goes_on(&crashed.disk, end)
}

/// The last of each key before `end`, without those that are gone.
fn table(rows: &BTreeMap<i64, String>, end: i64) -> BTreeMap<&str, (i64, &str)> {
    let keyed = rows.range(..end).filter_map(|(offset, row)| Some((*offset, row.split_once('=')?)));
    let mut table: BTreeMap<_, _> = keyed.map(|(offset, (key, value))| (key, (offset, value))).collect();
    table.retain(|_, (_, value)| !value.is_empty());
    table
}

/// Opens, reads all and is killed.
fn reopened(disk: &SimDisk) -> Result<(Records, i64, i64), String> {
    let (dir, log) = open(disk).map_err(|error| format!("it does not open: {error}"))?;
    let (records, bounds) = (records(&log)?, log.bounds());
    // Not closed: the next opening recovers too.
    std::mem::forget((dir, log));
    Ok((records, bounds.start().get(), bounds.end().get()))
}

/// It takes records, and has them after a clean stop.
fn goes_on(disk: &SimDisk, end: i64) -> Result<(), String> {
    let (dir, log) = open(disk).map_err(|error| error.to_string())?;
    let offset = log.append(&NewRecord::new("after"), Synced).map_err(|error| error.to_string())?;
    if offset.get() != end {
        return Err(format!("the next record got {offset}, expected {end}"));
    }
    dir.close().map_err(|error| error.to_string())?;
    let (_dir, log) = open(disk).map_err(|error| error.to_string())?;
    match records(&log)?.last() {
        Some((offset, value)) if *offset == end && value == "after" => Ok(()),
        other => Err(format!("appended after the crash, found {other:?}")),
    }
}

fn scripts() -> impl Iterator<Item = (&'static str, &'static [Step])> {
    let wanted = std::env::var("CRASH_SCRIPT").ok();
    SCRIPTS.into_iter().filter(move |(name, _)| wanted.as_deref().is_none_or(|wanted| wanted == *name))
}

fn points(operations: usize) -> impl Iterator<Item = usize> {
    let wanted = std::env::var("CRASH_AT").ok().map(|at| at.parse::<usize>().unwrap());
    (0..operations).filter(move |at| wanted.is_none_or(|wanted| wanted == *at))
}

/// A script and how many operations it does when nothing happens.
fn operations(script: &[Step]) -> usize {
    let mut run = Run::new(None);
    run.run(script, |error| panic!("without a fault: {error}"));
    run.disk.operations()
}

/// Runs each script with these faults at each of its operations, holds every disk that may be found
/// then against the model, and prints a row of the table in `EVIDENCE.md` for each.
fn run_all(what: &str, faults: fn(usize) -> Vec<Fault>, goes_on: bool) {
    let mut total = (0, 0);
    println!("| script | {what} | disks |\n|---|---|---|");
    for (name, script) in scripts() {
        let (mut runs, mut disks) = (0, 0);
        for point in points(operations(script)) {
            for fault in faults(point) {
                disks += run_one(name, script, point, fault, goes_on);
                runs += 1;
            }
        }
        println!("| {name} | {runs} | {disks} |");
        total = (total.0 + runs, total.1 + disks);
    }
    println!("| all | {} | {} |", total.0, total.1);
}

/// Says how many disks there were.
fn run_one(name: &str, script: &[Step], point: usize, fault: Fault, goes_on: bool) -> usize {
    let mut run = Run::new(Some(fault));
    run.run(script, |_| goes_on);
    let found = run.disk.crash(point as u64);
    for found in &found {
        if let Err(wrong) = check(&run.model, found) {
            panic!("CRASH_SCRIPT={name} CRASH_AT={point} {fault:?}, {}: {wrong}\n{:?}", found.how, run.model);
        }
    }
    found.len()
}

#[test]
fn whatever_the_machine_finds_what_was_synced_is_there() {
    run_all("crash points", |at| vec![Fault::Crash { at }], false);
}

#[test]
fn whatever_fails_once_what_was_synced_is_there() {
    let each =
        |at| [Failure::Io, Failure::NoSpace, Failure::Short].map(|how| Fault::Fail { at, how }).to_vec();
    run_all("operations that failed", each, true);
}
