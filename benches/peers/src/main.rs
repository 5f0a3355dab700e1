//! Klamm's log beside others that a program can embed: appends, reads and durable appends, each
//! contestant in a process of its own, in turn. Prints the table of the README.
//!
//! `cargo run --release [-- NAME...]` in this folder; `BENCH_DIR` says where the files are. Rates
//! of appends and reads are per CPU second of the process, those of durable appends per second;
//! medians of five rounds, and ratios to Klamm in the same round. With `QUICK` set there is one
//! round of a tenth of the work, to see that all runs.
//!
//! What an append promises is as near as the crates allow: the page cache for the first four
//! figures (redb: the process's memory), the disk for the others. What a crate cannot do is left
//! out.

mod commitlog;
mod fjall;
mod klamm;
#[cfg(feature = "krabka")]
mod krabka;
mod okaywal;
mod peer;
mod redb;
mod sqlite;
mod walrus;
mod work;

use std::collections::BTreeMap;
use std::process::Command;

use peer::{Durable, Peer};
use work::FIGURES;

type Open = fn(&std::path::Path, Durable) -> Box<dyn Peer>;

const PEERS: &[(&str, Open)] = &[
    ("klamm-log", klamm::open),
    ("klamm-log, zeroed ahead", klamm::open_zeroed),
    ("commitlog 0.2.0", commitlog::open),
    ("okaywal 0.3.1", okaywal::open),
    ("walrus-rust 0.2.0", walrus::open),
    ("fjall 3.1.13", fjall::open),
    ("redb 4.4.0", redb::open),
    ("SQLite (rusqlite 0.41.1)", sqlite::open),
    #[cfg(feature = "krabka")]
    ("krabka-log 1.0.8", krabka::open),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [flag, peer, figure] if flag == "--one" => one(peer, figure),
        wanted => table(wanted),
    }
}

/// Measures one figure of one contestant and prints it; nothing when it cannot do that.
fn one(peer: &str, figure: &str) {
    let open = PEERS.iter().find(|(name, _)| *name == peer).expect("a contestant").1;
    let figure = FIGURES.iter().find(|(name, _)| *name == figure).expect("a figure").1;
    let root = std::env::var("BENCH_DIR").unwrap_or_else(|_| ".".into());
    let folder = tempfile::tempdir_in(root).expect("writable");
    if let Some(rate) = work::measure(figure, folder.path(), open) {
        println!("{rate}");
    }
}

fn table(wanted: &[String]) {
    let mut rates: BTreeMap<(usize, usize), Vec<f64>> = BTreeMap::new();
    let peers: Vec<usize> = (0..PEERS.len())
        .filter(|at| {
            *at == 0 || wanted.is_empty() || wanted.iter().any(|part| PEERS[*at].0.contains(part.as_str()))
        })
        .collect();
    for (f, (figure, _)) in FIGURES.iter().enumerate() {
        for _ in 0..work::rounds() {
            for p in &peers {
                rates.entry((*p, f)).or_default().extend(run(PEERS[*p].0, figure));
            }
        }
        eprintln!("{figure}: done");
    }
    print_table(&peers, &rates);
}

fn run(peer: &str, figure: &str) -> Option<f64> {
    let own = std::env::current_exe().expect("known");
    let done = Command::new(own).args(["--one", peer, figure]).output().expect("runs");
    assert!(done.status.success(), "{peer}, {figure}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).lines().last()?.trim().parse().ok()
}

fn print_table(peers: &[usize], rates: &BTreeMap<(usize, usize), Vec<f64>>) {
    let names: Vec<&str> = FIGURES.iter().map(|(name, _)| *name).collect();
    println!("| crate | {} |", names.join(" | "));
    println!("|---|{}", "---|".repeat(names.len()));
    for p in peers {
        let cells: Vec<String> =
            (0..FIGURES.len()).map(|f| cell(&rates[&(*p, f)], &rates[&(0, f)], *p == 0)).collect();
        println!("| {} | {} |", PEERS[*p].0, cells.join(" | "));
    }
}

/// The rate of the first contestant, the ratio to it of the others.
fn cell(rates: &[f64], first: &[f64], is_first: bool) -> String {
    if rates.is_empty() {
        return "-".into();
    }
    let ratios: Vec<f64> = rates.iter().zip(first).map(|(rate, first)| rate / first).collect();
    if is_first { format!("{}/s", short(median(rates))) } else { format!("{:.2}", median(&ratios)) }
}

fn short(rate: f64) -> String {
    match rate {
        rate if rate >= 1e6 => format!("{:.1} M", rate / 1e6),
        rate if rate >= 1e4 => format!("{:.0} k", rate / 1e3),
        rate => format!("{rate:.0}"),
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
