//! Follows the end of a log: one thread appends the lines of standard input, another is woken for
//! each and goes on, after a restart too, where it stopped.
//!
//! ```sh
//! seq 5 | cargo run --release --example tail_follower
//! ```
//!
//! What the follower has done is a log of its own, of which only the last record counts, so it is
//! compacted. A line is handled at least once: killed between handling a line and noting it, the
//! follower does that one again.

use std::error::Error;
use std::io::BufRead;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use klamm_log::{CleanupPolicy, Durability, Log, LogConfig, LogDir, NewRecord, Offset, Position};

/// Appends lines, and follows them.
#[derive(Parser)]
struct Options {
    /// Folder of the logs; created when it is not there.
    #[arg(long, default_value = "./klamm-lines")]
    dir: PathBuf,
}

/// Handles each line once it is on the disk.
struct Follower {
    lines: Log,
    notes: Log,
    next: Offset,
}

fn main() -> ExitCode {
    klamm_examples::exit("tail_follower", run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let dir = LogDir::open(&options.dir)?;
    let lines = dir.log("lines", 0)?;
    let follower = Follower::open(&dir, &lines)?;
    println!("following from line {}", follower.next);
    let handled = std::thread::scope(|scope| -> Result<u64, Box<dyn Error>> {
        let handled = scope.spawn(|| follower.run().map_err(|error| error.to_string()));
        for line in std::io::stdin().lock().lines() {
            lines.append(&NewRecord::new(&line?), Durability::Synced)?;
        }
        // Ends the follower, which first reads what is there.
        dir.close()?;
        Ok(handled.join().map_err(|_| "the follower panicked")??)
    })?;
    println!("{handled} lines");
    Ok(())
}

impl Follower {
    fn open(dir: &LogDir, lines: &Log) -> Result<Follower, Box<dyn Error>> {
        let notes = dir.log("follower", 0)?;
        notes.set_config(LogConfig { cleanup_policy: CleanupPolicy::Compact, ..LogConfig::default() })?;
        let mut next = Offset::ZERO;
        for note in notes.records(Position::Start)? {
            let note: [u8; 8] = note?.value.as_deref().unwrap_or_default().try_into()?;
            next = Offset::try_from(i64::from_be_bytes(note))?;
        }
        Ok(Follower { lines: lines.clone(), notes, next })
    }

    /// Waits for lines until the log is closed.
    fn run(mut self) -> Result<u64, Box<dyn Error>> {
        let mut reader = self.lines.reader(Position::At(self.next))?;
        let mut handled = 0;
        loop {
            let Some(line) = reader.next_within(Duration::from_secs(3600))? else { return Ok(handled) };
            println!("line {}: {}", line.offset, String::from_utf8_lossy(line.value.unwrap_or_default()));
            self.next = line.offset + 1;
            handled += 1;
            let note = self.next.get().to_be_bytes();
            // A log that is closed takes no notes: the last lines are then handled once more.
            let _ = self.notes.append(&NewRecord::new(&note).key("next"), Durability::Written);
        }
    }
}
