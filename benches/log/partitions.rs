//! Many logs in one folder: what each costs to open, to keep, to close and to recover. Wall clock,
//! for the disk is most of it. `PARTITIONS` says how many, `1000,10000` otherwise.

use std::path::Path;
use std::time::Instant;

use klamm_log::{Depth, DirConfig, Durability, LeaderEpoch, LogDir};

use crate::common::batch_of;

pub(crate) fn run(root: &Path) {
    println!("many logs in one folder: a batch of ten 100-byte records in each");
    println!(
        "  {:>7} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10} {:>9} {:>6}",
        "logs", "create", "open", "append", "close", "reopen", "recover", "KiB/log", "files"
    );
    let counts = std::env::var("PARTITIONS").unwrap_or_else(|_| "1000,10000".into());
    for count in counts.split(',').map(|count| count.trim().parse().expect("a number")) {
        measure(&root.join(format!("partitions-{count}")), count);
    }
}

fn measure(path: &Path, count: u32) {
    let (before, dir) = (resident(), open(path));
    let (create, ()) = timed(|| (0..count).for_each(|n| drop(dir.log("t", n).expect("created"))));
    dir.close().expect("closed");
    drop(dir);
    let (opened, dir) = timed(|| open(path));
    let memory = resident().saturating_sub(before) / u64::from(count);
    let (appended, ()) = timed(|| append(&dir));
    let files = open_files();
    let (closed, ()) = timed(|| dir.close().expect("closed"));
    drop(dir);
    let (reopened, dir) = timed(|| open(path));
    append(&dir);
    dir.close().expect("closed");
    drop(dir);
    // As after a kill: the marker of a clean stop is gone, and no recovery point is known.
    std::fs::remove_file(path.join(".kafka_cleanshutdown")).expect("there");
    std::fs::remove_file(path.join("recovery-point-offset-checkpoint")).expect("there");
    let (recovered, dir) = timed(|| open(path));
    assert!(dir.logs().iter().all(|log| log.bounds().end().get() == 20), "each has its records");
    drop(dir);
    std::fs::remove_dir_all(path).expect("removable");
    print!("  {count:>7}");
    for time in [create, opened, appended, closed, reopened, recovered] {
        print!(" {:>10}", format!("{time:.0} ms"));
    }
    println!(" {memory:>9} {files:>6}");
}

fn open(path: &Path) -> LogDir {
    LogDir::open_with(path, DirConfig::default()).expect("opens")
}

fn append(dir: &LogDir) {
    let batch = batch_of(10, 100);
    for log in dir.logs() {
        log.append_batches(&mut batch.clone(), LeaderEpoch::ZERO, Depth::Header, Durability::Written)
            .expect("appends");
    }
}

/// Milliseconds that `work` took.
fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begun = Instant::now();
    let done = work();
    (begun.elapsed().as_secs_f64() * 1000.0, done)
}

/// KiB of memory that the process has.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
