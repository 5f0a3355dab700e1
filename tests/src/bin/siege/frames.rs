//! Hostile frames: what comes back does not matter, but that the broker goes on, that it does not
//! grow, and that others are served.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use klamm_protocol::messages::create_partitions_request::CreatePartitionsRequest;
use klamm_protocol::messages::create_topics_request::CreateTopicsRequest;
use klamm_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use klamm_protocol::messages::metadata_request::MetadataRequest;
use klamm_protocol::{ApiKey, Message, RequestHead};
use klamm_tests::client::Client;
use klamm_tests::hostile::{GoodFrame, good_frames, served};
use klamm_tests::requests;

use crate::bystander::{Bystander, Served};
use crate::dice::Dice;
use crate::server::Server;

/// Frames on a connection: most are closed long before.
const A_CONNECTION: usize = 100;
/// Connections at a time.
const BESIEGERS: u64 = 16;
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_millis(3);
/// How often it is looked whether the broker has grown.
const PARTS: u64 = 10;
/// Partitions from which on a request is not sent.
const MANY: i32 = 100;
const TARGET: &str = "t";
const BYSTANDER: &str = "bystander";

/// What a besieger did.
#[derive(Debug, Default)]
struct Tally {
    frames: u64,
    /// What became of them: an answer, the end of the connection, or nothing so far (it waits for
    /// the rest, or for records).
    answered: u64,
    closed: u64,
    silent: u64,
    connections: u64,
    seen: BTreeSet<(i16, i16)>,
}

pub(crate) fn run(count: u64, seed: u64) {
    let folder = tempfile::tempdir().expect("writable");
    let settings = ["auto.create.topics.enable=false", "num.partitions=1", "log.segment.delete.delay.ms=1"];
    let mut server = Server::start(folder.path(), &settings);
    let good = target(&server);
    let captured = captures();
    println!("seed {seed}; {} requests that are right, {} captured from clients", good.len(), captured.len());
    let bystander = Bystander::start(server.address, BYSTANDER);
    let (mut tally, mut settled_at) =
        (siege(&server, count / PARTS, seed, &good, &captured), vec![settled(&server)]);
    for part in 1..PARTS {
        let good = target(&server);
        tally.add(siege(&server, count / PARTS, seed.wrapping_add(part), &good, &captured));
        settled_at.push(settled(&server));
    }
    let Served { rounds, median, longest } = bystander.stop();
    assert!(server.is_running(), "the broker has ended");
    println!(
        "{} frames on {} connections, {} APIs and versions: {} answered, {} closed, {} without an answer so far",
        tally.frames,
        tally.connections,
        tally.seen.len(),
        tally.answered,
        tally.closed,
        tally.silent
    );
    let figures: Vec<String> =
        settled_at.iter().map(|(kib, files)| format!("{} and {files}", kib >> 10)).collect();
    println!("MiB of memory and open files after each tenth: {}", figures.join(", "));
    println!("beside: {rounds} records written and read back, median {median:?}, longest {longest:?}");
    let left_out = good.iter().find(|(api, version, _)| !tally.seen.contains(&(*api, *version)));
    assert!(left_out.is_none() || count < 10_000, "left out: {left_out:?}");
    // What the allocator keeps comes and goes; what is leaked is there after each part.
    let least = |parts: &[(u64, usize)]| parts.iter().map(|part| part.0).min().unwrap_or(0);
    let (early, late) = settled_at.split_at(settled_at.len() / 2);
    assert!(least(late) <= least(early) * 2 + 8192, "the broker has grown");
    assert!(late.iter().all(|part| part.1 <= early[0].1 + 32), "files were left open");
    server.stop();
}

/// Creates the topic that frames are about, and returns frames that are right.
fn target(server: &Server) -> Vec<GoodFrame> {
    let mut client = Client::connect_to(server.address);
    let (error, words) = klamm_tests::admin::create(&mut client, TARGET, 1, &[]);
    assert_eq!(error, 0, "{words}");
    let id = requests::topic(&mut client, TARGET);
    good_frames(&served(&mut client), TARGET, id)
}

fn siege(server: &Server, count: u64, seed: u64, good: &[GoodFrame], captured: &[GoodFrame]) -> Tally {
    let address = server.address;
    let besiege = |number: u64| {
        let mut dice = Dice::new(seed.wrapping_mul(1000).wrapping_add(number));
        let mut tally = Tally::default();
        while tally.frames < count / BESIEGERS {
            connection(address, &mut dice, good, captured, &mut tally);
            if tally.connections.is_multiple_of(2000) {
                remove_topics(address, &[BYSTANDER, TARGET]);
            }
        }
        tally
    };
    std::thread::scope(|scope| {
        let besiegers: Vec<_> = (0..BESIEGERS).map(|number| scope.spawn(move || besiege(number))).collect();
        besiegers.into_iter().fold(Tally::default(), |mut all, besieger| {
            all.add(besieger.join().expect("goes on"));
            all
        })
    })
}

/// Sends frames, each when the one before has had its effect, until the broker closes, says
/// nothing, or so many.
fn connection(
    address: SocketAddr,
    dice: &mut Dice,
    good: &[GoodFrame],
    captured: &[GoodFrame],
    tally: &mut Tally,
) {
    let mut stream = TcpStream::connect(address).expect("the broker takes connections");
    stream.set_read_timeout(Some(PATIENCE)).expect("can be set");
    // A million ports do not wait for what may still come.
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("can be set");
    tally.connections += 1;
    for _ in 0..A_CONNECTION {
        let (api, version, frame) = hostile(dice, good, captured);
        tally.frames += 1;
        tally.seen.insert((api, version));
        if stream.write_all(&frame).is_err() {
            tally.closed += 1;
            return;
        }
        match stream.read(&mut [0; 1 << 16]) {
            Ok(1..) => tally.answered += 1,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                tally.silent += 1;
                return;
            }
            Ok(0) | Err(_) => {
                tally.closed += 1;
                return;
            }
        }
    }
}

fn hostile(dice: &mut Dice, good: &[GoodFrame], captured: &[GoodFrame]) -> GoodFrame {
    let (api, version, mut frame) = match dice.below(10) {
        0..4 => dice.pick(good).clone(),
        4..8 if !captured.is_empty() => dice.pick(captured).clone(),
        _ => return random(dice, good),
    };
    let whole = frame.clone();
    for _ in 0..=dice.below(4) {
        harm(dice, &mut frame);
    }
    (api, version, if asks_for_many(&frame) { whole } else { frame })
}

/// Whether a broker would rightly grow: thousands of partitions take memory.
fn asks_for_many(frame: &[u8]) -> bool {
    let Ok(head) = RequestHead::read(Bytes::copy_from_slice(&frame[4..])) else { return false };
    let (body, version) = (head.body.clone(), head.version);
    if head.api_key == ApiKey::CreateTopics.code() {
        let topics = CreateTopicsRequest::decode(body, version).map(|request| request.topics);
        return topics.is_ok_and(|topics| topics.iter().any(|topic| topic.num_partitions > MANY));
    }
    let topics = CreatePartitionsRequest::decode(body, version).map(|request| request.topics);
    head.api_key == ApiKey::CreatePartitions.code()
        && topics.is_ok_and(|topics| topics.iter().any(|topic| topic.count > MANY))
}

/// A head that is right, and then anything.
fn random(dice: &mut Dice, good: &[GoodFrame]) -> GoodFrame {
    let (mut api, mut version, _) = *dice.pick(good);
    if dice.once_in(20) {
        (api, version) =
            (i16::from_be_bytes([0, dice.byte()]), i16::from_be_bytes([dice.byte(), dice.byte()]));
    }
    let length = dice.below(400);
    let body = dice.bytes(length);
    let mut frame = (u32::try_from(8 + 3 + body.len()).expect("small")).to_be_bytes().to_vec();
    frame.extend(api.to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend([0, 0, 0, 1, 0, 1, b'x']);
    frame.extend(body);
    (api, version, frame)
}

fn harm(dice: &mut Dice, frame: &mut Vec<u8>) {
    if frame.len() <= 16 {
        return;
    }
    let at = 8 + dice.below(frame.len() - 8);
    match dice.below(8) {
        // Behind the head, so that a handler meets it.
        0..3 => frame[at] = dice.byte(),
        3 => frame[at] ^= 1 << dice.below(8),
        4 => {
            let extremes: &[u32] = &[0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_fffe];
            let end = frame.len().min(at + 4);
            frame[at..end].copy_from_slice(&dice.pick(extremes).to_be_bytes()[..end - at]);
        }
        5 => {
            frame.truncate(at.max(12));
            let length = u32::try_from(frame.len() - 4).expect("small");
            frame[..4].copy_from_slice(&length.to_be_bytes());
        }
        6 => {
            let count = dice.below(64);
            let tail = dice.bytes(count);
            frame.splice(at..at, tail);
            let length = u32::try_from(frame.len() - 4).expect("small");
            frame[..4].copy_from_slice(&length.to_be_bytes());
        }
        _ => frame[..4].copy_from_slice(&dice.below(1 << 20).to_be_bytes()[4..]),
    }
}

/// What clients of others have sent (`tests/fixtures/captures`).
fn captures() -> Vec<GoodFrame> {
    let folder = klamm_tests::fixtures::root().with_file_name("captures");
    let mut frames = Vec::new();
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("part of the repository").flatten().map(|e| e.path()).collect();
    files.sort();
    for file in files {
        let bytes = std::fs::read(file).expect("readable");
        let mut rest = &bytes[..];
        while let Some((length, _)) = rest.split_first_chunk::<4>() {
            let (frame, after) = rest.split_at(4 + u32::from_be_bytes(*length) as usize);
            let number = |at: usize| i16::from_be_bytes([frame[at], frame[at + 1]]);
            frames.push((number(4), number(6), frame.to_vec()));
            rest = after;
        }
    }
    frames
}

/// Topics that frames have made go, so that what grows is not what was asked for.
fn remove_topics(address: SocketAddr, but: &[&str]) {
    let mut client = Client::connect_to(address);
    let all = client.call(&MetadataRequest { topics: None, ..MetadataRequest::default() }, 12).topics;
    let names = all.iter().filter_map(|topic| topic.name.clone());
    let topic_names: Vec<_> = names.filter(|name| !but.contains(&&**name)).collect();
    if !topic_names.is_empty() {
        client.call(&DeleteTopicsRequest { topic_names, timeout_ms: 10_000, ..Default::default() }, 5);
    }
}

/// Memory in KiB and open files, when nothing is under way any more.
fn settled(server: &Server) -> (u64, usize) {
    remove_topics(server.address, &[BYSTANDER]);
    std::thread::sleep(Duration::from_millis(1500));
    (server.memory().0, server.descriptors())
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.frames += other.frames;
        self.answered += other.answered;
        self.closed += other.closed;
        self.silent += other.silent;
        self.connections += other.connections;
        self.seen.extend(other.seen);
    }
}
