//! A copy of a directory that was written to meanwhile: some files are older than others. It serves
//! all that was synced before the copy began, without a hole, or what is missing is named.

use std::sync::Arc;
use std::time::Duration;

use klamm_log::{Durability, LogConfig, NewRecord, Timestamp};
use klamm_sim::{HeldClock, SimDisk};

use crate::support::values;
use crate::world::{Image, NOW, disk_of, image_of, open};

const RECORDS: usize = 60;

fn config() -> LogConfig {
    LogConfig { segment_bytes: 1024, index_interval_bytes: 100, ..LogConfig::default() }
}

fn value(n: usize) -> String {
    format!("value {n:02} with some more bytes")
}

/// The directory after each record; checkpoints are written after every second.
fn states() -> Vec<Image> {
    let (disk, clock) = (SimDisk::default(), HeldClock::at(NOW));
    let dir = open(disk.clone(), &config(), Arc::clone(&clock)).unwrap();
    let log = dir.log("t", 0).unwrap();
    let state = |n: usize| {
        log.append(&NewRecord::new(&value(n)), Durability::Synced).unwrap();
        if n % 2 == 1 {
            clock.pass(Duration::from_secs(120));
            dir.maintain(Timestamp::from_millis(NOW)).unwrap();
        }
        image_of(&disk)
    };
    (0..RECORDS).map(state).collect()
}

/// Whether the copy serves the first records, at least so many, or opening names a file or a log.
fn is_served_or_named(copy: &Image, least: usize) -> bool {
    let Ok(dir) = open(disk_of(copy), &config(), HeldClock::at(NOW)) else { return true };
    let is_named = !(dir.cuts().is_empty() && dir.inconsistencies().is_empty() && dir.offline().is_empty());
    let Some(log) = dir.get(&"t-0".parse().unwrap()) else { return is_named };
    let served = values(&log);
    let is_prefix = served.iter().enumerate().all(|(n, served)| *served == value(n));
    is_named || (is_prefix && served.len() >= least)
}

#[test]
fn a_copy_of_a_directory_that_is_written_to_has_no_hole_that_is_not_named() {
    let states = states();
    assert!(states[RECORDS - 1].keys().filter(|name| name.ends_with(".log")).count() > 3);
    let is_early: [fn(&str) -> bool; 4] = [
        |name| name.starts_with("t-0"),
        |name| !name.starts_with("t-0"),
        |name| name.contains("00000000000000000000"),
        |name| name.ends_with(".log"),
    ];
    for early in (0..RECORDS).step_by(5) {
        for late in (early..RECORDS).step_by(5) {
            for (order, is_early) in is_early.iter().enumerate() {
                let mut copy = states[late].clone();
                let old = states[early].iter().filter(|(name, _)| is_early(name));
                copy.extend(old.map(|(name, bytes)| (name.clone(), bytes.clone())));
                assert!(is_served_or_named(&copy, early + 1), "order {order}, {early} and {late}");
            }
        }
    }
}
