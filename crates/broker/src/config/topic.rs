//! A topic's settings: the broker's, and over them its own.

use std::collections::BTreeMap;
use std::time::Duration;

use klamm_log::{Compression, LogConfig};
use klamm_record::TimestampType;

use super::row::{
    AGE, AS_WHOLE, BYTES, CODEC, COUNT, GZIP_LEVEL, Kind, LZ4_LEVEL, MILLIS, NOT_TIERED, NUMBER, OR_NONE,
    POLICY, RATIO, Row, SEGMENT, SWITCH, THROTTLED, TIME, WrongSetting, ZSTD_LEVEL, age, at, bounded_count,
    bounded_millis, codec, codec_name, count, count_or_unbounded, gzip_level, in_millis, is_some, lz4_level,
    millis, millis_or_none, millis_or_unbounded, neutral, number, or_none, policy, policy_name,
    preallocation, put, ratio, segment, set_all, switch, text, text_or_none, throttled_replicas,
    timestamp_type, timestamp_type_name, unsigned, zstd_level,
};

/// How a topic behaves. Each field names Kafka's topic property and its default.
#[derive(Clone, PartialEq, Debug)]
pub struct TopicConfig {
    /// Its logs; Kafka's defaults, retention of 7 days among them.
    pub log: LogConfig,
    /// Codec of its batches; the producer's (`compression.type`).
    pub compression: BatchCompression,
    /// Whose time a record bears; the producer's (`message.timestamp.type`).
    pub timestamp_type: TimestampType,
    /// How far in the past a record's time may lie; any (`message.timestamp.before.max.ms`).
    pub timestamp_before_max: Option<Duration>,
    /// How far in the future a record's time may lie; one hour (`message.timestamp.after.max.ms`).
    pub timestamp_after_max: Option<Duration>,
    /// Replicas that must have what a producer with `acks=all` sends; 1. There is one: a higher
    /// number refuses such producers (`min.insync.replicas`).
    pub min_insync_replicas: i32,
    /// Whether a replica that lacks records may lead; no. There is one replica, so that it has no
    /// effect yet (`unclean.leader.election.enable`).
    pub unclean_leader_election: bool,
    /// Levels of the codecs with which batches are compressed again (`compression.gzip.level` and
    /// so on).
    pub levels: CompressionLevels,
    /// Replicas of leaders whose replication is limited; none. There is no replication, so that it
    /// has no effect yet (`leader.replication.throttled.replicas`).
    pub leader_throttled_replicas: String,
    /// Replicas of followers whose replication is limited; none
    /// (`follower.replication.throttled.replicas`).
    pub follower_throttled_replicas: String,
}

/// Levels of codecs, which count where a topic's codec is not its producer's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CompressionLevels {
    /// 1 to 9; -1 is the codec's own (`compression.gzip.level`).
    pub gzip: i32,
    /// 1 to 17; 9. This broker's codec has one level, so that it has no effect
    /// (`compression.lz4.level`).
    pub lz4: i32,
    /// -131,072 to 22; 3 (`compression.zstd.level`).
    pub zstd: i32,
}

impl Default for CompressionLevels {
    fn default() -> CompressionLevels {
        CompressionLevels { gzip: -1, lz4: 9, zstd: 3 }
    }
}

impl CompressionLevels {
    /// The level for `codec`; `None` for the codec's own.
    pub(crate) fn of(&self, codec: Compression) -> Option<i32> {
        match codec {
            Compression::Gzip => Some(self.gzip).filter(|level| *level > 0),
            Compression::Zstd => Some(self.zstd),
            Compression::None | Compression::Snappy | Compression::Lz4 => None,
        }
    }
}

/// The codec that a topic's batches are stored with (`compression.type`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BatchCompression {
    /// That of the producer: batches are stored as they come.
    #[default]
    Producer,
    /// This one: a batch with another is compressed again.
    Codec(Compression),
}

impl Default for TopicConfig {
    fn default() -> TopicConfig {
        let retention_time = Some(Duration::from_secs(7 * 24 * 3600));
        TopicConfig {
            log: LogConfig { retention_time, ..LogConfig::default() },
            compression: BatchCompression::Producer,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max: None,
            timestamp_after_max: Some(Duration::from_secs(3600)),
            min_insync_replicas: 1,
            unclean_leader_election: false,
            levels: CompressionLevels::default(),
            leader_throttled_replicas: String::new(),
            follower_throttled_replicas: String::new(),
        }
    }
}

impl TopicConfig {
    /// All settings that a topic can have.
    pub(crate) const TABLE: &[Setting] = TABLE;

    /// The settings with a topic's own over them.
    pub(crate) fn with(&self, own: &BTreeMap<String, String>) -> Result<TopicConfig, WrongSetting> {
        let mut config = self.clone();
        set_all(&mut config, own, TABLE)?;
        config.log.validate().map_err(WrongSetting::from)?;
        Ok(config)
    }

    pub(crate) fn row(key: &str) -> Option<&'static Row<TopicConfig>> {
        TABLE.iter().find(|row| row.key == key)
    }
}

type Setting = Row<TopicConfig>;

const TABLE: &[Setting] = &[
    Setting::new(
        "cleanup.policy",
        Kind::List,
        POLICY,
        at!(log.cleanup_policy, policy, policy_name),
        "What becomes of old records: deleted by age and size, or compacted, so that of each key the last one stays.",
    )
    .inherits(&["log.cleanup.policy"]),
    Setting::new(
        "compression.gzip.level",
        Kind::Int,
        GZIP_LEVEL,
        at!(levels.gzip, gzip_level, text),
        "Level of gzip where `compression.type` is gzip and the producer's codec is another.",
    )
    .inherits(&["compression.gzip.level"]),
    Setting::new(
        "compression.lz4.level",
        Kind::Int,
        LZ4_LEVEL,
        at!(levels.lz4, lz4_level, text),
        "Level of lz4. This broker's lz4 has one level: no effect.",
    )
    .inherits(&["compression.lz4.level"]),
    Setting::new(
        "compression.type",
        Kind::String,
        CODEC,
        at!(compression, codec, codec_name),
        "Codec that batches are stored with; `producer` keeps each as it came.",
    )
    .inherits(&["compression.type"]),
    Setting::new(
        "compression.zstd.level",
        Kind::Int,
        ZSTD_LEVEL,
        at!(levels.zstd, zstd_level, text),
        "Level of zstd where `compression.type` is zstd and the producer's codec is another.",
    )
    .inherits(&["compression.zstd.level"]),
    Setting::new(
        "delete.retention.ms",
        Kind::Long,
        AGE,
        at!(log.delete_retention, age, in_millis),
        "How long tombstones stay in a compacted topic after they were first cleaned.",
    )
    .inherits(&["log.cleaner.delete.retention.ms"]),
    Setting::new(
        "file.delete.delay.ms",
        Kind::Long,
        AGE,
        at!(log.file_delete_delay, age, in_millis),
        "Time between taking a segment out of the log and removing its files.",
    )
    .inherits(&["log.segment.delete.delay.ms"]),
    Setting::new(
        "flush.messages",
        Kind::Long,
        COUNT,
        at!(log.flush_messages, bounded_count, count_or_unbounded),
        "Records after which the log is synced to the disk.",
    )
    .inherits(&["log.flush.interval.messages"]),
    Setting::new(
        "flush.ms",
        Kind::Long,
        AGE,
        at!(log.flush_time, bounded_millis, millis_or_unbounded),
        "Time after which what was appended is synced to the disk.",
    )
    .inherits(&["log.flush.interval.ms"]),
    Setting::new(
        "follower.replication.throttled.replicas",
        Kind::List,
        THROTTLED,
        at!(follower_throttled_replicas, throttled_replicas, String::clone),
        "Replicas of followers whose replication is limited. There is one replica: no effect yet.",
    ),
    Setting::new(
        "index.interval.bytes",
        Kind::Int,
        BYTES,
        at!(log.index_interval_bytes, unsigned, text),
        "Bytes of records between two entries of the offset index.",
    )
    .inherits(&["log.index.interval.bytes"]),
    Setting::new(
        "leader.replication.throttled.replicas",
        Kind::List,
        THROTTLED,
        at!(leader_throttled_replicas, throttled_replicas, String::clone),
        "Replicas of leaders whose replication is limited. There is one replica: no effect yet.",
    ),
    Setting::new(
        "local.retention.bytes",
        Kind::Long,
        AS_WHOLE,
        (|_, v| neutral("-2", v), |_| "-2".to_owned()),
        "Bytes of a partition that stay here when older ones are in tiered storage.",
    )
    .inherits(&["log.local.retention.bytes"]),
    Setting::new(
        "local.retention.ms",
        Kind::Long,
        AS_WHOLE,
        (|_, v| neutral("-2", v), |_| "-2".to_owned()),
        "Age of records that stay here when older ones are in tiered storage.",
    )
    .inherits(&["log.local.retention.ms"]),
    Setting::new(
        "max.compaction.lag.ms",
        Kind::Long,
        MILLIS,
        at!(log.max_compaction_lag, bounded_lag, millis_or_unbounded),
        "Age after which a record of a compacted topic is cleaned, however little is dirty.",
    )
    .inherits(&["log.cleaner.max.compaction.lag.ms"]),
    Setting::new(
        "max.message.bytes",
        Kind::Int,
        BYTES,
        at!(log.max_message_bytes, unsigned, text),
        "The largest batch that is taken, in bytes, as it comes (compressed).",
    )
    .inherits(&["message.max.bytes"]),
    Setting::new(
        "message.timestamp.after.max.ms",
        Kind::Long,
        AGE,
        at!(timestamp_after_max, bounded_millis, millis_or_unbounded),
        "How far ahead of the broker's clock the time of a record may be.",
    )
    .inherits(&["log.message.timestamp.after.max.ms"]),
    Setting::new(
        "message.timestamp.before.max.ms",
        Kind::Long,
        AGE,
        at!(timestamp_before_max, bounded_millis, millis_or_unbounded),
        "How far behind the broker's clock the time of a record may be.",
    )
    .inherits(&["log.message.timestamp.before.max.ms"]),
    Setting::new(
        "message.timestamp.type",
        Kind::String,
        TIME,
        at!(timestamp_type, timestamp_type, timestamp_type_name),
        "Whether records bear the time of their creation or that of the append.",
    )
    .inherits(&["log.message.timestamp.type"]),
    Setting::new(
        "min.cleanable.dirty.ratio",
        Kind::Double,
        RATIO,
        at!(log.min_cleanable_dirty_ratio, ratio, text),
        "The uncleaned part of a compacted log above which it is cleaned.",
    )
    .inherits(&["log.cleaner.min.cleanable.ratio"]),
    Setting::new(
        "min.compaction.lag.ms",
        Kind::Long,
        AGE,
        at!(log.min_compaction_lag, age, in_millis),
        "Age that a record of a compacted topic has at least before it can be cleaned away.",
    )
    .inherits(&["log.cleaner.min.compaction.lag.ms"]),
    Setting::new(
        "min.insync.replicas",
        Kind::Int,
        NUMBER,
        at!(min_insync_replicas, at_least_one, text),
        "Replicas that must have a batch before acks=all is answered; more than there are refuses such producers.",
    )
    .inherits(&["min.insync.replicas"]),
    Setting::new(
        "preallocate",
        Kind::Boolean,
        SWITCH,
        at!(log.preallocate, preallocation, is_some),
        "Whether segment files are filled with zeros ahead of the records.",
    )
    .inherits(&["log.preallocate"]),
    Setting::new(
        "remote.log.copy.disable",
        Kind::Boolean,
        NOT_TIERED,
        (|_, v| neutral("false", v), |_| "false".to_owned()),
        "Whether segments are no more copied to tiered storage.",
    ),
    Setting::new(
        "remote.log.delete.on.disable",
        Kind::Boolean,
        NOT_TIERED,
        (|_, v| neutral("false", v), |_| "false".to_owned()),
        "Whether segments in tiered storage are deleted when it is turned off.",
    ),
    Setting::new(
        "remote.storage.enable",
        Kind::Boolean,
        NOT_TIERED,
        (|_, v| neutral("false", v), |_| "false".to_owned()),
        "Whether old segments go to tiered storage.",
    ),
    Setting::new(
        "retention.bytes",
        Kind::Long,
        OR_NONE,
        at!(log.retention_bytes, or_none(count), text_or_none),
        "Bytes that a partition may have before its oldest segments are deleted; -1 for any number.",
    )
    .inherits(&["log.retention.bytes"]),
    Setting::new(
        "retention.ms",
        Kind::Long,
        OR_NONE,
        at!(log.retention_time, or_none(age), millis_or_none),
        "Age after which segments are deleted; -1 for never.",
    )
    .inherits(&["log.retention.ms", "log.retention.minutes", "log.retention.hours"]),
    Setting::new(
        "segment.bytes",
        Kind::Int,
        SEGMENT,
        at!(log.segment_bytes, segment, text),
        "Bytes after which a new segment is begun.",
    )
    .inherits(&["log.segment.bytes"]),
    // After the one that it overrules.
    Setting::new(
        "internal.segment.bytes",
        Kind::Int,
        BYTES,
        at!(log.segment_bytes, unsigned, text),
        "The same, as small as tests want it.",
    )
    .internal(),
    Setting::new(
        "segment.index.bytes",
        Kind::Int,
        BYTES,
        at!(log.segment_index_bytes, unsigned, text),
        "Bytes of an index after which a new segment is begun.",
    )
    .inherits(&["log.index.size.max.bytes"]),
    Setting::new(
        "segment.jitter.ms",
        Kind::Long,
        AGE,
        at!(log.segment_jitter, age, in_millis),
        "The most that a segment is closed before its age, so that not all logs begin new segments together.",
    )
    .inherits(&["log.roll.jitter.ms", "log.roll.jitter.hours"]),
    Setting::new(
        "segment.ms",
        Kind::Long,
        MILLIS,
        at!(log.segment_time, millis, in_millis),
        "Age after which a segment is closed even if it is not full.",
    )
    .inherits(&["log.roll.ms", "log.roll.hours"]),
    Setting::new(
        "unclean.leader.election.enable",
        Kind::Boolean,
        SWITCH,
        at!(unclean_leader_election, switch, text),
        "Whether a replica that lacks records may lead. There is one replica: no effect yet.",
    )
    .inherits(&["unclean.leader.election.enable"]),
];

fn at_least_one(value: &str) -> Option<i32> {
    number(value, 1)
}

fn bounded_lag(value: &str) -> Option<Option<Duration>> {
    bounded_millis(value).filter(|lag| *lag != Some(Duration::ZERO))
}
