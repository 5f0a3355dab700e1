//! More than there is memory for: connections that send as fast as they can, or slowly, or that do
//! not read what they asked for.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_protocol::messages::metadata_request::MetadataRequest;
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::{Records, Request, encode_request};
use klamm_record::{BatchBuilder, BatchOptions, NewRecord};
use klamm_tests::admin::create;
use klamm_tests::client::Client;

use crate::bystander::{Bystander, Served};
use crate::dice::Dice;
use crate::server::Server;

const TOPIC: &str = "flooded";
const LASTS: Duration = Duration::from_secs(20);
/// `queued.max.request.bytes`, in MiB.
const MEMORY: u64 = 32;
/// What a connection may have beside it, in KiB: its state, and an answer too small to be counted.
const A_CONNECTION: u64 = 32;

/// What a connection does.
type Behaviour = fn(&mut TcpStream, &Frames, &Flood);

const BEHAVIOURS: [(&str, Behaviour); 6] = [
    ("produces 1 MiB at a time and reads the answers", produces),
    ("produces 1 MiB at a time and reads nothing", sends_only),
    ("asks for all topics and reads nothing", asks_only),
    ("fetches and reads nothing", fetches_only),
    ("promises 8 MiB and sends a byte now and then", trickles),
    ("promises 8 MiB, sends 1 MiB and no more", stalls),
];

struct Frames {
    produce: Vec<u8>,
    metadata: Vec<u8>,
    fetch: Vec<u8>,
}

/// What all connections of the flood share.
struct Flood {
    over: AtomicBool,
    sent: AtomicU64,
    /// Connections that the broker closed, which then come again.
    closed: AtomicU64,
}

/// Ends the flood when it is dropped.
struct Over<'a>(&'a Flood);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}

pub(crate) fn run(connections: usize, seed: u64) {
    let folder = tempfile::tempdir().expect("writable");
    let memory = format!("queued.max.request.bytes={}", MEMORY << 20);
    let settings = [&*memory, "socket.request.max.bytes=8388608", "log.retention.check.interval.ms=500"];
    let server = Server::start(folder.path(), &settings);
    let mut client = Client::connect_to(server.address);
    let small =
        [("segment.bytes", "67108864"), ("retention.bytes", "134217728"), ("file.delete.delay.ms", "0")];
    assert_eq!(create(&mut client, TOPIC, 1, &small).0, 0);
    assert_eq!(create(&mut client, "many", 2000, &[]).0, 0);
    let frames = frames();
    let calm = served_for(&server, "calm", Duration::from_secs(3));
    let before = server.memory().0;
    let flood = Flood { over: AtomicBool::new(false), sent: AtomicU64::new(0), closed: AtomicU64::new(0) };
    println!(
        "{connections} connections for {LASTS:?}, {MEMORY} MiB of memory (queued.max.request.bytes); each sixth of them"
    );
    BEHAVIOURS.iter().for_each(|(words, _)| println!("- {words}"));
    let (served, most) = std::thread::scope(|scope| {
        for number in 0..connections {
            let (address, frames, flood) = (server.address, &frames, &flood);
            let mut dice = Dice::new(seed.wrapping_add(number as u64));
            let behaviour = BEHAVIOURS[number % BEHAVIOURS.len()].1;
            let thread = std::thread::Builder::new().stack_size(256 << 10);
            let run = move || besiege(address, frames, flood, behaviour, &mut dice);
            thread.spawn_scoped(scope, run).expect("a thread");
        }
        let _over = Over(&flood);
        let served = served_for(&server, "meanwhile", LASTS);
        (served, server.memory().1)
    });
    // As much for answers as for requests.
    let allowed = 2 * (MEMORY << 10) + connections as u64 * A_CONNECTION;
    println!(
        "sent {} MiB; {} connections were closed and came again",
        flood.sent.load(Ordering::Relaxed) >> 20,
        flood.closed.load(Ordering::Relaxed)
    );
    println!(
        "memory {} MiB before, {} MiB at most; allowed {} MiB more",
        before >> 10,
        most >> 10,
        allowed >> 10
    );
    for (when, Served { rounds, median, longest }) in [("before", calm), ("meanwhile", served)] {
        println!(
            "beside, {when}: {rounds} records written and read back, median {median:?}, longest {longest:?}"
        );
        assert!(longest < Duration::from_secs(15), "the others were not served");
    }
    assert!(most <= before + allowed, "the broker has taken more memory than it may");
    server.stop();
}

fn served_for(server: &Server, topic: &'static str, time: Duration) -> Served {
    let bystander = Bystander::start(server.address, topic);
    std::thread::sleep(time);
    bystander.stop()
}

fn besiege(address: SocketAddr, frames: &Frames, flood: &Flood, behaviour: Behaviour, dice: &mut Dice) {
    while !flood.over.load(Ordering::Relaxed) {
        if let Ok(mut stream) = TcpStream::connect(address) {
            // A blocked call has to end when the flood does.
            let wait = Some(Duration::from_millis(500 + dice.next() % 100));
            let set = stream.set_write_timeout(wait).and_then(|()| stream.set_read_timeout(wait));
            set.expect("can be set");
            behaviour(&mut stream, frames, flood);
        }
        flood.closed.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(dice.next() % 50));
    }
}

impl Flood {
    /// Sends all of it, however long that takes; says whether it could.
    fn send(&self, stream: &mut TcpStream, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() && !self.over.load(Ordering::Relaxed) {
            match stream.write(bytes) {
                Ok(0) => return false,
                Ok(sent) => {
                    self.sent.fetch_add(sent as u64, Ordering::Relaxed);
                    bytes = &bytes[sent..];
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
        }
        bytes.is_empty()
    }

    /// Waits as long as the connection is open and the flood lasts.
    fn stay(&self, stream: &mut TcpStream) {
        while !self.over.load(Ordering::Relaxed) {
            match stream.peek(&mut [0]) {
                // Something to read, which is not read.
                Ok(1..) => std::thread::sleep(Duration::from_millis(200)),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => return,
            }
        }
    }
}

fn produces(stream: &mut TcpStream, frames: &Frames, flood: &Flood) {
    let mut answer = [0; 512];
    while flood.send(stream, &frames.produce) {
        loop {
            match stream.read(&mut answer) {
                Ok(1..) => break,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    if flood.over.load(Ordering::Relaxed) {
                        return;
                    }
                }
                Ok(0) | Err(_) => return,
            }
        }
    }
}

fn sends_only(stream: &mut TcpStream, frames: &Frames, flood: &Flood) {
    while flood.send(stream, &frames.produce) {}
}

fn asks_only(stream: &mut TcpStream, frames: &Frames, flood: &Flood) {
    for _ in 0..100 {
        if !flood.send(stream, &frames.metadata) {
            return;
        }
    }
    flood.stay(stream);
}

fn fetches_only(stream: &mut TcpStream, frames: &Frames, flood: &Flood) {
    for _ in 0..100 {
        if !flood.send(stream, &frames.fetch) {
            return;
        }
    }
    flood.stay(stream);
}

fn trickles(stream: &mut TcpStream, frames: &Frames, flood: &Flood) {
    let mut rest = frames.produce.iter().skip(4);
    if !flood.send(stream, &(8u32 << 20).to_be_bytes()) {
        return;
    }
    let begun = Instant::now();
    while begun.elapsed() < LASTS {
        if !flood.send(stream, &[*rest.next().unwrap_or(&0)]) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn stalls(stream: &mut TcpStream, frames: &Frames, flood: &Flood) {
    if flood.send(stream, &(8u32 << 20).to_be_bytes()) && flood.send(stream, &frames.produce[4..]) {
        flood.stay(stream);
    }
}

fn frames() -> Frames {
    let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    let value = [7; 1024];
    for _ in 0..1000 {
        builder.append(&NewRecord::new(&value)).expect("fits");
    }
    let records = Some(Records::Bytes(builder.finish().expect("has records").buffer.into()));
    let partition_data = vec![PartitionProduceData { index: 0, records }];
    let topic_data = vec![TopicProduceData { name: TOPIC.into(), partition_data, ..Default::default() }];
    let produce = ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data, ..Default::default() };
    let partition = FetchPartition { partition_max_bytes: 8 << 20, ..FetchPartition::default() };
    let topics = vec![FetchTopic { topic: TOPIC.into(), partitions: vec![partition], ..Default::default() }];
    let fetch = FetchRequest { max_bytes: 8 << 20, session_epoch: -1, topics, ..Default::default() };
    Frames {
        produce: frame(&produce, 9),
        metadata: frame(&MetadataRequest { topics: None, ..Default::default() }, 12),
        fetch: frame(&fetch, 11),
    }
}

fn frame<R: Request>(request: &R, version: i16) -> Vec<u8> {
    let frame = encode_request(request, version, 1, Some("flood")).expect("can be sent");
    frame.into_bytes().expect("no files").to_vec()
}
