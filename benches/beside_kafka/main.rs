//! The broker beside a real Kafka: the same bytes from the same client, in turn, on one machine.
//!
//! `cargo build --release --examples && cargo bench -p klamm-benches --bench beside_kafka -- FOLDER-OF-KAFKA [PART...]`, where the folder is
//! what `tests/clients/tools` makes (`.cache/kafka`): its `bin` and `lib`; `alone` in its place measures without Kafka, for a profile.
//! `chart FROM.md TO.svg` draws the tables that were printed.
//! Parts: produce, consume, latency, idle, partitions, topics, groups.
//!
//! The client costs next to nothing: requests are encoded before the clock runs, answers are counted and thrown away.
#![allow(
    missing_docs,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

mod chart;
mod consume;
mod groups;
mod idle;
mod latency;
mod load;
mod node;
mod partitions;
mod produce;
mod topics;

use std::path::Path;

use node::{Node, Which};

/// Rounds of each, in turn.
const ROUNDS: usize = 3;

fn main() {
    let given: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let Some((kafka, parts)) = given.split_first() else {
        println!("beside_kafka: passed over, for it needs Kafka: give its folder (see the head of the file)");
        return;
    };
    // Cargo runs this in the folder of the benches; what is given is meant from the one above.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let kafka = root.join(kafka);
    if let [mode, from, to] = &given[..]
        && mode == "chart"
    {
        return chart::run(&root.join(from), &root.join(to));
    }
    let alone = given[0] == "alone";
    assert!(
        alone || kafka.join("bin/start-broker.sh").exists(),
        "{} is no folder of Kafka's",
        kafka.display()
    );
    let wants = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    for (part, run) in [
        ("produce", produce::run as fn(&mut [Node])),
        ("consume", consume::run),
        ("latency", latency::run),
        ("idle", idle::run),
        ("partitions", partitions::run),
        ("topics", topics::run),
        ("groups", groups::run),
    ] {
        if wants(part) {
            let which = if alone { &[Which::Klamm][..] } else { &[Which::Klamm, Which::Kafka] };
            run(&mut which.iter().map(|which| Node::start(*which, &kafka)).collect::<Vec<_>>());
        }
    }
}

/// Calls `measure` for each node in turn, so many rounds long, and prints the medians and their ratio.
fn beside(
    what: &str,
    units: [&str; 2],
    nodes: &mut [Node],
    rounds: usize,
    mut measure: impl FnMut(&mut Node) -> [f64; 2],
) {
    let mut figures: [[Vec<f64>; 2]; 2] = Default::default();
    for _ in 0..rounds {
        for (own, node) in figures.iter_mut().zip(nodes.iter_mut()) {
            for (all, figure) in own.iter_mut().zip(measure(node)) {
                all.push(figure);
            }
        }
    }
    let median = |at: usize, node: usize| {
        let all = &figures[node][at];
        if all.is_empty() { f64::NAN } else { klamm_benches::rounds::median(all.clone()) }
    };
    let column = |at: usize| {
        let (klamm, kafka) = (median(at, 0), median(at, 1));
        format!("{klamm:.2} {} | {kafka:.2} | {:.2}", units[at], klamm / kafka)
    };
    println!("| {what} | {} | {} |", column(0), column(1));
}
