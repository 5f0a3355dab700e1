//! Reads every byte of the logs in a directory, `__cluster_metadata-0` too, and names what is
//! wrong: file, position, offset, kind. Nothing else may have the directory open.
//!
//! ```sh
//! cargo run --release --example verify_log -- ./klamm-rows
//! cargo run --release --example verify_log -- --repair ./klamm-rows
//! ```

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use klamm_log::{Depth, DirConfig, LogDir, OnDamage};

/// Verifies all logs of a folder. Exits with 1 when records are damaged or lost.
#[derive(Parser)]
struct Options {
    /// Cut each log at its first damaged batch, and tell what is dropped. Without it a folder that
    /// was not closed cleanly is recovered as usual, and nothing that was synced is changed.
    #[arg(long)]
    repair: bool,
    /// Look at headers and checksums only, not at each record.
    #[arg(long)]
    headers_only: bool,
    /// Folder of the logs.
    dir: PathBuf,
}

fn main() -> ExitCode {
    let mut sound = true;
    let done = run(&Options::parse(), &mut sound);
    let code = klamm_examples::exit("verify_log", done);
    if sound { code } else { ExitCode::FAILURE }
}

fn run(options: &Options, sound: &mut bool) -> Result<(), Box<dyn Error>> {
    if !options.dir.is_dir() {
        return Err(format!("there is no folder {}", options.dir.display()).into());
    }
    let on_damage = if options.repair { OnDamage::Cut } else { OnDamage::Refuse };
    let depth = if options.headers_only { Depth::Header } else { Depth::Records { limit: 256 << 20 } };
    let dir =
        LogDir::open_with(&options.dir, DirConfig { on_damage, metadata_log: true, ..DirConfig::default() })?;
    dir.cuts().iter().for_each(|cut| println!("{cut}"));
    dir.inconsistencies().iter().for_each(|found| println!("{found}"));
    for log in dir.offline() {
        println!("{} cannot be opened: {}", log.partition, log.error);
        *sound = false;
    }
    let (mut logs, mut bytes, mut findings) = (0, 0, 0);
    for (partition, synced) in dir.missing() {
        println!("{partition}: its directory is missing, all records before offset {synced} are lost");
        *sound = false;
        findings += 1;
    }
    for log in dir.logs() {
        for finding in log.verify(depth)? {
            println!("{finding}");
            *sound &= !finding.kind.is_damage();
            findings += 1;
        }
        logs += 1;
        bytes += log.segments()?.iter().map(|segment| segment.bytes).sum::<u64>();
    }
    println!("{logs} logs, {bytes} bytes, {findings} findings");
    dir.close()?;
    Ok(())
}
