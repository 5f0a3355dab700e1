//! Model: a list of (offset, value, time). Whatever is done to a log, in whatever order, it reads
//! as the list does; and so it does after a clean stop, and after a kill.

#![allow(clippy::cast_possible_wrap)]

mod support;

use klamm_log::{
    Depth, Durability, LeaderEpoch, Log, LogDir, Offset, Position, ReadLimit, Timestamp, Visibility,
};
use klamm_record::{BatchBuilder, BatchHeader, BatchOptions, Compression, NewRecord};
use proptest::prelude::*;
use support::{copy_as_killed, open, small_segments};

#[derive(Clone, Debug)]
enum Step {
    Batch { records: usize, size: usize, time: i64, codec: usize },
    Single { size: usize },
    Follow { gap: u32, records: usize },
    NextEpoch,
    Truncate(prop::sample::Index),
    AdvanceStart(prop::sample::Index),
    Retain { bytes: u64 },
    Roll,
    Sync,
    Stop,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..20usize, 0..120usize, 0..1000i64, 0..5usize)
            .prop_map(|(records, size, time, codec)| Step::Batch { records, size, time, codec }),
        2 => (0..300usize).prop_map(|size| Step::Single { size }),
        1 => (0..5u32, 1..10usize).prop_map(|(gap, records)| Step::Follow { gap, records }),
        1 => Just(Step::NextEpoch),
        1 => any::<prop::sample::Index>().prop_map(Step::Truncate),
        1 => any::<prop::sample::Index>().prop_map(Step::AdvanceStart),
        1 => (1000..6000u64).prop_map(|bytes| Step::Retain { bytes }),
        1 => Just(Step::Roll),
        1 => Just(Step::Sync),
        1 => Just(Step::Stop),
        1 => Just(Step::Kill),
    ]
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    offset: i64,
    value: Vec<u8>,
    time: i64,
    epoch: i32,
    /// Base offset of its batch: a truncation takes whole batches.
    base: i64,
}

struct World {
    #[allow(dead_code)]
    root: tempfile::TempDir,
    /// The folder in use: each kill moves to a copy.
    lives: usize,
    dir: LogDir,
    log: Log,
    entries: Vec<Entry>,
    start: i64,
    end: i64,
    epoch: i32,
    written: u8,
}

impl World {
    fn new() -> World {
        let root = tempfile::tempdir().unwrap();
        let dir = open(&root.path().join("0"), small_segments());
        let log = dir.log("t", 0).unwrap();
        World { root, lives: 0, dir, log, entries: Vec::new(), start: 0, end: 0, epoch: 0, written: 0 }
    }

    fn build(
        &mut self,
        base: i64,
        records: usize,
        size: usize,
        time: i64,
        compression: Compression,
    ) -> Vec<u8> {
        let base_offset = Offset::new(base).unwrap();
        let options = BatchOptions {
            compression,
            base_offset,
            leader_epoch: LeaderEpoch::new(self.epoch),
            ..Default::default()
        };
        let mut builder = BatchBuilder::new(Vec::new(), options);
        for n in 0..records {
            self.written = self.written.wrapping_add(1);
            let (value, time) = (vec![self.written; size], time + n as i64);
            builder.append(&NewRecord::new(&value).at(Timestamp::from_millis(time))).unwrap();
            self.entries.push(Entry { offset: base + n as i64, value, time, epoch: self.epoch, base });
        }
        self.end = base + records as i64;
        builder.finish().unwrap().buffer
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Batch { records, size, time, codec } => {
                self.append_batch(*records, *size, *time, Compression::ALL[*codec]);
            }
            Step::Single { size } => self.append_single(*size),
            Step::Follow { gap, records } => {
                let bytes = self.build(self.end + i64::from(*gap), *records, 30, 50, Compression::None);
                self.log.append_as_follower(&bytes, Durability::Written).unwrap();
            }
            Step::NextEpoch => self.epoch += 1,
            Step::Truncate(at) => self.truncate(self.offset_at(at)),
            Step::AdvanceStart(at) => {
                let to = self.offset_at(at);
                self.log.advance_start(Offset::new(to).unwrap()).unwrap();
                self.start = to;
                // Checkpointed at the next round at the latest.
                self.dir.maintain(Timestamp::from_millis(i64::from(u32::MAX) * self.lives as i64)).unwrap();
            }
            Step::Retain { bytes } => {
                self.log
                    .set_config(klamm_log::LogConfig { retention_bytes: Some(*bytes), ..small_segments() })
                    .unwrap();
                self.log.enforce_retention(Timestamp::from_millis(0)).unwrap();
                self.log.set_config(small_segments()).unwrap();
                self.start = self.log.bounds().start().get();
            }
            Step::Roll => self.log.roll().unwrap(),
            Step::Sync => self.log.sync().unwrap(),
            Step::Stop => {
                self.dir.close().unwrap();
                self.reopen(self.lives);
            }
            Step::Kill => self.kill(),
        }
        self.entries.retain(|e| e.offset >= self.start);
        self.check();
    }

    fn append_batch(&mut self, records: usize, size: usize, time: i64, codec: Compression) {
        let mut bytes = self.build(self.end, records, size, time, codec);
        BatchHeader::assign(&mut bytes, Offset::ZERO, LeaderEpoch::ZERO);
        let epoch = LeaderEpoch::new(self.epoch).unwrap();
        let depth = Depth::Records { limit: 1 << 20 };
        let done = self.log.append_batches(&mut bytes, epoch, depth, Durability::Written).unwrap();
        assert_eq!(done.next_offset.get(), self.end);
    }

    fn append_single(&mut self, size: usize) {
        self.written = self.written.wrapping_add(1);
        let (value, base) = (vec![self.written; size], self.end);
        let record = NewRecord::new(&value).at(Timestamp::from_millis(5));
        let got = self.log.append(&record, Durability::Written).unwrap();
        assert_eq!(got.get(), base);
        let epoch = self.log.epochs().latest().unwrap().epoch.get();
        self.entries.push(Entry { offset: base, value, time: 5, epoch, base });
        self.end += 1;
    }

    fn offset_at(&self, at: &prop::sample::Index) -> i64 {
        self.start + at.index(usize::try_from(self.end - self.start + 1).unwrap()) as i64
    }

    fn truncate(&mut self, to: i64) {
        let got = self.log.truncate_to(Offset::new(to).unwrap()).unwrap().get();
        let cut = self.entries.iter().find(|e| e.offset >= to).map_or(to, |e| e.base);
        if to < self.end {
            self.entries.retain(|e| e.base < cut);
        }
        // At most what was asked for, and behind what is left; where there is a gap, all in between
        // is right.
        let least = self.entries.last().map_or(0, |e| e.offset + 1);
        assert!(least.max(self.start) <= got && got <= to, "{least} <= {got} <= {to}");
        self.end = got;
    }

    fn kill(&mut self) {
        let from = self.root.path().join(self.lives.to_string());
        copy_as_killed(&from, &self.root.path().join((self.lives + 1).to_string()));
        // A start that was moved is only as durable as its checkpoint; deleted records can come
        // back.
        self.lives += 1;
        self.reopen(self.lives);
        let start = self.log.bounds().start().get();
        assert!(start <= self.start, "{start} {}", self.start);
        self.log.advance_start(Offset::new(self.start).unwrap()).unwrap();
    }

    fn reopen(&mut self, life: usize) {
        let path = self.root.path().join(life.to_string());
        self.dir = open(&path, small_segments());
        self.log = self.dir.log("t", 0).unwrap();
    }

    fn check(&self) {
        let bounds = self.log.bounds();
        assert_eq!((bounds.start().get(), bounds.end().get()), (self.start, self.end));
        let got = self.log.records(Position::Start).unwrap().map(|r| r.unwrap());
        let got: Vec<_> = got
            .map(|r| (r.offset.get(), r.value.unwrap().to_vec(), r.timestamp.unwrap().as_millis()))
            .collect();
        let want: Vec<_> = self.entries.iter().map(|e| (e.offset, e.value.clone(), e.time)).collect();
        assert_eq!(got, want);
        let epochs = self.log.epochs();
        for entry in &self.entries {
            let at = epochs.epoch_at(Offset::new(entry.offset).unwrap()).map(LeaderEpoch::get);
            assert_eq!(at, Some(entry.epoch), "epoch at {} in {epochs:?}", entry.offset);
        }
        self.check_some_places();
    }

    fn check_some_places(&self) {
        for (index, entry) in self.entries.iter().enumerate().step_by(7) {
            let offset = Offset::new(entry.offset).unwrap();
            let mut reader = self.log.reader(offset).unwrap();
            let record = reader.next().unwrap().unwrap();
            assert_eq!((record.offset, record.value), (offset, Some(&entry.value[..])));
            let limit = ReadLimit { max_bytes: 1, visibility: Visibility::All };
            let slice = self.log.read(offset, limit).unwrap();
            assert_eq!(slice.base_offset().get(), entry.base);
            assert_eq!(
                BatchHeader::parse(&slice.read().unwrap()).unwrap().size(),
                slice.len(),
                "one whole batch"
            );
            let found = self.log.offset_since(Timestamp::from_millis(entry.time)).unwrap();
            let first = self.entries.iter().find(|e| e.time >= entry.time).unwrap();
            assert_eq!(found.map(|f| f.offset.get()), Some(first.offset), "time {} at {index}", entry.time);
        }
        let largest = self.entries.iter().map(|e| e.time).max();
        let found = self.log.offset_of_max_timestamp().unwrap();
        assert_eq!(found.map(|f| f.timestamp.as_millis()), largest);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 400, ..ProptestConfig::default() })]
    #[test]
    fn a_log_reads_as_a_list_does(steps in prop::collection::vec(step(), 1..25)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
    }
}
