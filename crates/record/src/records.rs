//! The records of a batch.

use bytes::Bytes;
use klamm_types::{Offset, Timestamp};

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
    header: &'a BatchHeader,
    body: &'a [u8],
    cursor: RecordCursor,
}

/// A place in the records of a batch, which can be kept while the bytes it belongs to are not
/// borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordCursor {
    /// Bytes of the records that have been read; `usize::MAX` after an error.
    position: usize,
    index: u32,
    /// Delta of the record before. Invariant: smaller than that of each record to come.
    last_delta: i64,
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

    /// The decompressed bytes.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.body
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
    pub fn new(header: &'a BatchHeader, body: &'a [u8]) -> RecordIter<'a> {
        RecordIter { header, body, cursor: RecordCursor::default() }
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, RecordError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.cursor.next(self.header, self.body)
    }
}

impl Default for RecordCursor {
    /// Before the first record.
    fn default() -> RecordCursor {
        RecordCursor { position: 0, index: 0, last_delta: -1 }
    }
}

impl RecordCursor {
    /// Reads the record here in `body`, the decompressed records of `header`'s batch, and moves
    /// behind it. After the last record, and after an error, there is `None`.
    #[inline]
    pub fn next<'a>(
        &mut self,
        header: &BatchHeader,
        body: &'a [u8],
    ) -> Option<Result<Record<'a>, RecordError>> {
        let mut rest = Cursor::new(body.get(self.position..)?);
        if self.index == header.record_count() {
            return self.check_end(rest.rest().len()).map(Err);
        }
        match self.read(header, &mut rest) {
            Ok(record) => {
                self.position = body.len() - rest.rest().len();
                self.index += 1;
                Some(Ok(record))
            }
            Err(fault) => Some(Err(self.fail(fault))),
        }
    }

    /// Moves past records as long as `pass` says so of their offsets; of those only the length and
    /// the offset are looked at. Stops at a record that is not valid, which [`RecordCursor::next`]
    /// then says.
    #[inline]
    pub fn skip_while(&mut self, header: &BatchHeader, body: &[u8], mut pass: impl FnMut(Offset) -> bool) {
        while self.index < header.record_count() {
            let Some((delta, size)) = body.get(self.position..).and_then(RawRecord::peek) else { return };
            let offset = header.base_offset().checked_add(delta);
            if delta <= self.last_delta || !offset.is_some_and(&mut pass) {
                return;
            }
            (self.position, self.index, self.last_delta) = (self.position + size, self.index + 1, delta);
        }
    }

    #[inline]
    fn read<'a>(&mut self, header: &BatchHeader, rest: &mut Cursor<'a>) -> Result<Record<'a>, RecordFault> {
        let raw = RawRecord::read(rest)?;
        let delta = i64::from(raw.offset_delta);
        if delta <= self.last_delta || delta > i64::from(header.last_offset_delta()) {
            return Err(RecordFault::Offset(raw.offset_delta));
        }
        self.last_delta = delta;
        let offset = header.base_offset().checked_add(delta).ok_or(RecordFault::Offset(raw.offset_delta))?;
        let timestamp = timestamp(header, raw.timestamp_delta)?;
        Ok(Record { offset, timestamp, key: raw.key, value: raw.value, headers: raw.headers })
    }

    /// Records that have been read.
    #[inline]
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    #[cold]
    fn check_end(&mut self, left: usize) -> Option<RecordError> {
        (left > 0).then(|| self.fail(RecordFault::TrailingRecords(left)))
    }

    #[cold]
    fn fail(&mut self, fault: RecordFault) -> RecordError {
        let position = std::mem::replace(&mut self.position, usize::MAX);
        RecordError { index: self.index as usize, position, fault }
    }
}

#[inline]
fn timestamp(header: &BatchHeader, delta: i64) -> Result<Option<Timestamp>, RecordFault> {
    match header.timestamp_type() {
        TimestampType::LogAppendTime => Ok(header.max_timestamp()),
        TimestampType::CreateTime => {
            let time = header.base_timestamp().checked_add(delta);
            time.map(Timestamp::from_raw).ok_or(RecordFault::Timestamp(delta))
        }
    }
}
