//! Compaction beside the reads and writes that it cannot do without: all that is dirty twice, what
//! is left once. CPU time of the thread, in turn, medians.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use klamm_benches::rounds::{median, thread_cpu};
use klamm_log::{CleanupPolicy, DirConfig, Durability, Log, LogConfig, LogDir, NewRecord, Timestamp};

use crate::common::discard;

pub(crate) fn run(root: &Path) {
    println!("compaction of 256 MiB (target: half the speed of the same reads and writes)");
    for (value, times) in [(1000, 2), (1000, 10), (100, 2), (100, 10)] {
        let rounds: Vec<_> = (0..5).map(|_| round(root, value, times)).collect();
        let of = |pick: fn(&Measured) -> f64| median(rounds.iter().map(pick).collect());
        println!(
            "  {value:>4}-byte values, a key {times:>2} times: {:>6.0} MB/CPU s, raw {:>6.0}; {:>3.0} ns a record   ratio {:.2}",
            of(|r| r.bytes / r.compacted.as_secs_f64() / 1e6),
            of(|r| r.bytes / r.raw.as_secs_f64() / 1e6),
            of(|r| r.compacted.as_nanos() as f64 / r.records),
            of(|r| r.raw.as_secs_f64() / r.compacted.as_secs_f64()),
        );
    }
}

struct Measured {
    bytes: f64,
    records: f64,
    compacted: Duration,
    raw: Duration,
}

fn round(root: &Path, value: usize, times: u64) -> Measured {
    let (dir, log) = filled(root, value, times);
    log.sync().expect("synced");
    let files: Vec<File> = log
        .segments()
        .expect("readable")
        .iter()
        .map(|segment| {
            File::open(log.path().join(format!("{:020}.log", segment.base_offset.get()))).expect("there")
        })
        .collect();
    let (compacted, cleaned) = timed(|| log.compact(Timestamp::from_millis(i64::MAX / 2)));
    let cleaned = cleaned.expect("compacts").expect("is dirty");
    let target = root.join("raw-compaction");
    let (raw, ()) = timed(|| raw(&files, &target, cleaned.bytes.1));
    std::fs::remove_file(target).expect("removable");
    discard(&dir, &log);
    std::fs::remove_dir_all(dir.path()).expect("removable");
    Measured { bytes: cleaned.bytes.0 as f64, records: cleaned.records.0 as f64, compacted, raw }
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begun = thread_cpu();
    let done = work();
    (thread_cpu().saturating_sub(begun), done)
}

/// The map is made of all that is there, so that it is read twice.
fn raw(files: &[File], target: &Path, left: u64) {
    let (out, mut buffer, mut written) = (File::create(target).expect("writable"), vec![0; IO], 0);
    for file in files {
        let mut at = 0;
        while let Ok(got @ 1..) = file.read_at(&mut buffer, at) {
            at += got as u64;
        }
    }
    for file in files {
        let mut at = 0;
        loop {
            let got = file.read_at(&mut buffer, at).expect("readable");
            if got == 0 {
                break;
            }
            at += got as u64;
            let count = got.min((left - written) as usize);
            out.write_all_at(&buffer[..count], written).expect("writable");
            written += count as u64;
        }
    }
    out.sync_data().expect("synced");
}

fn filled(root: &Path, value: usize, times: u64) -> (LogDir, Log) {
    let log =
        LogConfig { cleanup_policy: CleanupPolicy::Compact, segment_bytes: 64 << 20, ..LogConfig::default() };
    let dir =
        LogDir::open_with(root.join("compaction"), DirConfig { log, ..DirConfig::default() }).expect("opens");
    let log = dir.log("bench", 0).expect("opens");
    let records = BYTES / (value as u64 + 24);
    let keys = records / times;
    let mut writer = log.writer(Durability::Written);
    let value = vec![b'v'; value];
    for n in 0..records {
        let key = (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % keys;
        writer.push(&NewRecord::new(&value).key(&key.to_be_bytes())).expect("appends");
    }
    drop(writer);
    (dir, log)
}

const BYTES: u64 = 256 << 20;
const IO: usize = 512 << 10;
