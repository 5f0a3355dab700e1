//! How fast consumers read, beside Kafka.

use std::time::Instant;

use klamm_record::Compression;

use crate::beside;
use crate::load::{Client, batch, fetch_frame, produce_frame};
use crate::node::Node;

const BATCHES: usize = 16_384;

pub(crate) fn run(nodes: &mut [Node]) {
    println!(
        "\n| consume, 1 KiB records in 16 KiB batches | Klamm | Kafka | ratio | Klamm, CPU | Kafka | ratio |\n|---|---|---|---|---|---|---|"
    );
    let (batch, records) = batch(1024, 16 << 10, Compression::None);
    let (size, frame) = (batch.len(), produce_frame("c", batch));
    for node in nodes.iter() {
        let mut client = Client::connect(node.address);
        client.create("c", 1);
        for _ in 0..BATCHES {
            client.send(&frame);
            client.receive();
        }
    }
    for fetch in [64 << 10, 1 << 20] {
        let what = format!("{} KiB a fetch", fetch >> 10);
        beside(&what, ["MB/s", "s/GB"], nodes, crate::ROUNDS, |node| {
            consume(node, size, records as i64, fetch)
        });
    }
}

fn consume(node: &mut Node, size: usize, records: i64, fetch: i32) -> [f64; 2] {
    let mut client = Client::connect(node.address);
    let a_fetch = (fetch as usize / size).max(1) as i64;
    let (begun, cpu) = (Instant::now(), node.cpu());
    let (mut offset, mut bytes) = (1, 0);
    // The first record made the topic.
    while offset + a_fetch * records <= BATCHES as i64 * records {
        client.send(&fetch_frame("c", offset, fetch, 1000));
        let answer = client.receive().len();
        assert!(answer >= a_fetch as usize * size, "{answer} bytes");
        bytes += answer;
        offset += a_fetch * records;
    }
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), node.cpu() - cpu);
    [bytes as f64 / 1e6 / seconds, cpu / (bytes as f64 / 1e9)]
}
