//! What a topic asks of each record that a producer sends: a key, where it is compacted, and a
//! timestamp near enough to now.

use std::time::Duration;

use klamm_record::{BatchError, BatchHeader, Record, RecordIter, TimestampType};
use klamm_types::Timestamp;
use thiserror::Error;

use super::Refused;
use crate::config::TopicConfig;

/// A record that its topic does not take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct BadRecord {
    /// Its number in the batch, from 0.
    pub(crate) index: usize,
    pub(crate) reason: BadRecordReason,
}

/// Why a record is not taken.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum BadRecordReason {
    #[error("the record has no key, which a compacted topic asks for")]
    NoKey,
    #[error(
        "the timestamp is {got}, expected {least} to {most} (message.timestamp.before.max.ms, message.timestamp.after.max.ms)"
    )]
    Timestamp { got: i64, least: i64, most: i64 },
    #[error("the batch has the timestamp type LogAppendTime, which only a broker gives")]
    AppendTime,
}

/// What a walk over the records of a batch found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Walked {
    /// The largest timestamp. Retention goes by it, so that the header's word is not taken for it.
    pub(super) latest: Option<Timestamp>,
    /// Bytes of the records after decompression.
    pub(super) decompressed: usize,
}

/// Checks every record of a batch, in at most `limit` bytes after decompression.
pub(super) fn walk(
    header: &BatchHeader,
    body: &[u8],
    rules: &Rules,
    limit: usize,
) -> Result<Walked, Refused> {
    let decompressed = header.decompress(body, limit)?;
    let body = decompressed.as_deref().unwrap_or(body);
    let (mut latest, mut bad) = (None, Vec::new());
    for (index, record) in RecordIter::new(header, body).enumerate() {
        let record = record.map_err(BatchError::from)?;
        latest = latest.max(record.timestamp);
        if let Some(reason) = rules.judge(&record).filter(|_| bad.len() < MOST_NAMED) {
            bad.push(BadRecord { index, reason });
        }
    }
    if bad.is_empty() { Ok(Walked { latest, decompressed: body.len() }) } else { Err(Refused::Records(bad)) }
}

/// What is asked of the records of one batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    needs_key: bool,
    /// Timestamps that are taken, in milliseconds; `None` where the broker gives them.
    times: Option<(i64, i64)>,
    has_append_time: bool,
}

impl Rules {
    pub(super) fn of(header: &BatchHeader, topic: &TopicConfig, now: Timestamp) -> Rules {
        let has_append_time = header.timestamp_type() == TimestampType::LogAppendTime;
        let times = (topic.timestamp_type == TimestampType::CreateTime).then(|| times(topic, now));
        Rules { needs_key: topic.log.cleanup_policy.compacts(), times, has_append_time }
    }

    /// The key first, as in Kafka.
    #[inline]
    fn judge(&self, record: &Record<'_>) -> Option<BadRecordReason> {
        if self.needs_key && record.key.is_none() {
            return Some(BadRecordReason::NoKey);
        }
        match (self.times, record.timestamp.map(Timestamp::as_millis)) {
            (Some((least, most)), Some(got)) => {
                let is_near = (least..=most).contains(&got);
                (!is_near).then_some(BadRecordReason::Timestamp { got, least, most })
            }
            _ => self.has_append_time.then_some(BadRecordReason::AppendTime),
        }
    }
}

/// The earliest and the latest timestamp that a topic takes.
fn times(topic: &TopicConfig, now: Timestamp) -> (i64, i64) {
    let millis = |time: Option<Duration>| time.and_then(|time| i64::try_from(time.as_millis()).ok());
    let most = millis(topic.timestamp_after_max).map_or(i64::MAX, |t| now.as_millis().saturating_add(t));
    let least = millis(topic.timestamp_before_max).map_or(i64::MIN, |t| now.as_millis().saturating_sub(t));
    (least, most)
}

/// Bad records of a batch that a response names, at most. Kafka has no bound.
const MOST_NAMED: usize = 100_000;
