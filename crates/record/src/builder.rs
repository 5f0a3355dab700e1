//! Building record batches.

use std::borrow::BorrowMut;

use klamm_types::{LeaderEpoch, Offset, Timestamp};

use crate::varint::{put_varint, put_varlong, size_of_varint, size_of_varlong};
use crate::{BatchHeader, BatchProducer, BuildError, Compression, Header, TimestampType};

/// Writes records straight into a caller's buffer and closes them as one batch.
///
/// `B` is the buffer: a `Vec<u8>` that comes back from [`BatchBuilder::finish`], or a borrowed one.
/// What already stands in it stays; the batch is written behind. In steady state a record costs no
/// allocation.
#[derive(Debug)]
pub struct BatchBuilder<B = Vec<u8>> {
    buffer: B,
    options: BatchOptions,
    /// Where in the buffer the batch starts.
    start: usize,
    count: u32,
    /// Delta of the last record; -1 before the first.
    last_delta: i64,
    base_timestamp: i64,
    max_timestamp: i64,
}

/// What a batch says beside its records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BatchOptions {
    /// Offset of the first record. Default 0: a leader assigns the real one. Where offsets have
    /// gaps, deltas count from it.
    pub base_offset: Offset,
    /// Epoch of the leader; default none.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The codec (`compression.type`); default none.
    pub compression: Compression,
    /// The codec's level (`compression.gzip.level`, `compression.zstd.level`); default the codec's
    /// own.
    pub level: Option<i32>,
    /// With a time, the batch has log append time and all its records bear it; default none: create
    /// time.
    pub log_append_time: Option<Timestamp>,
    /// The idempotent producer; default none.
    pub producer: Option<BatchProducer>,
    /// Sequence number of the first record; default none.
    pub base_sequence: Option<u32>,
    /// Whether the batch is part of a transaction; default no.
    pub transactional: bool,
    /// Whether its records are control records; default no.
    pub control: bool,
    /// From when on the cleaner may drop its tombstones or markers; default none.
    pub delete_horizon: Option<Timestamp>,
    /// The last offset that the batch spans; default that of its last record. A cleaned batch keeps
    /// the one it had, and with it the producer's last sequence number.
    pub last_offset: Option<Offset>,
}

/// A record to be written, borrowed from the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NewRecord<'a> {
    /// When it was created; `None` writes Kafka's "no timestamp".
    pub timestamp: Option<Timestamp>,
    /// The key, if any.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone in a compacted log.
    pub value: Option<&'a [u8]>,
    /// The headers, in order; a key may occur more than once.
    pub headers: &'a [Header<'a>],
}

/// A batch that has been closed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finished<B = Vec<u8>> {
    /// The buffer, with the batch at its end.
    pub buffer: B,
    /// The batch's header.
    pub header: BatchHeader,
}

impl<'a> NewRecord<'a> {
    /// A record with this value and nothing else.
    #[must_use]
    pub fn new<V: AsRef<[u8]> + ?Sized>(value: &'a V) -> NewRecord<'a> {
        NewRecord { value: Some(value.as_ref()), ..NewRecord::default() }
    }

    /// A record without a value, which says that `key` is gone.
    #[must_use]
    pub fn tombstone<K: AsRef<[u8]> + ?Sized>(key: &'a K) -> NewRecord<'a> {
        NewRecord { key: Some(key.as_ref()), ..NewRecord::default() }
    }

    /// The record with this key.
    #[must_use]
    pub fn key<K: AsRef<[u8]> + ?Sized>(self, key: &'a K) -> NewRecord<'a> {
        NewRecord { key: Some(key.as_ref()), ..self }
    }

    /// The record with this time.
    #[must_use]
    pub fn at(self, timestamp: Timestamp) -> NewRecord<'a> {
        NewRecord { timestamp: Some(timestamp), ..self }
    }

    /// The record with these headers.
    #[must_use]
    pub fn headers(self, headers: &'a [Header<'a>]) -> NewRecord<'a> {
        NewRecord { headers, ..self }
    }

    fn raw_timestamp(&self) -> i64 {
        self.timestamp.map_or(-1, Timestamp::as_millis)
    }
}

impl<B: BorrowMut<Vec<u8>>> BatchBuilder<B> {
    /// Begins a batch at the end of `buffer`.
    pub fn new(mut buffer: B, options: BatchOptions) -> BatchBuilder<B> {
        let out: &mut Vec<u8> = buffer.borrow_mut();
        let start = out.len();
        out.extend_from_slice(&[0; BatchHeader::SIZE]);
        let base_timestamp = options.delete_horizon.map_or(-1, Timestamp::as_millis);
        BatchBuilder { buffer, options, start, count: 0, last_delta: -1, base_timestamp, max_timestamp: -1 }
    }

    /// Writes `record` with the next offset.
    ///
    /// # Errors
    /// [`BuildError`] when the record does not fit the format; the batch is then as before.
    #[inline]
    pub fn append(&mut self, record: &NewRecord<'_>) -> Result<(), BuildError> {
        self.append_delta(self.last_delta + 1, record)
    }

    /// Writes `record` at `offset`, which must be higher than that of the record before: a cleaned
    /// log has gaps.
    ///
    /// # Errors
    /// [`BuildError`] when the offset does not rise or the record does not fit; the batch is then
    /// as before.
    pub fn append_at(&mut self, offset: Offset, record: &NewRecord<'_>) -> Result<(), BuildError> {
        self.append_delta(offset.since(self.options.base_offset), record)
    }

    #[inline]
    fn append_delta(&mut self, delta: i64, record: &NewRecord<'_>) -> Result<(), BuildError> {
        let offset_delta = i32::try_from(delta).ok().filter(|_| delta > self.last_delta);
        let offset_delta = offset_delta.ok_or(BuildError::Offset { got: delta, last: self.last_delta })?;
        let timestamp_delta = self.timestamp_delta(record)?;
        let body = body_size(timestamp_delta, offset_delta, record)?;
        self.check_size(size_of_varint(body) + record_len(body))?;
        write_record(self.buffer.borrow_mut(), body, timestamp_delta, offset_delta, record);
        self.note(delta, record);
        Ok(())
    }

    fn note(&mut self, delta: i64, record: &NewRecord<'_>) {
        let timestamp = record.raw_timestamp();
        if self.count == 0 && self.options.delete_horizon.is_none() {
            self.base_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.count += 1;
        self.last_delta = delta;
    }

    fn timestamp_delta(&self, record: &NewRecord<'_>) -> Result<i64, BuildError> {
        let timestamp = record.raw_timestamp();
        if self.count == 0 && self.options.delete_horizon.is_none() {
            return Ok(0);
        }
        let overflow = BuildError::Timestamp { got: timestamp, base: self.base_timestamp };
        timestamp.checked_sub(self.base_timestamp).ok_or(overflow)
    }

    fn check_size(&self, more: usize) -> Result<(), BuildError> {
        let got = self.size() + more;
        if got > MAX_BATCH { Err(BuildError::TooLarge { got, max: MAX_BATCH }) } else { Ok(()) }
    }

    /// Bytes of the batch so far, header included, before compression.
    #[inline]
    #[must_use]
    pub fn size(&self) -> usize {
        self.buffer.borrow().len() - self.start
    }

    /// Bytes that the batch would have with `record` as its next, before compression.
    #[must_use]
    pub fn size_with(&self, record: &NewRecord<'_>) -> usize {
        let delta = i32::try_from(self.last_delta + 1).unwrap_or(i32::MAX);
        let time = self.timestamp_delta(record).unwrap_or(i64::MAX);
        let body = body_size(time, delta, record).unwrap_or(i32::MAX);
        self.size() + size_of_varint(body) + record_len(body)
    }

    /// Records so far.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether there are no records yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Compresses the records, writes the header and gives the buffer back.
    ///
    /// # Errors
    /// [`BuildError::Empty`] without a record; [`BuildError::Compression`] when the codec fails or
    /// is not compiled in.
    pub fn finish(mut self) -> Result<Finished<B>, BuildError> {
        if self.is_empty() {
            return Err(BuildError::Empty);
        }
        self.compress()?;
        let header = self.write_header();
        Ok(Finished { buffer: self.buffer, header })
    }

    fn compress(&mut self) -> Result<(), BuildError> {
        let records = self.start + BatchHeader::SIZE;
        let BatchOptions { compression, level, .. } = self.options;
        let out = self.buffer.borrow_mut();
        if let Some(compressed) = compression.compress(&out[records..], level)? {
            out.truncate(records);
            out.extend_from_slice(&compressed);
        }
        self.check_size(0)
    }

    fn last_offset_delta(&self) -> u32 {
        let spanned = self.options.last_offset.map_or(-1, |last| last.since(self.options.base_offset));
        u32::try_from(self.last_delta.max(spanned)).expect("BATCH-2: deltas are 32 bits")
    }

    fn write_header(&mut self) -> BatchHeader {
        let options = self.options;
        let mut header = BatchHeader {
            base_offset: options.base_offset,
            size: self.size(),
            leader_epoch: options.leader_epoch.map_or(-1, LeaderEpoch::get),
            crc: 0,
            attributes: options.attributes(),
            compression: options.compression,
            last_offset_delta: self.last_offset_delta(),
            base_timestamp: self.base_timestamp,
            max_timestamp: options.log_append_time.map_or(self.max_timestamp, Timestamp::as_millis),
            producer: options.producer,
            base_sequence: options.base_sequence.unwrap_or(u32::MAX).cast_signed(),
            record_count: self.count,
        };
        header.seal(&mut self.buffer.borrow_mut()[self.start..]);
        header
    }
}

impl BatchOptions {
    /// What the batch with this header says, so that another can be built that says the same of
    /// other records.
    #[must_use]
    pub fn of(header: &BatchHeader) -> BatchOptions {
        let is_append_time = header.timestamp_type() == TimestampType::LogAppendTime;
        BatchOptions {
            base_offset: header.base_offset(),
            leader_epoch: header.leader_epoch(),
            compression: header.compression(),
            level: None,
            log_append_time: header.max_timestamp().filter(|_| is_append_time),
            producer: header.producer(),
            base_sequence: header.base_sequence(),
            transactional: header.is_transactional(),
            control: header.is_control(),
            delete_horizon: header.delete_horizon(),
            last_offset: Some(header.last_offset()),
        }
    }

    fn attributes(&self) -> i16 {
        let timestamp_type = match self.log_append_time {
            Some(_) => TimestampType::LogAppendTime,
            None => TimestampType::CreateTime,
        };
        let flags = [
            timestamp_type == TimestampType::LogAppendTime,
            self.transactional,
            self.control,
            self.delete_horizon.is_some(),
        ];
        let flags = flags.iter().zip(3..).map(|(on, bit)| i16::from(*on) << bit);
        flags.fold(i16::from(self.compression.id()), |all, flag| all | flag)
    }
}

/// Bytes of a record behind its length.
#[inline]
fn body_size(timestamp_delta: i64, offset_delta: i32, record: &NewRecord<'_>) -> Result<i32, BuildError> {
    let headers: usize = record.headers.iter().map(|h| bytes_size(Some(h.key)) + bytes_size(h.value)).sum();
    let size = 1
        + size_of_varlong(timestamp_delta)
        + size_of_varint(offset_delta)
        + bytes_size(record.key)
        + bytes_size(record.value)
        + size_of_varlong(record.headers.len().cast_signed() as i64)
        + headers;
    i32::try_from(size).map_err(|_| BuildError::TooLarge { got: size, max: MAX_BATCH })
}

#[inline]
fn bytes_size(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |b| size_of_varlong(b.len().cast_signed() as i64) + b.len())
}

fn record_len(body: i32) -> usize {
    usize::try_from(body).unwrap_or(usize::MAX)
}

#[inline]
fn write_record(
    out: &mut Vec<u8>,
    body: i32,
    timestamp_delta: i64,
    offset_delta: i32,
    record: &NewRecord<'_>,
) {
    put_varint(out, body);
    out.push(0);
    put_varlong(out, timestamp_delta);
    put_varint(out, offset_delta);
    put_bytes(out, record.key);
    put_bytes(out, record.value);
    put_varlong(out, record.headers.len().cast_signed() as i64);
    for header in record.headers {
        put_bytes(out, Some(header.key));
        put_bytes(out, header.value);
    }
}

#[inline]
fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varlong(out, bytes.len().cast_signed() as i64);
            out.extend_from_slice(bytes);
        }
    }
}

/// The length field counts up to `i32::MAX` bytes behind itself.
const MAX_BATCH: usize = i32::MAX as usize;
