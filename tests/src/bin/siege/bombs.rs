//! Small requests that become much work, from clients that disconnect before they have a response.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::{Records, Request, encode_request};
use klamm_record::{BatchBuilder, BatchHeader, BatchOptions, Compression, NewRecord};
use klamm_tests::admin::create;
use klamm_tests::client::Client;

use crate::bystander::{Bystander, Served};
use crate::server::Server;

const TOPIC: &str = "bombed";
const PARTITIONS: i32 = 233;
/// Bytes of a batch after decompression.
const DECOMPRESSED: usize = 60 << 20;
/// Partitions of a Fetch of 60 MB, which takes more memory than there is, and of one for which
/// there is enough.
const TOO_MANY: i32 = 3_700_000;
const MANY: i32 = 300_000;
const LASTS: Duration = Duration::from_secs(20);
/// How long a hostile client stays after it has sent its request.
const STAYS: Duration = Duration::from_secs(1);
/// How long the broker may take to stop under attack.
const STOPS: Duration = Duration::from_secs(15);

/// An attack: its name, and the frame that all its clients send.
type Attack = (&'static str, fn() -> Vec<u8>);

const ATTACKS: [Attack; 4] = [
    ("233 zstd batches of 60 MiB in one Produce", bombs),
    ("24 zstd batches that declare a window of 128 MiB", windows),
    ("3,700,000 unknown partitions in one Fetch", || unknown(TOO_MANY)),
    ("300,000 unknown partitions in one Fetch", || unknown(MANY)),
];

pub(crate) fn run(connections: usize) {
    for (name, frame) in ATTACKS {
        attack(name, &frame(), connections);
    }
}

fn attack(name: &str, frame: &[u8], connections: usize) {
    let directory = tempfile::tempdir().expect("writable");
    let server = Server::start(directory.path(), &["message.max.bytes=10485760"]);
    let mut client = Client::connect_to(server.address);
    assert_eq!(create(&mut client, TOPIC, PARTITIONS, &[]).0, 0);
    let before = server.memory().0;
    let (is_over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let served = std::thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| besiege(server.address, frame, &is_over, &sent));
        }
        let bystander = Bystander::start(server.address, "beside");
        std::thread::sleep(LASTS);
        let served = bystander.stop();
        is_over.store(true, Ordering::Relaxed);
        served
    });
    let (now, most) = server.memory();
    let Served { rounds, median, longest } = served;
    // The last requests are still under way.
    let begun = Instant::now();
    server.stop();
    let stopped = begun.elapsed();
    println!("{name}: {} bytes, {connections} clients for {LASTS:?}", frame.len());
    println!("  requests sent: {}", sent.load(Ordering::Relaxed));
    println!("  bystander: {rounds} records written and read back, median {median:?}, longest {longest:?}");
    println!("  memory: {} MiB before, {} MiB after, {} MiB at most", before >> 10, now >> 10, most >> 10);
    println!("  stopped in {stopped:?}");
    assert!(longest < Duration::from_secs(15), "the bystander was not served");
    assert!(stopped < STOPS, "the broker did not stop");
}

/// Sends a request and disconnects, again and again.
fn besiege(address: SocketAddr, frame: &[u8], is_over: &AtomicBool, sent: &AtomicU64) {
    use std::io::Write;
    while !is_over.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(address) else { continue };
        stream.set_write_timeout(Some(LASTS)).expect("can be set");
        if stream.write_all(frame).is_ok() {
            sent.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(STAYS);
        }
    }
}

fn bombs() -> Vec<u8> {
    produce(&batch(Compression::Zstd, DECOMPRESSED), PARTITIONS)
}

/// Each frame declares a window of 128 MiB instead of its size, and has one block that is not
/// compressed.
fn windows() -> Vec<u8> {
    let plain = batch(Compression::None, 1000);
    let (header, records) = plain.split_at(BatchHeader::SIZE);
    let block = u32::try_from(records.len() << 3 | 1).expect("small").to_le_bytes();
    let frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3], &block[..3], records].concat();
    let mut batch = [header, &frame].concat();
    let length = i32::try_from(batch.len() - 12).expect("small");
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[22] |= Compression::Zstd.id();
    // It writes the checksum too.
    BatchHeader::set_max_timestamp(&mut batch, None);
    produce(&batch, 24)
}

/// A batch of one record with so many zero bytes.
fn batch(compression: Compression, bytes: usize) -> Vec<u8> {
    let options = BatchOptions { compression, ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(Vec::new(), options);
    builder.append(&NewRecord::new(&vec![0; bytes])).expect("fits");
    builder.finish().expect("has a record").buffer
}

/// A batch for each of some partitions.
fn produce(batch: &[u8], partitions: i32) -> Vec<u8> {
    let records = Records::Bytes(batch.to_vec().into());
    let data = |index| PartitionProduceData { index, records: Some(records.clone()) };
    let partition_data = (0..partitions).map(data).collect();
    let topic_data = vec![TopicProduceData { name: TOPIC.into(), partition_data, ..Default::default() }];
    let request = ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data, ..Default::default() };
    frame(&request, 9)
}

fn unknown(count: i32) -> Vec<u8> {
    let partition = |partition| FetchPartition { partition, ..FetchPartition::default() };
    let partitions = (0..count).map(partition).collect();
    let topics = vec![FetchTopic { topic: "unknown".into(), partitions, ..FetchTopic::default() }];
    frame(&FetchRequest { max_bytes: 1 << 20, topics, session_epoch: -1, ..FetchRequest::default() }, 4)
}

fn frame<R: Request>(request: &R, version: i16) -> Vec<u8> {
    let frame = encode_request(request, version, 1, Some("bombs")).expect("can be sent");
    frame.into_bytes().expect("no files").to_vec()
}
