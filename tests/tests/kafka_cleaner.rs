//! Compaction held against Kafka's own cleaner: the same folder, cleaned by both, is the same
//! afterwards: which batches and records are left, byte for byte where they are not compressed, and
//! the transaction index.
//!
//! Where the map is full in the middle of a segment, Kafka 4.3.1 goes on there with the aborted
//! transactions of the whole segment, and takes committed records of the same producers for aborted
//! ones, so that what they replace stays. Klamm does not, so there are no transactions in the cases
//! with a small map.
//!
//! `fixtures/cleaner.txt` is what Kafka 4.3.1 made of folders with seeds 1 to 12. With `KAFKA_LIB`,
//! a folder with Kafka's jars, it is asked anew, with `CLEANER_SEED` for the first seed: what
//! `.ci/run oracle` does. To write the file again:
//! `KAFKA_LIB=.cache/kafka/lib CLEANER_SEED=1 CLEANER_WRITE=1 cargo test -p klamm-tests --test kafka_cleaner`.

#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use klamm_log::{
    CleanerConfig, CleanupPolicy, DirConfig, Durability, LeaderEpoch, Log, LogConfig, LogDir, NewRecord,
    Offset, Step, Timestamp,
};
use klamm_record::{
    BatchBuilder, BatchOptions, BatchProducer, Batches, Compression, EndTransaction, Header, Outcome,
    RecordBatch, TimestampType,
};
use klamm_types::{ProducerEpoch, ProducerId};

/// In 2096, so that Kafka, which reads the machine's clock, does not take producers for silent.
const TIME: i64 = 4_000_000_000_000;
const RETENTION: i64 = 5_000;
const STAGES: i64 = 4;

struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ x >> 31) % most
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Writes a log as producers, transactions and a leader would.
struct Scribe {
    random: Random,
    log: Log,
    now: i64,
    /// Next sequence numbers of four producers, the last two of which have transactions; whether
    /// one is open.
    producers: [(u32, bool); 4],
    has_transactions: bool,
}

impl Scribe {
    fn options(&mut self) -> BatchOptions {
        let base = self.log.bounds().end().get()
            + if self.random.one_in(12) { self.random.below(4) as i64 } else { 0 };
        let codecs = [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
        let compression =
            if self.random.one_in(4) { codecs[self.random.below(4) as usize] } else { Compression::None };
        let log_append_time = self.random.one_in(9).then(|| Timestamp::from_millis(self.now));
        BatchOptions {
            base_offset: Offset::new(base).unwrap(),
            leader_epoch: LeaderEpoch::new(3),
            compression,
            log_append_time,
            ..BatchOptions::default()
        }
    }

    fn batch(&mut self) {
        let mut options = self.options();
        let count = 1 + self.random.below(6) as u32;
        let who = self.random.below(6) as usize;
        if let Some((sequence, open)) = self.producers.get_mut(who) {
            (options.producer, options.base_sequence) = (Some(producer(who)), Some(*sequence));
            options.transactional = self.has_transactions && who >= 2;
            (*sequence, *open) = (*sequence + count, options.transactional);
        }
        let mut builder = BatchBuilder::new(Vec::new(), options);
        for _ in 0..count {
            self.record(&mut builder);
        }
        self.append(&builder.finish().unwrap().buffer);
    }

    fn record(&mut self, builder: &mut BatchBuilder) {
        let random = &mut self.random;
        self.now += random.below(50) as i64;
        let (key, value) = (format!("key {}", random.below(25)), "v".repeat(1 + random.below(40) as usize));
        let headers = [Header { key: b"h", value: Some(b"1") }, Header { key: b"h", value: None }];
        let early = if random.one_in(5) { random.below(3000) as i64 } else { 0 };
        let record = NewRecord {
            timestamp: (!random.one_in(30)).then(|| Timestamp::from_millis(self.now - early)),
            key: (!random.one_in(25)).then_some(key.as_bytes()),
            value: (!random.one_in(5)).then_some(value.as_bytes()),
            headers: if random.one_in(4) { &headers } else { &[] },
        };
        builder.append(&record).unwrap();
    }

    /// Ends a producer's transaction; sometimes one without a batch.
    fn marker(&mut self, who: usize) {
        let outcome = if self.random.one_in(2) { Outcome::Commit } else { Outcome::Abort };
        self.producers[who].1 = false;
        let marker = EndTransaction { outcome, coordinator_epoch: 1 };
        let options = BatchOptions {
            base_offset: self.log.bounds().end(),
            leader_epoch: LeaderEpoch::new(3),
            producer: Some(producer(who)),
            transactional: true,
            control: true,
            ..BatchOptions::default()
        };
        let mut builder = BatchBuilder::new(Vec::new(), options);
        let (key, value) = (marker.key(), marker.value());
        builder.append(&NewRecord::new(&value).key(&key).at(Timestamp::from_millis(self.now))).unwrap();
        self.append(&builder.finish().unwrap().buffer);
    }

    fn append(&mut self, batch: &[u8]) {
        self.log.append_as_follower(batch, Durability::Written).unwrap();
    }

    fn stage(&mut self) {
        for _ in 0..20 + self.random.below(40) {
            let who = 2 + self.random.below(2) as usize;
            if self.has_transactions
                && self.random.one_in(5)
                && (self.producers[who].1 || self.random.one_in(3))
            {
                self.marker(who);
            } else {
                self.batch();
            }
        }
        for who in 2..4 {
            // A transaction that is left open holds the cleaner up.
            if self.producers[who].1 && !self.random.one_in(3) {
                self.marker(who);
            }
        }
        self.log.roll().unwrap();
    }
}

fn producer(who: usize) -> BatchProducer {
    BatchProducer { id: ProducerId::new(100 + who as i64).unwrap(), epoch: ProducerEpoch::new(0).unwrap() }
}

struct Settings {
    log: LogConfig,
    cleaner: CleanerConfig,
}

impl Settings {
    fn of(seed: u64) -> Settings {
        let mut random = Random(seed ^ 0xc1ea);
        let log = LogConfig {
            cleanup_policy: CleanupPolicy::Compact,
            min_cleanable_dirty_ratio: 0.0,
            segment_bytes: 1500 + random.below(3000) as u32,
            index_interval_bytes: 300,
            delete_retention: Duration::from_millis(RETENTION as u64),
            file_delete_delay: Duration::ZERO,
            ..LogConfig::default()
        };
        let keys = if random.one_in(3) { 10 + random.below(12) as usize } else { 10_000 };
        let cleaner = CleanerConfig {
            dedupe_buffer_bytes: keys * 24,
            io_buffer_bytes: 700,
            ..CleanerConfig::default()
        };
        Settings { log, cleaner }
    }

    fn open(&self, path: &Path) -> (LogDir, Log) {
        let config =
            DirConfig { log: self.log.clone(), cleaner: self.cleaner.clone(), ..DirConfig::default() };
        let dir = LogDir::open_with(path, config).unwrap();
        let log = dir.log("t", 0).unwrap();
        (dir, log)
    }
}

/// A folder before a cleaning, with what Kafka is told about it, and what Klamm made of it.
struct Case {
    name: String,
    question: String,
    cleaned: String,
}

/// Each stage appends, cleans, and goes on with what is left.
fn cases(tmp: &Path, seed: u64) -> Vec<Case> {
    let settings = Settings::of(seed);
    let path = tmp.join(format!("{seed}"));
    let (mut dir, log) = settings.open(&path);
    let mut scribe = Scribe {
        random: Random(seed),
        log,
        now: TIME,
        producers: [(0, false); 4],
        has_transactions: settings.cleaner.dedupe_buffer_bytes > 24 * 100,
    };
    let mut cases = Vec::new();
    for stage in 0..STAGES {
        scribe.stage();
        scribe.now += [0, RETENTION / 2, RETENTION][scribe.random.below(3) as usize];
        dir.close().unwrap();
        let copy = tmp.join(format!("{seed}-{stage}")).join("t-0");
        copy_folder(&path.join("t-0"), &copy);
        drop(dir);
        let opened = settings.open(&path);
        (dir, scribe.log) = opened;
        let now = Timestamp::from_millis(scribe.now);
        let dirt = scribe.log.dirtiness(now).unwrap();
        let Some(cleaning) = dir.start_cleaning(now).unwrap() else { continue };
        let end = run(cleaning);
        let Settings { log: LogConfig { segment_bytes, index_interval_bytes, .. }, cleaner } = &settings;
        let numbers = [
            scribe.now,
            dirt.first_dirty.get(),
            dirt.first_uncleanable.get(),
            cleaner.dedupe_buffer_bytes as i64,
            i64::from(*segment_bytes),
            i64::from(*index_interval_bytes),
            RETENTION,
        ];
        let numbers: Vec<_> = numbers.iter().map(i64::to_string).collect();
        let question = format!("{}\t{}", copy.display(), numbers.join("\t"));
        let cleaned = describe(&path.join("t-0"), end);
        cases.push(Case { name: format!("seed {seed}, stage {stage}"), question, cleaned });
    }
    cases
}

fn run(mut cleaning: klamm_log::Cleaning) -> Offset {
    loop {
        if let Step::Done(cleaned) = cleaning.step().unwrap() {
            return cleaned.end;
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// As `CleanerOracle.java` does.
fn describe(folder: &Path, end: Offset) -> String {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let mut out = format!("clean up to {end}\n");
    for name in names {
        let bytes = std::fs::read(folder.join(&name)).unwrap();
        if name.ends_with(".log") {
            writeln!(out, "{name}").unwrap();
            Batches::new(bytes.into()).for_each(|batch| describe_batch(&batch.unwrap(), &mut out));
        } else if name.ends_with(".txnindex") && !bytes.is_empty() {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(out, "{name} {hex}").unwrap();
        }
    }
    out
}

fn describe_batch(batch: &RecordBatch, out: &mut String) {
    let producer = batch.producer().map_or((-1, -1), |producer| (producer.id.get(), producer.epoch.get()));
    let time = |time: Option<Timestamp>| time.map_or(-1, Timestamp::as_millis);
    write!(out, "  {}..{}", batch.base_offset(), batch.last_offset()).unwrap();
    write!(out, " epoch {}", batch.leader_epoch().map_or(-1, LeaderEpoch::get)).unwrap();
    write!(out, " producer {}/{}", producer.0, producer.1).unwrap();
    write!(out, " sequence {}", batch.base_sequence().map_or(-1, i64::from)).unwrap();
    write!(out, " codec {} time {}", batch.compression().id(), time(batch.max_timestamp())).unwrap();
    write!(out, " type {}", i32::from(batch.timestamp_type() == TimestampType::LogAppendTime)).unwrap();
    out.push_str(if batch.is_transactional() { " transactional" } else { "" });
    out.push_str(if batch.is_control() { " control" } else { "" });
    write!(out, " horizon {}", time(batch.delete_horizon())).unwrap();
    if batch.compression() == Compression::None {
        write!(out, " crc {}", batch.crc()).unwrap();
    }
    out.push_str(" records");
    for record in batch.records(1 << 20).unwrap().iter() {
        write!(out, " {}", record.unwrap().offset).unwrap();
    }
    out.push('\n');
}

fn kafka(lib: &str, cases: &[Case]) -> String {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka/oracle/CleanerOracle.java");
    let mut java = Command::new("java")
        .args(["-Xmx512m", "-cp", &format!("{lib}/*")])
        .arg(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("java is there");
    let mut stdin = java.stdin.take().unwrap();
    for case in cases {
        writeln!(stdin, "{}", case.question).unwrap();
    }
    drop(stdin);
    let done = java.wait_with_output().unwrap();
    assert!(done.status.success(), "Kafka's cleaner failed");
    String::from_utf8(done.stdout).unwrap()
}

/// Without the empty batches that hold the last sequence of a producer whose batch has no time: to
/// Kafka that was in 1969, and the producer forgotten. Here one is forgotten a day after it was
/// seen silent (`ARCHITECTURE.md`).
fn comparable(batches: &str) -> String {
    let held_by_a_timeless = |line: &&str| line.ends_with(" records") && line.contains(" time -1 ");
    batches.lines().filter(|line| !held_by_a_timeless(line)).map(|line| format!("{line}\n")).collect()
}

#[test]
fn what_is_left_is_what_kafkas_cleaner_leaves() {
    let fixture: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cleaner.txt");
    let lib = std::env::var("KAFKA_LIB").ok();
    let first: u64 = std::env::var("CLEANER_SEED").map_or(1, |seed| seed.parse().unwrap());
    let tmp = tempfile::tempdir().unwrap();
    let cases: Vec<Case> = (first..first + 12).flat_map(|seed| cases(tmp.path(), seed)).collect();
    let answers = match &lib {
        Some(lib) => kafka(lib, &cases),
        None => std::fs::read_to_string(&fixture).unwrap(),
    };
    let wanted: Vec<&str> = answers.split_inclusive("clean up to ").collect();
    assert_eq!(wanted.len(), cases.len() + 1, "an answer for each cleaning");
    let mut batches = 0;
    for (case, want) in cases.iter().zip(&wanted[1..]) {
        let want = format!("clean up to {}", want.trim_end_matches("clean up to "));
        let (want, cleaned) = (comparable(&want), comparable(&case.cleaned));
        let differs = want.lines().zip(cleaned.lines()).position(|(want, got)| want != got);
        if let Some(at) = differs.or((want != cleaned).then_some(usize::MAX)) {
            let line = |text: &str| text.lines().nth(at).unwrap_or("nothing").to_owned();
            panic!(
                "{}: {}\nKafka left\n{}\nKlamm\n{}\n",
                case.name,
                case.question,
                line(&want),
                line(&cleaned)
            );
        }
        batches += want.lines().filter(|line| line.starts_with("  ")).count();
    }
    println!(
        "{} cleanings of seeds {first} to {} leave {batches} batches as Kafka does",
        cases.len(),
        first + 11
    );
    assert!(cases.len() > 40 && batches > 1000, "the cases have become empty");
    if let (Some(_), Ok(_)) = (&lib, std::env::var("CLEANER_WRITE")) {
        std::fs::write(fixture, answers).unwrap();
    }
}
