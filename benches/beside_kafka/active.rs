//! Appending to many partitions in turn, with fewer and with more open log files than there are
//! partitions.

use std::path::Path;
use std::time::{Duration, Instant};

use klamm_protocol::codec::Reader;
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::messages::produce_response::ProduceResponse;
use klamm_protocol::{Message, Records, encode_request};
use klamm_record::Compression;

use crate::load::{Client, batch};
use crate::node::{Node, Which};
use crate::{ROUNDS, beside};

const PARTITIONS: i32 = 700;
/// `log.max.open.files`, which Kafka does not have.
const OPEN_FILES: [usize; 3] = [100, 512, 2000];
const A_ROUND: Duration = Duration::from_secs(3);
const TOPIC: &str = "active";
const VERSION: i16 = 9;

pub(crate) fn run(which: &[Which], kafka: &Path) {
    println!(
        "\n| appends of 100 B to 700 partitions in turn | Klamm | Kafka | ratio | Klamm, CPU | Kafka | ratio |\n|---|---|---|---|---|---|---|"
    );
    for files in OPEN_FILES {
        let start = |which: &Which| {
            let settings = (*which == Which::Klamm).then(|| format!("log.max.open.files={files}"));
            Node::start_with(*which, kafka, settings.as_slice())
        };
        let mut nodes: Vec<Node> = which.iter().map(start).collect();
        for node in &mut nodes {
            let mut client = Client::connect(node.address);
            client.create(TOPIC, PARTITIONS);
            let frame = frame();
            while !all_are_appended(&mut client, &frame) {
                std::thread::sleep(Duration::from_millis(100));
            }
            appends(node);
        }
        beside(&format!("log.max.open.files={files}"), ["/s", "us each"], &mut nodes, ROUNDS, appends);
    }
}

/// Appends a second, and microseconds of the broker's CPU for each. A request has a batch for each
/// partition.
fn appends(node: &mut Node) -> [f64; 2] {
    let (mut client, frame) = (Client::connect(node.address), frame());
    let (begun, cpu, mut count) = (Instant::now(), node.cpu(), 0);
    while begun.elapsed() < A_ROUND {
        client.send(&frame);
        client.receive();
        count += PARTITIONS;
    }
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), node.cpu() - cpu);
    assert!(all_are_appended(&mut client, &frame), "all partitions take records to the end");
    [f64::from(count) / seconds, cpu * 1e6 / f64::from(count)]
}

/// Sends a request, and says whether every partition took its batch.
fn all_are_appended(client: &mut Client, frame: &[u8]) -> bool {
    client.send(frame);
    // Behind the correlation id and the tags.
    let answer = client.receive()[5..].to_vec();
    let answer = ProduceResponse::read(&mut Reader::new(answer.into()), VERSION).expect("a response");
    let mut partitions = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
    partitions.all(|partition| partition.error_code == 0)
}

fn frame() -> Vec<u8> {
    let (batch, _) = batch(100, 100, Compression::None);
    let partition =
        |index| PartitionProduceData { index, records: Some(Records::Bytes(batch.clone().into())) };
    let partition_data = (0..PARTITIONS).map(partition).collect();
    let topic_data = vec![TopicProduceData { name: TOPIC.into(), partition_data, ..Default::default() }];
    let request = ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data, ..Default::default() };
    let frame = encode_request(&request, VERSION, 1, Some("bench")).expect("can be sent");
    frame.into_bytes().expect("no files").to_vec()
}
