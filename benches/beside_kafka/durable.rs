//! Produces that are synced before they are acknowledged: `flush.messages=1` for both.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use klamm_record::Compression;

use crate::load::{Client, batch, error_of_produce, produce_frame};
use crate::node::{Node, Which};
use crate::{ROUNDS, beside};

const CLIENTS: [usize; 3] = [1, 8, 64];
/// For how long the clients of a row send.
const A_ROUND: Duration = Duration::from_secs(2);
const TOPIC: &str = "durable";

pub(crate) fn run(which: &[Which], kafka: &Path) {
    println!(
        "\n| durable produces of 1 KiB, one partition | Klamm | Kafka | ratio | Klamm, CPU | Kafka | ratio |\n|---|---|---|---|---|---|---|"
    );
    let settings = ["log.flush.interval.messages=1".to_owned()];
    let start = |which: &Which| Node::start_with(*which, kafka, &settings);
    let mut nodes: Vec<Node> = which.iter().map(start).collect();
    for node in &nodes {
        Client::connect(node.address).create(TOPIC, 1);
        // The JVM compiles what it sees often.
        acknowledged(node.address, 8);
    }
    for clients in CLIENTS {
        beside(&format!("clients: {clients}"), ["/s", "ms each"], &mut nodes, ROUNDS, |node| {
            let (begun, cpu) = (Instant::now(), node.cpu());
            let count = acknowledged(node.address, clients) as f64;
            let (seconds, cpu) = (begun.elapsed().as_secs_f64(), node.cpu() - cpu);
            [count / seconds, cpu * 1e3 / count]
        });
    }
}

/// The number of produces that so many clients had acknowledged in a round, each waiting for one
/// before it sends the next.
fn acknowledged(address: SocketAddr, clients: usize) -> usize {
    let (batch, _) = batch(1024, 1024, Compression::None);
    let frame = &produce_frame(TOPIC, batch);
    let end = Instant::now() + A_ROUND;
    let send = move || {
        let (mut client, mut count) = (Client::connect(address), 0);
        while Instant::now() < end {
            client.send(frame);
            assert_eq!(error_of_produce(client.receive(), TOPIC), 0);
            count += 1;
        }
        count
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(send)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it was served")).sum()
    })
}
