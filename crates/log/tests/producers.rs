//! Idempotent producers and transactions in a log that rolls, is truncated, stopped, killed and
//! loses its snapshots: a list of the batches says what it must answer.

#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use klamm_log::{
    AppendError, Depth, Durability, LeaderEpoch, Log, LogConfig, LogDir, NewRecord, Offset, ProducerError,
    Timestamp,
};
use klamm_record::{BatchBuilder, BatchOptions, BatchProducer, EndTransaction, Outcome};
use klamm_types::{ProducerEpoch, ProducerId};
use proptest::prelude::*;
use support::{copy_as_killed, open};

/// A batch that is in the log.
#[derive(Clone, Debug)]
struct Stored {
    base: i64,
    producer: u8,
    content: Content,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Content {
    Records { sequence: u32, count: u32, transactional: bool },
    End { abort: bool },
}

impl Stored {
    fn next(&self) -> i64 {
        match self.content {
            Content::Records { count, .. } => self.base + i64::from(count),
            Content::End { .. } => self.base + 1,
        }
    }
}

fn built(producer: u8, content: Content, base: i64) -> Vec<u8> {
    let epoch = ProducerEpoch::new(0).unwrap();
    let producer = Some(BatchProducer { id: ProducerId::new(producer.into()).unwrap(), epoch });
    let options = BatchOptions {
        producer,
        base_offset: Offset::new(base).unwrap(),
        leader_epoch: Some(LeaderEpoch::ZERO),
        ..BatchOptions::default()
    };
    let time = Timestamp::from_millis(1000);
    match content {
        Content::Records { sequence, count, transactional } => {
            let options = BatchOptions { base_sequence: Some(sequence), transactional, ..options };
            let mut builder = BatchBuilder::new(Vec::new(), options);
            (0..count).for_each(|_| builder.append(&NewRecord::new("value").at(time)).unwrap());
            builder.finish().unwrap().buffer
        }
        Content::End { abort } => {
            let outcome = if abort { Outcome::Abort } else { Outcome::Commit };
            let end = EndTransaction { outcome, coordinator_epoch: 1 };
            let options = BatchOptions { transactional: true, control: true, ..options };
            let mut builder = BatchBuilder::new(Vec::new(), options);
            builder.append(&NewRecord::new(&end.value()).key(&end.key()).at(time)).unwrap();
            builder.finish().unwrap().buffer
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Next { producer: u8, count: u32, transactional: bool },
    Repeat { back: usize },
    Gap { producer: u8 },
    End { producer: u8, abort: bool },
    Roll,
    Truncate { back: usize },
    Stop,
    Kill,
    Sync,
    Break { which: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u8..3, 1u32..4, any::<bool>())
            .prop_map(|(producer, count, transactional)| Step::Next { producer, count, transactional }),
        3 => (1usize..8).prop_map(|back| Step::Repeat { back }),
        1 => (0u8..3).prop_map(|producer| Step::Gap { producer }),
        3 => (0u8..3, any::<bool>()).prop_map(|(producer, abort)| Step::End { producer, abort }),
        1 => Just(Step::Roll),
        1 => (1usize..10).prop_map(|back| Step::Truncate { back }),
        1 => Just(Step::Stop),
        1 => Just(Step::Kill),
        1 => Just(Step::Sync),
        1 => (0usize..4).prop_map(|which| Step::Break { which }),
    ]
}

struct Run {
    root: tempfile::TempDir,
    path: PathBuf,
    folders: usize,
    dir: LogDir,
    log: Log,
    stored: Vec<Stored>,
}

fn settings() -> LogConfig {
    LogConfig { segment_bytes: 1024, index_interval_bytes: 200, ..LogConfig::default() }
}

fn opened(path: &Path) -> (LogDir, Log) {
    let dir = open(path, settings());
    let log = dir.log("t", 0).unwrap();
    (dir, log)
}

impl Run {
    fn new() -> Run {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("0");
        let (dir, log) = opened(&path);
        Run { root, path, folders: 0, dir, log, stored: Vec::new() }
    }

    fn of(&self, producer: u8) -> impl DoubleEndedIterator<Item = &Stored> {
        self.stored.iter().filter(move |stored| stored.producer == producer)
    }

    fn next_sequence(&self, producer: u8) -> u32 {
        let last = self.of(producer).rev().find_map(|stored| match stored.content {
            Content::Records { sequence, count, .. } => Some(sequence + count),
            Content::End { .. } => None,
        });
        last.unwrap_or(0)
    }

    /// Where the producer's open transaction began.
    fn open_since(&self, producer: u8) -> Option<i64> {
        self.of(producer).fold(None, |open, stored| match stored.content {
            Content::Records { transactional: true, .. } => open.or(Some(stored.base)),
            Content::Records { .. } => open,
            Content::End { .. } => None,
        })
    }

    fn end(&self) -> i64 {
        self.stored.last().map_or(0, Stored::next)
    }

    fn offer(&self, producer: u8, content: Content) -> Result<(i64, bool), ProducerError> {
        let mut batch = built(producer, content, 0);
        match self.log.append_batches(&mut batch, LeaderEpoch::ZERO, Depth::Header, Durability::Written) {
            Ok(appended) => Ok((appended.base_offset.get(), appended.is_duplicate)),
            Err(AppendError::Producer { fault, .. }) => Err(fault),
            Err(error) => panic!("{error}"),
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Next { producer, count, transactional } => self.send_next(producer, count, transactional),
            Step::Repeat { back } => self.repeat(back),
            Step::Gap { producer } => self.send_gap(producer),
            Step::End { producer, abort } => self.end_transaction(producer, abort),
            Step::Roll => self.log.roll().unwrap(),
            Step::Truncate { back } => self.truncate(back),
            Step::Stop => self.reopen(|run| run.dir.close().unwrap()),
            Step::Kill => self.kill(),
            Step::Sync => self.log.sync().unwrap(),
            Step::Break { which } => self.break_snapshot(which),
        }
    }

    fn send_next(&mut self, producer: u8, count: u32, transactional: bool) {
        let transactional = transactional || self.open_since(producer).is_some();
        let content = Content::Records { sequence: self.next_sequence(producer), count, transactional };
        assert_eq!(self.offer(producer, content), Ok((self.end(), false)));
        self.stored.push(Stored { base: self.end(), producer, content });
    }

    /// The last batch of a producer is known again for ever, those before it until a restart.
    fn repeat(&mut self, back: usize) {
        let is_records = |stored: &&Stored| matches!(stored.content, Content::Records { .. });
        let Some(again) = self.stored.iter().rev().filter(is_records).nth(back - 1).cloned() else { return };
        let later = self.of(again.producer).filter(is_records).filter(|s| s.base > again.base).count();
        match self.offer(again.producer, again.content) {
            Ok(answer) => assert_eq!(answer, (again.base, true)),
            Err(ProducerError::OutOfOrderSequence { .. }) => assert!(later > 0, "{again:?}"),
            Err(error) => panic!("{error}"),
        }
    }

    fn send_gap(&mut self, producer: u8) {
        if self.of(producer).next().is_some() {
            let sequence = self.next_sequence(producer) + 1;
            let content = Content::Records { sequence, count: 1, transactional: true };
            let answer = self.offer(producer, content);
            assert!(matches!(answer, Err(ProducerError::OutOfOrderSequence { .. })), "{answer:?}");
        }
    }

    /// Markers come from a coordinator, not from a producer: here as a follower gets them.
    fn end_transaction(&mut self, producer: u8, abort: bool) {
        if self.open_since(producer).is_some() {
            let (content, base) = (Content::End { abort }, self.end());
            self.log.append_as_follower(&built(producer, content, base), Durability::Written).unwrap();
            self.stored.push(Stored { base, producer, content });
        }
    }

    fn truncate(&mut self, back: usize) {
        let Some(at) = self.stored.len().checked_sub(back) else { return };
        self.stored.truncate(at);
        self.log.truncate_to(Offset::new(self.end()).unwrap()).unwrap();
    }

    fn reopen(&mut self, stop: impl Fn(&Run)) {
        stop(self);
        let (dir, log) = opened(&self.path);
        (self.dir, self.log) = (dir, log);
    }

    fn kill(&mut self) {
        self.folders += 1;
        let target = self.root.path().join(self.folders.to_string());
        copy_as_killed(&self.path, &target);
        self.path = target;
        self.reopen(|_| {});
    }

    /// Stops, and spoils one of the snapshots: it is a cache.
    fn break_snapshot(&mut self, which: usize) {
        self.reopen(|run| {
            run.dir.close().unwrap();
            let entries = std::fs::read_dir(run.path.join("t-0")).unwrap().map(|e| e.unwrap().path());
            let mut snapshots: Vec<_> =
                entries.filter(|path| path.extension().is_some_and(|e| e == "snapshot")).collect();
            snapshots.sort();
            if let Some(path) = snapshots.iter().rev().nth(which) {
                let mut bytes = std::fs::read(path).unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                std::fs::write(path, bytes).unwrap();
            }
        });
    }

    /// What a reader of committed transactions sees.
    fn check(&self) {
        let bounds = self.log.bounds();
        assert_eq!(bounds.end().get(), self.end());
        let open = (0..3).filter_map(|producer| self.open_since(producer)).min();
        assert_eq!(bounds.stable().get(), open.unwrap_or(self.end()));
        let found = self.log.aborted_transactions(bounds.start(), bounds.end()).unwrap();
        let found: Vec<_> =
            found.iter().map(|a| (a.producer_id.get(), a.first_offset.get(), a.last_offset.get())).collect();
        assert_eq!(found, self.aborted());
    }

    fn aborted(&self) -> Vec<(i64, i64, i64)> {
        let (mut open, mut aborted) = (BTreeMap::new(), Vec::new());
        for stored in &self.stored {
            match stored.content {
                Content::Records { transactional: true, .. } => {
                    open.entry(stored.producer).or_insert(stored.base);
                }
                Content::Records { .. } => {}
                Content::End { abort } => {
                    let first = open.remove(&stored.producer).unwrap();
                    aborted.extend(abort.then_some((i64::from(stored.producer), first, stored.base)));
                }
            }
        }
        aborted
    }
}

proptest! {
    // A third of the usual number: each syncs many times.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 3))]

    #[test]
    fn a_list_of_batches_says_the_same(steps in prop::collection::vec(step(), 1..80)) {
        let mut run = Run::new();
        for step in &steps {
            run.step(step);
            run.check();
        }
    }
}

#[test]
fn a_log_without_producers_has_no_snapshots() {
    let root = tempfile::tempdir().unwrap();
    let (dir, log) = opened(root.path());
    for n in 0..50 {
        support::append(&log, &n.to_string());
    }
    dir.close().unwrap();
    let names = std::fs::read_dir(root.path().join("t-0")).unwrap().map(|e| e.unwrap().file_name());
    let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(
        names.len() > 6 && !names.iter().any(|n| n.contains("snapshot") || n.contains("txnindex")),
        "{names:?}"
    );
}
