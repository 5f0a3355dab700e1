//! A program that keeps its events in a log. Run it, kill it at any moment, run it again: every
//! event that it said is on the disk is there.
//!
//! ```sh
//! cargo run --release --example embedded_log -- --dir /tmp/events
//! ```

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use klamm_log::{Durability, LogDir, NewRecord, Position};

/// Counts on from where it was stopped or killed, keeping each step in a log.
#[derive(Parser)]
struct Options {
    /// Folder of the log; created when it is not there.
    #[arg(long, default_value = "./klamm-events")]
    dir: PathBuf,
    /// Events to add; without a number it goes on until it is stopped.
    #[arg(long)]
    events: Option<u64>,
}

fn main() -> ExitCode {
    klamm_examples::exit("embedded_log", run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let dir = LogDir::open(&options.dir)?;
    let events = dir.log("events", 0)?;

    let mut count = 0u64;
    for event in events.records(Position::Start)? {
        let event = event?;
        let text = String::from_utf8_lossy(event.value.as_deref().unwrap_or_default()).into_owned();
        assert_eq!(text, format!("event {count}"), "event {} is not what was written", event.offset);
        count += 1;
    }
    println!("found {count} events in {}", options.dir.display());

    let mut out = std::io::stdout().lock();
    for number in count..options.events.map_or(u64::MAX, |more| count + more) {
        let offset = events.append(&NewRecord::new(&format!("event {number}")), Durability::Synced)?;
        writeln!(out, "event {number} is on the disk at offset {offset}")?;
    }
    dir.close()?;
    Ok(())
}
