//! A real broker inside a test: it starts in milliseconds, many of them in one process, each with a
//! port and a folder of its own that go with it. On demand it fails: with an error for the next
//! request of an API, late, with a closed connection, with a full disk. Its clock is the test's, so
//! that retention and compaction come when the test says, and it tells which requests came.
//!
//! ```
//! use std::time::Duration;
//!
//! use klamm_broker::testing::{Fault, TestBroker};
//! use klamm_protocol::{ApiKey, ErrorCode};
//! use klamm_protocol::messages::produce_request::ProduceRequest;
//!
//! let broker = TestBroker::start()?;
//! let servers = broker.bootstrap();                          // for any Kafka client, in this process or another
//! broker.fault(ApiKey::Produce, Fault::Error(ErrorCode::NotEnoughReplicas));
//! broker.fault(ApiKey::Produce, Fault::LoseAnswer);          // the request after that: stored, but nobody knows
//! // ... the client under test produces; a good one tries again, and its records are stored once ...
//! let produced: Vec<ProduceRequest> = broker.requests();
//! assert!(produced.is_empty(), "this example has no client");
//! broker.advance(Duration::from_secs(8 * 24 * 3600))?;       // what is older than `retention.ms` is gone now
//! # assert!(servers.starts_with("127.0.0.1:"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # From testcontainers
//!
//! | testcontainers | here |
//! |---|---|
//! | a Docker daemon, an image of some 400 MB, seconds to start | nothing, none, milliseconds |
//! | `KafkaContainer::start` | [`TestBroker::start`] |
//! | `get_host_port` and `bootstrap.servers` by hand | [`TestBroker::bootstrap`] |
//! | `withEnv("KAFKA_...")` | [`TestBroker::start_with`] and [`BrokerConfig`], or any client's `IncrementalAlterConfigs` |
//! | one container for all tests, topics with random names | a broker for each test |
//! | Toxiproxy for a slow or closed connection | [`Fault::Delay`], [`Fault::Close`], [`Fault::LoseAnswer`] |
//! | no way to have an error answered | [`Fault::Error`], any API, any [`ErrorCode`](klamm_protocol::ErrorCode) |
//! | a small volume to have it full | [`TestBroker::fill_disk`] |
//! | waiting for `log.retention.check.interval.ms` | [`TestBroker::advance`] |
//! | reading the broker's log to see what was sent | [`TestBroker::requests`] |
//! | stop and start to test a reconnect | [`TestBroker::restart`], the same port and records |
//!
//! What a Klamm broker does not have yet, it does not have in a test either: transactions, more
//! than one node.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use klamm_log::disk::{Disk, OsDisk};
use klamm_log::{Clock, LogError, SystemClock};
use klamm_protocol::{ApiKey, DecodeError, Request, RequestHead};
use klamm_types::Timestamp;
use tempfile::TempDir;

pub use crate::probe::Fault;
pub use crate::work::WorkFigures;

use crate::environment::Environment;
use crate::probe::Probe;
use crate::{Broker, BrokerConfig, ListenerAddress, StartError};

mod full_disk;

use full_disk::FullDisk;

/// Bytes of memory that a broker takes from `queued.max.request.bytes` to decode and answer this
/// request, beside its frame; 0 when it is small enough for the connection's own allowance. `frame`
/// begins behind the frame's length.
///
/// # Errors
/// [`DecodeError`] when the frame holds no request that can be read.
pub fn request_footprint(frame: Bytes) -> Result<usize, DecodeError> {
    crate::handlers::footprint(&RequestHead::read(frame)?)
}

/// A broker for one test. It ends, and its temporary directory with it, when this is dropped.
#[derive(Debug)]
pub struct TestBroker {
    /// `None` only while it is stopped.
    broker: Option<Broker>,
    config: BrokerConfig,
    environment: Environment,
    clock: Arc<HeldClock>,
    disk: FullDisk,
    /// Removed last.
    _folder: Option<TempDir>,
}

/// A clock that a test moves. It begins at the machine's time, and stands still.
#[derive(Debug)]
struct HeldClock {
    /// Milliseconds since 1970 when it began.
    began: i64,
    /// Milliseconds since then.
    passed: AtomicU64,
}

impl HeldClock {
    fn start() -> HeldClock {
        HeldClock { began: SystemClock.now().as_millis(), passed: AtomicU64::new(0) }
    }

    fn pass(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.passed.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for HeldClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.began).saturating_add(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.passed.load(Ordering::SeqCst))
    }
}

impl TestBroker {
    /// Starts a broker with the settings of [`BrokerConfig::for_test`].
    ///
    /// # Errors
    /// [`StartError`] when the system gives no port, folder or threads.
    pub fn start() -> Result<TestBroker, StartError> {
        TestBroker::start_with(BrokerConfig::for_test())
    }

    /// Starts a broker with these settings; its folder is a temporary one, its port a free one
    /// unless the listener names one.
    ///
    /// # Errors
    /// [`StartError`] as [`Broker::start`].
    pub fn start_with(config: BrokerConfig) -> Result<TestBroker, StartError> {
        let folder = tempfile::tempdir()?;
        let config = BrokerConfig { log_dirs: vec![folder.path().to_owned()], ..config };
        let broker = TestBroker::start_on(Arc::new(OsDisk), config)?;
        Ok(TestBroker { _folder: Some(folder), ..broker })
    }

    /// Starts a broker whose files are on `disk`, in the directories that `config` names: for a
    /// test that counts syncs, fails an operation, or keeps the disk to start another broker on it.
    ///
    /// # Errors
    /// [`StartError`] as [`Broker::start`].
    pub fn start_on(disk: Arc<dyn Disk>, mut config: BrokerConfig) -> Result<TestBroker, StartError> {
        let clock = Arc::new(HeldClock::start());
        let disk = FullDisk::new(disk);
        let environment = Environment {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            disk: Arc::new(disk.clone()),
            probe: Probe::on(),
            log_levels: None,
        };
        let broker = Broker::start_in(&config, &environment)?;
        let ListenerAddress { host, port } = broker.address().clone();
        // The same again after a restart.
        config.listener = ListenerAddress { host, port };
        Ok(TestBroker { broker: Some(broker), config, environment, clock, disk, _folder: None })
    }

    /// What clients call `bootstrap.servers`: `127.0.0.1:port`.
    ///
    /// # Panics
    /// When it is stopped.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        self.running().bootstrap()
    }

    /// The broker itself.
    ///
    /// # Panics
    /// When it is stopped.
    #[must_use]
    pub fn running(&self) -> &Broker {
        self.broker.as_ref().expect("TEST-3: the broker was stopped and not started again")
    }

    /// The folder of its logs, in Kafka's format.
    ///
    /// # Panics
    /// When it is stopped.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.running().path()
    }

    /// Has this happen to the next request of `api` that has no fault yet; faults for more requests
    /// queue up.
    pub fn fault(&self, api: ApiKey, fault: Fault) {
        self.environment.probe.add(api, fault);
    }

    /// The requests of one kind that came, in order, those that failed too. The last 10,000 of all
    /// kinds are remembered, as far as they have 256 MiB together.
    ///
    /// # Panics
    /// When one cannot be read, which a client of this process would have to have written by hand.
    #[must_use]
    pub fn requests<R: Request>(&self) -> Vec<R> {
        let mine = self.all_requests().into_iter().filter(|head| head.api_key == R::KEY.code());
        mine.map(|head| crate::handlers::read(&head).expect("TEST-2: a request that was taken")).collect()
    }

    /// The heads of all requests that came: API, version, client id.
    #[must_use]
    pub fn all_requests(&self) -> Vec<RequestHead> {
        self.environment.probe.requests()
    }

    /// Returns what the requests since the start have become: items, decompressed bytes, slices on
    /// each kind of thread.
    ///
    /// # Panics
    /// When it is stopped.
    #[must_use]
    pub fn work(&self) -> WorkFigures {
        self.running().work()
    }

    /// From now on the disk has no room: producers are told, reads go on.
    pub fn fill_disk(&self) {
        self.disk.fill();
    }

    /// There is room again.
    pub fn free_disk(&self) {
        self.disk.free();
    }

    /// The time that the broker has.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Moves the broker's clock, and does what is due then: retention, compaction, removal of
    /// files, offsets of groups that expire.
    ///
    /// # Errors
    /// [`LogError`] of the first log that could not be seen to.
    ///
    /// # Panics
    /// When it is stopped.
    pub fn advance(&self, time: Duration) -> Result<(), LogError> {
        self.clock.pass(time);
        self.running().maintain(self.now())
    }

    /// Stops it: connections end, records stay.
    ///
    /// # Errors
    /// [`LogError`] when something could not be made durable.
    pub fn stop(&mut self) -> Result<(), LogError> {
        self.broker.take().map_or(Ok(()), Broker::stop)
    }

    /// Stops it, if it runs, and starts it again on the same port with the same records, clock and
    /// faults.
    ///
    /// # Errors
    /// [`StartError`] when it does not start.
    pub fn restart(&mut self) -> Result<(), StartError> {
        if let Err(error) = self.stop() {
            tracing::warn!("the broker did not stop cleanly: {error}");
        }
        self.broker = Some(Broker::start_in(&self.config, &self.environment)?);
        Ok(())
    }
}
