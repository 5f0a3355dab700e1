//! `kill -9` under load: whatever was acknowledged is there afterwards, where it was said to be.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::{Records, Request, encode_request};
use klamm_record::{BatchBuilder, BatchOptions, Batches, NewRecord};
use klamm_tests::admin::create;
use klamm_tests::client::Client;

use crate::dice::Dice;
use crate::server::Server;

const PRODUCERS: i32 = 4;
/// Records of a request.
const A_REQUEST: usize = 5;

/// Values that were acknowledged, by topic, partition and offset.
type Acknowledged = BTreeMap<(&'static str, i32, i64), String>;

/// Topics, one that is written and one that is synced before it is acknowledged.
const TOPICS: [(&str, &[(&str, &str)]); 2] = [
    ("written", &[("segment.bytes", "1048576")]),
    ("synced", &[("flush.messages", "1"), ("segment.bytes", "1048576")]),
];

pub(crate) fn run(rounds: u64, seed: u64) {
    println!("seed {seed}");
    let folder = tempfile::tempdir().expect("writable");
    let mut dice = Dice::new(seed);
    let mut all = Acknowledged::new();
    let mut ready = Vec::new();
    prepare(folder.path());
    for round in 0..rounds {
        let begun = Instant::now();
        let server = Server::start(folder.path(), &[]);
        ready.push(begun.elapsed());
        check(server.address, &all, round);
        let made = format!("round-{round}");
        let lasts = Duration::from_millis(20 + dice.next() % 150);
        let acknowledged = load(server, round, &made, lasts);
        all.extend(acknowledged);
    }
    let server = Server::start(folder.path(), &[]);
    check(server.address, &all, rounds);
    server.stop();
    ready.sort_unstable();
    println!(
        "{rounds} rounds of kill -9 under load: {} acknowledged records ({} of them synced), none lost, none twice in its place; ready after {:?} (median), {:?} (longest)",
        all.len(),
        all.keys().filter(|(topic, ..)| *topic == "synced").count(),
        ready[ready.len() / 2],
        ready[ready.len() - 1]
    );
}

fn prepare(folder: &Path) {
    let server = Server::start(folder, &[]);
    let mut client = Client::connect_to(server.address);
    for (topic, settings) in TOPICS {
        assert_eq!(create(&mut client, topic, PRODUCERS, settings).0, 0);
    }
    server.stop();
}

/// Produces for so long, kills the broker in the middle of it, and returns what was acknowledged.
fn load(server: Server, round: u64, made: &str, lasts: Duration) -> Acknowledged {
    let (address, all) = (server.address, Mutex::new(Acknowledged::new()));
    std::thread::scope(|scope| {
        for (topic, _) in TOPICS {
            for partition in 0..PRODUCERS {
                let all = &all;
                scope.spawn(move || produce(address, topic, partition, round, all));
            }
        }
        // Topics too: one that was said to be there has to be there.
        let mut client = Client::connect_to(address);
        assert_eq!(create(&mut client, made, 1, &[]).0, 0);
        std::thread::sleep(lasts);
        server.kill();
    });
    all.into_inner().expect("nobody panicked")
}

/// Produces until the broker is gone.
fn produce(address: SocketAddr, topic: &'static str, partition: i32, round: u64, all: &Mutex<Acknowledged>) {
    let mut client = Client::connect_to(address);
    for number in 0.. {
        let value = |record| format!("{topic} {partition} {round} {number} {record}");
        let values: Vec<String> = (0..A_REQUEST).map(value).collect();
        client.raw(&frame(topic, partition, &values));
        let Ok(answer) = client.frame() else { return };
        let answer = client.read::<ProduceRequest>(answer, 9).responses[0].partition_responses[0].clone();
        assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
        let places = (answer.base_offset..).map(|offset| (topic, partition, offset));
        all.lock().expect("nobody panicked").extend(places.zip(values));
    }
}

fn frame(topic: &str, index: i32, values: &[String]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    values.iter().for_each(|value| builder.append(&NewRecord::new(value)).map(drop).expect("fits"));
    let records = Some(Records::Bytes(builder.finish().expect("has records").buffer.into()));
    let partition_data = vec![PartitionProduceData { index, records }];
    let topic_data = vec![TopicProduceData { name: topic.into(), partition_data, ..Default::default() }];
    let request = ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data, ..Default::default() };
    encode(&request)
}

fn encode<R: Request>(request: &R) -> Vec<u8> {
    let frame = encode_request(request, 9, 1, Some("kills")).expect("can be sent");
    frame.into_bytes().expect("no files").to_vec()
}

/// Everything that was acknowledged is there, in its place.
fn check(address: SocketAddr, all: &Acknowledged, round: u64) {
    let mut client = Client::connect_to(address);
    // What older rounds left has been checked often; from time to time it is again.
    let whole = round.is_multiple_of(20);
    let mut missing = all.clone();
    for (topic, _) in TOPICS {
        for partition in 0..PRODUCERS {
            let first = missing.range((topic, partition, 0)..=(topic, partition, i64::MAX)).next_back();
            let last = first.map_or(0, |((_, _, offset), _)| *offset);
            let from = if whole { 0 } else { last.saturating_sub(2000).max(0) };
            missing.retain(|(t, p, offset), _| (*t, *p) != (topic, partition) || *offset >= from);
            read(&mut client, topic, partition, from, |offset, value| {
                if let Some(expected) = missing.remove(&(topic, partition, offset)) {
                    assert_eq!(value, expected, "{topic}-{partition} at {offset}, after round {round}");
                }
            });
        }
    }
    assert!(missing.is_empty(), "after round {round} there is no {:?}", missing.first_key_value());
    for made in 0..round {
        let name = format!("round-{made}");
        assert_eq!(create(&mut client, &name, 1, &[]).0, TOPIC_EXISTS, "{name} is gone");
    }
}

const TOPIC_EXISTS: i16 = 36;

/// Calls `see` with each record from offset `from` on.
fn read(client: &mut Client, topic: &str, partition: i32, from: i64, mut see: impl FnMut(i64, &str)) {
    let mut offset = from;
    loop {
        let wanted = FetchPartition {
            partition,
            fetch_offset: offset,
            partition_max_bytes: 4 << 20,
            ..Default::default()
        };
        let topics = vec![FetchTopic { topic: topic.into(), partitions: vec![wanted], ..Default::default() }];
        let request = FetchRequest { max_bytes: 4 << 20, session_epoch: -1, topics, ..Default::default() };
        let answer = client.call(&request, 11).responses[0].partitions[0].clone();
        assert_eq!(answer.error_code, 0, "{topic}-{partition} at {offset}");
        let bytes = answer.records.and_then(|records| records.as_bytes().cloned()).unwrap_or_default();
        let before = offset;
        // The last batch may be cut by the limit.
        for batch in Batches::new(bytes).map_while(Result::ok) {
            for record in &batch.records(1 << 20).expect("valid") {
                let record = record.expect("valid");
                if record.offset.get() >= from {
                    see(
                        record.offset.get(),
                        std::str::from_utf8(record.value.unwrap_or_default()).expect("text"),
                    );
                }
            }
            offset = batch.next_offset().get();
        }
        if offset == before {
            return;
        }
    }
}
