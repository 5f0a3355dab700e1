//! The times of a segment's batches. The time index is a cache, so that an entry of it is used only
//! after the batches have confirmed it; when they do not, the index is built again from their
//! headers.
//!
//! An entry says: the batch at this offset has this time, and no batch before it has a later one.
//! The first half is read from that batch, the second from the batches since the entry before.

use klamm_types::Timestamp;

use super::Segment;
use crate::ReadError;
use crate::format::TimeEntry;
use crate::scan::{Check, Scan, Scanned};

/// The batch that has the largest time of all batches up to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TimeMark {
    /// The entry for it in a time index.
    pub(crate) entry: TimeEntry,
    /// Where the batch starts, in bytes.
    pub(crate) position: u64,
}

/// The largest time of a segment, as it was found when the segment had `size` bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Largest {
    size: u64,
    time: Option<Timestamp>,
}

impl TimeMark {
    pub(crate) fn time(&self) -> Timestamp {
        Timestamp::from_millis(self.entry.timestamp)
    }
}

impl Segment {
    /// The last entry of the time index for which `holds`, confirmed by the batches; `None` when it
    /// holds for none. `holds` must be true for all entries before the last for which it is.
    pub(crate) fn time_mark(
        &self,
        holds: impl Fn(&TimeEntry) -> bool,
    ) -> Result<Option<TimeMark>, ReadError> {
        if let Confirmed::Yes(mark) = self.confirmed_mark(&holds)? {
            return Ok(mark);
        }
        self.replace_indexes()?;
        match self.confirmed_mark(&holds)? {
            Confirmed::Yes(mark) => Ok(mark),
            Confirmed::No => Ok(None),
        }
    }

    /// The batch with the largest time before `end`, a position in bytes where a batch starts or
    /// the segment ends.
    pub(crate) fn largest_mark(&self, end: u64) -> Result<Option<TimeMark>, ReadError> {
        let before = self.with_indexes(|indexes| {
            let before = indexes.offsets.partition_point(|e| u64::from(e.position) < end)?;
            before.checked_sub(1).map_or(Ok(None), |at| indexes.offsets.get(at))
        })??;
        let last = before.map_or(0, |entry| entry.relative_offset);
        let known = self.time_mark(|entry| entry.relative_offset <= last)?.filter(|mark| mark.position < end);
        let mut largest = known;
        self.for_each_header(known.map_or(0, |mark| mark.position), end, Check::Header, |batch| {
            let time = batch.header.max_timestamp();
            if time > largest.map(|mark| mark.time()) {
                largest = self.mark(batch);
            }
        })?;
        Ok(largest)
    }

    /// The largest time of the batches; that of the file where no batch has one. Few batches are
    /// read: those since the last entry of the time index.
    pub(crate) fn largest_timestamp(&self) -> Result<Option<Timestamp>, ReadError> {
        let size = self.size()?;
        if let Some(known) = self.largest.lock().filter(|known| known.size == size) {
            return Ok(known.time);
        }
        let time = match self.largest_mark(size)? {
            Some(mark) => Some(mark.time()),
            None => self.modified()?,
        };
        *self.largest.lock() = Some(Largest { size, time });
        Ok(time)
    }

    /// The largest time of the batches, read from all of them without any index: what decides on
    /// deleting. Behind damage the times cannot be known, and the time of the file counts too.
    pub(crate) fn largest_timestamp_read(&self, check: Check) -> Result<Option<Timestamp>, ReadError> {
        let size = self.size()?;
        let mut largest = None;
        let read = self.for_each_header(0, size, check, |batch| {
            largest = largest.max(batch.header.max_timestamp());
        });
        let time = match read {
            Ok(()) if largest.is_some() => largest,
            Ok(()) | Err(ReadError::Damage(_)) => largest.max(self.modified()?),
            Err(error) => return Err(error),
        };
        *self.largest.lock() = Some(Largest { size, time });
        Ok(time)
    }

    /// Whether records are missing between its batches or in them, as compaction leaves it. Damage
    /// ends the search.
    pub(crate) fn is_compacted(&self) -> Result<bool, ReadError> {
        let end = self.size()?;
        let (mut next, mut is_compacted) = (self.base, false);
        let read = self.for_each_header(0, end, Check::Header, |batch| {
            let header = &batch.header;
            let offsets = header.next_offset().since(header.base_offset());
            is_compacted |= header.base_offset() != next || i64::from(header.record_count()) != offsets;
            next = header.next_offset();
        });
        match read {
            Ok(()) | Err(ReadError::Damage(_)) => Ok(is_compacted),
            Err(error) => Err(error),
        }
    }

    /// After a truncation: another batch of the same size may come in the place of what went.
    pub(crate) fn forget_largest_timestamp(&self) {
        *self.largest.lock() = None;
    }

    fn confirmed_mark(&self, holds: &impl Fn(&TimeEntry) -> bool) -> Result<Confirmed, ReadError> {
        let (before, entry) = self.with_indexes(|indexes| {
            let at = indexes.times.partition_point(holds)?;
            let get = |back| at.checked_sub(back).map_or(Ok(None), |at| indexes.times.get(at));
            Ok::<_, crate::FileError>((get(2)?, get(1)?))
        })??;
        let Some(entry) = entry else { return Ok(Confirmed::Yes(None)) };
        let rises = |b: TimeEntry| b.timestamp < entry.timestamp && b.relative_offset < entry.relative_offset;
        let from = match before {
            None => Some(0),
            Some(before) if rises(before) => self.batch_of(before)?.map(|batch| batch.position),
            Some(_) => None,
        };
        let (Some(from), Some(batch)) = (from, self.batch_of(entry)?) else { return Ok(Confirmed::No) };
        let mut largest = None;
        self.for_each_header(from, batch.position, Check::Header, |batch| {
            largest = largest.max(batch.header.max_timestamp());
        })?;
        let is_largest = largest <= Some(Timestamp::from_millis(entry.timestamp));
        let mark = TimeMark { entry, position: batch.position };
        Ok(if is_largest { Confirmed::Yes(Some(mark)) } else { Confirmed::No })
    }

    /// The batch that an entry names, if that is its time. Older versions of Kafka write the offset
    /// of the record that has the time, not that of the batch's last.
    fn batch_of(&self, entry: TimeEntry) -> Result<Option<Scanned>, ReadError> {
        let Some(offset) = self.base.checked_add(i64::from(entry.relative_offset)) else { return Ok(None) };
        let time = Some(Timestamp::from_millis(entry.timestamp));
        let has_it = |b: &Scanned| b.header.base_offset() <= offset && b.header.max_timestamp() == time;
        Ok(self.find(offset)?.filter(has_it))
    }

    fn mark(&self, batch: &Scanned) -> Option<TimeMark> {
        let relative_offset = u32::try_from(batch.header.last_offset().since(self.base)).ok()?;
        let timestamp = batch.header.max_timestamp()?.as_millis();
        Some(TimeMark { entry: TimeEntry { timestamp, relative_offset }, position: batch.position })
    }

    /// Calls `visit` with the batches between two positions where batches start.
    pub(crate) fn for_each_header(
        &self,
        from: u64,
        to: u64,
        check: Check,
        mut visit: impl FnMut(&Scanned),
    ) -> Result<(), ReadError> {
        let window = if check == Check::Header { HEADERS } else { super::CHUNK };
        let mut scan = Scan::new(self.file()?, from, to, check, window);
        let mut next = self.base;
        loop {
            let position = scan.position();
            let Some(batch) = scan.next().map_err(|error| self.scan_error(error, position, next))? else {
                return Ok(());
            };
            next = batch.header.next_offset();
            visit(&batch);
        }
    }
}

/// Whether the batches agree with what an index says.
enum Confirmed {
    Yes(Option<TimeMark>),
    No,
}

/// Bytes read at a time where only headers are looked at: large batches are skipped, small ones
/// come many at a time.
const HEADERS: usize = 4 * 1024;
