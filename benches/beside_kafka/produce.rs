//! How fast producers write, beside Kafka.

use std::time::Instant;

use klamm_record::Compression;

use crate::beside;
use crate::load::{Client, batch, error_of_produce, produce_frame};
use crate::node::Node;

/// Requests under way on the connection, as producers have by default.
const IN_FLIGHT: usize = 5;
/// Bytes of a round.
const BYTES: usize = 256 << 20;
/// Before the clock runs: the JVM compiles what it sees often.
const WARM: usize = 64 << 20;
const TOPIC: &str = "p";

pub(crate) fn run(nodes: &mut [Node]) {
    println!(
        "\n| produce, acks=all | Klamm | Kafka | ratio | Klamm, CPU | Kafka | ratio |\n|---|---|---|---|---|---|---|"
    );
    let quick = std::env::var_os("QUICK").is_some();
    let compressions = if quick { &[Compression::None][..] } else { &[Compression::None, Compression::Lz4] };
    for compression in compressions.iter().copied() {
        for (size, bytes) in [(100, 16), (100, 128), (1024, 16), (1024, 128)] {
            let (batch, _) = batch(size, bytes << 10, compression);
            let (frame, of) = (produce_frame(TOPIC, batch), (bytes << 10) as f64);
            let what = format!("{size} B, batches of {bytes} KiB, {compression}");
            beside(&what, ["MB/s", "s/GB"], nodes, crate::ROUNDS, |node| {
                Client::connect(node.address).create(TOPIC, 1);
                produce(node, &frame, of, WARM);
                let figures = produce(node, &frame, of, BYTES);
                Client::connect(node.address).delete(TOPIC);
                node.wait_until_deleted();
                figures
            });
        }
    }
}

/// Megabytes of values a second, and CPU seconds a gigabyte.
fn produce(node: &mut Node, frame: &[u8], of: f64, most: usize) -> [f64; 2] {
    let mut client = Client::connect(node.address);
    let count = (most as f64 / of) as usize;
    let (begun, cpu) = (Instant::now(), node.cpu());
    for number in 0..count + IN_FLIGHT {
        if number >= IN_FLIGHT {
            assert_eq!(error_of_produce(client.receive(), TOPIC), 0);
        }
        if number < count {
            client.send(frame);
        }
    }
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), node.cpu() - cpu);
    let bytes = count as f64 * of;
    [bytes / 1e6 / seconds, cpu / (bytes / 1e9)]
}
