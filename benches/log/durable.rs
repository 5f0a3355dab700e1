//! Durable appends: group commit beside `fdatasync` of as many bytes, with one, eight and 64
//! threads. Wall clock, for the disk is what is waited for; short runs in turn, medians.

use std::fs::File;
use std::num::NonZeroU32;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use klamm_benches::rounds::median;
use klamm_log::{DirConfig, Durability, LogConfig, LogDir, NewRecord};
use klamm_sim::HookDisk;

pub(crate) fn run(root: &Path) {
    println!("durable appends of 1 KiB records (target: 0.9 of what fdatasync makes of the same batches)");
    for ahead in [None, NonZeroU32::new(8 << 20)] {
        let kind = if ahead.is_some() { "zeroed ahead" } else { "growing file" };
        for threads in [1, 8, 64] {
            let rounds: Vec<_> = (0..ROUNDS).map(|_| round(root, threads, ahead)).collect();
            let of = |pick: fn(&Measured) -> f64| median(rounds.iter().map(pick).collect());
            println!(
                "  {kind}, {threads:>2} threads: {:>8.0} records/s, {:>5.1} a sync; fdatasync {:>6.0}/s   ratio {:.2}",
                of(|r| r.records),
                of(|r| r.gathered),
                of(|r| r.raw),
                of(|r| r.records / (r.raw * r.gathered)),
            );
        }
    }
}

struct Measured {
    /// Records a second.
    records: f64,
    /// Records of which each sync took care.
    gathered: f64,
    /// Syncs a second of as many bytes, without a log.
    raw: f64,
}

fn round(root: &Path, threads: usize, ahead: Option<NonZeroU32>) -> Measured {
    let (disk, syncs) = (HookDisk::default(), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&syncs);
    disk.set(move |operation, _| {
        counted.fetch_add(u64::from(operation == "sync"), Ordering::Relaxed);
        Ok(())
    });
    let log = LogConfig { preallocate: ahead, ..LogConfig::default() };
    let config = DirConfig { disk: Arc::new(disk), log, ..DirConfig::default() };
    let path = root.join("durable");
    let dir = LogDir::open_with(&path, config).expect("opens");
    let log = dir.log("bench", 0).expect("opens");
    // Files are begun, and zeroed for the first time, before the clock runs.
    log.append(&NewRecord::new(&[b'v'; RECORD]), Durability::Synced).expect("appends");
    let (before, stop, count) = (syncs.load(Ordering::Relaxed), AtomicBool::new(false), AtomicU64::new(0));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let value = [b'v'; RECORD];
                while !stop.load(Ordering::Relaxed) {
                    log.append(&NewRecord::new(&value), Durability::Synced).expect("appends");
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(TIME);
        stop.store(true, Ordering::Relaxed);
    });
    let (took, count) = (begun.elapsed().as_secs_f64(), count.load(Ordering::Relaxed) as f64);
    let gathered = count / (syncs.load(Ordering::Relaxed) - before) as f64;
    drop((log, dir));
    std::fs::remove_dir_all(path).expect("removable");
    Measured { records: count / took, gathered, raw: raw(root, (gathered * 1100.0) as usize, ahead) }
}

/// Writes and syncs so many bytes at a time, for as long, and says how often a second.
fn raw(root: &Path, bytes: usize, ahead: Option<NonZeroU32>) -> f64 {
    let path = root.join("raw-durable");
    let file = File::create(&path).expect("writable");
    let buffer = vec![1; bytes];
    let (mut at, mut zeroed, mut count) = (0, 0, 0u32);
    let mut begun = Instant::now();
    while begun.elapsed() < TIME {
        if let Some(ahead) = ahead.filter(|_| at + bytes as u64 > zeroed) {
            let zeros = vec![0; ahead.get() as usize];
            file.write_all_at(&zeros, zeroed).expect("written");
            zeroed += zeros.len() as u64;
        }
        file.write_all_at(&buffer, at).expect("written");
        file.sync_data().expect("synced");
        at += bytes as u64;
        count += 1;
        if count == 1 {
            begun = Instant::now();
        }
    }
    let rate = f64::from(count) / begun.elapsed().as_secs_f64();
    std::fs::remove_file(path).expect("removable");
    rate
}

const RECORD: usize = 1024;
const ROUNDS: usize = 7;
const TIME: Duration = Duration::from_millis(250);
