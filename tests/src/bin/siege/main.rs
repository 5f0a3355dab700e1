//! A broker under siege, as a process of its own, with a client beside that wants to be served all
//! the while.
//!
//! ```sh
//! cargo run --release -p klamm-tests --bin siege -- frames 1000000   # hostile frames, of every API and version
//! cargo run --release -p klamm-tests --bin siege -- flood            # 1,000 connections that send more than there is memory for
//! cargo run --release -p klamm-tests --bin siege -- bombs            # small requests that become much work
//! cargo run --release -p klamm-tests --bin siege -- expansion        # requests that are many times larger once decoded
//! cargo run --release -p klamm-tests --bin siege -- waiting          # requests with large frames that wait for minutes
//! cargo run --release -p klamm-tests --bin siege -- kills 200        # kill -9 under load, and what was acknowledged
//! cargo run --release -p klamm-tests --bin siege -- topics           # thousands of topics, quotas and settings in a request
//! ```
//!
//! A failure prints the seed with which the same is tried again: `--seed N`.

mod bombs;
mod bystander;
mod dice;
mod expansion;
mod flood;
mod frames;
mod kills;
mod server;
mod topics;
mod waiting;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Siege {
    #[command(subcommand)]
    kind: Kind,
    /// The same seed, the same siege, but for what the clock and the threads do.
    #[arg(long, global = true, default_value_t = 1)]
    seed: u64,
}

#[derive(Subcommand)]
enum Kind {
    /// Frames of every API and version: random, or mutated from captures of real clients and from
    /// messages that are right.
    Frames { count: u64 },
    /// Connections that send more than there is memory for, slowly or without reading the answers.
    Flood {
        #[arg(default_value_t = 1000)]
        connections: usize,
    },
    /// Small requests that become much work, from clients that disconnect.
    Bombs {
        #[arg(default_value_t = 8)]
        connections: usize,
    },
    /// Requests that take many times their length in memory once they are decoded.
    Expansion,
    /// Requests with large frames that wait for minutes.
    Waiting,
    /// Rounds of kill -9 under load.
    Kills {
        #[arg(default_value_t = 200)]
        rounds: u64,
    },
    /// Commands on many topics, groups and quotas at once.
    Topics,
    /// The broker itself: settings as KEY=VALUE.
    #[command(hide = true)]
    Serve { settings: Vec<String> },
}

fn main() {
    let Siege { kind, seed } = Siege::parse();
    match kind {
        Kind::Frames { count } => frames::run(count, seed),
        Kind::Bombs { connections } => bombs::run(connections),
        Kind::Flood { connections } => flood::run(connections, seed),
        Kind::Expansion => expansion::run(),
        Kind::Waiting => waiting::run(),
        Kind::Kills { rounds } => kills::run(rounds, seed),
        Kind::Topics => topics::run(),
        Kind::Serve { settings } => server::serve(&settings),
    }
}
