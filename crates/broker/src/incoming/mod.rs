//! What becomes of a producer's batch before it is appended.
//!
//! Its frame is checked, then its records, and it is changed to what its topic stores: the codec,
//! and whose timestamps the records have. A batch that was damaged on its way is told from one that
//! is wrong: the producer sends the former again.

mod frame;
mod records;

use klamm_record::{
    BatchBuilder, BatchError, BatchHeader, BatchOptions, BuildError, Compression, CompressionError,
    NewRecord, RecordIter, TimestampType, check_produced,
};
use klamm_types::Timestamp;
use thiserror::Error;

use crate::config::{BatchCompression, TopicConfig};

use frame::check_base_offset;
use records::{Rules, Walked, walk};

pub(crate) use frame::{FrameFault, is_transactional, only_batch};
pub(crate) use records::{BadRecord, BadRecordReason};

/// Why a batch is not taken.
#[derive(Debug, Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Frame(#[from] FrameFault),
    #[error("the checksum of the batch is wrong")]
    Damaged,
    #[error("{} of the records are not taken, the first is number {}: {}", .0.len(), .0[0].index, .0[0].reason)]
    Records(Vec<BadRecord>),
    #[error("the batch has {got} bytes, the most are {max} (max.message.bytes)")]
    TooLarge { got: usize, max: usize },
    #[error("cannot be compressed again: {0}")]
    Build(#[from] BuildError),
}

impl Refused {
    /// Whether the records have more bytes after decompression than the caller's limit.
    pub(crate) fn is_over_limit(&self) -> bool {
        let Refused::Batch(BatchError::Compression(error)) = self else { return false };
        matches!(error, CompressionError::TooLarge { .. })
    }
}

/// A batch as its topic stores it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) batch: Vec<u8>,
    /// The time that its records bear, if it is the append's.
    pub(crate) append_time: Option<Timestamp>,
    /// Bytes of its records after decompression.
    pub(crate) decompressed: usize,
}

/// Checks a batch and stores it as its topic wants. Its records may have `limit` bytes after
/// decompression.
pub(crate) fn prepare(
    batch: &[u8],
    topic: &TopicConfig,
    now: Timestamp,
    limit: usize,
) -> Result<Prepared, Refused> {
    check_base_offset(batch)?;
    let most = topic.log.max_message_bytes as usize;
    if batch.len() > most {
        return Err(Refused::TooLarge { got: batch.len(), max: most });
    }
    // Whatever else is wrong with a batch whose checksum is wrong was done to it on its way.
    let prepared = prepare_undamaged(batch, topic, now, limit);
    prepared.map_err(|error| if BatchHeader::is_undamaged(batch) { error } else { Refused::Damaged })
}

/// The checksum of what this takes is checked when it is appended.
fn prepare_undamaged(
    batch: &[u8],
    topic: &TopicConfig,
    now: Timestamp,
    limit: usize,
) -> Result<Prepared, Refused> {
    let header = BatchHeader::parse(batch)?;
    check_produced(&header)?;
    let Walked { latest, decompressed } =
        walk(&header, &batch[BatchHeader::SIZE..], &Rules::of(&header, topic, now), limit)?;
    let append_time = (topic.timestamp_type == TimestampType::LogAppendTime).then_some(now);
    let has_append_time = header.timestamp_type() == TimestampType::LogAppendTime;
    let has_wrong_times = header.max_timestamp() != latest || has_append_time;
    let codec = other_codec(&header, topic);
    if codec.is_some() || append_time.is_some() || has_wrong_times {
        // The checksum is made anew, which must not hide that it was wrong.
        header.check_crc(batch)?;
    }
    let mut stored = match codec {
        Some(codec) => compress_again(&header, batch, options(&header, topic, codec), limit)?,
        None => batch.to_vec(),
    };
    match append_time {
        Some(now) => BatchHeader::set_log_append_time(&mut stored, now),
        None if has_wrong_times => BatchHeader::set_create_time(&mut stored, latest),
        None => {}
    }
    Ok(Prepared { batch: stored, append_time, decompressed })
}

/// The codec that the topic stores, if it is another one.
fn other_codec(header: &BatchHeader, topic: &TopicConfig) -> Option<Compression> {
    match topic.compression {
        BatchCompression::Codec(codec) if codec != header.compression() => Some(codec),
        _ => None,
    }
}

fn options(header: &BatchHeader, topic: &TopicConfig, compression: Compression) -> BatchOptions {
    let level = topic.levels.of(compression);
    BatchOptions { compression, level, log_append_time: None, ..BatchOptions::of(header) }
}

fn compress_again(
    header: &BatchHeader,
    batch: &[u8],
    options: BatchOptions,
    limit: usize,
) -> Result<Vec<u8>, Refused> {
    let body = &batch[BatchHeader::SIZE..header.size()];
    let decompressed = header.decompress(body, limit)?;
    let mut builder = BatchBuilder::new(Vec::with_capacity(batch.len()), options);
    for record in RecordIter::new(header, decompressed.as_deref().unwrap_or(body)) {
        let record = record.map_err(BatchError::from)?;
        let headers: Vec<_> = record.headers.iter().collect();
        let (timestamp, key, value) = (record.timestamp, record.key, record.value);
        builder.append_at(record.offset, &NewRecord { timestamp, key, value, headers: &headers })?;
    }
    Ok(builder.finish()?.buffer)
}
