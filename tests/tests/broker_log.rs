//! What the broker logs for its operator, as `docs/operating.md` states it. The lines of a whole
//! process are captured, so each test looks for names of its own.

use std::io::{self, Write};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use klamm_broker::BrokerConfig;
use klamm_broker::testing::TestBroker;
use klamm_protocol::messages::heartbeat_request::HeartbeatRequest;
use klamm_tests::admin::create;
use klamm_tests::client::Client;
use klamm_tests::groups::{Member, serve_groups};
use klamm_tests::requests::{batch_of, produce, topic};

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Captured;

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Captures the lines of the log from now on, those of the level `debug` too.
fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let log = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_ansi(false);
        log.with_writer(|| Captured).init();
    });
}

/// The lines so far in which all of these texts are.
fn lines(texts: &[&str]) -> Vec<String> {
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    let log = String::from_utf8_lossy(&log);
    log.lines().filter(|line| texts.iter().all(|text| line.contains(text))).map(str::to_owned).collect()
}

/// Waits for a line in which all of these texts are.
fn line(texts: &[&str]) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(line) = lines(texts).first() {
            return line.clone();
        }
        assert!(Instant::now() < deadline, "no line has {texts:?}");
        std::thread::yield_now();
    }
}

#[test]
fn background_failures_and_what_retention_deletes_have_a_line() {
    capture();
    let broker = TestBroker::start().unwrap();
    let mut client = Client::connect(broker.running());
    assert_eq!(create(&mut client, "retained", 1, &[("retention.ms", "1000"), ("segment.ms", "1000")]).0, 0);
    let id = topic(&mut client, "retained");
    for _ in 0..2 {
        assert_eq!(produce(&mut client, "retained", id, batch_of(&["value"]), -1, 13).error_code, 0);
        broker.advance(Duration::from_secs(10)).unwrap();
    }
    broker.advance(Duration::from_secs(10_000_000)).unwrap();
    line(&["retention deleted a segment", "retained-0"]);
    assert_eq!(produce(&mut client, "retained", id, batch_of(&["value"]), -1, 13).error_code, 0);
    broker.fill_disk();
    let _ = broker.advance(Duration::from_secs(1000));
    let _ = broker.advance(Duration::from_secs(1000));
    line(&["a background task failed", "checkpoints"]);
    let count = lines(&["a background task failed", "checkpoints"]).len();
    assert_eq!(count, 1, "however often it fails");
    broker.free_disk();
    broker.advance(Duration::from_secs(1000)).unwrap();
    line(&["a background task succeeds again", "checkpoints"]);
}

#[test]
fn members_that_come_and_go_and_requests_that_are_refused_have_a_line() {
    capture();
    let broker = TestBroker::start().unwrap();
    let mut client = Client::connect(broker.running());
    create(&mut client, "t", 1, &[]);
    serve_groups(&mut client);
    let mut member = Member::new(Client::connect(broker.running()), "told");
    assert_eq!(member.join(&["t"]).error_code, 0);
    line(&["INFO", "\"told\"", "is a member"]);
    let stranger = HeartbeatRequest {
        group_id: "told".into(),
        generation_id: 1,
        member_id: "stranger".into(),
        ..HeartbeatRequest::default()
    };
    assert_ne!(client.call(&stranger, 4).error_code, 0);
    let refused = line(&["a request to a group was refused", "told"]);
    assert!(refused.contains("DEBUG"), "{refused}");
    assert!(refused.contains("client=\"test\"") && refused.contains("peer=127.0.0.1"), "{refused}");
}

#[test]
fn a_full_disk_has_one_line_and_groups_go_on_when_there_is_room() {
    capture();
    let broker = TestBroker::start_with(BrokerConfig::for_test()).unwrap();
    let mut client = Client::connect(broker.running());
    create(&mut client, "t", 1, &[]);
    serve_groups(&mut client);
    let mut member = Member::new(Client::connect(broker.running()), "stopped");
    assert_eq!(member.join(&["t"]).error_code, 0);
    assert_eq!(member.sync(&[]).error_code, 0);
    broker.fill_disk();
    for _ in 0..3 {
        assert_eq!(member.commit("t", 5), COORDINATOR_NOT_AVAILABLE);
    }
    assert_eq!(lines(&["what groups decide is not logged", "stopped"]).len(), 1, "told once");
    broker.free_disk();
    assert_eq!(member.commit("t", 5), 0);
    line(&["what groups decide is logged again"]);
}

const COORDINATOR_NOT_AVAILABLE: i16 = 15;
