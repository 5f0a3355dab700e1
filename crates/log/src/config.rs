//! The settings of a log.

use std::num::NonZeroU32;
use std::time::Duration;

use klamm_record::Compression;
use thiserror::Error;

/// How one log behaves. Each field names Kafka's topic property; where the default differs, it says
/// so.
#[derive(Clone, PartialEq, Debug)]
pub struct LogConfig {
    /// Bytes after which a new segment is begun; 1 GiB (`segment.bytes`).
    pub segment_bytes: u32,
    /// Age, counted from its first record, after which a segment is closed even if it is not full;
    /// 7 days (`segment.ms`).
    pub segment_time: Duration,
    /// The most that a segment is closed before [`segment_time`](LogConfig::segment_time), so that
    /// not all logs begin new segments at the same time; none (`segment.jitter.ms`).
    pub segment_jitter: Duration,
    /// Bytes of an index after which a new segment is begun; 10 MiB (`segment.index.bytes`).
    pub segment_index_bytes: u32,
    /// Bytes of batches between two index entries; 4,096 (`index.interval.bytes`).
    pub index_interval_bytes: u32,
    /// The most bytes of one batch; 1,048,588 (`max.message.bytes`).
    pub max_message_bytes: u32,
    /// Bytes of the active segment's file that are filled with zeros ahead of the records, at a
    /// time, at most 64 MiB; none. Where the file has its length and its blocks already, a sync
    /// writes the records alone, and durable appends are half as fast again; the zeros are written
    /// on top. They are cut off when the segment is closed. (`preallocate`, with which Kafka
    /// allocates whole segments.)
    pub preallocate: Option<NonZeroU32>,
    /// What becomes of old records; deletion (`cleanup.policy`).
    pub cleanup_policy: CleanupPolicy,
    /// The part of a compacted log that has been written since it was last cleaned, from 0 to 1,
    /// above which it is cleaned again; 0.5 (`min.cleanable.dirty.ratio`).
    pub min_cleanable_dirty_ratio: f64,
    /// Age that a record in a compacted log has at least before it is cleaned away; 0
    /// (`min.compaction.lag.ms`).
    pub min_compaction_lag: Duration,
    /// Age of a record after which a compacted log is cleaned whatever its dirty part, and its
    /// segment closed; none (`max.compaction.lag.ms`).
    pub max_compaction_lag: Option<Duration>,
    /// Time for which tombstones and transaction markers stay in a compacted log after they were
    /// first cleaned; one day (`delete.retention.ms`).
    pub delete_retention: Duration,
    /// Age after which segments are deleted; none here, 7 days in Kafka (`retention.ms`).
    pub retention_time: Option<Duration>,
    /// Bytes that the log may have before its oldest segments are deleted; none
    /// (`retention.bytes`).
    pub retention_bytes: Option<u64>,
    /// Time between taking a segment out of the log and removing its files; one minute
    /// (`file.delete.delay.ms`).
    pub file_delete_delay: Duration,
    /// Unsynced records at which an append syncs the log before it returns, whatever its
    /// [`Durability`](crate::Durability): 1 makes every append durable; none (`flush.messages`).
    pub flush_messages: Option<u64>,
    /// Time since the last sync after which what was appended is synced in the background; none
    /// (`flush.ms`). An append does not wait for it: a power loss can take the records of this time
    /// and of one round of maintenance, a second.
    pub flush_time: Option<Duration>,
    /// Silence after which an idempotent producer is forgotten; one day
    /// (`producer.id.expiration.ms`).
    pub producer_id_expiration: Duration,
    /// The most idempotent producers that the log remembers; 10,000. When there are more, those are
    /// forgotten whose last batches are the oldest: a batch that they send twice is stored twice.
    /// Kafka has no such bound (`producer.id.max.count`).
    pub max_producer_ids: usize,
    /// Codec of the batches that this crate builds ([`Log::append`](crate::Log::append),
    /// [`Writer`](crate::Writer)); none. Batches that come as bytes stay as they are.
    pub compression: Compression,
    /// The most bytes that a batch may have once decompressed when it is read or checked here; 64
    /// MiB. Kafka has no such bound.
    pub max_decompressed_bytes: usize,
    /// Bytes in files `<base offset>.cut` of a log, at most; 1 GiB. They keep valid batches that
    /// opening cut off behind damage; a log that would need more does not open.
    pub max_cut_bytes: u64,
}

/// What becomes of a log's old records (`cleanup.policy`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CleanupPolicy {
    /// Old segments are deleted by time and size.
    #[default]
    Delete,
    /// Of each key the last record stays. Every record has a key then.
    Compact,
    /// Both.
    CompactAndDelete,
    /// Neither: every record stays.
    Keep,
}

impl CleanupPolicy {
    /// Whether records give way to later ones with their key.
    #[must_use]
    pub fn compacts(self) -> bool {
        matches!(self, CleanupPolicy::Compact | CleanupPolicy::CompactAndDelete)
    }

    /// Whether segments are deleted by time and size.
    #[must_use]
    pub fn deletes(self) -> bool {
        matches!(self, CleanupPolicy::Delete | CleanupPolicy::CompactAndDelete)
    }
}

/// How the cleaner works that compacts the logs of a folder.
#[derive(Clone, PartialEq, Debug)]
pub struct CleanerConfig {
    /// Logs that [`Background`](crate::Background) cleans at a time, each with a part of the map
    /// and of the bytes per second; 1. With 0 it cleans none (`log.cleaner.threads`).
    pub threads: usize,
    /// The most bytes of the map that a cleaning notes keys in, 24 for each; where a log has more
    /// keys that are dirty, it is cleaned in several rounds. 128 MiB
    /// (`log.cleaner.dedupe.buffer.size`). It is taken only as far as a cleaning can need it.
    pub dedupe_buffer_bytes: usize,
    /// The part of the map that is filled at most; 0.9 (`log.cleaner.io.buffer.load.factor`).
    pub load_factor: f64,
    /// Bytes that are read and written at a time; 512 KiB (`log.cleaner.io.buffer.size`).
    pub io_buffer_bytes: usize,
    /// Bytes that [`Background`](crate::Background) reads and writes a second, at most; any
    /// (`log.cleaner.io.max.bytes.per.second`).
    pub max_bytes_per_second: Option<u64>,
    /// How long [`Background`](crate::Background) waits before it looks again, when no log was
    /// dirty enough; 15 seconds (`log.cleaner.backoff.ms`).
    pub backoff: Duration,
}

impl Default for CleanerConfig {
    fn default() -> CleanerConfig {
        CleanerConfig {
            threads: 1,
            dedupe_buffer_bytes: 128 << 20,
            load_factor: 0.9,
            io_buffer_bytes: 512 << 10,
            max_bytes_per_second: None,
            backoff: Duration::from_secs(15),
        }
    }
}

impl CleanerConfig {
    /// The part of one thread in what all threads share.
    pub(crate) fn of_one_thread(&self) -> CleanerConfig {
        let threads = self.threads.max(1);
        let rate = self.max_bytes_per_second.map(|rate| (rate / threads as u64).max(1));
        let dedupe_buffer_bytes = self.dedupe_buffer_bytes / threads;
        CleanerConfig { dedupe_buffer_bytes, max_bytes_per_second: rate, ..self.clone() }
    }

    /// Checks that the settings can work.
    ///
    /// # Errors
    /// [`ConfigError`] names the first that cannot.
    pub fn validate(&self) -> Result<(), ConfigError> {
        between_0_and_1("log.cleaner.io.buffer.load.factor", self.load_factor)?;
        let setting = "log.cleaner.io.max.bytes.per.second";
        match self.max_bytes_per_second {
            Some(0) => Err(ConfigError { setting, got: "0".into(), expected: "at least 1" }),
            _ => Ok(()),
        }
    }
}

/// A setting that cannot be.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{setting} is {got}, expected {expected}")]
pub struct ConfigError {
    /// Kafka's name of the setting.
    pub setting: &'static str,
    /// Its value.
    pub got: String,
    /// What it can be, in words.
    pub expected: &'static str,
}

impl Default for LogConfig {
    fn default() -> LogConfig {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_time: DAY * 7,
            segment_jitter: Duration::ZERO,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            max_message_bytes: (1 << 20) + 12,
            preallocate: None,
            cleanup_policy: CleanupPolicy::Delete,
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag: Duration::ZERO,
            max_compaction_lag: None,
            delete_retention: DAY,
            retention_time: None,
            retention_bytes: None,
            file_delete_delay: Duration::from_secs(60),
            flush_messages: None,
            flush_time: None,
            producer_id_expiration: DAY,
            max_producer_ids: 10_000,
            compression: Compression::None,
            max_decompressed_bytes: 64 << 20,
            max_cut_bytes: 1 << 30,
        }
    }
}

impl LogConfig {
    /// Checks that the settings can work.
    ///
    /// # Errors
    /// [`ConfigError`] names the first that cannot.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let most = i32::MAX.unsigned_abs();
        at_least("segment.bytes", self.segment_bytes, 1024, "1,024 to 2,147,483,647")?;
        at_most("segment.bytes", self.segment_bytes, most, "1,024 to 2,147,483,647")?;
        at_least("segment.index.bytes", self.segment_index_bytes, 24, "24 to 2,147,483,647")?;
        at_most("segment.index.bytes", self.segment_index_bytes, most, "24 to 2,147,483,647")?;
        at_most("index.interval.bytes", self.index_interval_bytes, most, "at most 2,147,483,647")?;
        at_least("max.message.bytes", self.max_message_bytes, 61, "at least 61, a batch's header")?;
        at_most("max.message.bytes", self.max_message_bytes, most, "at most 2,147,483,647")?;
        between_0_and_1("min.cleanable.dirty.ratio", self.min_cleanable_dirty_ratio)?;
        let ahead = self.preallocate.map_or(0, NonZeroU32::get);
        at_most("preallocate", ahead, 64 << 20, "at most 67,108,864 bytes at a time")?;
        match self.max_compaction_lag {
            Some(most) if most < self.min_compaction_lag => Err(ConfigError {
                setting: "max.compaction.lag.ms",
                got: most.as_millis().to_string(),
                expected: "at least min.compaction.lag.ms",
            }),
            _ => Ok(()),
        }
    }

    /// Age at which a segment is closed. The jitter follows from `seed`, which differs between
    /// segments.
    pub(crate) fn segment_age(&self, seed: u64) -> Duration {
        let lag = self.max_compaction_lag.filter(|_| self.cleanup_policy.compacts());
        let age = lag.map_or(self.segment_time, |lag| lag.min(self.segment_time));
        let most = u64::try_from(self.segment_jitter.min(age).as_millis()).unwrap_or(u64::MAX);
        age - Duration::from_millis(seed.checked_rem(most).unwrap_or(0))
    }
}

fn at_least(setting: &'static str, got: u32, least: u32, expected: &'static str) -> Result<(), ConfigError> {
    if got < least { Err(ConfigError { setting, got: got.to_string(), expected }) } else { Ok(()) }
}

fn at_most(setting: &'static str, got: u32, most: u32, expected: &'static str) -> Result<(), ConfigError> {
    if got > most { Err(ConfigError { setting, got: got.to_string(), expected }) } else { Ok(()) }
}

fn between_0_and_1(setting: &'static str, got: f64) -> Result<(), ConfigError> {
    let fits = (0.0..=1.0).contains(&got);
    if fits { Ok(()) } else { Err(ConfigError { setting, got: got.to_string(), expected: "0 to 1" }) }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_closes_a_segment_earlier_by_less_than_its_bound() {
        let hour = Duration::from_secs(3600);
        let config =
            |jitter| LogConfig { segment_time: hour, segment_jitter: jitter, ..LogConfig::default() };
        assert_eq!(config(Duration::ZERO).segment_age(7), hour);
        let ages: Vec<_> = (0..100).map(|seed| config(hour / 2).segment_age(seed * 7_919_317)).collect();
        assert!(ages.iter().all(|age| *age > hour / 2 && *age <= hour), "{ages:?}");
        assert!(ages.windows(2).any(|pair| pair[0] != pair[1]));
        assert!(config(hour * 9).segment_age(u64::MAX) > Duration::ZERO, "never more than the age itself");
    }
}
