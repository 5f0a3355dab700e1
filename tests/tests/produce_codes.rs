//! Error codes of Produce, held against Kafka's (`fixtures/produce_codes.txt`). They decide whether
//! a producer sends a batch again or drops its records.

use std::collections::BTreeMap;

use bytes::Bytes;
use klamm_broker::{Broker, BrokerConfig};
use klamm_protocol::Records;
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_tests::admin::create;
use klamm_tests::client::Client;

const KAFKA: &str = include_str!("../fixtures/produce_codes.txt");

/// A line of the file: the same change for each bit, and Kafka's answer to each.
#[derive(Debug)]
struct Case<'a> {
    topic: &'a str,
    batch: &'a str,
    change: Change<'a>,
    bits: Option<(usize, usize)>,
    /// Error code and bad records.
    answer: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change<'a> {
    AsIs,
    Bit,
    BitAndCrc,
    SetAndCrc { at: usize, hex: &'a str },
}

/// Where an answer is not Kafka's: the batch, Kafka's answer, the answer here, and the reason.
type Difference = (&'static str, &'static str, &'static str, &'static str);

const DIFFERENCES: &[Difference] = &[
    ("offsets-with-a-gap", "0 -", "87 -", OFFSETS),
    ("offsets-reversed", "0 -", "87 -", OFFSETS),
    ("offsets-with-a-gap", "87 0,1", "87 -", OFFSETS),
    ("offsets-reversed", "87 0,1", "87 -", OFFSETS),
    ("plain", "0 -", "87 -", OFFSETS),
    ("snappy", "0 -", "87 -", OFFSETS),
    ("lz4", "0 -", "87 -", OFFSETS),
    ("zstd", "0 -", "87 -", OFFSETS),
    ("plain", "32 0,1,2", "0 -", "a base timestamp below zero is no timestamp here"),
    ("gzip", "87 -", "-1 -", STREAM),
    ("lz4", "-1 -", "87 -", STREAM),
    ("snappy", "-1 -", "87 -", STREAM),
    ("zstd", "-1 -", "87 -", STREAM),
    ("zstd", "87 -", "-1 -", STREAM),
    ("gzip", "0 -", "-1 -", "a field of gzip's header that Java passes over"),
    ("lz4", "0 -", "-1 -", "a field of lz4's header that Java passes over"),
];

/// The checksum is right: the producer wrote it so.
const OFFSETS: &str = "offsets of records that do not count up by one are stored by Kafka, and refused here";
/// Neither code is one after which a producer sends again.
const STREAM: &str = "Kafka decompresses while it reads records, so that another fault may come first";

fn case(line: &str) -> Case<'_> {
    let words: Vec<&str> = line.split(' ').collect();
    let (change, bits) = match words[3] {
        "as-is" => (Change::AsIs, None),
        "set+crc" => (Change::SetAndCrc { at: words[4].parse().unwrap(), hex: words[5] }, None),
        kind => {
            let (first, last) = words[4].split_once('-').unwrap();
            let change = if kind == "bit" { Change::Bit } else { Change::BitAndCrc };
            (change, Some((first.parse().unwrap(), last.parse().unwrap())))
        }
    };
    let answer = words[words.len() - 2..].join(" ");
    Case { topic: words[1], batch: words[2], change, bits, answer }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn mend(batch: &mut [u8]) {
    let crc = klamm_record::BatchHeader::extend_crc(0, &batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

fn changed(batch: &[u8], change: Change<'_>, bit: usize) -> Vec<u8> {
    let mut batch = batch.to_vec();
    match change {
        Change::AsIs => {}
        Change::Bit | Change::BitAndCrc => batch[bit / 8] ^= 0x80 >> (bit % 8),
        Change::SetAndCrc { at, hex } => {
            let new = bytes(hex);
            batch[at..at + new.len()].copy_from_slice(&new);
        }
    }
    if matches!(change, Change::BitAndCrc | Change::SetAndCrc { .. }) {
        mend(&mut batch);
    }
    batch
}

/// Error code and bad records, as the file has them.
fn produce(client: &mut Client, topic: &str, batch: Vec<u8>) -> String {
    let records = Some(Records::Bytes(Bytes::from(batch)));
    let partition_data = vec![PartitionProduceData { index: 0, records }];
    let topic_data = vec![TopicProduceData { name: topic.into(), partition_data, ..Default::default() }];
    let request = ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data, ..Default::default() };
    let answer = client.call(&request, 8).responses[0].partition_responses[0].clone();
    let records: Vec<_> = answer.record_errors.iter().map(|bad| bad.batch_index.to_string()).collect();
    let records = if records.is_empty() { "-".to_owned() } else { records.join(",") };
    format!("{} {records}", answer.error_code)
}

fn is_known(case: &Case<'_>, here: &str) -> bool {
    // A batch that was damaged on its way has Kafka's code without exception.
    case.change != Change::Bit
        && DIFFERENCES
            .iter()
            .any(|(batch, kafka, ours, _)| *batch == case.batch && *kafka == case.answer && *ours == here)
}

#[test]
fn codes_are_kafkas() {
    let broker = Broker::start(BrokerConfig::for_test()).unwrap();
    let mut client = Client::connect(&broker);
    create(&mut client, "codes", 1, &[]);
    create(&mut client, "compacted", 1, &[("cleanup.policy", "compact")]);
    create(&mut client, "append", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let mut batches = BTreeMap::new();
    let (mut tried, mut wrong) = (0, Vec::new());
    for line in KAFKA.lines() {
        if let Some(batch) = line.strip_prefix("batch ") {
            let (name, hex) = batch.split_once(' ').unwrap();
            batches.insert(name, bytes(hex));
        } else if line.starts_with("case ") {
            let case = case(line);
            let (first, last) = case.bits.unwrap_or_default();
            for bit in first..=last {
                let here = produce(&mut client, case.topic, changed(&batches[case.batch], case.change, bit));
                tried += 1;
                if here != case.answer && !is_known(&case, &here) {
                    wrong.push(format!(
                        "{} {} {:?} {bit}: {here}, Kafka {}",
                        case.topic, case.batch, case.change, case.answer
                    ));
                }
            }
        }
    }
    assert!(tried > 4000, "only {tried} cases");
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
}
