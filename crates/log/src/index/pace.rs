//! Which batches get index entries.

use klamm_record::BatchHeader;
use klamm_types::{Offset, Timestamp};

use super::Indexes;
use crate::FileError;
use crate::format::{OffsetEntry, TimeEntry};

/// Decides which batches get index entries: one each `index.interval.bytes`, as Kafka does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexPace {
    base: Offset,
    interval: u32,
    /// Bytes of batches since the last entry.
    since: u64,
    /// The largest time so far and the last offset of the batch that has it.
    max: Option<TimeEntry>,
}

impl IndexPace {
    /// For a segment that begins at `base` and has had times up to `max`.
    pub(crate) fn new(base: Offset, interval: u32, max: Option<TimeEntry>) -> IndexPace {
        IndexPace { base, interval, since: 0, max }
    }

    pub(crate) fn set_interval(&mut self, interval: u32) {
        self.interval = interval;
    }

    /// Whether the batch that comes next gets an entry.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.since > u64::from(self.interval)
    }

    /// Notes a batch that gets no entry.
    #[inline]
    pub(crate) fn pass(&mut self, header: &BatchHeader) {
        let time = header.max_timestamp().map(Timestamp::as_millis);
        if let Some(timestamp) = time.filter(|t| self.max.is_none_or(|max| *t > max.timestamp)) {
            self.max = Some(TimeEntry { timestamp, relative_offset: self.relative(header) });
        }
        self.since += header.size() as u64;
    }

    /// Notes the batch at `position` and gives it an entry when one is due.
    pub(crate) fn on_batch(
        &mut self,
        header: &BatchHeader,
        position: u64,
        indexes: &mut Indexes,
    ) -> Result<(), FileError> {
        let due = self.is_due();
        self.pass(header);
        if due {
            self.since = header.size() as u64;
            let position = u32::try_from(position).expect("SEG-1: positions are 31 bits");
            indexes.offsets.push(OffsetEntry { relative_offset: self.relative(header), position });
            self.push_time(indexes)?;
        }
        Ok(())
    }

    /// Gives the largest time so far an entry, as is done when the segment is closed or rolled.
    pub(crate) fn push_time(&self, indexes: &mut Indexes) -> Result<(), FileError> {
        let (Some(max), last) = (self.max, indexes.times.last()?) else { return Ok(()) };
        let rises = last
            .is_none_or(|last| max.timestamp > last.timestamp && max.relative_offset > last.relative_offset);
        if rises {
            indexes.times.push(max);
        }
        Ok(())
    }

    fn relative(&self, header: &BatchHeader) -> u32 {
        u32::try_from(header.last_offset().since(self.base)).expect("SEG-1: relative offsets are 31 bits")
    }
}
