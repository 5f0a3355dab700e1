//! A key-value store over a changelog: the table is in memory, each change is a record, and
//! compaction keeps the log as small as the table.
//!
//! ```sh
//! cargo run --release --example key_value -- set pear 3
//! cargo run --release --example key_value -- get pear
//! cargo run --release --example key_value -- compact
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use klamm_log::{
    CleanupPolicy, Clock, DirConfig, Durability, Log, LogConfig, LogDir, NewRecord, Position, SystemClock,
};

/// A key-value store in a folder.
#[derive(Parser)]
struct Options {
    /// Folder of the store; created when it is not there.
    #[arg(long, default_value = "./klamm-table")]
    dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sets a key; it is on the disk when this returns.
    Set { key: String, value: String },
    /// Prints a key's value.
    Get { key: String },
    /// Takes a key away.
    Delete { key: String },
    /// Prints all keys and values.
    List,
    /// Compacts the log: of each key the last change stays.
    Compact,
}

/// The table, and the log of its changes.
struct Table {
    changes: Log,
    rows: BTreeMap<String, String>,
}

fn main() -> ExitCode {
    klamm_examples::exit("key_value", run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let dir = LogDir::open_with(&options.dir, DirConfig { log: compacted(), ..DirConfig::default() })?;
    let mut table = Table::open(dir.log("changes", 0)?)?;
    match options.command {
        Command::Set { key, value } => table.set(key, value)?,
        Command::Get { key } => println!("{}", table.rows.get(&key).ok_or(format!("no key {key:?}"))?),
        Command::Delete { key } => table.delete(&key)?,
        Command::List => table.rows.iter().for_each(|(key, value)| println!("{key}={value}")),
        Command::Compact => table.compact()?,
    }
    dir.close()?;
    Ok(())
}

/// A program that runs for long would call `LogDir::start_background` too: it compacts by itself
/// when half of the log is old.
fn compacted() -> LogConfig {
    LogConfig {
        cleanup_policy: CleanupPolicy::Compact,
        // Nobody else reads the log, so that a deletion need not be seen.
        delete_retention: Duration::ZERO,
        ..LogConfig::default()
    }
}

impl Table {
    /// Reads the log from its start: the last change of a key counts.
    fn open(changes: Log) -> Result<Table, Box<dyn Error>> {
        let mut rows = BTreeMap::new();
        let mut reader = changes.reader(Position::Start)?;
        while let Some(change) = reader.next()? {
            let key = String::from_utf8_lossy(change.key.unwrap_or_default()).into_owned();
            match change.value {
                Some(value) => rows.insert(key, String::from_utf8_lossy(value).into_owned()),
                None => rows.remove(&key),
            };
        }
        Ok(Table { changes, rows })
    }

    fn set(&mut self, key: String, value: String) -> Result<(), Box<dyn Error>> {
        self.changes.append(&NewRecord::new(&value).key(&key), Durability::Synced)?;
        self.rows.insert(key, value);
        Ok(())
    }

    fn delete(&mut self, key: &str) -> Result<(), Box<dyn Error>> {
        self.rows.remove(key).ok_or(format!("no key {key:?}"))?;
        self.changes.append(&NewRecord::tombstone(key), Durability::Synced)?;
        Ok(())
    }

    fn compact(&self) -> Result<(), Box<dyn Error>> {
        match self.changes.compact(SystemClock.now())? {
            Some(done) => println!("{} of {} records are left", done.records.1, done.records.0),
            None => println!("nothing to compact"),
        }
        Ok(())
    }
}
