//! Batches that come as bytes, as a broker gets them.

use std::path::Path;

use klamm_benches::rounds::{Contestant, Round, run as rounds};
use klamm_log::{Depth, Durability, LeaderEpoch};

use crate::common::{batch_of, discard, log, raw_writes, show};

pub(crate) fn run(root: &Path) {
    println!("append of 16 KiB batches, bytes (target: header 0.9, records 0.8)");
    let batch = batch_of(146, 100);
    let bytes = batch.len() as u64;
    let contestants: Vec<Contestant<'_>> = vec![
        ("write(2)", Box::new(|| raw_writes(root, &batch, COUNT, bytes))),
        ("append, CRC and header", Box::new(|| append(root, batch.clone(), Depth::Header))),
        ("append, every record", Box::new(|| append(root, batch.clone(), Depth::Records { limit: 1 << 20 }))),
    ];
    show("B", &rounds(15, contestants));
}

fn append<'a>(root: &Path, mut batch: Vec<u8>, depth: Depth) -> Round<'a> {
    let (dir, log) = log(root, "batches");
    for _ in 0..COUNT {
        log.append_batches(&mut batch, LeaderEpoch::ZERO, depth, Durability::Written).expect("appends");
    }
    Round::of(COUNT * batch.len() as u64).then(move || discard(&dir, &log))
}

/// Batches a round: 256 MB.
const COUNT: u64 = 16_384;
