//! Creating and deleting many partitions with one request each.

use std::time::Instant;

use crate::beside;
use crate::load::Client;
use crate::node::Node;

/// Partitions of a request.
const COUNTS: [usize; 3] = [1_000, 5_000, 10_000];
/// Partitions of a topic.
const A_TOPIC: usize = 100;
const ROUNDS: usize = 3;

pub(crate) fn run(nodes: &mut [Node]) {
    println!(
        "\n| topics of 100 partitions | Klamm, created | Kafka | ratio | Klamm, deleted | Kafka | ratio |\n|---|---|---|---|---|---|---|"
    );
    for count in COUNTS {
        let mut round = 0;
        beside(&format!("{count} partitions in a request"), ["ms", "ms"], nodes, ROUNDS, |node| {
            round += 1;
            let names: Vec<String> =
                (0..count / A_TOPIC).map(|topic| format!("c{count}-{round}-{topic}")).collect();
            let mut client = Client::connect(node.address);
            let created = timed(|| client.create_all(&names, A_TOPIC as i32));
            [created, timed(|| client.delete_all(&names))]
        });
    }
}

fn timed(work: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    work();
    begun.elapsed().as_secs_f64() * 1e3
}
