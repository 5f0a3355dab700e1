//! Producing to a topic of many partitions, beside Kafka.

use crate::load::Client;
use crate::node::{Node, Which};

/// How many; Kafka takes the first alone.
const COUNTS: [usize; 2] = [1_000, 10_000];
/// Partitions of a topic.
const A_TOPIC: usize = 1_000;
const ROUNDS: usize = 3;

pub(crate) fn run(nodes: &mut [Node]) {
    println!("\n| partitions, after a clean stop | ready | memory |\n|---|---|---|");
    for node in nodes {
        let (mut client, mut made) = (Client::connect(node.address), 0);
        let counts = if node.which == Which::Klamm { &COUNTS[..] } else { &COUNTS[..1] };
        for count in counts {
            while made < *count {
                client.create(&format!("t{made}"), A_TOPIC as i32);
                made += A_TOPIC;
            }
            let restart = |_| {
                node.restart();
                (node.ready.as_secs_f64() * 1e3, node.resident() / 1024.0)
            };
            let (ready, memory): (Vec<f64>, Vec<f64>) = (0..ROUNDS).map(restart).unzip();
            let [ready, memory] = [ready, memory].map(klamm_benches::rounds::median);
            println!("| {:?}, {count} | {ready:.0} ms | {memory:.1} MiB |", node.which);
            client = Client::connect(node.address);
        }
    }
}
