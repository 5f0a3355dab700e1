//! A client beside an attack.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use klamm_tests::admin::create;
use klamm_tests::client::Client;
use klamm_tests::requests::{batch_of, produce};

/// A client that writes a record and reads it back, over and over, and wants each answer to be
/// right.
#[derive(Debug)]
pub(crate) struct Bystander {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

/// How it was served.
#[derive(Debug)]
pub(crate) struct Served {
    /// Records that were written and read back.
    pub(crate) rounds: usize,
    pub(crate) median: Duration,
    pub(crate) longest: Duration,
}

impl Bystander {
    pub(crate) fn start(address: SocketAddr, topic: &'static str) -> Bystander {
        let stop = Arc::new(AtomicBool::new(false));
        let mut client = Client::connect_to(address);
        let (error, words) = create(&mut client, topic, 1, &[]);
        assert_eq!(error, 0, "{words}");
        let stopping = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut times = Vec::new();
            while !stopping.load(Ordering::Relaxed) {
                let begun = Instant::now();
                round(&mut client, topic, times.len());
                times.push(begun.elapsed());
                std::thread::sleep(Duration::from_millis(1));
            }
            times
        });
        Bystander { stop, thread }
    }

    pub(crate) fn stop(self) -> Served {
        self.stop.store(true, Ordering::Relaxed);
        let mut times = self.thread.join().expect("the bystander was served");
        times.sort_unstable();
        let longest = *times.last().expect("served once at least");
        Served { rounds: times.len(), median: times[times.len() / 2], longest }
    }
}

fn round(client: &mut Client, topic: &str, number: usize) {
    let value = format!("record {number}");
    let written = produce(client, topic, klamm_protocol::Uuid::ZERO, batch_of(&[&value]), -1, 9);
    let place = (written.error_code, written.base_offset);
    assert_eq!(place, (0, i64::try_from(number).expect("few")), "{:?}", written.error_message);
    let partition =
        FetchPartition { fetch_offset: place.1, partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    let topics =
        vec![FetchTopic { topic: topic.into(), partitions: vec![partition], ..FetchTopic::default() }];
    let request = FetchRequest { max_bytes: 1 << 20, topics, session_epoch: -1, ..FetchRequest::default() };
    let read = client.call(&request, 11).responses[0].partitions[0].clone();
    let records = read.records.and_then(|records| records.as_bytes().cloned()).unwrap_or_default();
    assert!(
        read.error_code == 0 && records.ends_with(format!("{value}\0").as_bytes()),
        "error {}, {records:?}",
        read.error_code
    );
}
