//! Thousands of connected clients: half of them produce, half consume in groups, and one beside
//! them is timed.
//!
//! `CLIENTS=500` in the environment measures with fewer. Each producer sends ten records of 100
//! bytes every three seconds; each consumer is a member of a group of up to 250, heartbeats and
//! commits every three seconds, and fetches all the time.

mod consumer;
mod link;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::{Records, encode_request};
use klamm_record::Compression;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::load::{Client, batch, error_of_produce, fetch_frame, produce_frame};
use crate::node::{Node, Which};
use crate::print_row;
use consumer::Consumer;
use link::Link;

const CLIENTS: usize = 5000;
/// Members of a group, and partitions of the topic: each member has one.
const MEMBERS: usize = 250;
const PERIOD: Duration = Duration::from_secs(3);
/// Until every member has its partition, and the JVM has compiled what it needs.
const WARM: Duration = Duration::from_secs(25);
const MEASURED: Duration = Duration::from_secs(20);
const TOPIC: &str = "thousands";
const BESIDE: &str = "beside";
/// Records of a produce.
const RECORDS: usize = 10;
/// Files that the processes have open beside the connections.
const OTHER_FILES: u64 = 3000;

/// What a broker did with so many clients.
struct Found {
    /// MiB of the process before and with them.
    memory: [f64; 2],
    /// Milliseconds of the client beside: p50 and p99 of a produce and a fetch.
    beside: [f64; 2],
    /// Connections that were refused or closed, and records a second that were consumed.
    served: [f64; 2],
}

pub(crate) fn run(which: &[Which], kafka: &Path) {
    let clients = std::env::var("CLIENTS").map_or(CLIENTS, |text| text.parse().expect("CLIENTS is a number"));
    raise_file_limit(clients);
    println!(
        "\n| {clients} clients | Klamm | Kafka | ratio | Klamm | Kafka | ratio |\n|---|---|---|---|---|---|---|"
    );
    // The records are old.
    let settings = ["log.retention.ms=-1".to_owned()];
    let measure = |which: &Which| measure(&Node::start_with(*which, kafka, &settings), clients);
    let found: Vec<Found> = which.iter().map(measure).collect();
    let row = |what, units, figures: fn(&Found) -> [f64; 2]| {
        print_row(what, units, &[found.iter().map(figures).collect()]);
    };
    row("memory of the broker, idle and with them", ["MiB", "MiB"], |found| found.memory);
    row("a produce and a fetch of a client beside, p50 and p99", ["ms", "ms"], |found| found.beside);
    row("connections refused or closed; records consumed", ["", "/s"], |found| found.served);
}

/// Lets this process and the brokers that it starts have enough files open.
fn raise_file_limit(clients: usize) {
    let needed = clients as u64 + OTHER_FILES;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the system has limits");
    assert!(
        hard >= needed,
        "{clients} clients need {needed} open files, the hard limit (ulimit -Hn) is {hard}"
    );
    if soft < needed {
        setrlimit(Resource::RLIMIT_NOFILE, needed, hard).expect("the limit can be raised to the hard one");
    }
}

fn measure(node: &Node, clients: usize) -> Found {
    let mut admin = Client::connect(node.address);
    [(TOPIC, MEMBERS as i32), (BESIDE, 1)].into_iter().for_each(|(topic, count)| admin.create(topic, count));
    admin.ready_for_groups();
    wait_for_partitions(&mut admin);
    let idle = node.resident() / 1024.0;
    let stop = Arc::new(AtomicBool::new(false));
    let (stopping, address) = (Arc::clone(&stop), node.address);
    let load = std::thread::spawn(move || load(address, clients, &stopping));
    std::thread::sleep(WARM);
    let beside = beside(node.address);
    let memory = [idle, node.resident() / 1024.0];
    stop.store(true, Ordering::Relaxed);
    Found { memory, beside, served: load.join().expect("the clients run") }
}

/// Waits until every partition takes records.
fn wait_for_partitions(client: &mut Client) {
    let (batch, _) = batch(100, 100, Compression::None);
    for index in 0..MEMBERS as i32 {
        let frame = frame_to(index, batch.clone());
        client.send(&frame);
        while error_of_produce(client.receive(), TOPIC) != 0 {
            std::thread::sleep(Duration::from_millis(20));
            client.send(&frame);
        }
    }
}

/// Connects clients and lets them work until `stop`; the connections that were refused or closed,
/// and records consumed a second in the time that is measured.
fn load(address: SocketAddr, clients: usize, stop: &AtomicBool) -> [f64; 2] {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("starts");
    let shared = Rc::new(Shared::new(clients.div_ceil(2 * MEMBERS)));
    tokio::task::LocalSet::new().block_on(&runtime, async {
        for number in 0..clients {
            tokio::task::spawn_local(client(address, number, Rc::clone(&shared)));
            // The backlog of a listener is short.
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        let (mut begun, mut before) = (Instant::now(), 0);
        let warm = begun + WARM.saturating_sub(Duration::from_micros(500) * clients as u32);
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if begun < warm && Instant::now() >= warm {
                (begun, before) = (Instant::now(), shared.consumed.get());
            }
        }
        let consumed = (shared.consumed.get() - before) as f64 / begun.elapsed().as_secs_f64();
        shared.tell();
        [shared.broken.get() as f64, consumed]
    })
}

/// A client until its connection breaks.
async fn client(address: SocketAddr, number: usize, shared: Rc<Shared>) {
    let worked = match Link::connect(address).await {
        Err(error) => Err(error),
        Ok(link) if number.is_multiple_of(2) => produce(link, &shared, number / 2).await,
        Ok(link) => {
            let group = number / 2 / MEMBERS;
            Consumer::new(link, Rc::clone(&shared), group, number).run().await
        }
    };
    if worked.is_err() {
        shared.broken.set(shared.broken.get() + 1);
    }
}

async fn produce(mut link: Link, shared: &Shared, number: usize) -> io::Result<()> {
    let (batch, _) = batch(100, 100 * RECORDS, Compression::None);
    let frame = frame_to((number % MEMBERS) as i32, batch);
    // Not all at once.
    tokio::time::sleep(PERIOD * (number % 1000) as u32 / 1000).await;
    let mut due = tokio::time::interval(PERIOD);
    loop {
        due.tick().await;
        let answer = link.exchange(&frame).await?;
        match error_of_produce(&answer, TOPIC) {
            0 => {}
            code => shared.note_error("Produce", code),
        }
    }
}

fn frame_to(index: i32, batch: Vec<u8>) -> Vec<u8> {
    let partition_data = vec![PartitionProduceData { index, records: Some(Records::Bytes(batch.into())) }];
    let topic_data = vec![TopicProduceData { name: TOPIC.into(), partition_data, ..Default::default() }];
    let request = ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data, ..Default::default() };
    let frame = encode_request(&request, 9, 1, Some("thousands")).expect("can be sent");
    frame.into_bytes().expect("no files").to_vec()
}

/// p50 and p99 in milliseconds of a client that writes a record and reads it back every ten
/// milliseconds.
fn beside(address: SocketAddr) -> [f64; 2] {
    let mut client = Client::connect(address);
    let (one, _) = batch(100, 100, Compression::None);
    let (frame, end) = (produce_frame(BESIDE, one), Instant::now() + MEASURED);
    let mut times = Vec::new();
    while Instant::now() < end {
        let begun = Instant::now();
        client.send(&frame);
        assert_eq!(error_of_produce(client.receive(), BESIDE), 0);
        // The first record made the topic.
        client.send(&fetch_frame(BESIDE, 1 + times.len() as i64, 1 << 20, 500));
        assert!(client.receive().len() > 100, "the record is there");
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(Duration::from_millis(10));
    }
    times.sort_by(f64::total_cmp);
    [times[times.len() / 2], times[times.len() * 99 / 100]]
}

/// What the clients share.
struct Shared {
    /// The next offset of each partition, for each group; as if read back from commits.
    positions: RefCell<Vec<[i64; MEMBERS]>>,
    consumed: Cell<usize>,
    broken: Cell<usize>,
    errors: RefCell<BTreeMap<(&'static str, i16), usize>>,
}

impl Shared {
    fn new(groups: usize) -> Shared {
        Shared {
            positions: RefCell::new(vec![[0; MEMBERS]; groups]),
            consumed: Cell::new(0),
            broken: Cell::new(0),
            errors: RefCell::default(),
        }
    }

    fn position(&self, group: usize, partition: i32) -> i64 {
        self.positions.borrow()[group][partition as usize]
    }

    /// Goes on behind the batches that were fetched.
    fn consume(&self, group: usize, partition: i32, mut batches: &[u8]) {
        let position = &mut self.positions.borrow_mut()[group][partition as usize];
        while let Some(header) = batches.get(..61) {
            let number = |at: usize| i32::from_be_bytes(header[at..at + 4].try_into().expect("four bytes"));
            let base = i64::from_be_bytes(header[..8].try_into().expect("eight bytes"));
            let Some(rest) = batches.get(12 + number(8) as usize..) else { break };
            let next = base + i64::from(number(23)) + 1;
            self.consumed.set(self.consumed.get() + (next - *position).max(0) as usize);
            *position = next.max(*position);
            batches = rest;
        }
    }

    fn note_error(&self, api: &'static str, code: i16) {
        *self.errors.borrow_mut().entry((api, code)).or_default() += 1;
    }

    /// Errors of responses, beside the table.
    fn tell(&self) {
        for ((api, code), count) in self.errors.borrow().iter() {
            eprintln!("{count} times error {code} of {api}");
        }
    }
}
