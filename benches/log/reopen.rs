//! Opening a log again, after a clean stop and after a kill.

use std::cell::RefCell;
use std::fs::{File, remove_file};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use klamm_benches::rounds::{Contestant, Round, median, run as rounds};
use klamm_log::{DirConfig, Durability, LogDir, NewRecord};

use crate::common::{filled, log, show};

pub(crate) fn run(root: &Path) {
    println!("reopening 450 MB (targets: clean under 2 ms; killed at least half of pread and CRC)");
    for segments in [1, 1000] {
        let (dir, log) = filled(root, COUNT, segments);
        let count = log.segments().expect("readable").len();
        let path = dir.path().to_owned();
        drop(log);
        dir.close().expect("closes");
        drop(dir);
        let clean = median((0..9).map(|_| clean(&path)).collect());
        println!("  clean, {count} segments: {clean:.2} ms");
        killed(&path);
    }
    large(root);
}

/// Wall clock, for the target is one.
fn large(root: &Path) {
    let (dir, log) = log(root, "large");
    let mut writer = log.writer(Durability::Written);
    let value = [b'v'; 1024];
    (0..1 << 20).for_each(|_| writer.push(&NewRecord::new(&value)).expect("appends"));
    drop(writer);
    drop(log);
    dir.close().expect("closes");
    let path = dir.path().to_owned();
    drop(dir);
    let took = || {
        let began = Instant::now();
        let (bytes, dir) = recover(&path);
        let took = began.elapsed().as_secs_f64() * 1000.0;
        dir.close().expect("closes");
        (took, bytes)
    };
    let rounds: Vec<_> = (0..5).map(|_| took()).collect();
    let bytes = rounds[0].1 >> 20;
    println!(
        "  recovery of {bytes} MiB of 1 KiB records after a kill: {:.0} ms (target: 300)",
        median(rounds.into_iter().map(|(took, _)| took).collect())
    );
    std::fs::remove_dir_all(path).expect("removable");
}

/// Milliseconds until the log is there.
fn clean(path: &Path) -> f64 {
    let began = Instant::now();
    let dir = LogDir::open(path).expect("opens");
    assert_eq!(dir.log("bench", 0).expect("there").bounds().end().get(), COUNT as i64);
    let took = began.elapsed();
    dir.close().expect("closes");
    took.as_secs_f64() * 1000.0
}

fn killed(path: &Path) {
    let files = std::fs::read_dir(path.join("bench-0")).expect("there");
    let files = files.map(|entry| entry.expect("there").path());
    let logs: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|e| e == "log")).collect();
    let opened = RefCell::new(None);
    let contestants: Vec<Contestant<'_>> = vec![
        ("pread and CRC", Box::new(|| Round::of(logs.iter().map(|log| read_and_check(log)).sum()))),
        (
            "recovery after a kill",
            Box::new(|| {
                let (bytes, dir) = recover(path);
                opened.replace(Some(dir));
                // Closing syncs, which is not what is measured.
                Round::of(bytes).then(|| opened.take().expect("was opened").close().expect("closes"))
            }),
        ),
    ];
    show("B", &rounds(5, contestants));
}

fn read_and_check(log: &Path) -> u64 {
    let (file, mut buffer) = (File::open(log).expect("there"), vec![0; 1 << 20]);
    let (mut at, mut sum) = (0, 0);
    loop {
        let got = file.read_at(&mut buffer, at).expect("readable");
        if got == 0 {
            black_box(sum);
            return at;
        }
        sum ^= crc_fast::crc32_iscsi(&buffer[..got]);
        at += got as u64;
    }
}

fn recover(path: &Path) -> (u64, LogDir) {
    let _ = remove_file(path.join(".kafka_cleanshutdown"));
    let _ = remove_file(path.join("recovery-point-offset-checkpoint"));
    let config = DirConfig { recovery_threads: 1, ..DirConfig::default() };
    let dir = LogDir::open_with(path, config).expect("opens");
    let segments = dir.log("bench", 0).expect("there").segments().expect("readable");
    (segments.iter().map(|segment| segment.bytes).sum(), dir)
}

const COUNT: u64 = 4_000_000;
