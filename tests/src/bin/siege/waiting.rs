//! Requests that wait for minutes, each with a frame that takes a third of the memory there is, and
//! a client beside them that wants to be served.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use klamm_protocol::encode_request;
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_tests::client::Client;
use klamm_tests::hostile::padded;
use klamm_tests::requests::{batch_of, produce, topic};

use crate::server::Server;

/// Bytes of each frame that waits; `queued.max.request.bytes` is 256 MiB.
const FRAME: usize = 89 << 20;
const WAITING: usize = 3;
const RECORD: usize = 300_000;
const ROUNDS: usize = 100;

pub(crate) fn run() {
    let directory = tempfile::tempdir().expect("writable");
    let server = Server::start(directory.path(), &[]);
    let mut client = Client::connect_to(server.address);
    let topic_id = topic(&mut client, "t");
    let partitions = vec![FetchPartition { partition_max_bytes: 1, ..FetchPartition::default() }];
    let fetch = FetchRequest {
        max_bytes: 1 << 20,
        min_bytes: 1,
        max_wait_ms: 250_000,
        topics: vec![FetchTopic { topic_id, partitions, ..FetchTopic::default() }],
        ..FetchRequest::default()
    };
    let frame =
        encode_request(&fetch, 18, 1, Some("siege")).expect("can be sent").into_bytes().expect("no files");
    let frame = padded(&frame, FRAME);
    let waiting: Vec<TcpStream> = (0..WAITING)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).expect("the broker takes connections");
            stream.write_all(&frame).expect("the broker reads");
            stream
        })
        .collect();
    let others = topic(&mut client, "others");
    let value = "x".repeat(RECORD);
    let started = std::time::Instant::now();
    for _ in 0..ROUNDS {
        assert_eq!(produce(&mut client, "others", others, batch_of(&[&value]), 1, 13).error_code, 0);
    }
    println!(
        "{WAITING} fetches of {} MiB wait; {ROUNDS} records of {RECORD} bytes in {:?}",
        FRAME >> 20,
        started.elapsed()
    );
    println!("memory {} MiB now, {} MiB at most", server.memory().0 >> 10, server.memory().1 >> 10);
    assert!(started.elapsed() < Duration::from_secs(60), "the others were not served");
    drop(waiting);
    server.stop();
}
