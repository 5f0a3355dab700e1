//! Latency of produce requests at a given rate, beside Kafka.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use klamm_record::Compression;

use crate::beside;
use crate::load::{Client, batch, fetch_frame, produce_frame};
use crate::node::Node;

/// Records a second, and how many.
const RATE: u32 = 10_000;
const COUNT: usize = 50_000;
/// A producer gathers for about that long.
const GATHERED: usize = 10;

pub(crate) fn run(nodes: &mut [Node]) {
    println!(
        "\n| from send to receipt, 10,000 records a second, acks=all | Klamm, p50 | Kafka | ratio | Klamm, p99 | Kafka | ratio |\n|---|---|---|---|---|---|---|"
    );
    for node in nodes.iter() {
        Client::connect(node.address).create("l", 1);
    }
    let mut first = [1, 1];
    beside("100 B, ten records a request", ["ms", "ms"], nodes, crate::ROUNDS, |node| {
        let first = &mut first[node.which as usize];
        let found = latency(node, *first);
        *first += COUNT as i64;
        found
    });
}

/// A request leaves every millisecond; another connection waits for the records.
fn latency(node: &mut Node, first: i64) -> [f64; 2] {
    let (batch, _) = batch(100, 100 * GATHERED, Compression::None);
    let (frame, address) = (produce_frame("l", batch), node.address);
    let (tell, told) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let (mut client, mut offset, mut got) = (Client::connect(address), first, Vec::new());
        let sent: Vec<Instant> = {
            while offset < first + COUNT as i64 {
                client.send(&fetch_frame("l", offset, 1 << 20, 500));
                let next = end_of(client.receive(), offset);
                let now = Instant::now();
                got.extend((offset..next).map(|_| now));
                offset = next;
            }
            told.iter().collect()
        };
        got.iter()
            .enumerate()
            .map(|(at, got)| got.duration_since(sent[at / GATHERED]).as_secs_f64())
            .collect()
    });
    send(address, &frame, &tell);
    drop(tell);
    let mut times: Vec<f64> = reader.join().expect("reads");
    times.sort_by(f64::total_cmp);
    [times[times.len() / 2] * 1e3, times[times.len() * 99 / 100] * 1e3]
}

fn send(address: std::net::SocketAddr, frame: &[u8], tell: &mpsc::Sender<Instant>) {
    let (mut client, begun) = (Client::connect(address), Instant::now());
    let every = Duration::from_secs(1) * u32::try_from(GATHERED).expect("small") / RATE;
    for number in 0..COUNT / GATHERED {
        let due = begun + every * u32::try_from(number).expect("small");
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let _ = tell.send(Instant::now());
        client.send(frame);
        client.receive();
    }
}

/// The offset after the last record of a Fetch 4: the batches follow each other to the end.
fn end_of(answer: &[u8], offset: i64) -> i64 {
    // Correlation id, throttle time, topics, name, partitions, index, error, two ends, aborted
    // transactions, length.
    let mut at = 4 + 4 + 4 + (2 + 1) + 4 + 4 + 2 + 8 + 8 + 4 + 4;
    let mut next = offset;
    while at + 61 <= answer.len() {
        let number = |from: usize, count: usize| {
            answer[from..from + count].iter().fold(0i64, |all, byte| all << 8 | i64::from(*byte))
        };
        next = number(at, 8) + number(at + 23, 4) + 1;
        at += 12 + number(at + 8, 4) as usize;
    }
    next
}
