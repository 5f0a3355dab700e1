//! Directories of logs in memory, and what was acknowledged in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use klamm_log::disk::{Disk, OpenMode};
use klamm_log::{
    CleanupPolicy, Depth, DirConfig, Durability, Log, LogConfig, LogDir, NewRecord, Offset, Timestamp,
    TopicPartition,
};
use klamm_record::{BatchBuilder, BatchOptions, BatchProducer, EndTransaction, Outcome};
use klamm_sim::{HeldClock, SimDisk};
use klamm_types::{ProducerEpoch, ProducerId, TopicId};

use crate::support::epoch;

pub const NOW: i64 = 1_790_000_000_000;
pub const HOUR: i64 = 3_600_000;
pub const ROOT: &str = "/d";
/// The producer of records outside of transactions.
pub const PRODUCER: i64 = 7;

/// The files of a directory of logs, by their paths below it.
pub type Image = BTreeMap<String, Vec<u8>>;

/// A directory of logs that was stopped or killed.
pub struct World {
    pub name: &'static str,
    pub config: LogConfig,
    pub image: Image,
    /// The directory at an earlier time.
    pub older: Image,
    /// The sequence number that `PRODUCER` uses next in the log `t-0`.
    pub sequence: u32,
}

pub fn partitions() -> [(TopicPartition, TopicId); 2] {
    ["t-0", "u-0"].map(|name| (name.parse().unwrap(), TopicId::new([name.as_bytes()[0]; 16]).unwrap()))
}

fn config(policy: CleanupPolicy) -> LogConfig {
    LogConfig {
        cleanup_policy: policy,
        index_interval_bytes: 150,
        retention_time: Some(Duration::from_millis(30 * HOUR as u64)),
        ..LogConfig::default()
    }
}

pub fn open(disk: SimDisk, log: &LogConfig, clock: Arc<HeldClock>) -> Result<LogDir, klamm_log::OpenError> {
    let config = DirConfig {
        log: log.clone(),
        clock,
        disk: Arc::new(disk),
        recovery_threads: 1,
        ..DirConfig::default()
    };
    LogDir::open_with(ROOT, config)
}

pub fn image_of(disk: &SimDisk) -> Image {
    let mut image = Image::new();
    let mut directories = vec![PathBuf::from(ROOT)];
    while let Some(directory) = directories.pop() {
        for name in disk.list(&directory).unwrap() {
            let path = directory.join(name);
            if disk.stat(&path).unwrap().is_dir {
                directories.push(path);
                continue;
            }
            let file = disk.open(&path, OpenMode::Read).unwrap();
            let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
            let got = file.read_at(&mut bytes, 0).unwrap();
            assert_eq!(got, bytes.len());
            image.insert(path.strip_prefix(ROOT).unwrap().to_str().unwrap().to_owned(), bytes);
        }
    }
    image.remove(".lock");
    image
}

pub fn disk_of(image: &Image) -> SimDisk {
    let disk = SimDisk::default();
    for (name, bytes) in image {
        let path = Path::new(ROOT).join(name);
        disk.create_dir(path.parent().unwrap()).unwrap();
        disk.open(&path, OpenMode::Create).unwrap().write_all_at(bytes, 0).unwrap();
    }
    disk
}

fn producer(id: i64) -> Option<BatchProducer> {
    let epoch = ProducerEpoch::new(0).unwrap();
    Some(BatchProducer { id: ProducerId::new(id).unwrap(), epoch })
}

/// A batch of records of a producer.
pub fn batch(id: i64, sequence: u32, numbers: &[i64], transactional: bool) -> Vec<u8> {
    let base_sequence = Some(sequence);
    let options =
        BatchOptions { producer: producer(id), base_sequence, transactional, ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(Vec::new(), options);
    for n in numbers {
        let (key, value) = (format!("k{}", n % 5), format!("value {n}"));
        builder.append(&NewRecord::new(&value).key(&key).at(time(*n))).unwrap();
    }
    builder.finish().unwrap().buffer
}

/// A batch with the marker that aborts a producer's transaction.
fn marker(id: i64, at: Offset, leader: i32, time: Timestamp) -> Vec<u8> {
    let options = BatchOptions {
        producer: producer(id),
        base_offset: at,
        leader_epoch: Some(epoch(leader)),
        transactional: true,
        control: true,
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(Vec::new(), options);
    let abort = EndTransaction { outcome: Outcome::Abort, coordinator_epoch: 1 };
    builder.append(&NewRecord::new(&abort.value()).key(&abort.key()).at(time)).unwrap();
    builder.finish().unwrap().buffer
}

/// The time of the record with this number: with an early peak in each group of five, and hours
/// between segments.
pub fn time(n: i64) -> Timestamp {
    let since = [20, 5, 1][usize::try_from((n / 12).clamp(0, 2)).unwrap()] * HOUR;
    let peak = if n % 5 == 2 { 2_500 } else { 0 };
    Timestamp::from_millis(NOW - since + n * 1_000 + peak)
}

struct Filling {
    log: Log,
    leader: i32,
    sequences: BTreeMap<i64, u32>,
}

impl Filling {
    fn new(log: Log) -> Filling {
        Filling { log, leader: 0, sequences: BTreeMap::new() }
    }

    fn put(&mut self, producer: i64, numbers: &[i64], transactional: bool) {
        let sequence = self.sequences.entry(producer).or_default();
        let mut bytes = batch(producer, *sequence, numbers, transactional);
        *sequence += u32::try_from(numbers.len()).unwrap();
        let leader = epoch(self.leader);
        self.log.append_batches(&mut bytes, leader, Depth::Header, Durability::Written).unwrap();
    }

    fn abort(&mut self, producer: i64, n: i64) {
        let marker = marker(producer, self.log.bounds().end(), self.leader, time(n));
        self.log.append_as_follower(&marker, Durability::Written).unwrap();
    }

    /// Batches with twelve numbers: of one and of two records, and a transaction that is aborted.
    fn segment(&mut self, first: i64, leader: i32) {
        self.leader = leader;
        let n = |at: i64| first + at;
        self.put(PRODUCER, &[n(0)], false);
        self.put(PRODUCER, &[n(1), n(2)], false);
        self.put(9, &[n(3)], true);
        self.put(PRODUCER, &[n(4)], false);
        self.put(9, &[n(5), n(6)], true);
        self.abort(9, n(7));
        self.put(PRODUCER, &[n(8), n(9)], false);
        self.put(9, &[n(10)], true);
        self.abort(9, n(11));
    }
}

/// Three segments of `t-0`, the last of which is active, and a small log `u-0` beside it.
pub fn world(policy: CleanupPolicy, killed: bool) -> World {
    let (disk, clock, config) = (SimDisk::default(), HeldClock::at(NOW), config(policy));
    let dir = open(disk.clone(), &config, Arc::clone(&clock)).unwrap();
    let [t, u] = partitions().map(|(name, id)| dir.create(&name, config.clone(), Some(id)).unwrap());
    let (mut t, mut u) = (Filling::new(t), Filling::new(u));
    u.put(PRODUCER, &[30, 31], false);
    t.segment(0, 0);
    t.log.roll().unwrap();
    t.segment(12, 1);
    checkpoint(&dir, &clock);
    let mut older = image_of(&disk);
    older.insert(".kafka_cleanshutdown".into(), b"{\"version\":0,\"brokerEpoch\":3}".to_vec());
    u.put(PRODUCER, &[32], false);
    t.put(PRODUCER, &[23], false);
    t.log.roll().unwrap();
    t.segment(24, 4);
    match policy.compacts() {
        true => drop(t.log.compact(Timestamp::from_millis(NOW)).unwrap()),
        false => t.log.advance_start(Offset::from(2)).unwrap(),
    }
    checkpoint(&dir, &clock);
    t.leader = 6;
    (36..39).for_each(|n| t.put(PRODUCER, &[n], false));
    let sequence = t.sequences[&PRODUCER];
    if !killed {
        dir.close().unwrap();
    }
    let image = image_of(&disk);
    drop((t, u, dir));
    let name = match (policy.compacts(), killed) {
        (false, false) => "retention, stopped",
        (false, true) => "retention, killed",
        (true, false) => "compacted, stopped",
        (true, true) => "compacted, killed",
    };
    World { name, config, image, older, sequence }
}

fn checkpoint(dir: &LogDir, clock: &HeldClock) {
    dir.logs().iter().for_each(|log| log.sync().unwrap());
    clock.pass(Duration::from_secs(120));
    dir.maintain(Timestamp::from_millis(NOW)).unwrap();
}
