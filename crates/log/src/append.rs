//! Appending: as leader, which gives out offsets, and as follower, which keeps them.

use std::sync::Arc;

use klamm_record::{
    BatchBuilder, BatchError, BatchHeader, BatchOptions, Depth, Finished, NewRecord, RecordIter,
    check_produced, validate,
};
use klamm_types::{LeaderEpoch, Offset, Timestamp};
use parking_lot::MutexGuard;

use crate::appender::Appender;
use crate::log::Inner;
use crate::producer::{Duplicate, check};
use crate::segment::WriteFailure;
use crate::{AppendError, Durability, Log, LogConfig};

/// What an append did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// The offset after the last record, which is now the log's end.
    pub next_offset: Offset,
    /// The largest time of the records.
    pub max_timestamp: Option<Timestamp>,
    /// Whether the log had them already, from the same idempotent producer: nothing was written
    /// then, and the offsets are those of the first time.
    pub is_duplicate: bool,
}

impl From<Duplicate> for Appended {
    fn from(duplicate: Duplicate) -> Appended {
        let Duplicate { base_offset, next_offset, max_timestamp } = duplicate;
        Appended { base_offset, next_offset, max_timestamp, is_duplicate: true }
    }
}

impl Log {
    /// Appends one record as a batch of its own and returns its offset. A record without a time
    /// gets the clock's. For many small records a [`Writer`](crate::Writer), which gathers them, is
    /// several times faster.
    ///
    /// # Errors
    /// [`AppendError`]; the record is then not in the log, unless a sync failed.
    pub fn append(&self, record: &NewRecord<'_>, durability: Durability) -> Result<Offset, AppendError> {
        let appended = {
            let mut appender = self.inner.lock_appender()?;
            appender.check_keyless(record.key.is_none().then_some(0))?;
            let batch = appender.build(record, &*self.inner.clock)?;
            appender.headers.clear();
            appender.headers.push(batch.header);
            let appended = self.inner.commit(&mut appender, &batch.buffer, LeaderEpoch::ZERO);
            appender.scratch = batch.buffer;
            appended?
        };
        self.inner.finish(appended, durability).map(|appended| appended.base_offset)
    }

    /// Appends a batch that was built here, whose CRC need not be checked, in the log's own epoch.
    /// `first_keyless` is the index of its first record without a key.
    pub(crate) fn append_built(
        &self,
        batch: &mut Finished,
        first_keyless: Option<usize>,
        durability: Durability,
    ) -> Result<Offset, AppendError> {
        let appended = {
            let mut appender = self.inner.lock_appender()?;
            appender.check_keyless(first_keyless)?;
            let epoch = appender.latest_epoch();
            appender.headers.clear();
            appender.headers.push(batch.header);
            appender.assign(&mut batch.buffer, epoch)?;
            self.inner.commit(&mut appender, &batch.buffer, epoch)?
        };
        self.inner.finish(appended, durability).map(|appended| appended.next_offset)
    }

    /// Appends one or more batches, giving them the next offsets and `epoch`, which is written into
    /// `batches`: what a leader does with what a producer sent. `depth` says how much of them is
    /// checked. All go into one segment. A batch of an idempotent producer that the log has already
    /// is not written again (KIP-98).
    ///
    /// # Errors
    /// [`AppendError`]; nothing of them is then in the log, unless a sync failed.
    pub fn append_batches(
        &self,
        batches: &mut [u8],
        epoch: LeaderEpoch,
        depth: Depth,
        durability: Durability,
    ) -> Result<Appended, AppendError> {
        let headers = check_batches(batches, depth)?;
        for (index, header) in headers.iter().enumerate() {
            check_produced(header).map_err(|fault| AppendError::Batch { index, fault })?;
        }
        let config = self.config();
        check_keys(&config, batches, &headers)?;
        let appended = {
            let mut appender = self.inner.lock_appender()?;
            if !Arc::ptr_eq(&config, &appender.config) {
                check_keys(&appender.config, batches, &headers)?;
            }
            match check(&appender.producers, &headers) {
                Err((index, fault)) => return Err(AppendError::Producer { index, fault }),
                Ok(Some(duplicate)) => duplicate.into(),
                Ok(None) => {
                    appender.headers = headers;
                    appender.assign(batches, epoch)?;
                    self.inner.commit(&mut appender, batches, epoch)?
                }
            }
        };
        self.inner.finish(appended, durability)
    }

    /// Appends batches that a leader has given their offsets and epochs: what a follower does. They
    /// must lie at or behind the log's end, in order; a gap is allowed, for the leader's log may
    /// have been compacted. Their CRC is checked.
    ///
    /// # Errors
    /// [`AppendError`]; nothing of them is then in the log, unless a sync failed.
    pub fn append_as_follower(
        &self,
        batches: &[u8],
        durability: Durability,
    ) -> Result<Appended, AppendError> {
        let headers = check_batches(batches, Depth::Header)?;
        let appended = {
            let mut appender = self.inner.lock_appender()?;
            check_order(appender.next, &headers)?;
            let epochs: Vec<_> = headers.iter().map(|h| (h.leader_epoch(), h.base_offset())).collect();
            appender.headers = headers;
            self.inner.roll_if_needed(&mut appender, batches.len())?;
            appender.note_gaps()?;
            for (epoch, start) in epochs.into_iter().filter_map(|(epoch, start)| Some((epoch?, start))) {
                appender.enter_epoch(epoch, start)?;
            }
            self.inner.write(&mut appender, batches)?
        };
        self.inner.finish(appended, durability)
    }
}

impl Inner {
    /// The lock, on a log that takes writes and whose folder is marked as written to.
    pub(crate) fn lock_appender(&self) -> Result<MutexGuard<'_, Appender>, AppendError> {
        self.check_writable()?;
        self.owner.mark_dirty()?;
        self.make_names_durable()?;
        let appender = self.appender.lock();
        self.check_writable()?;
        Ok(appender)
    }

    /// Rolls if need be, enters `epoch` and writes the batches at hand.
    fn commit(
        &self,
        appender: &mut Appender,
        bytes: &[u8],
        epoch: LeaderEpoch,
    ) -> Result<Appended, AppendError> {
        self.roll_if_needed(appender, bytes.len())?;
        let start = appender.next;
        let epoch = appender.epochs.latest().map_or(epoch, |latest| latest.epoch.max(epoch));
        appender.enter_epoch(epoch, start)?;
        self.write(appender, bytes)
    }

    fn roll_if_needed(&self, appender: &mut Appender, bytes: usize) -> Result<(), AppendError> {
        appender.check_sizes(bytes)?;
        if !appender.must_roll(bytes, &*self.clock).map_err(|e| AppendError::Log(e.into()))? {
            return Ok(());
        }
        let base = appender.next_base();
        self.roll_at(appender, base)
    }

    /// Begins a new segment at `base`.
    pub(crate) fn roll_at(&self, appender: &mut Appender, base: Offset) -> Result<(), AppendError> {
        let segment = appender.roll(base, self.clock.elapsed())?;
        // Only behind a gap that is too wide for one segment: nothing is appended before its base
        // any more.
        appender.next = appender.next.max(base);
        let mut published = self.published.write();
        let end = published.bounds.end().max(base);
        published.bounds.set_end(end);
        published.segments = published.segments.with(segment);
        published.active_size = 0;
        Ok(())
    }

    fn write(&self, appender: &mut Appender, bytes: &[u8]) -> Result<Appended, AppendError> {
        let first = appender.headers.first().map_or(appender.next, BatchHeader::base_offset);
        match appender.active.write(bytes, appender.position, appender.config.preallocate) {
            Ok(()) => {}
            Err(WriteFailure::Undone(error)) => return Err(error.into()),
            Err(WriteFailure::Torn(error)) => return Err(self.fail(error).into()),
        }
        appender.advance(bytes);
        let max_timestamp = appender.headers.iter().filter_map(BatchHeader::max_timestamp).max();
        let appended =
            Appended { base_offset: first, next_offset: appender.next, max_timestamp, is_duplicate: false };
        let mut published = self.published.write();
        published.bounds.set_end(appended.next_offset);
        if appender.producers.has_transactions() {
            published.note_unstable(&mut appender.producers);
        }
        published.active_size = appender.position;
        published.epoch = appender.epochs.latest().map(|latest| latest.epoch);
        drop(published);
        Ok(appended)
    }

    #[inline]
    fn finish(&self, appended: Appended, durability: Durability) -> Result<Appended, AppendError> {
        self.tail.notify();
        let end = appended.next_offset;
        // A duplicate too: the append that it repeats may still wait for its sync.
        match durability {
            Durability::Written => self.sync_if_due(end)?,
            Durability::Synced => self.sync_to(end)?,
            Durability::Deferred => {}
        }
        Ok(appended)
    }
}

impl Appender {
    /// Refuses a batch whose record at this index has no key, if the log is compacted.
    fn check_keyless(&self, first_keyless: Option<usize>) -> Result<(), AppendError> {
        match first_keyless.filter(|_| self.config.cleanup_policy.compacts()) {
            Some(record) => Err(AppendError::NoKey { index: 0, record }),
            None => Ok(()),
        }
    }

    /// Builds a batch of one record with the next offset, in memory that is kept from the last
    /// time.
    fn build(&mut self, record: &NewRecord<'_>, clock: &dyn crate::Clock) -> Result<Finished, AppendError> {
        self.next.checked_next().ok_or(AppendError::OffsetsExhausted { end: self.next })?;
        let timestamp = record.timestamp.unwrap_or_else(|| clock.now());
        let mut buffer = std::mem::take(&mut self.scratch);
        buffer.clear();
        let mut builder = BatchBuilder::new(buffer, self.batch_options());
        builder.append(&NewRecord { timestamp: Some(timestamp), ..*record })?;
        Ok(builder.finish()?)
    }

    /// For batches that are built here, with the next offset.
    fn batch_options(&self) -> BatchOptions {
        BatchOptions {
            base_offset: self.next,
            leader_epoch: Some(self.latest_epoch()),
            compression: self.config.compression,
            ..BatchOptions::default()
        }
    }

    fn latest_epoch(&self) -> LeaderEpoch {
        self.epochs.latest().map_or(LeaderEpoch::ZERO, |latest| latest.epoch)
    }

    /// Gives the batches at hand the next offsets.
    fn assign(&mut self, batches: &mut [u8], epoch: LeaderEpoch) -> Result<(), AppendError> {
        if let Some(latest) = self.epochs.latest().filter(|latest| latest.epoch > epoch) {
            return Err(AppendError::FencedEpoch { got: epoch, latest: latest.epoch });
        }
        let (mut at, mut next) = (0, self.next);
        for header in &mut self.headers {
            let batch = &mut batches[at..at + header.size()];
            *header = header.assigned(next, epoch).ok_or(AppendError::OffsetsExhausted { end: next })?;
            BatchHeader::assign(batch, next, epoch);
            next = header.next_offset();
            at += header.size();
        }
        Ok(())
    }

    fn check_sizes(&self, bytes: usize) -> Result<(), AppendError> {
        let (batch, segment) = (self.config.max_message_bytes as usize, self.config.segment_bytes as usize);
        let largest = self.headers.iter().map(BatchHeader::size).max().unwrap_or(0);
        if largest > batch {
            let (what, setting) = ("a batch", "max.message.bytes");
            return Err(AppendError::TooLarge { what, got: largest, max: batch, setting });
        }
        if bytes > segment {
            let (what, setting) = ("what is appended at once", "segment.bytes");
            return Err(AppendError::TooLarge { what, got: bytes, max: segment, setting });
        }
        Ok(())
    }
}

/// A record without a key would be cleaned away at once, so that a compacted log takes none.
fn check_keys(config: &LogConfig, batches: &[u8], headers: &[BatchHeader]) -> Result<(), AppendError> {
    if !config.cleanup_policy.compacts() {
        return Ok(());
    }
    let mut at = 0;
    for (index, header) in headers.iter().enumerate() {
        let fault = |fault| AppendError::Batch { index, fault };
        let body = &batches[at + BatchHeader::SIZE..at + header.size()];
        let decompressed = header.decompress(body, config.max_decompressed_bytes).map_err(fault)?;
        let records = RecordIter::new(header, decompressed.as_deref().unwrap_or(body));
        for (number, record) in records.enumerate() {
            if record.map_err(|error| fault(error.into()))?.key.is_none() {
                return Err(AppendError::NoKey { index, record: number });
            }
        }
        at += header.size();
    }
    Ok(())
}

/// Checks all batches and returns their headers.
fn check_batches(batches: &[u8], depth: Depth) -> Result<Vec<BatchHeader>, AppendError> {
    let mut headers: Vec<BatchHeader> = Vec::new();
    let mut rest = batches;
    while !rest.is_empty() || headers.is_empty() {
        let index = headers.len();
        let header = validate(rest, depth).map_err(|fault| AppendError::Batch { index, fault })?;
        rest = &rest[header.size()..];
        headers.push(header);
    }
    Ok(headers)
}

fn check_order(end: Offset, headers: &[BatchHeader]) -> Result<(), AppendError> {
    let mut expected = end;
    for (index, header) in headers.iter().enumerate() {
        let got = header.base_offset();
        if got < expected {
            return Err(AppendError::OutOfOrder { index, expected, got });
        }
        if header.leader_epoch().is_none() {
            let fault =
                BatchError::Field { field: "leader epoch", got: -1, expected: "one that a leader gave" };
            return Err(AppendError::Batch { index, fault });
        }
        expected = header.next_offset();
    }
    check_span(headers)
}

/// All batches of a call go into one segment, whose offsets span 31 bits.
fn check_span(headers: &[BatchHeader]) -> Result<(), AppendError> {
    let Some(first) = headers.first().map(BatchHeader::base_offset) else { return Ok(()) };
    let fits = |header: &BatchHeader| i32::try_from(header.last_offset().since(first)).is_ok();
    let Some(index) = headers.iter().position(|header| !fits(header)) else { return Ok(()) };
    let got = headers[index].last_offset().get();
    let fault = BatchError::Field {
        field: "last offset",
        got,
        expected: "within 2^31 of the first batch appended with it",
    };
    Err(AppendError::Batch { index, fault })
}
