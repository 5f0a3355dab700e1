//! The broker beside a real Kafka: the same bytes from the same client, in turn, on one machine.
//!
//! `cargo build --release --examples && cargo bench -p klamm-benches --bench beside_kafka -- FOLDER-OF-KAFKA [PART...]`,
//! where the folder is what `tests/clients/tools` makes (`.cache/kafka`): its `bin` and `lib`;
//! `alone` in its place measures without Kafka, for a profile. `chart FROM.md TO.svg` draws the
//! tables that were printed. Parts: produce, durable, consume, latency, idle, partitions, topics,
//! groups, active, thousands.
//!
//! The client costs next to nothing: requests are encoded before the clock runs, answers are
//! counted and thrown away.
#![allow(
    missing_docs,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

mod active;
mod chart;
mod consume;
mod durable;
mod groups;
mod idle;
mod latency;
mod load;
mod node;
mod partitions;
mod produce;
mod thousands;
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
    let which = if alone { &[Which::Klamm][..] } else { &[Which::Klamm, Which::Kafka] };
    let shared = |run: fn(&mut [Node])| {
        run(&mut which.iter().map(|which| Node::start(*which, &kafka)).collect::<Vec<_>>());
    };
    let parts: [(&str, &dyn Fn()); 10] = [
        ("produce", &|| shared(produce::run)),
        ("durable", &|| durable::run(which, &kafka)),
        ("consume", &|| shared(consume::run)),
        ("latency", &|| shared(latency::run)),
        ("idle", &|| shared(idle::run)),
        ("partitions", &|| shared(partitions::run)),
        ("topics", &|| topics::run(which, &kafka)),
        ("groups", &|| shared(groups::run)),
        ("active", &|| active::run(which, &kafka)),
        ("thousands", &|| thousands::run(which, &kafka)),
    ];
    for (part, run) in parts {
        if wants(part) {
            run();
        }
    }
}

/// Calls `measure` for each node in turn, so many rounds long, and prints the medians and their
/// ratio.
fn beside(
    what: &str,
    units: [&str; 2],
    nodes: &mut [Node],
    rounds: usize,
    mut measure: impl FnMut(&mut Node) -> [f64; 2],
) {
    let round = |_| nodes.iter_mut().map(&mut measure).collect();
    print_row(what, units, &(0..rounds).map(round).collect::<Vec<_>>());
}

/// Prints the medians over rounds, each of which has two figures of each node, and their ratios.
fn print_row(what: &str, units: [&str; 2], rounds: &[Vec<[f64; 2]>]) {
    let median = |at: usize, node: usize| {
        let all: Vec<f64> = rounds.iter().filter_map(|round| Some(round.get(node)?[at])).collect();
        if all.is_empty() { f64::NAN } else { klamm_benches::rounds::median(all) }
    };
    let column = |at: usize| {
        let (klamm, kafka) = (median(at, 0), median(at, 1));
        format!("{klamm:.2} {} | {kafka:.2} | {:.2}", units[at], klamm / kafka)
    };
    println!("| {what} | {} | {} |", column(0), column(1));
}
