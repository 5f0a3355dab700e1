//! Chores of the workspace. `cargo xtask --help`
#![forbid(unsafe_code)]
#![allow(unreachable_pub)]

mod emit;
mod jars;
mod names;
mod oracle;
mod spec;

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Parser;

/// Chores of the workspace.
#[derive(Parser)]
enum Chore {
    /// Generates `crates/protocol/src/generated` anew from the message definitions inside Kafka's
    /// published jars, which Maven fetches into `target/kafka-jars`.
    Protocol,
    /// Has Kafka's own classes write random messages: test vectors, "name version hex" a line.
    Vectors {
        /// Where the random content comes from; the same seed gives the same vectors.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Messages for each version.
        #[arg(long, default_value_t = 3)]
        count: u32,
        /// The file to write.
        #[arg(long, default_value = "crates/protocol/tests/vectors.txt")]
        out: PathBuf,
    },
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask lies in the workspace")?;
    let jars = jars::fetch(root)?;
    match Chore::parse() {
        Chore::Protocol => emit::write_all(root, &spec::read_all(&jars)?),
        Chore::Vectors { seed, count, out } => {
            oracle::run(root, &jars, &spec::read_all(&jars)?, seed, count, &out)
        }
    }
}
