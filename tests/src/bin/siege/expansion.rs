//! Requests that take many times their length in memory once they are decoded, from several
//! connections at a time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use klamm_tests::client::Client;
use klamm_tests::hostile::{GoodFrame, many_frames};
use klamm_tests::requests;

use crate::bystander::{Bystander, Served};
use crate::server::Server;

const TOPIC: &str = "t";
/// `queued.max.request.bytes`, in MiB.
const MEMORY: u64 = 32;
/// What the process may have beside what is counted, in MiB: the allocator's own, threads, the
/// bystander's records.
const BESIDE: u64 = 32;
/// Connections that send the same request at a time.
const TOGETHER: usize = 8;

pub(crate) fn run() {
    let directory = tempfile::tempdir().expect("writable");
    let memory = format!("queued.max.request.bytes={}", MEMORY << 20);
    let settings = [&*memory, "auto.create.topics.enable=true", "socket.request.max.bytes=16777216"];
    let server = Server::start(directory.path(), &settings);
    let mut client = Client::connect_to(server.address);
    let id = requests::topic(&mut client, TOPIC);
    let before = server.memory().0;
    let bystander = Bystander::start(server.address, "bystander");
    // Of each API the first version and the last; those that would create topics are left out.
    let frames = ends(many_frames(TOPIC, id));
    frames.iter().for_each(|frame| together(server.address, &frame.2));
    let Served { rounds, median, longest } = bystander.stop();
    let most = server.memory().1;
    println!("{} kinds of requests, {TOGETHER} of each at a time", frames.len());
    println!("memory {} MiB before, {} MiB at most; {MEMORY} MiB counted twice", before >> 10, most >> 10);
    println!("beside: {rounds} records written and read back, median {median:?}, longest {longest:?}");
    assert!(most <= before + ((2 * MEMORY + BESIDE) << 10), "the broker has taken more memory than it may");
    server.stop();
}

fn ends(mut frames: Vec<GoodFrame>) -> Vec<GoodFrame> {
    const CREATES: [i16; 2] = [3, 19];
    frames.retain(|frame| !CREATES.contains(&frame.0));
    let all: Vec<(i16, i16)> = frames.iter().map(|frame| (frame.0, frame.1)).collect();
    let of = |api: i16| all.iter().filter(move |frame| frame.0 == api).map(|frame| frame.1);
    frames.retain(|frame| of(frame.0).min() == Some(frame.1) || of(frame.0).max() == Some(frame.1));
    frames
}

/// Sends the frame from several connections, and reads what comes.
fn together(address: SocketAddr, frame: &[u8]) {
    std::thread::scope(|scope| {
        for _ in 0..TOGETHER {
            scope.spawn(|| {
                let mut stream = TcpStream::connect(address).expect("the broker takes connections");
                stream.set_read_timeout(Some(Duration::from_secs(2))).expect("can be set");
                let _ = stream.write_all(frame);
                let _ = stream.read(&mut [0; 1 << 16]);
            });
        }
    });
}
