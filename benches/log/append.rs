//! The embedder's face: one record a call, and records gathered by a writer.

use std::path::Path;
use std::sync::Arc;

use klamm_benches::alloc;
use klamm_benches::rounds::{Contestant, Round, run};
use klamm_log::disk::{Disk, OsDisk};
use klamm_log::{Durability, NewRecord};
use klamm_sim::HookDisk;

use crate::common::{batch_of, discard, log_on, raw_writes, show};

pub(crate) fn single(root: &Path) {
    const COUNT: u64 = 500_000;
    println!("one 100-byte record a call (target 0.9)");
    let record = batch_of(1, 100);
    let append = |disk: Arc<dyn Disk>| {
        let (dir, log) = log_on(disk, root, "single");
        let value = [b'v'; 100];
        for _ in 0..COUNT {
            log.append(&NewRecord::new(&value), Durability::Written).expect("appends");
        }
        Round::of(COUNT).then(move || discard(&dir, &log))
    };
    let contestants: Vec<Contestant<'_>> = vec![
        ("write(2)", Box::new(|| raw_writes(root, &record, COUNT, 1))),
        ("append", Box::new(|| append(Arc::new(OsDisk)))),
        ("append, nothing written", Box::new(|| append(Arc::new(HookDisk::forgetful())))),
    ];
    show("records", &run(15, contestants));
}

pub(crate) fn writer(root: &Path) {
    const COUNT: u64 = 2_000_000;
    println!("100-byte records through Writer (target 8 million a second, no allocation a record)");
    let batch = batch_of(146, 100);
    let mut allocations = 0;
    let mut push = |disk: Arc<dyn Disk>| {
        let (dir, log) = log_on(disk, root, "writer");
        let (value, before) = ([b'v'; 100], alloc::count());
        let mut writer = log.writer(Durability::Written);
        (0..COUNT).for_each(|_| writer.push(&NewRecord::new(&value)).expect("appends"));
        drop(writer);
        allocations = alloc::count() - before;
        Round::of(COUNT).then(move || discard(&dir, &log))
    };
    let contestants: Vec<Contestant<'_>> = vec![
        ("write(2) of the same bytes", Box::new(|| raw_writes(root, &batch, COUNT / 146, 146))),
        ("push", Box::new(|| push(Arc::new(OsDisk)))),
    ];
    show("records", &run(9, contestants));
    println!("  allocations a record: {:.5}", allocations as f64 / COUNT as f64);
}
