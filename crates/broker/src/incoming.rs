//! What becomes of a producer's batch before it is appended: its topic says which codec it is stored with, whose time its records
//! bear, and how far that may be from now.

use std::time::Duration;

use klamm_record::{
    BatchBuilder, BatchError, BatchHeader, BatchOptions, BuildError, CompressionError, Depth, NewRecord,
    RecordIter, TimestampType, validate,
};
use klamm_types::Timestamp;
use thiserror::Error;

use crate::config::{BatchCompression, TopicConfig};

/// Why a batch is not taken.
#[derive(Debug, Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(
        "the time of record {record} is {got}, expected {least} to {most} (message.timestamp.before.max.ms, message.timestamp.after.max.ms)"
    )]
    Timestamp { record: usize, got: i64, least: i64, most: i64 },
    #[error("the batch says that its records bear the time of the append, which only a broker gives")]
    AppendTime,
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
    /// What of it is still to be checked: records that were walked here are not walked again.
    pub(crate) depth: Depth,
    /// Bytes of its records after decompression.
    pub(crate) decompressed: usize,
}

/// Checks a batch and stores it as its topic wants. Its records may have `limit` bytes after decompression.
pub(crate) fn prepare(
    batch: &[u8],
    topic: &TopicConfig,
    now: Timestamp,
    limit: usize,
) -> Result<Prepared, Refused> {
    let depth = Depth::Records { limit };
    let Ok(header) = BatchHeader::parse(batch) else {
        return Ok(Prepared { batch: batch.to_vec(), append_time: None, depth, decompressed: 0 });
    };
    let most = topic.log.max_message_bytes as usize;
    if header.size() > most {
        return Err(Refused::TooLarge { got: header.size(), max: most });
    }
    if header.timestamp_type() == TimestampType::LogAppendTime {
        return Err(Refused::AppendTime);
    }
    let mut stored = match topic.compression {
        BatchCompression::Codec(codec) if codec != header.compression() => {
            let header = validate(batch, Depth::Records { limit })?;
            compress_again(
                &header,
                batch,
                BatchOptions {
                    compression: codec,
                    level: topic.levels.of(codec),
                    ..BatchOptions::of(&header)
                },
                limit,
            )?
        }
        _ => batch.to_vec(),
    };
    if topic.timestamp_type == TimestampType::CreateTime {
        let (latest, decompressed) = latest_time(&header, batch, topic, now, limit)?;
        if header.max_timestamp() != latest {
            mend(&mut stored, |stored| BatchHeader::set_max_timestamp(stored, latest))?;
        }
        return Ok(Prepared { batch: stored, append_time: None, depth: Depth::Header, decompressed });
    }
    mend(&mut stored, |stored| BatchHeader::set_log_append_time(stored, now))?;
    let decompressed = walk(&header, batch, limit, |_, _| Ok(()))?;
    Ok(Prepared { batch: stored, append_time: Some(now), depth: Depth::Header, decompressed })
}

/// The CRC that came has to be right before it is made anew.
fn mend(stored: &mut [u8], change: impl FnOnce(&mut [u8])) -> Result<(), Refused> {
    validate(stored, Depth::Header)?;
    change(stored);
    Ok(())
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

/// The latest time of the records, each of which must be near enough to now. Retention goes by it, so that the header's word is not
/// taken for it.
fn latest_time(
    header: &BatchHeader,
    batch: &[u8],
    topic: &TopicConfig,
    now: Timestamp,
    limit: usize,
) -> Result<(Option<Timestamp>, usize), Refused> {
    let from_now = |time: Option<Duration>| time.and_then(|time| i64::try_from(time.as_millis()).ok());
    let most = from_now(topic.timestamp_after_max).map_or(i64::MAX, |t| now.as_millis().saturating_add(t));
    let least = from_now(topic.timestamp_before_max).map_or(i64::MIN, |t| now.as_millis().saturating_sub(t));
    let mut latest = None;
    let decompressed = walk(header, batch, limit, |number, time| {
        let got = time.map(Timestamp::as_millis);
        latest = latest.max(time);
        match got.filter(|time| !(least..=most).contains(time)) {
            Some(got) => Err(Refused::Timestamp { record: number, got, least, most }),
            None => Ok(()),
        }
    })?;
    Ok((latest, decompressed))
}

/// Checks every record, and has `check` look at its number and its time; bytes of all records after decompression.
fn walk(
    header: &BatchHeader,
    batch: &[u8],
    limit: usize,
    mut check: impl FnMut(usize, Option<Timestamp>) -> Result<(), Refused>,
) -> Result<usize, Refused> {
    let body = &batch[BatchHeader::SIZE..header.size().min(batch.len())];
    let decompressed = header.decompress(body, limit)?;
    let body = decompressed.as_deref().unwrap_or(body);
    for (number, record) in RecordIter::new(header, body).enumerate() {
        check(number, record.map_err(BatchError::from)?.timestamp)?;
    }
    Ok(body.len())
}
