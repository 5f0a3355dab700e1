use bytes::Bytes;
use klamm_types::Timestamp;

use crate::record::RawRecord;
use crate::varint::Cursor;
use crate::{BatchHeader, Record, RecordError, RecordFault, TimestampType};

/// The decompressed records of one batch. It keeps them alive; [`Records::iter`] borrows them.
#[derive(Clone, Debug)]
pub struct Records {
    header: BatchHeader,
    body: Bytes,
}

/// Walks the records of a batch. After an error it ends.
#[derive(Clone, Debug)]
pub struct RecordIter<'a> {
    header: BatchHeader,
    cursor: Cursor<'a>,
    body_len: usize,
    index: usize,
    /// Delta of the record before. Invariant: smaller than that of each record to come.
    last_delta: i64,
    failed: bool,
}

impl Records {
    pub(crate) fn new(header: BatchHeader, body: Bytes) -> Records {
        Records { header, body }
    }

    /// The records in order. The batch's count is held against what is there.
    #[must_use]
    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter::new(&self.header, &self.body)
    }
}

impl<'a> IntoIterator for &'a Records {
    type Item = Result<Record<'a>, RecordError>;
    type IntoIter = RecordIter<'a>;

    fn into_iter(self) -> RecordIter<'a> {
        self.iter()
    }
}

impl<'a> RecordIter<'a> {
    /// Walks `body`, the decompressed records of the batch that `header` belongs to.
    #[must_use]
    pub fn new(header: &BatchHeader, body: &'a [u8]) -> RecordIter<'a> {
        let cursor = Cursor::new(body);
        RecordIter { header: *header, cursor, body_len: body.len(), index: 0, last_delta: -1, failed: false }
    }

    /// Bytes of the body that have been read: a later [`RecordIter::resume`] goes on there.
    #[must_use]
    pub fn position(&self) -> Resume {
        Resume {
            consumed: self.body_len - self.cursor.rest().len(),
            index: self.index,
            last_delta: self.last_delta,
        }
    }

    /// Goes on in `body` where another walk over the same body had come to, without reading what lies before.
    ///
    /// # Panics
    /// When `at` comes from a longer body.
    #[must_use]
    pub fn resume(header: &BatchHeader, body: &'a [u8], at: Resume) -> RecordIter<'a> {
        let cursor = Cursor::new(&body[at.consumed..]);
        let (index, last_delta) = (at.index, at.last_delta);
        RecordIter { header: *header, cursor, body_len: body.len(), index, last_delta, failed: false }
    }

    #[inline]
    fn read(&mut self) -> Result<Record<'a>, RecordFault> {
        let raw = RawRecord::read(&mut self.cursor)?;
        let delta = i64::from(raw.offset_delta);
        if delta <= self.last_delta || delta > i64::from(self.header.last_offset_delta()) {
            return Err(RecordFault::Offset(raw.offset_delta));
        }
        self.last_delta = delta;
        self.index += 1;
        let offset =
            self.header.base_offset().checked_add(delta).ok_or(RecordFault::Offset(raw.offset_delta))?;
        let timestamp = self.timestamp(raw.timestamp_delta)?;
        Ok(Record { offset, timestamp, key: raw.key, value: raw.value, headers: raw.headers })
    }

    #[inline]
    fn timestamp(&self, delta: i64) -> Result<Option<Timestamp>, RecordFault> {
        match self.header.timestamp_type() {
            TimestampType::LogAppendTime => Ok(self.header.max_timestamp()),
            TimestampType::CreateTime => {
                let time = self.header.base_timestamp().checked_add(delta);
                time.map(Timestamp::from_raw).ok_or(RecordFault::Timestamp(delta))
            }
        }
    }

    fn fail(&mut self, position: usize, index: usize, fault: RecordFault) -> RecordError {
        self.failed = true;
        RecordError { index, position, fault }
    }
}

/// How far a walk over a batch's records has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resume {
    consumed: usize,
    index: usize,
    last_delta: i64,
}

impl Default for Resume {
    fn default() -> Resume {
        Resume { consumed: 0, index: 0, last_delta: -1 }
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, RecordError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let position = self.body_len - self.cursor.rest().len();
        if self.failed {
            return None;
        }
        if self.index == self.header.record_count() as usize {
            let left = self.cursor.rest().len();
            return (left > 0)
                .then(|| Err(self.fail(position, self.index, RecordFault::TrailingRecords(left))));
        }
        let index = self.index;
        Some(self.read().map_err(|fault| self.fail(position, index, fault)))
    }
}
