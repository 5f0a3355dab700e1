//! All settings, a row each. Rows later in the table win over earlier ones of the same source, as
//! `log.retention.ms` does over `log.retention.hours`.

use std::time::Duration;

use klamm_coordinator::{Assignors, MigrationPolicy};

use super::listeners::{
    advertised_text, listeners_text, protocols_text, set_advertised, set_controller_names, set_listeners,
    set_protocols,
};
use super::row::{
    AGE, AS_WHOLE, BYTES, CODEC, COUNT, GZIP_LEVEL, Kind, LZ4_LEVEL, MILLIS, NUMBER, OR_NONE, POLICY, RATIO,
    Row, SEGMENT, SWITCH, TIME, ZSTD_LEVEL, age, at, bounded_count, bounded_millis, codec, codec_name, count,
    count_or_unbounded, gzip_level, in_millis, int_age, int_millis, is_some, lz4_level, millis,
    millis_or_none, millis_or_unbounded, neutral, number, or_none, policy, policy_name, preallocation, put,
    ratio, segment, size, switch, text, text_or_none, timestamp_type, timestamp_type_name, unsigned,
    zstd_level,
};
use super::{BrokerConfig, RebalanceProtocols};

const THREADS: &str = "a number from 1 to 1,024";
const ID: &str = "a number from 0 to 2,147,483,647";
const LISTENERS: &str = "one listener for clients such as PLAINTEXT://127.0.0.1:9092, with a port up to 65535 and the protocol PLAINTEXT; others only of a controller (controller.listener.names)";
const ADVERTISED: &str = "one address of the listener for clients such as PLAINTEXT://kafka:9092, with a port from 1 to 65535; others only of a controller (controller.listener.names)";
const FOLDERS: &str = "one or more folders, with commas between them";

type Setting = Row<BrokerConfig>;

pub(super) const TABLE: &[Setting] = &[
    Setting::new("node.id", Kind::Int, ID, at!(node_id, id, text), "The broker's id."),
    Setting::new("broker.id", Kind::Int, ID, at!(node_id, id, text), "The same, as it was called before."),
    Setting::new(
        "process.roles",
        Kind::List,
        "broker, or broker,controller",
        (roles, |_| "broker,controller".to_owned()),
        "What the node does. It is a broker with its own controller.",
    ),
    // Before the listeners, whose meaning they give.
    Setting::new(
        "controller.listener.names",
        Kind::List,
        "names of listeners, with commas between them",
        (set_controller_names, |c| c.controller_listener_names.join(",")),
        "Listeners that belong to a controller. They are not opened: the controller runs inside the broker.",
    ),
    Setting::new(
        "listener.security.protocol.map",
        Kind::String,
        "pairs NAME:PROTOCOL with commas between them, each protocol one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL",
        (set_protocols, protocols_text),
        "Security protocols of listeners by their names. The listener for clients must have PLAINTEXT.",
    ),
    Setting::new(
        "listeners",
        Kind::List,
        LISTENERS,
        (set_listeners, listeners_text),
        "Where the broker listens; port 0 takes a free one.",
    ),
    Setting::new(
        "advertised.listeners",
        Kind::List,
        ADVERTISED,
        (set_advertised, advertised_text),
        "What clients are told to connect to, not 0.0.0.0 or [::]; the listener, unless it is given, or 127.0.0.1 where that listens on all addresses.",
    ),
    Setting::new(
        "authorizer.class.name",
        Kind::String,
        "nothing: this broker has no access control",
        (|_, v| v.is_empty().then_some(()), |_| String::new()),
        "Access control, which this broker does not have: a value is refused, not ignored.",
    ),
    Setting::new(
        "remote.log.storage.system.enable",
        Kind::Boolean,
        "false: this broker has no tiered storage",
        (|_, v| (!switch(v)?).then_some(()), |_| "false".to_owned()),
        "Tiered storage, which this broker does not have.",
    ),
    Setting::new(
        "http.listener",
        Kind::String,
        "an address such as 127.0.0.1:8080",
        (
            |c, v| put(&mut c.http_listener, Some(v.parse().ok()?)),
            |c| c.http_listener.map(|address| address.to_string()).unwrap_or_default(),
        ),
        "Where /metrics, /healthz and a page are; nowhere, unless it is given. (Not a setting of Kafka's.)",
    ),
    Setting::new(
        "broker.rack",
        Kind::String,
        "a name",
        (|c, v| put(&mut c.rack, Some(v.to_owned())), |c| c.rack.clone().unwrap_or_default()),
        "Where the broker stands, for clients that read from near ones.",
    ),
    Setting::new(
        "log.dir",
        Kind::String,
        FOLDERS,
        at!(log_dirs, folders, |folders: &Vec<_>| folder_names(folders)),
        "The same as log.dirs.",
    ),
    Setting::new(
        "log.dirs",
        Kind::String,
        FOLDERS,
        at!(log_dirs, folders, |folders: &Vec<_>| folder_names(folders)),
        "The folders of the logs. A new partition goes to the one that has the fewest.",
    ),
    Setting::new(
        "num.partitions",
        Kind::Int,
        "a number from 1 to 10,000",
        at!(num_partitions, partitions, text),
        "Partitions of topics that do not say how many.",
    ),
    Setting::new(
        "auto.create.topics.enable",
        Kind::Boolean,
        SWITCH,
        at!(auto_create_topics, switch, text),
        "Whether asking for a topic creates it.",
    ),
    Setting::new(
        "delete.topic.enable",
        Kind::Boolean,
        SWITCH,
        at!(delete_topics, switch, text),
        "Whether topics can be deleted.",
    ),
    Setting::new(
        "default.replication.factor",
        Kind::Int,
        "1, for there is one broker",
        (|_, v| (v == "1").then_some(()), |_| "1".to_owned()),
        "Replicas of topics that do not say how many.",
    ),
    Setting::new(
        "socket.request.max.bytes",
        Kind::Int,
        BYTES,
        at!(max_request_bytes, size, text),
        "The largest request that is taken.",
    ),
    Setting::new(
        "queued.max.request.bytes",
        Kind::Long,
        BYTES,
        at!(max_queued_bytes, size, text),
        "Memory of all requests that are being read or answered; further requests wait. At least socket.request.max.bytes.",
    ),
    Setting::new(
        "queued.max.requests",
        Kind::Int,
        NUMBER,
        at!(max_queued_requests, size, text),
        "Requests that wait for a thread; who comes then waits.",
    ),
    Setting::new(
        "request.slice.items",
        Kind::Int,
        NUMBER,
        at!(slice_items, size, text),
        "Partitions, groups or resources that a request works on before others have their turn. (Not a setting of Kafka's.)",
    ),
    Setting::new(
        "request.slice.bytes",
        Kind::Int,
        BYTES,
        at!(slice_bytes, size, text),
        "Bytes of records that a request decompresses or checks before others have their turn. (Not a setting of Kafka's.)",
    ),
    Setting::new(
        "decompression.memory.bytes",
        Kind::Long,
        BYTES,
        at!(decompression_memory, size, text),
        "Memory of all requests together for the output of decompression; a batch that needs more than a slice waits for it. (Not a setting of Kafka's.)",
    ),
    Setting::new(
        "num.io.threads",
        Kind::Int,
        THREADS,
        at!(io_threads, threads, text),
        "Threads that answer requests.",
    )
    .dynamic(),
    Setting::new(
        "num.network.threads",
        Kind::Int,
        THREADS,
        at!(network_threads, threads, text),
        "Threads that read and write sockets. One that is taken away serves the connections it has until they end.",
    )
    .dynamic(),
    Setting::new(
        "num.recovery.threads.per.data.dir",
        Kind::Int,
        THREADS,
        at!(recovery_threads, threads, text),
        "Threads that open and recover the logs of a folder.",
    )
    .dynamic(),
    Setting::new(
        "max.connections",
        Kind::Int,
        NUMBER,
        at!(max_connections, size, text),
        "Connections at a time; those above are closed at once.",
    )
    .dynamic(),
    Setting::new(
        "max.connections.per.ip",
        Kind::Int,
        NUMBER,
        at!(max_connections_per_ip, size, text),
        "Connections of one address at a time; those above are closed at once.",
    )
    .dynamic(),
    Setting::new(
        "connections.max.idle.ms",
        Kind::Long,
        MILLIS,
        at!(max_idle, millis, in_millis),
        "Silence after which a connection is closed.",
    ),
    Setting::new(
        "fetch.max.bytes",
        Kind::Int,
        BYTES,
        at!(max_fetch_bytes, size, text),
        "Bytes of a fetch's answer; a first batch is whole even if it has more.",
    ),
    Setting::new(
        "max.incremental.fetch.session.cache.slots",
        Kind::Int,
        "a number from 0 to 1,000,000",
        at!(max_fetch_sessions, sessions, text),
        "Fetch sessions that are kept; who gets none names its partitions each time.",
    ),
    Setting::new(
        "max.incremental.fetch.session.cache.partitions",
        Kind::Int,
        "a number, at least 1",
        at!(max_fetch_session_partitions, size, text),
        "Partitions of all fetch sessions together; a session that does not fit ends, and its client names its partitions each time. (Not a setting of Kafka's.)",
    ),
    Setting::new(
        "message.max.bytes",
        Kind::Int,
        BYTES,
        at!(topic.log.max_message_bytes, unsigned, text),
        "The largest batch that is taken, in bytes, as it comes (compressed).",
    )
    .dynamic(),
    Setting::new(
        "message.max.decompressed.bytes",
        Kind::Int,
        BYTES,
        at!(topic.log.max_decompressed_bytes, size, text),
        "The most bytes of a batch's records after decompression; a larger batch is refused with MESSAGE_TOO_LARGE. (Not a setting of Kafka's.)",
    ),
    Setting::new(
        "compression.type",
        Kind::String,
        CODEC,
        at!(topic.compression, codec, codec_name),
        "Codec that batches are stored with; `producer` keeps each as it came.",
    )
    .dynamic(),
    Setting::new(
        "compression.gzip.level",
        Kind::Int,
        GZIP_LEVEL,
        at!(topic.levels.gzip, gzip_level, text),
        "Level of gzip where `compression.type` is gzip and the producer's codec is another.",
    )
    .dynamic(),
    Setting::new(
        "compression.lz4.level",
        Kind::Int,
        LZ4_LEVEL,
        at!(topic.levels.lz4, lz4_level, text),
        "Level of lz4. This broker's lz4 has one level: no effect.",
    )
    .dynamic(),
    Setting::new(
        "compression.zstd.level",
        Kind::Int,
        ZSTD_LEVEL,
        at!(topic.levels.zstd, zstd_level, text),
        "Level of zstd where `compression.type` is zstd and the producer's codec is another.",
    )
    .dynamic(),
    Setting::new(
        "log.local.retention.bytes",
        Kind::Long,
        AS_WHOLE,
        (|_, v| neutral("-2", v), |_| "-2".to_owned()),
        "Bytes of a partition that stay here when older ones are in tiered storage.",
    )
    .dynamic(),
    Setting::new(
        "log.local.retention.ms",
        Kind::Long,
        AS_WHOLE,
        (|_, v| neutral("-2", v), |_| "-2".to_owned()),
        "Age of records that stay here when older ones are in tiered storage.",
    )
    .dynamic(),
    Setting::new(
        "min.insync.replicas",
        Kind::Int,
        NUMBER,
        at!(topic.min_insync_replicas, at_least_one, text),
        "Replicas that must have a batch before acks=all is answered.",
    )
    .dynamic(),
    Setting::new(
        "unclean.leader.election.enable",
        Kind::Boolean,
        SWITCH,
        at!(topic.unclean_leader_election, switch, text),
        "Whether a replica that lacks records may lead. There is one replica: no effect yet.",
    )
    .dynamic(),
    Setting::new(
        "log.message.timestamp.type",
        Kind::String,
        TIME,
        at!(topic.timestamp_type, timestamp_type, timestamp_type_name),
        "Whether records bear the time of their creation or that of the append.",
    )
    .dynamic(),
    Setting::new(
        "log.message.timestamp.before.max.ms",
        Kind::Long,
        AGE,
        at!(topic.timestamp_before_max, bounded_millis, millis_or_unbounded),
        "How far behind the broker's clock the time of a record may be.",
    )
    .dynamic(),
    Setting::new(
        "log.message.timestamp.after.max.ms",
        Kind::Long,
        AGE,
        at!(topic.timestamp_after_max, bounded_millis, millis_or_unbounded),
        "How far ahead of the broker's clock the time of a record may be.",
    )
    .dynamic(),
    Setting::new(
        "log.segment.bytes",
        Kind::Int,
        SEGMENT,
        at!(topic.log.segment_bytes, segment, text),
        "Bytes after which a new segment is begun.",
    )
    .dynamic(),
    Setting::new(
        "log.roll.hours",
        Kind::Int,
        NUMBER,
        at!(topic.log.segment_time, hours, in_hours),
        "Age after which a segment is closed even if it is not full, in hours.",
    ),
    Setting::new(
        "log.roll.jitter.hours",
        Kind::Int,
        "a number of hours",
        at!(topic.log.segment_jitter, jitter_hours, in_hours),
        "The most that a segment is closed before its age. `log.roll.jitter.ms` wins.",
    ),
    Setting::new(
        "log.roll.jitter.ms",
        Kind::Long,
        AGE,
        at!(topic.log.segment_jitter, age, in_millis),
        "The most that a segment is closed before its age, so that not all logs begin new segments together.",
    )
    .dynamic(),
    Setting::new(
        "log.roll.ms",
        Kind::Long,
        MILLIS,
        at!(topic.log.segment_time, millis, in_millis),
        "Age after which a segment is closed even if it is not full.",
    )
    .dynamic(),
    Setting::new(
        "log.index.size.max.bytes",
        Kind::Int,
        BYTES,
        at!(topic.log.segment_index_bytes, unsigned, text),
        "Bytes of an index after which a new segment is begun.",
    )
    .dynamic(),
    Setting::new(
        "log.index.interval.bytes",
        Kind::Int,
        BYTES,
        at!(topic.log.index_interval_bytes, unsigned, text),
        "Bytes of records between two entries of the offset index.",
    )
    .dynamic(),
    Setting::new(
        "log.preallocate",
        Kind::Boolean,
        SWITCH,
        at!(topic.log.preallocate, preallocation, is_some),
        "Whether segment files are filled with zeros ahead of the records.",
    )
    .dynamic(),
    Setting::new(
        "log.retention.hours",
        Kind::Int,
        OR_NONE,
        at!(topic.log.retention_time, or_none(hours), hours_or_none),
        "Age after which segments are deleted, in hours; -1 for never.",
    ),
    Setting::new(
        "log.retention.minutes",
        Kind::Int,
        OR_NONE,
        at!(topic.log.retention_time, or_none(minutes), minutes_or_none),
        "Age after which segments are deleted, in minutes; -1 for never.",
    ),
    Setting::new(
        "log.retention.ms",
        Kind::Long,
        OR_NONE,
        at!(topic.log.retention_time, or_none(age), millis_or_none),
        "Age after which segments are deleted; -1 for never.",
    )
    .dynamic(),
    Setting::new(
        "log.retention.bytes",
        Kind::Long,
        OR_NONE,
        at!(topic.log.retention_bytes, or_none(count), text_or_none),
        "Bytes that a partition may have before its oldest segments are deleted; -1 for any number.",
    )
    .dynamic(),
    Setting::new(
        "log.retention.check.interval.ms",
        Kind::Long,
        MILLIS,
        at!(retention_interval, millis, in_millis),
        "How often retention is looked at.",
    ),
    Setting::new(
        "log.segment.delete.delay.ms",
        Kind::Long,
        AGE,
        at!(topic.log.file_delete_delay, age, in_millis),
        "Time between taking a segment out of the log and removing its files.",
    )
    .dynamic(),
    Setting::new(
        "log.cleanup.policy",
        Kind::List,
        POLICY,
        at!(topic.log.cleanup_policy, policy, policy_name),
        "What becomes of old records: deleted by age and size, or compacted.",
    )
    .dynamic(),
    Setting::new(
        "log.cleaner.min.cleanable.ratio",
        Kind::Double,
        RATIO,
        at!(topic.log.min_cleanable_dirty_ratio, ratio, text),
        "The uncleaned part of a compacted log above which it is cleaned.",
    )
    .dynamic(),
    Setting::new(
        "log.cleaner.min.compaction.lag.ms",
        Kind::Long,
        AGE,
        at!(topic.log.min_compaction_lag, age, in_millis),
        "Age that a record of a compacted topic has at least before it can be cleaned away.",
    )
    .dynamic(),
    Setting::new(
        "log.cleaner.max.compaction.lag.ms",
        Kind::Long,
        MILLIS,
        at!(topic.log.max_compaction_lag, bounded_millis, millis_or_unbounded),
        "Age after which a record of a compacted topic is cleaned, however little is dirty.",
    )
    .dynamic(),
    Setting::new(
        "log.cleaner.delete.retention.ms",
        Kind::Long,
        AGE,
        at!(topic.log.delete_retention, age, in_millis),
        "How long tombstones stay in a compacted topic after they were first cleaned.",
    )
    .dynamic(),
    Setting::new(
        "log.cleaner.threads",
        Kind::Int,
        "a number from 0 to 1,024",
        at!(cleaner.threads, cleaner_threads, text),
        "Compacted logs that are cleaned at a time in each directory; 0 is none.",
    )
    .dynamic(),
    // After the one that it overrules.
    Setting::new(
        "log.cleaner.enable",
        Kind::Boolean,
        SWITCH,
        (enable_cleaner, |c| (c.cleaner.threads > 0).to_string()),
        "Whether compacted logs are cleaned; false is the same as no threads for it.",
    ),
    Setting::new(
        "log.cleaner.dedupe.buffer.size",
        Kind::Long,
        SEGMENT,
        at!(cleaner.dedupe_buffer_bytes, dedupe_buffer, text),
        "Memory of the map of keys while a log is cleaned.",
    )
    .dynamic(),
    Setting::new(
        "log.cleaner.io.buffer.load.factor",
        Kind::Double,
        "a number above 0, at most 1",
        at!(cleaner.load_factor, load_factor, text),
        "The part of that map that is filled at most.",
    )
    .dynamic(),
    Setting::new(
        "log.cleaner.io.buffer.size",
        Kind::Int,
        BYTES,
        at!(cleaner.io_buffer_bytes, size, text),
        "Bytes that the cleaner reads and writes at a time.",
    )
    .dynamic(),
    Setting::new(
        "log.cleaner.io.max.bytes.per.second",
        Kind::Double,
        "a number of bytes, at least 1",
        at!(cleaner.max_bytes_per_second, rate, rate_text),
        "Bytes that the cleaner reads and writes a second.",
    )
    .dynamic(),
    Setting::new(
        "log.cleaner.backoff.ms",
        Kind::Long,
        MILLIS,
        at!(cleaner.backoff, millis, in_millis),
        "How long the cleaner waits when there was nothing to clean.",
    )
    .dynamic(),
    Setting::new(
        "log.max.open.files",
        Kind::Int,
        NUMBER,
        at!(max_open_files, size, text),
        "Log files that stay open in each directory. Files that are in use may be twice as many. (Not a setting of Kafka, which keeps all files open.)",
    ),
    Setting::new(
        "log.cut.max.bytes",
        Kind::Long,
        "a number of bytes, at least 1",
        at!(topic.log.max_cut_bytes, count, text),
        "Bytes of the .cut files of a partition, which keep valid batches that were cut off. (Not a setting of Kafka's.)",
    ),
    Setting::new(
        "group.min.session.timeout.ms",
        Kind::Int,
        MILLIS,
        at!(groups.min_session_timeout, millis, in_millis),
        "The least session timeout that a member of a group may ask for.",
    ),
    Setting::new(
        "group.max.session.timeout.ms",
        Kind::Int,
        MILLIS,
        at!(groups.max_session_timeout, millis, in_millis),
        "The greatest session timeout that a member of a group may ask for.",
    ),
    Setting::new(
        "group.initial.rebalance.delay.ms",
        Kind::Int,
        AGE,
        at!(groups.initial_rebalance_delay, age, in_millis),
        "For how long an empty group waits for more members once one has come.",
    ),
    Setting::new("group.max.size", Kind::Int, NUMBER, at!(groups.max_size, size, text), "The most members of a group."),
    Setting::new(
        "group.member.max.bytes",
        Kind::Int,
        NUMBER,
        at!(groups.max_member_bytes, size, text),
        "The most bytes of the metadata of one member of a group. (Not a setting of Kafka's.)",
    ),
    Setting::new(
        "group.max.bytes",
        Kind::Int,
        NUMBER,
        at!(groups.max_bytes, size, text),
        "The most bytes of the metadata of all members of a classic group, and of their assignments. (Not a setting of Kafka's.)",
    ),
    Setting::new(
        "group.max.pending.members",
        Kind::Int,
        NUMBER,
        at!(groups.max_pending, size, text),
        "The most members of a classic group that were given an id and have not joined with it. (Not a setting of Kafka's.)",
    ),
    Setting::new(
        "producer.id.max.count",
        Kind::Int,
        NUMBER,
        at!(topic.log.max_producer_ids, size, text),
        "The most idempotent producers that a partition remembers. (Not a setting of Kafka's.)",
    ),
    Setting::new(
        "group.consumer.session.timeout.ms",
        Kind::Int,
        MILLIS,
        at!(groups.consumer.times.session_timeout, int_millis, in_millis),
        SESSION_TIMEOUT,
    ),
    Setting::new(
        "group.consumer.min.session.timeout.ms",
        Kind::Int,
        MILLIS,
        at!(consumer_bounds.least.session_timeout, int_millis, in_millis),
        "The least group.consumer.session.timeout.ms, and consumer.session.timeout.ms of a group.",
    ),
    Setting::new(
        "group.consumer.max.session.timeout.ms",
        Kind::Int,
        MILLIS,
        at!(consumer_bounds.most.session_timeout, int_millis, in_millis),
        "The greatest group.consumer.session.timeout.ms, and consumer.session.timeout.ms of a group.",
    ),
    Setting::new(
        "group.consumer.heartbeat.interval.ms",
        Kind::Int,
        MILLIS,
        at!(groups.consumer.times.heartbeat_interval, int_millis, in_millis),
        HEARTBEAT_INTERVAL,
    ),
    Setting::new(
        "group.consumer.min.heartbeat.interval.ms",
        Kind::Int,
        MILLIS,
        at!(consumer_bounds.least.heartbeat_interval, int_millis, in_millis),
        "The least group.consumer.heartbeat.interval.ms, and consumer.heartbeat.interval.ms of a group.",
    ),
    Setting::new(
        "group.consumer.max.heartbeat.interval.ms",
        Kind::Int,
        MILLIS,
        at!(consumer_bounds.most.heartbeat_interval, int_millis, in_millis),
        "The greatest group.consumer.heartbeat.interval.ms, and consumer.heartbeat.interval.ms of a group.",
    ),
    Setting::new(
        "group.consumer.assignment.interval.ms",
        Kind::Int,
        AGE,
        at!(groups.consumer.times.assignment_interval, int_age, in_millis),
        ASSIGNMENT_INTERVAL,
    )
    .dynamic(),
    Setting::new(
        "group.consumer.min.assignment.interval.ms",
        Kind::Int,
        AGE,
        at!(consumer_bounds.least.assignment_interval, int_age, in_millis),
        "The least group.consumer.assignment.interval.ms, and consumer.assignment.interval.ms of a group.",
    ),
    Setting::new(
        "group.consumer.max.assignment.interval.ms",
        Kind::Int,
        AGE,
        at!(consumer_bounds.most.assignment_interval, int_age, in_millis),
        "The greatest group.consumer.assignment.interval.ms, and consumer.assignment.interval.ms of a group.",
    ),
    Setting::new(
        "group.consumer.max.size",
        Kind::Int,
        NUMBER,
        at!(groups.consumer.max_size, size, text),
        "The most members of a group that the broker assigns.",
    ),
    Setting::new(
        "group.consumer.assignors",
        Kind::List,
        "uniform, range, or both with a comma between them",
        at!(groups.consumer.assignors, assignors, assignor_names),
        "By what the broker assigns; the first where members do not say.",
    ),
    Setting::new(
        "group.consumer.migration.policy",
        Kind::String,
        "bidirectional, upgrade, downgrade or disabled",
        at!(groups.consumer.migration, MigrationPolicy::named, migration_name),
        "Which way groups that have members may change between the classic protocol and the newer one.",
    ),
    Setting::new(
        "offset.metadata.max.bytes",
        Kind::Int,
        BYTES,
        at!(groups.offset_metadata_max_bytes, size, text),
        "Bytes of the words that a group may put beside an offset.",
    ),
    Setting::new(
        "offsets.retention.minutes",
        Kind::Int,
        NUMBER,
        at!(groups.offsets_retention, minutes, in_minutes),
        "For how long the offsets of a group are kept that has no members any more, in minutes.",
    ),
    Setting::new(
        "offsets.retention.check.interval.ms",
        Kind::Long,
        MILLIS,
        at!(groups.offsets_retention_check_interval, millis, in_millis),
        "How often it is looked for offsets that have expired.",
    ),
    Setting::new(
        "group.coordinator.rebalance.protocols",
        Kind::List,
        "a list of classic, which must be there, and consumer; share and streams have no effect",
        at!(rebalance_protocols, protocols, text),
        "The protocols that groups may use.",
    ),
    Setting::new(
        "offsets.topic.num.partitions",
        Kind::Int,
        "a number from 1 to 10,000",
        at!(offsets_partitions, partitions, text),
        "Partitions of __consumer_offsets when it is made.",
    ),
    Setting::new(
        "offsets.topic.segment.bytes",
        Kind::Int,
        SEGMENT,
        at!(offsets_segment_bytes, segment, text),
        "Bytes of the segments of __consumer_offsets when it is made.",
    ),
    Setting::new(
        "offsets.topic.replication.factor",
        Kind::Int,
        "1, for there is one broker",
        (|_, v| (v == "1").then_some(()), |_| "1".to_owned()),
        "Replicas of __consumer_offsets.",
    ),
    Setting::new(
        "transaction.state.log.num.partitions",
        Kind::Int,
        "a number from 1 to 10,000",
        at!(transaction_topic.partitions, partitions, text),
        "Partitions of __transaction_state when it is created.",
    ),
    Setting::new(
        "transaction.state.log.segment.bytes",
        Kind::Int,
        SEGMENT,
        at!(transaction_topic.segment_bytes, segment, text),
        "Bytes of the segments of __transaction_state when it is created.",
    ),
    Setting::new(
        "share.coordinator.state.topic.num.partitions",
        Kind::Int,
        "a number from 1 to 10,000",
        at!(share_topic.partitions, partitions, text),
        "Partitions of __share_group_state when it is created.",
    ),
    Setting::new(
        "share.coordinator.state.topic.segment.bytes",
        Kind::Int,
        SEGMENT,
        at!(share_topic.segment_bytes, segment, text),
        "Bytes of the segments of __share_group_state when it is created.",
    ),
    Setting::new(
        "log.flush.interval.messages",
        Kind::Long,
        COUNT,
        at!(topic.log.flush_messages, bounded_count, count_or_unbounded),
        "Records after which a log is synced to the disk.",
    )
    .dynamic(),
    Setting::new(
        "log.flush.interval.ms",
        Kind::Long,
        AGE,
        at!(topic.log.flush_time, bounded_millis, millis_or_unbounded),
        "Time after which what was appended is synced to the disk.",
    )
    .dynamic(),
    Setting::new(
        "log.flush.offset.checkpoint.interval.ms",
        Kind::Int,
        MILLIS,
        at!(checkpoint_interval, millis, in_millis),
        "How often it is noted up to where logs are synced.",
    ),
];

fn protocols(value: &str) -> Option<RebalanceProtocols> {
    value.parse().ok()
}

fn id(value: &str) -> Option<i32> {
    number(value, 0)
}

fn at_least_one(value: &str) -> Option<i32> {
    number(value, 1)
}

fn partitions(value: &str) -> Option<i32> {
    number(value, 1).filter(|n| *n <= 10_000)
}

fn sessions(value: &str) -> Option<usize> {
    value.parse().ok().filter(|n| *n <= 1_000_000)
}

fn threads(value: &str) -> Option<usize> {
    size(value).filter(|n| *n <= MOST_THREADS)
}

fn rate(value: &str) -> Option<Option<u64>> {
    if value == ANY_RATE {
        return Some(None);
    }
    let bytes = value.parse::<f64>().ok().filter(|rate| (1.0..=LARGEST_RATE).contains(rate))?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Some(Some(bytes as u64))
}

fn cleaner_threads(value: &str) -> Option<usize> {
    value.parse().ok().filter(|n| *n <= MOST_THREADS)
}

fn enable_cleaner(config: &mut BrokerConfig, value: &str) -> Option<()> {
    if !switch(value)? {
        config.cleaner.threads = 0;
    }
    Some(())
}

/// With less the cleaner writes a log anew for a few keys at a time.
fn dedupe_buffer(value: &str) -> Option<usize> {
    size(value).filter(|bytes| *bytes >= 1 << 20)
}

fn load_factor(value: &str) -> Option<f64> {
    ratio(value).filter(|factor| *factor > 0.0)
}

fn rate_text(rate: &Option<u64>) -> String {
    rate.map_or_else(|| ANY_RATE.to_owned(), |rate| rate.to_string())
}

fn roles(_: &mut BrokerConfig, value: &str) -> Option<()> {
    let roles: Vec<&str> = value.split(',').map(str::trim).collect();
    let are_known = roles.iter().all(|role| matches!(*role, "broker" | "controller"));
    (are_known && roles.contains(&"broker")).then_some(())
}

fn assignors(value: &str) -> Option<Assignors> {
    Assignors::named(value.split(',').map(str::trim))
}

fn assignor_names(assignors: &Assignors) -> String {
    assignors.names().join(",")
}

fn migration_name(policy: &MigrationPolicy) -> String {
    policy.name().to_owned()
}

fn folders(value: &str) -> Option<Vec<std::path::PathBuf>> {
    let folders: Vec<_> = value.split(',').map(str::trim).map(Into::into).collect();
    let is_clean = folders.iter().all(|folder: &std::path::PathBuf| !folder.as_os_str().is_empty());
    is_clean.then_some(folders)
}

fn folder_names(folders: &[std::path::PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(",")
}

fn seconds(value: &str, each: u64) -> Option<Duration> {
    value.parse::<u64>().ok().filter(|n| *n > 0)?.checked_mul(each).map(Duration::from_secs)
}

fn hours(value: &str) -> Option<Duration> {
    seconds(value, 3600)
}

/// Unlike [`hours`], none is a value.
fn jitter_hours(value: &str) -> Option<Duration> {
    number(value, 0)?.try_into().ok().and_then(|hours: u64| hours.checked_mul(3600)).map(Duration::from_secs)
}

fn minutes(value: &str) -> Option<Duration> {
    seconds(value, 60)
}

fn in_hours(time: &Duration) -> String {
    (time.as_secs() / 3600).to_string()
}

fn in_minutes(time: &Duration) -> String {
    (time.as_secs() / 60).to_string()
}

fn hours_or_none(time: &Option<Duration>) -> String {
    time.as_ref().map_or_else(|| "-1".to_owned(), in_hours)
}

fn minutes_or_none(time: &Option<Duration>) -> String {
    time.as_ref().map_or_else(|| "-1".to_owned(), in_minutes)
}

/// Of each kind.
pub(crate) const MOST_THREADS: usize = 1024;
/// Bytes a second that are bound enough.
const LARGEST_RATE: f64 = 1e18;
/// Kafka's default of a rate that has no bound.
const ANY_RATE: &str = "1.7976931348623157E308";

pub(super) const SESSION_TIMEOUT: &str =
    "Silence after which a member is taken for dead whose group the broker assigns.";
pub(super) const HEARTBEAT_INTERVAL: &str = "How often members are to come whose group the broker assigns.";
pub(super) const ASSIGNMENT_INTERVAL: &str =
    "The broker does not assign the partitions of a group anew more often than this.";
