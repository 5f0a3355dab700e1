//! Batches and records as `kafka-dump-log --deep-iteration --print-data-log` prints them, so that
//! the two can be compared line by line.

use std::fmt::{self, Write};

use klamm_record::{BatchHeader, ControlRecord, Outcome, Record, TimestampType};
use klamm_types::LeaderEpoch;

/// A batch's line; `position` is where it stands in its segment, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct BatchLine<'a> {
    /// The batch's header.
    pub header: &'a BatchHeader,
    /// Where in the segment it starts.
    pub position: u64,
    /// Whether its checksum is right.
    pub valid: bool,
}

/// A record's line; the batch's header tells its sequence number and what kind of time it bears.
#[derive(Clone, Copy, Debug)]
pub struct RecordLine<'a> {
    /// The header of the record's batch.
    pub header: &'a BatchHeader,
    /// The record.
    pub record: &'a Record<'a>,
}

impl fmt::Display for BatchLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let h = self.header;
        let first = h.base_sequence();
        let last = first.map(|first| last_sequence(first, h.last_offset_delta()));
        write!(
            f,
            "baseOffset: {} lastOffset: {} count: {}",
            h.base_offset(),
            h.last_offset(),
            h.record_count()
        )?;
        write!(f, " baseSequence: {} lastSequence: {}", or_minus_one(first), or_minus_one(last))?;
        write!(f, " producerId: {}", or_minus_one(h.producer().map(|p| p.id)))?;
        write!(f, " producerEpoch: {}", or_minus_one(h.producer().map(|p| p.epoch)))?;
        write!(f, " partitionLeaderEpoch: {}", h.leader_epoch().map_or(-1, LeaderEpoch::get))?;
        write!(f, " isTransactional: {} isControl: {}", h.is_transactional(), h.is_control())?;
        f.write_str(" deleteHorizonMs: ")?;
        match h.delete_horizon() {
            Some(time) => write!(f, "OptionalLong[{time}]")?,
            None => f.write_str("OptionalLong.empty")?,
        }
        write!(f, " position: {} {}: {}", self.position, time_name(h), or_minus_one(h.max_timestamp()))?;
        write!(f, " size: {} magic: 2 compresscodec: {}", h.size(), h.compression())?;
        write!(f, " crc: {} isvalid: {}", h.crc(), self.valid)
    }
}

impl fmt::Display for RecordLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (h, r) = (self.header, self.record);
        write!(f, "| offset: {} {}: {}", r.offset, time_name(h), or_minus_one(r.timestamp))?;
        write!(f, " keySize: {} valueSize: {}", size(r.key), size(r.value))?;
        write!(f, " sequence: {} headerKeys: [", or_minus_one(self.sequence()))?;
        for (i, header) in r.headers.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { "," }, Text(header.key))?;
        }
        f.write_char(']')?;
        if h.is_control() { self.control(f) } else { self.data(f) }
    }
}

impl RecordLine<'_> {
    fn sequence(&self) -> Option<u32> {
        let first = self.header.base_sequence();
        let delta = u32::try_from(self.record.offset.since(self.header.base_offset())).unwrap_or(0);
        first.map(|first| last_sequence(first, delta))
    }

    fn data(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = self.record.key {
            write!(f, " key: {}", Text(key))?;
        }
        if let Some(value) = self.record.value {
            write!(f, " payload: {}", Text(value))?;
        }
        Ok(())
    }

    fn control(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match ControlRecord::parse(self.record) {
            Ok(ControlRecord::EndTransaction(end)) => {
                let outcome = if end.outcome == Outcome::Commit { "COMMIT" } else { "ABORT" };
                write!(f, " endTxnMarker: {outcome} coordinatorEpoch: {}", end.coordinator_epoch)
            }
            Ok(ControlRecord::Other(number)) => write!(f, " controlType: {number}"),
            Ok(_) => Ok(()),
            Err(error) => write!(f, " {error}"),
        }
    }
}

/// Bytes as text; what is not UTF-8 is shown as the replacement character.
struct Text<'a>(&'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.0))
    }
}

/// Sequence numbers go on at 0 after `i32::MAX`.
fn last_sequence(first: u32, delta: u32) -> u32 {
    const RANGE: u64 = 1 << 31;
    u32::try_from((u64::from(first) + u64::from(delta)) % RANGE).unwrap_or(0)
}

fn time_name(header: &BatchHeader) -> &'static str {
    match header.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

fn size(bytes: Option<&[u8]>) -> String {
    or_minus_one(bytes.map(<[u8]>::len))
}

fn or_minus_one(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(|| "-1".to_owned(), |value| value.to_string())
}
