//! Finding an offset by time.

use std::sync::Arc;

use klamm_record::{BatchHeader, RecordCursor};
use klamm_types::{LeaderEpoch, Offset, Timestamp};

use crate::log::Published;
use crate::scan::{Check, Scan, Scanned};
use crate::segment::Segment;
use crate::{Log, ReadError};

/// A record's place and time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimestampedOffset {
    /// Its offset.
    pub offset: Offset,
    /// Its time.
    pub timestamp: Timestamp,
    /// The leader's epoch when it was appended.
    pub leader_epoch: Option<LeaderEpoch>,
}

impl Log {
    /// The first committed record whose time is `time` or later; `None` when all are earlier.
    ///
    /// # Errors
    /// [`ReadError`] when segments on the way cannot be read.
    pub fn offset_since(&self, time: Timestamp) -> Result<Option<TimestampedOffset>, ReadError> {
        self.offset_since_within(time, self.config().max_decompressed_bytes)
    }

    /// Like [`Log::offset_since`], with a limit in bytes on what a batch decompresses to.
    ///
    /// # Errors
    /// [`ReadError`] as [`Log::offset_since`]; [`ReadError::is_over_limit`] when a batch on the way
    /// decompresses to more than `limit` bytes.
    pub fn offset_since_within(
        &self,
        time: Timestamp,
        limit: usize,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        self.search(limit, |search| search.first_since(time))
    }

    /// The first committed record with the largest time (`ListOffsets` with -3, KIP-734).
    ///
    /// # Errors
    /// [`ReadError`] when segments on the way cannot be read.
    pub fn offset_of_max_timestamp(&self) -> Result<Option<TimestampedOffset>, ReadError> {
        self.offset_of_max_timestamp_within(self.config().max_decompressed_bytes)
    }

    /// Like [`Log::offset_of_max_timestamp`], with a limit in bytes on what a batch decompresses
    /// to.
    ///
    /// # Errors
    /// [`ReadError`] as [`Log::offset_since_within`].
    pub fn offset_of_max_timestamp_within(
        &self,
        limit: usize,
    ) -> Result<Option<TimestampedOffset>, ReadError> {
        self.search(limit, |search| {
            // The indexes know the times of markers too, which are not records.
            for largest in [Search::largest_indexed, Search::largest_walked] {
                let Some(largest) = largest(search)? else { return Ok(None) };
                let found = search.first_since(largest)?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            Ok(None)
        })
    }

    fn search<T>(
        &self,
        limit: usize,
        run: impl Fn(&Search<'_>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        loop {
            let published = self.inner.published.read().clone();
            let done = run(&Search { published: &published, limit });
            // An error, or too early an end, may be a truncation's doing.
            if !self.has_moved(&published) {
                return done;
            }
        }
    }
}

/// A search over what was visible when it began.
struct Search<'a> {
    published: &'a Published,
    /// The most bytes that a batch may have once decompressed.
    limit: usize,
}

impl Search<'_> {
    fn first_since(&self, time: Timestamp) -> Result<Option<TimestampedOffset>, ReadError> {
        for segment in self.published.segments.from(self.published.bounds.start()) {
            let mut found = None;
            let before = segment.time_mark(|entry| entry.timestamp < time.as_millis())?;
            self.for_each_batch(segment, before.map_or(0, |mark| mark.position), |batch| {
                if batch.header.max_timestamp() >= Some(time) {
                    self.for_each_record(segment, batch, |record| {
                        found = found.or((record.timestamp >= time).then_some(record));
                    })?;
                }
                Ok(found.is_some())
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The largest time as the indexes know it; only the batches behind their last entries are
    /// walked.
    fn largest_indexed(&self) -> Result<Option<Timestamp>, ReadError> {
        let bounds = self.published.bounds;
        let mut largest = None;
        for segment in self.published.segments.from(bounds.start()) {
            let relative = bounds.committed().since(segment.base());
            let known = match segment.base() >= bounds.start() {
                true => segment.time_mark(|entry| i64::from(entry.relative_offset) < relative)?,
                false => None,
            };
            largest = largest.max(known.map(|mark| mark.time()));
            largest = largest.max(self.largest_of(segment, known.map_or(0, |mark| mark.position))?);
        }
        Ok(largest)
    }

    /// The largest time of a record, from the batches themselves.
    fn largest_walked(&self) -> Result<Option<Timestamp>, ReadError> {
        let segments = self.published.segments.from(self.published.bounds.start());
        let mut each = segments.iter().map(|segment| self.largest_of(segment, 0));
        each.try_fold(None, |largest: Option<Timestamp>, one| Ok(largest.max(one?)))
    }

    /// The largest time of a visible record of `segment` from `position` on.
    fn largest_of(&self, segment: &Arc<Segment>, position: u64) -> Result<Option<Timestamp>, ReadError> {
        let mut largest = None;
        self.for_each_batch(segment, position, |batch| {
            if batch.header.base_offset() >= self.published.bounds.start() {
                largest = largest.max(batch.header.max_timestamp());
            } else {
                self.for_each_record(segment, batch, |r| largest = largest.max(Some(r.timestamp)))?;
            }
            Ok(false)
        })?;
        Ok(largest)
    }

    /// Calls `visit` with each visible batch of records from `position` on, until it says that it
    /// has enough.
    fn for_each_batch(
        &self,
        segment: &Arc<Segment>,
        position: u64,
        mut visit: impl FnMut(&Scanned) -> Result<bool, ReadError>,
    ) -> Result<(), ReadError> {
        let (start, end) = (self.published.bounds.start(), self.published.bounds.committed());
        let mut scan = Scan::new(segment.file()?, position, segment.size()?, Check::Header, WINDOW);
        loop {
            let at = scan.position();
            let batch = scan.next().map_err(|e| segment.scan_error(e, at, segment.base()))?;
            let Some(batch) = batch.filter(|batch| batch.header.next_offset() <= end) else { return Ok(()) };
            // What compaction left empty keeps the times of records that are gone.
            let has_records = !batch.header.is_control() && batch.header.record_count() > 0;
            let is_visible = batch.header.last_offset() >= start && has_records;
            if is_visible && visit(&batch)? {
                return Ok(());
            }
        }
    }

    /// Calls `visit` with each visible record of a batch that has a time.
    fn for_each_record(
        &self,
        segment: &Arc<Segment>,
        batch: &Scanned,
        mut visit: impl FnMut(TimestampedOffset),
    ) -> Result<(), ReadError> {
        let (header, start) = (&batch.header, self.published.bounds.start());
        let bytes = read_batch(segment, batch)?;
        let damage = |fault| segment.damage(batch.position, header.base_offset(), fault);
        let body = &bytes[BatchHeader::SIZE..];
        let decompressed = header.decompress(body, self.limit).map_err(damage)?;
        let body = decompressed.as_deref().unwrap_or(body);
        let mut cursor = RecordCursor::default();
        while let Some(record) = cursor.next(header, body) {
            let record = record.map_err(|fault| damage(fault.into()))?;
            if let Some(timestamp) = record.timestamp.filter(|_| record.offset >= start) {
                visit(TimestampedOffset {
                    offset: record.offset,
                    timestamp,
                    leader_epoch: header.leader_epoch(),
                });
            }
        }
        Ok(())
    }
}

/// The whole of a batch, its CRC checked.
pub(crate) fn read_batch(segment: &Arc<Segment>, batch: &Scanned) -> Result<bytes::Bytes, ReadError> {
    let bytes = segment.bytes_of(batch)?;
    let damage = |fault| segment.damage(batch.position, batch.header.base_offset(), fault);
    batch.header.check_crc(&bytes).map_err(damage)?;
    Ok(bytes)
}

const WINDOW: usize = 64 * 1024;
