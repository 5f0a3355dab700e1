//! `klamm-log` beside the system calls it cannot do without. `cargo bench -p klamm-benches --bench log`
//!
//! Figures are per CPU second of the thread; the ratio is to the raw limit in the same round; medians.
#![allow(
    missing_docs,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;

use klamm_benches::alloc;
use klamm_benches::rounds::{Contestant, Figures, run};
use klamm_log::{
    Depth, DirConfig, Durability, LeaderEpoch, Log, LogConfig, LogDir, NewRecord, Offset, Position, Timestamp,
};
use klamm_record::{BatchBuilder, BatchOptions};

struct Counting;

// SAFETY: hands everything to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        alloc::note();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: usize = 9;

fn main() {
    let root =
        tempfile::tempdir_in(std::env::var("BENCH_DIR").unwrap_or_else(|_| ".".into())).expect("writable");
    warm_up(root.path());
    append_batches(root.path());
    single_records(root.path());
    embedder(root.path());
    reads(root.path());
    reopen(root.path());
}

/// First touch of pages that the host took back makes the page cache slow: touch them now.
fn warm_up(root: &Path) {
    let path = root.join("warm");
    std::fs::write(&path, vec![1; 700 << 20]).expect("writable");
    std::fs::remove_file(path).expect("removable");
}

fn log(root: &Path, name: &str) -> (LogDir, Log) {
    let path = root.join(name);
    let _ = std::fs::remove_dir_all(&path);
    let dir = LogDir::open_with(path, DirConfig { log: LogConfig::default(), ..DirConfig::default() })
        .expect("opens");
    let log = dir.log("bench", 0).expect("opens");
    (dir, log)
}

fn batch_of(records: usize, size: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    let value = vec![b'v'; size];
    for n in 0..records {
        builder
            .append(&NewRecord::new(&value).at(Timestamp::from_millis(1_700_000_000_000 + n as i64)))
            .expect("fits");
    }
    builder.finish().expect("has records").buffer
}

fn show(unit: &str, figures: &[Figures]) {
    for figure in figures {
        let ratio = figure.ratio_to(&figures[0]);
        println!("  {:<34} {:>14.0} {unit}/CPU s   ratio {ratio:.2}", figure.name, figure.median());
    }
}

fn fresh(path: &Path) -> File {
    File::create(path).expect("writable")
}

/// Writes to a file of its own in each round; all are removed together afterwards.
fn raw_writes(root: &Path, round: &mut usize, buffer: &[u8], count: u64) -> u64 {
    use std::io::Write;
    *round += 1;
    let mut file = fresh(&root.join(format!("raw-{}-{round}", buffer.len())));
    (0..count).for_each(|_| file.write_all(buffer).expect("written"));
    count * buffer.len() as u64
}

fn append_batches(root: &Path) {
    println!("append of 16 KiB batches, bytes (target: header 0.9, records 0.8)");
    let (batch, mut round) = (batch_of(146, 100), 0);
    let appends = |depth: Depth, name: &'static str| {
        let mut logs: Vec<_> = (0..ROUNDS).map(|n| log(root, &format!("{name}-{n}"))).collect();
        let (mut batch, mut used) = (batch.clone(), Vec::new());
        move || {
            let (dir, log) = logs.pop().expect("one a round");
            for _ in 0..4096 {
                log.append_batches(&mut batch, LeaderEpoch::ZERO, depth, Durability::Written)
                    .expect("appends");
            }
            // Closed, and so synced, after the last round.
            used.push((dir, log));
            4096 * batch.len() as u64
        }
    };
    let contestants: Vec<Contestant<'_>> = vec![
        ("write(2)", Box::new(|| raw_writes(root, &mut round, &batch, 4096))),
        ("append, CRC and header", Box::new(appends(Depth::Header, "header"))),
        ("append, every record", Box::new(appends(Depth::Records { limit: 1 << 20 }, "records"))),
    ];
    show("B", &run(ROUNDS, contestants));
}

fn single_records(root: &Path) {
    println!("one 100-byte record a call (target 0.9)");
    let (record, mut round) = (batch_of(1, 100), 0);
    let mut logs: Vec<_> = (0..ROUNDS).map(|n| log(root, &format!("single-{n}"))).collect();
    let mut used = Vec::new();
    let contestants: Vec<Contestant<'_>> = vec![
        ("write(2)", Box::new(|| raw_writes(root, &mut round, &record, 200_000) / record.len() as u64)),
        (
            "append",
            Box::new(|| {
                let (dir, log) = logs.pop().expect("one a round");
                let value = [b'v'; 100];
                for _ in 0..200_000 {
                    log.append(&NewRecord::new(&value), Durability::Written).expect("appends");
                }
                used.push((dir, log));
                200_000
            }),
        ),
    ];
    show("records", &run(ROUNDS, contestants));
}

fn embedder(root: &Path) {
    println!("100-byte records through Writer (target 8 million a second, no allocation a record)");
    let (batch, mut round) = (batch_of(146, 100), 0);
    const COUNT: u64 = 4_000_000;
    let (_dir, log) = log(root, "embedder");
    let value = [b'v'; 100];
    let mut writer = log.writer(Durability::Written);
    (0..10_000).for_each(|_| writer.push(&NewRecord::new(&value)).expect("appends"));
    let before = alloc::count();
    let contestants: Vec<Contestant<'_>> = vec![
        (
            "write(2) of the same bytes",
            Box::new(|| raw_writes(root, &mut round, &batch, COUNT / 146) / batch.len() as u64 * 146),
        ),
        (
            "push",
            Box::new(move || {
                (0..COUNT).for_each(|_| writer.push(&NewRecord::new(&value)).expect("appends"));
                COUNT
            }),
        ),
    ];
    let figures = run(3, contestants);
    show("records", &figures);
    println!("  allocations a record: {:.5}", (alloc::count() - before) as f64 / (3 * COUNT) as f64);
}

/// A log of 100-byte records in 16 KiB batches, with about this many segments.
fn filled(root: &Path, records: u64, segments: u64) -> (LogDir, Log) {
    let (dir, log) = log(root, &format!("filled-{segments}"));
    let bytes = u32::try_from((records * 113 / segments).max(64 << 10)).expect("small");
    log.set_config(LogConfig { segment_bytes: bytes, ..LogConfig::default() }).expect("valid");
    let mut writer = log.writer(Durability::Written);
    let value = [b'v'; 100];
    (0..records).for_each(|_| writer.push(&NewRecord::new(&value)).expect("appends"));
    drop(writer);
    (dir, log)
}

fn reads(root: &Path) {
    const COUNT: u64 = 4_000_000;
    for segments in [1, 1000] {
        let (_dir, log) = filled(root, COUNT, segments);
        println!(
            "reads, {} segments (targets: 20 million decoded a second; a random read at most 3 preads)",
            log.segments().expect("readable").len()
        );
        let files: Vec<File> = log
            .segments()
            .expect("readable")
            .iter()
            .map(|s| File::open(log.path().join(format!("{:020}.log", s.base_offset.get()))).expect("there"))
            .collect();
        let contestants: Vec<Contestant<'_>> = vec![(
            "decoded 100-byte records in order",
            Box::new(|| {
                let mut reader = log.reader(Position::Start).expect("readable");
                let (mut count, mut sum) = (0u64, 0u64);
                while let Some(record) = reader.next().expect("readable") {
                    count += 1;
                    sum += u64::from(record.value.expect("has a value")[7]);
                }
                assert_eq!((count, sum), (COUNT, COUNT * u64::from(b'v')));
                count
            }),
        )];
        show("records", &run(5, contestants));
        let mut seed = 1u64;
        let mut random = move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed >> 33
        };
        let mut other = random;
        let size = files[0].metadata().expect("readable").len();
        let mut buffer = vec![0; 16_474];
        let contestants: Vec<Contestant<'_>> = vec![
            (
                "pread between two entries",
                Box::new(move || {
                    for _ in 0..50_000 {
                        let at = other();
                        let file = &files[at as usize % files.len()];
                        let got = file
                            .read_at(&mut buffer, at * 4096 % size.saturating_sub(16_474).max(1))
                            .expect("readable");
                        black_box(got);
                    }
                    50_000
                }),
            ),
            (
                "record at a random offset",
                Box::new(|| {
                    let mut reader = log.reader(Position::Start).expect("readable");
                    for _ in 0..50_000 {
                        let offset = Offset::from((random() % COUNT) as u32);
                        reader.seek(offset).expect("in range");
                        assert_eq!(reader.next().expect("readable").expect("there").offset, offset);
                    }
                    50_000
                }),
            ),
        ];
        show("reads", &run(5, contestants));
    }
}

fn reopen(root: &Path) {
    println!("reopening 450 MB (targets: clean under 2 ms; killed at least half of pread and CRC)");
    for segments in [1, 1000] {
        let (dir, log) = filled(root, 4_000_000, segments);
        let count = log.segments().expect("readable").len();
        let path = dir.path().to_owned();
        drop(log);
        dir.close().expect("closes");
        drop(dir);
        let mut times = Vec::new();
        for _ in 0..9 {
            let began = std::time::Instant::now();
            let dir = LogDir::open(&path).expect("opens");
            assert_eq!(dir.log("bench", 0).expect("there").bounds().end().get(), 4_000_000);
            times.push(began.elapsed().as_secs_f64() * 1000.0);
            dir.close().expect("closes");
        }
        println!("  clean, {count} segments: {:.2} ms", klamm_benches::rounds::median(times));
        let logs: Vec<_> = std::fs::read_dir(path.join("bench-0"))
            .expect("there")
            .map(|e| e.expect("there").path())
            .filter(|p| p.extension().is_some_and(|e| e == "log"))
            .collect();
        let opened = std::cell::RefCell::new(None);
        let contestants: Vec<Contestant<'_>> = vec![
            (
                "pread and CRC",
                Box::new(|| {
                    let mut buffer = vec![0; 1 << 20];
                    let (mut total, mut sum) = (0, 0);
                    for log in &logs {
                        let (file, mut at) = (File::open(log).expect("there"), 0);
                        loop {
                            let got = file.read_at(&mut buffer, at).expect("readable");
                            if got == 0 {
                                break;
                            }
                            sum ^= crc32c::crc32c(&buffer[..got]);
                            at += got as u64;
                        }
                        total += at;
                    }
                    black_box(sum);
                    total
                }),
            ),
            (
                "recovery after a kill",
                Box::new(|| {
                    let _ = std::fs::remove_file(path.join(".kafka_cleanshutdown"));
                    let _ = std::fs::remove_file(path.join("recovery-point-offset-checkpoint"));
                    let config = DirConfig { recovery_threads: 1, ..DirConfig::default() };
                    let dir = LogDir::open_with(&path, config).expect("opens");
                    let bytes = dir
                        .log("bench", 0)
                        .expect("there")
                        .segments()
                        .expect("readable")
                        .iter()
                        .map(|s| s.bytes)
                        .sum();
                    opened.replace(Some(dir));
                    bytes
                }),
            ),
            (
                "closing it (not a contestant)",
                Box::new(|| {
                    opened.take().expect("was opened").close().expect("closes");
                    1
                }),
            ),
        ];
        show("B", &run(3, contestants));
    }
}
