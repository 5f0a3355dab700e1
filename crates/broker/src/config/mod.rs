//! The broker's settings, under Kafka's names.

pub(crate) mod client_metrics;
pub(crate) mod consumer_group;
mod listeners;
mod properties;
mod rebalance_protocols;
pub(crate) mod row;
mod sources;
mod table;
pub(crate) mod topic;
pub(crate) mod without_effect;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use klamm_coordinator::{ConsumerGroupConfig, ConsumerTimes, GroupConfig};
use klamm_log::CleanerConfig;
use thiserror::Error;

use row::{Row, WrongSetting, set_all};
use without_effect::WithoutEffect;

pub use consumer_group::ConsumerBounds;
pub use rebalance_protocols::RebalanceProtocols;
pub(crate) use sources::check_together;
pub use sources::{SettingInfo, Settings};
pub(crate) use table::MOST_THREADS;
pub use topic::{BatchCompression, CompressionLevels, TopicConfig};

/// How a broker behaves. Each field names Kafka's property and its default; where ours differs, it
/// says so.
#[derive(Clone, PartialEq, Debug)]
pub struct BrokerConfig {
    /// The broker's id; 1 (`node.id`).
    pub node_id: i32,
    /// Where it listens; `PLAINTEXT://127.0.0.1:9092`, Kafka listens on all addresses
    /// (`listeners`). Port 0 takes a free one.
    pub listener: ListenerAddress,
    /// What clients are told to connect to; the listener (`advertised.listeners`).
    pub advertised: Option<ListenerAddress>,
    /// Name of the listener for clients; `PLAINTEXT` (`listeners`).
    pub listener_name: String,
    /// Names of listeners that belong to a controller and are not opened; `CONTROLLER`, Kafka has
    /// none (`controller.listener.names`).
    pub controller_listener_names: Vec<String>,
    /// Listeners of a controller in `listeners`, each as it was given.
    pub controller_listeners: Vec<String>,
    /// Security protocols of listeners by their names (`listener.security.protocol.map`). The
    /// listener for clients must have `PLAINTEXT`. A name that is not in the map is the name of its
    /// protocol.
    pub security_protocols: BTreeMap<String, String>,
    /// Where it answers HTTP, with metrics and a page; nowhere. It takes the feature `http`, and
    /// Kafka has no such setting (`http.listener`).
    pub http_listener: Option<SocketAddr>,
    /// Where it stands, for clients that read from near brokers; nowhere (`broker.rack`).
    pub rack: Option<String>,
    /// The folders of its logs; `./klamm-data` (`log.dirs`). None is a temporary one that goes with
    /// the broker.
    pub log_dirs: Vec<PathBuf>,
    /// Settings of topics that are not given others (`log.segment.bytes`, `log.retention.ms`,
    /// `message.max.bytes` and so on).
    pub topic: TopicConfig,
    /// Partitions of topics that do not say how many; 1 (`num.partitions`).
    pub num_partitions: i32,
    /// Whether asking for a topic creates it; yes (`auto.create.topics.enable`).
    pub auto_create_topics: bool,
    /// Whether topics can be deleted; yes (`delete.topic.enable`).
    pub delete_topics: bool,
    /// The most bytes of a request; 100 MiB (`socket.request.max.bytes`).
    pub max_request_bytes: usize,
    /// The most bytes of all requests that are being read or answered; 256 MiB, Kafka has no bound
    /// (`queued.max.request.bytes`). At least `max_request_bytes`.
    pub max_queued_bytes: usize,
    /// The most requests that wait for a thread; 500 (`queued.max.requests`).
    pub max_queued_requests: usize,
    /// Partitions, groups or resources that a request works on before others have their turn; 1,000
    /// (`request.slice.items`, which Kafka does not have).
    pub slice_items: usize,
    /// Bytes of records that a request decompresses or checks before others have their turn; 1 MiB
    /// (`request.slice.bytes`, which Kafka does not have).
    pub slice_bytes: usize,
    /// The most bytes that all requests together have for the output of decompression, beside one
    /// slice each; 128 MiB (`decompression.memory.bytes`, which Kafka does not have).
    pub decompression_memory: usize,
    /// Threads that answer requests; 8 (`num.io.threads`).
    pub io_threads: usize,
    /// Threads that read and write sockets; 3 (`num.network.threads`).
    pub network_threads: usize,
    /// The most connections; 2,147,483,647 in Kafka, 10,000 here (`max.connections`).
    pub max_connections: usize,
    /// The most connections of one address; 2,147,483,647 (`max.connections.per.ip`).
    pub max_connections_per_ip: usize,
    /// Time after which a silent connection is closed; 10 minutes (`connections.max.idle.ms`).
    pub max_idle: Duration,
    /// The most bytes of a fetch's answer; 55 MiB (`fetch.max.bytes`).
    pub max_fetch_bytes: usize,
    /// Fetch sessions that are kept; 1,000 (`max.incremental.fetch.session.cache.slots`).
    pub max_fetch_sessions: usize,
    /// The most partitions of all fetch sessions together
    /// (`max.incremental.fetch.session.cache.partitions`). Default: 1,000,000.
    pub max_fetch_session_partitions: usize,
    /// Threads that open, recover and create the logs of a directory; 2
    /// (`num.recovery.threads.per.data.dir`).
    pub recovery_threads: usize,
    /// How compacted logs are cleaned (`log.cleaner.dedupe.buffer.size` and so on).
    pub cleaner: CleanerConfig,
    /// Log files that are open at a time, at most; 512. Kafka keeps all open, and has no such
    /// setting (`log.max.open.files`).
    pub max_open_files: usize,
    /// How often retention is enforced; 5 minutes (`log.retention.check.interval.ms`).
    pub retention_interval: Duration,
    /// How often recovery points are written; one minute
    /// (`log.flush.offset.checkpoint.interval.ms`).
    pub checkpoint_interval: Duration,
    /// How groups of consumers behave.
    pub groups: GroupConfig,
    /// Between what the times of groups have to lie whose broker assigns.
    pub consumer_bounds: ConsumerBounds,
    /// The protocols that groups may use; classic and consumer
    /// (`group.coordinator.rebalance.protocols`).
    pub rebalance_protocols: RebalanceProtocols,
    /// Partitions of `__consumer_offsets` when it is made; 50 (`offsets.topic.num.partitions`).
    pub offsets_partitions: i32,
    /// Bytes of its segments; 100 MiB (`offsets.topic.segment.bytes`).
    pub offsets_segment_bytes: u32,
    /// Settings of Kafka that were given and have no effect on this broker, by their names.
    pub without_effect: BTreeMap<String, String>,
    /// `__transaction_state` when it is created (`transaction.state.log.*`).
    pub transaction_topic: InternalTopicConfig,
    /// `__share_group_state` when it is created (`share.coordinator.state.topic.*`).
    pub share_topic: InternalTopicConfig,
}

/// An internal topic as it is created.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InternalTopicConfig {
    /// Partitions; 50 (`num.partitions`).
    pub partitions: i32,
    /// Bytes of its segments; 100 MiB (`segment.bytes`).
    pub segment_bytes: u32,
}

impl Default for InternalTopicConfig {
    fn default() -> InternalTopicConfig {
        InternalTopicConfig { partitions: 50, segment_bytes: 100 << 20 }
    }
}

/// A host and a port, shown as `PLAINTEXT://host:port`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenerAddress {
    /// A name or an address.
    pub host: String,
    /// The port; 0 takes a free one.
    pub port: u16,
}

/// A setting that does not exist or cannot be.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum SettingError {
    /// No setting has this name.
    #[error("{origin}: no setting has the name {key:?}{}", .similar.map(|s| format!("; is {s} meant?")).unwrap_or_default())]
    Unknown {
        /// Where it was given.
        origin: String,
        /// The name.
        key: String,
        /// A setting with a similar name.
        similar: Option<&'static str>,
    },
    /// The value cannot be.
    #[error("{origin}: {key} is {value:?}, expected {expected}")]
    Value {
        /// Where it was given.
        origin: String,
        /// The setting.
        key: &'static str,
        /// The value.
        value: String,
        /// What it can be.
        expected: &'static str,
    },
    /// A line of the file has a `\u` without four hexadecimal digits.
    #[error("{origin}: expected four hexadecimal digits behind \\u, got {line:?}")]
    Line {
        /// File and line.
        origin: String,
        /// The line.
        line: String,
    },
    /// The file cannot be read.
    #[error("cannot read {path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
}

impl Default for BrokerConfig {
    fn default() -> BrokerConfig {
        BrokerConfig {
            node_id: 1,
            listener: ListenerAddress { host: "127.0.0.1".into(), port: 9092 },
            advertised: None,
            listener_name: listeners::PLAINTEXT.to_owned(),
            controller_listener_names: vec!["CONTROLLER".to_owned()],
            controller_listeners: Vec::new(),
            security_protocols: BTreeMap::new(),
            http_listener: None,
            rack: None,
            log_dirs: vec!["./klamm-data".into()],
            topic: TopicConfig::default(),
            num_partitions: 1,
            auto_create_topics: true,
            delete_topics: true,
            max_request_bytes: 100 << 20,
            max_queued_bytes: 256 << 20,
            max_queued_requests: 500,
            slice_items: 1000,
            slice_bytes: 1 << 20,
            decompression_memory: 128 << 20,
            io_threads: 8,
            network_threads: 3,
            max_connections: 10_000,
            max_connections_per_ip: i32::MAX as usize,
            max_idle: Duration::from_secs(600),
            max_fetch_bytes: 55 << 20,
            max_fetch_sessions: 1000,
            max_fetch_session_partitions: 1_000_000,
            recovery_threads: 2,
            cleaner: CleanerConfig::default(),
            max_open_files: 512,
            retention_interval: Duration::from_secs(300),
            checkpoint_interval: Duration::from_secs(60),
            groups: GroupConfig::default(),
            consumer_bounds: ConsumerBounds::default(),
            rebalance_protocols: RebalanceProtocols::default(),
            offsets_partitions: 50,
            offsets_segment_bytes: 100 << 20,
            without_effect: BTreeMap::new(),
            transaction_topic: InternalTopicConfig::default(),
            share_topic: InternalTopicConfig::default(),
        }
    }
}

impl BrokerConfig {
    /// All settings.
    pub(crate) const TABLE: &[Row<BrokerConfig>] = table::TABLE;

    pub(crate) fn row(key: &str) -> Option<&'static Row<BrokerConfig>> {
        table::TABLE.iter().find(|row| row.key == key)
    }

    /// The settings with others over them.
    pub(crate) fn with(&self, changed: &BTreeMap<String, String>) -> Result<BrokerConfig, WrongSetting> {
        let mut config = self.clone();
        let is_without_effect = |key: &String| WithoutEffect::named(key).is_some();
        let (without_effect, effective) =
            changed.clone().into_iter().partition(|(key, _)| is_without_effect(key));
        set_all(&mut config, &effective, table::TABLE)?;
        config.set_without_effect(without_effect)?;
        config.topic.log.validate()?;
        config.cleaner.validate()?;
        if config.groups.consumer.times != self.groups.consumer.times {
            config.consumer_bounds.check(&config.groups.consumer.times)?;
        }
        Ok(config)
    }

    fn set_without_effect(&mut self, given: BTreeMap<String, String>) -> Result<(), WrongSetting> {
        for (key, value) in given {
            let checked = WithoutEffect::find(&key).map_or(Ok(()), |row| row.check(&value));
            if let Err(expected) = checked {
                return Err(WrongSetting { key, value, expected });
            }
            self.without_effect.insert(key, value);
        }
        Ok(())
    }

    /// For a test: a free port on 127.0.0.1, and a temporary folder that goes with the broker.
    /// Groups do not wait for more members, and are logged in one partition.
    #[must_use]
    pub fn for_test() -> BrokerConfig {
        let listener = ListenerAddress { host: "127.0.0.1".into(), port: 0 };
        BrokerConfig {
            listener,
            log_dirs: Vec::new(),
            io_threads: 2,
            network_threads: 1,
            groups: GroupConfig {
                initial_rebalance_delay: Duration::ZERO,
                consumer: ConsumerGroupConfig {
                    times: ConsumerTimes {
                        heartbeat_interval: Duration::from_millis(100),
                        assignment_interval: Duration::ZERO,
                        ..ConsumerTimes::default()
                    },
                    ..ConsumerGroupConfig::default()
                },
                ..GroupConfig::default()
            },
            consumer_bounds: ConsumerBounds::any(),
            offsets_partitions: 1,
            ..BrokerConfig::default()
        }
    }
}

impl ListenerAddress {
    /// `host:port`, an IPv6 address in brackets.
    pub(crate) fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Whether the host is the address of all interfaces, which nobody can connect to.
    pub(crate) fn is_of_all(&self) -> bool {
        matches!(self.host.as_str(), "0.0.0.0" | "::")
    }
}

impl fmt::Display for ListenerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PLAINTEXT://{}", self.authority())
    }
}
