//! The real thing beside the crash matrix: a process that appends is killed with SIGKILL, hundreds
//! of times, each time after another number of acknowledgements. What it was told is written is
//! there.
//!
//! `KILL_ROUNDS=1000 cargo test -p klamm-log --test killed` kills more often.

#![allow(clippy::cast_possible_wrap, clippy::cast_possible_truncation)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use klamm_log::{Durability, Log, LogConfig, LogDir, NewRecord};
use support::{copy_as_killed, open, values};

const FOLDER: &str = "KILLED_TEST_FOLDER";

fn opened(path: &Path) -> (LogDir, Log) {
    let dir =
        open(path, LogConfig { segment_bytes: 4096, index_interval_bytes: 300, ..LogConfig::default() });
    let log = dir.log("t", 0).unwrap();
    (dir, log)
}

/// The process that is killed: it does nothing unless the test below has started it.
#[test]
fn the_process_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (_dir, log) = opened(Path::new(&folder));
    let mut out = std::io::stdout().lock();
    for number in log.bounds().end().get().. {
        // Mostly written, now and then synced: recovery then has something before its recovery
        // point.
        let durability = if number % 16 == 0 { Durability::Synced } else { Durability::Written };
        log.append(&NewRecord::new(&format!("value {number}")), durability).unwrap();
        writeln!(out, "told {number}").unwrap();
    }
}

/// Runs the process until it has told `count` numbers, kills it, and returns the last number.
fn kill_after(folder: &Path, count: usize) -> i64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_process_that_is_killed", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let number = |line: String| Some(line.split_once("told ")?.1.parse::<i64>().unwrap());
    let last =
        lines.map(Result::unwrap).filter_map(number).nth(count).expect("it goes on until it is killed");
    child.kill().unwrap();
    child.wait().unwrap();
    last
}

#[test]
fn what_a_killed_process_was_told_is_there() {
    let rounds: u64 = std::env::var("KILL_ROUNDS").map_or(200, |rounds| rounds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut seed = 7u64;
    for round in 0..rounds {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let last = kill_after(folder.path(), (seed >> 40) as usize % 60);
        if round % 10 == 9 || round + 1 == rounds {
            // A copy: to close the folder here would end it cleanly.
            let copy = tempfile::tempdir().unwrap();
            copy_as_killed(folder.path(), copy.path());
            let (_dir, log) = opened(copy.path());
            let found = values(&log);
            assert!(found.len() as i64 > last, "round {round}: {last} was told, there are {}", found.len());
            for (number, value) in found.iter().enumerate() {
                assert_eq!(value, &format!("value {number}"), "round {round}");
            }
        }
    }
}
