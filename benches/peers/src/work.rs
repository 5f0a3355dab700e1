//! The work that each log is measured at.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::Open;
use crate::peer::{Durable, Peer};

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub enum Figure {
    /// Appends of 100 bytes, so many a call.
    Append(usize),
    Scan,
    Get,
    /// Durable appends of 100 bytes by so many threads.
    Durable(usize),
}

pub const FIGURES: [(&str, Figure); 7] = [
    ("append, one a call", Figure::Append(1)),
    ("append, 16 KiB a call", Figure::Append(MANY)),
    ("read in order", Figure::Scan),
    ("read at random", Figure::Get),
    ("durable, 1 thread", Figure::Durable(1)),
    ("durable, 8 threads", Figure::Durable(8)),
    ("durable, 64 threads", Figure::Durable(64)),
];

const MANY: usize = 160;
const RECORD: [u8; 100] = [b'v'; 100];
const TIME: Duration = Duration::from_millis(500);

fn is_quick() -> bool {
    std::env::var_os("QUICK").is_some()
}

pub fn rounds() -> usize {
    if is_quick() { 1 } else { 5 }
}

/// Records of a log that is read.
fn count() -> u64 {
    if is_quick() { 50_000 } else { 500_000 }
}

/// Units of work a second; `None` when the contestant cannot do it.
pub fn measure(figure: Figure, path: &Path, open: Open) -> Option<f64> {
    match figure {
        Figure::Append(1) => per_cpu(count() / 5, || {
            let peer = open(path, Durable::No);
            move || (0..count() / 5).for_each(|_| peer.append_one(&RECORD))
        }),
        Figure::Append(many) => per_cpu(count(), || {
            let peer = open(path, Durable::No);
            move || fill(&*peer, count(), many)
        }),
        Figure::Scan => {
            let mut peer = filled(path, open);
            let mut found = None;
            let rate = per_cpu(count(), || || found = peer.scan());
            found.inspect(|found| assert_eq!(*found, (count(), count() * 100))).and(rate)
        }
        Figure::Get => {
            let peer = filled(path, open);
            peer.get(0)?;
            // What a contestant keeps in memory is there, if it fits.
            random(&*peer);
            per_cpu(count() / 10, || || random(&*peer))
        }
        Figure::Durable(threads) => durable(&*open(path, Durable::Yes), threads),
    }
}

fn fill(peer: &dyn Peer, count: u64, many: usize) {
    let batch = vec![&RECORD[..]; many];
    let mut left = count as usize;
    while left > 0 {
        let these = many.min(left);
        peer.append_many(&batch[..these]);
        left -= these;
    }
}

fn filled(path: &Path, open: Open) -> Box<dyn Peer> {
    let mut peer = open(path, Durable::No);
    fill(&*peer, count(), MANY);
    peer.settle(path);
    peer
}

fn random(peer: &dyn Peer) {
    let mut number = 1u64;
    for _ in 0..count() / 10 {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        assert_eq!(peer.get((number >> 33) % count()), Some(100));
    }
}

/// `prepare` is not measured.
fn per_cpu<F: FnOnce()>(units: u64, prepare: impl FnOnce() -> F) -> Option<f64> {
    let work = prepare();
    let begun = cpu();
    work();
    Some(units as f64 / (cpu() - begun))
}

/// CPU seconds of the process, its background threads with it.
fn cpu() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("known");
    (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6
}

fn durable(peer: &dyn Peer, threads: usize) -> Option<f64> {
    // Files are begun before the clock runs.
    peer.append_one(&RECORD);
    let (stop, count, begun) = (AtomicBool::new(false), AtomicU64::new(0), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    peer.append_one(&RECORD);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(TIME);
        stop.store(true, Ordering::Relaxed);
    });
    Some(count.into_inner() as f64 / begun.elapsed().as_secs_f64())
}
