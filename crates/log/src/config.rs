use std::time::Duration;

use klamm_record::Compression;
use thiserror::Error;

/// How one log behaves. Each field names Kafka's topic property; where the default differs, it says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// Bytes after which a new segment is begun; 1 GiB (`segment.bytes`).
    pub segment_bytes: u32,
    /// Age, counted from its first record, after which a segment is closed even if it is not full; 7 days (`segment.ms`).
    pub segment_time: Duration,
    /// Bytes of an index after which a new segment is begun; 10 MiB (`segment.index.bytes`).
    pub segment_index_bytes: u32,
    /// Bytes of batches between two index entries; 4,096 (`index.interval.bytes`).
    pub index_interval_bytes: u32,
    /// The most bytes of one batch; 1,048,588 (`max.message.bytes`).
    pub max_message_bytes: u32,
    /// Age after which segments are deleted; none here, 7 days in Kafka (`retention.ms`).
    pub retention_time: Option<Duration>,
    /// Bytes that the log may have before its oldest segments are deleted; none (`retention.bytes`).
    pub retention_bytes: Option<u64>,
    /// Time between taking a segment out of the log and removing its files; one minute (`file.delete.delay.ms`).
    pub file_delete_delay: Duration,
    /// Records after which the log is synced in the background; none (`flush.messages`).
    pub flush_messages: Option<u64>,
    /// Time after which what was appended is synced in the background; none (`flush.ms`).
    pub flush_time: Option<Duration>,
    /// Silence after which an idempotent producer is forgotten; one day (`producer.id.expiration.ms`).
    pub producer_id_expiration: Duration,
    /// Codec of the batches that this crate builds ([`Log::append`](crate::Log::append), [`Writer`](crate::Writer));
    /// none. Batches that come as bytes stay as they are.
    pub compression: Compression,
    /// The most bytes that a batch may have once decompressed when it is read or checked here; 64 MiB. Kafka has no
    /// such bound.
    pub max_decompressed_bytes: usize,
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
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            max_message_bytes: (1 << 20) + 12,
            retention_time: None,
            retention_bytes: None,
            file_delete_delay: Duration::from_secs(60),
            flush_messages: None,
            flush_time: None,
            producer_id_expiration: DAY,
            compression: Compression::None,
            max_decompressed_bytes: 64 << 20,
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
        at_most("max.message.bytes", self.max_message_bytes, most, "at most 2,147,483,647")
    }
}

fn at_least(setting: &'static str, got: u32, least: u32, expected: &'static str) -> Result<(), ConfigError> {
    if got < least { Err(ConfigError { setting, got: got.to_string(), expected }) } else { Ok(()) }
}

fn at_most(setting: &'static str, got: u32, most: u32, expected: &'static str) -> Result<(), ConfigError> {
    if got > most { Err(ConfigError { setting, got: got.to_string(), expected }) } else { Ok(()) }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
