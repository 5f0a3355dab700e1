//! One record: varint length, attributes, timestamp and offset as deltas, key, value, headers.

use klamm_types::{Offset, Timestamp};

use crate::error::RecordFault;
use crate::varint::Cursor;

/// A record, borrowed from its batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Its position in the partition.
    pub offset: Offset,
    /// When it was created, or appended; `None` when the writer gave no time.
    pub timestamp: Option<Timestamp>,
    /// The key; absent and empty are different.
    pub key: Option<&'a [u8]>,
    /// The value; absent is a tombstone in a compacted log.
    pub value: Option<&'a [u8]>,
    /// The headers, in the order they were written.
    pub headers: Headers<'a>,
}

/// A record's headers: iterate it. A key may occur more than once.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Headers<'a> {
    count: usize,
    /// Invariant: holds `count` well-formed headers and nothing else.
    bytes: &'a [u8],
}

/// One header of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header<'a> {
    /// The key, UTF-8 by convention, which is not checked.
    pub key: &'a [u8],
    /// The value; absent and empty are different.
    pub value: Option<&'a [u8]>,
}

/// A record as its bytes say: deltas instead of an offset and a time.
pub(crate) struct RawRecord<'a> {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: Headers<'a>,
}

impl<'a> RawRecord<'a> {
    /// Reads one record and moves `cursor` behind it.
    #[inline]
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<RawRecord<'a>, RecordFault> {
        let length = cursor.varint().and_then(|l| usize::try_from(l).ok());
        let body = length.and_then(|length| cursor.take(length)).ok_or(RecordFault::Length)?;
        let mut body = Cursor::new(body);
        let mut record = Self::fields(&mut body).ok_or(RecordFault::Fields)?;
        record.headers = Headers::read(body)?;
        Ok(record)
    }

    /// The offset delta of the first record of `bytes`, and the record's size.
    #[inline]
    pub(crate) fn peek(bytes: &[u8]) -> Option<(i64, usize)> {
        let mut cursor = Cursor::new(bytes);
        let length = cursor.varint().and_then(|l| usize::try_from(l).ok())?;
        let mut body = Cursor::new(cursor.take(length)?);
        let _attributes = body.byte()?;
        let _timestamp_delta = body.varlong()?;
        Some((i64::from(body.varint()?), bytes.len() - cursor.rest().len()))
    }

    #[inline]
    fn fields(body: &mut Cursor<'a>) -> Option<RawRecord<'a>> {
        let _attributes = body.byte()?;
        Some(RawRecord {
            timestamp_delta: body.varlong()?,
            offset_delta: body.varint()?,
            key: body.nullable_bytes()?,
            value: body.nullable_bytes()?,
            headers: Headers::default(),
        })
    }
}

impl<'a> Headers<'a> {
    /// No headers.
    pub const NONE: Headers<'static> = Headers { count: 0, bytes: &[] };

    #[inline]
    fn read(mut body: Cursor<'a>) -> Result<Headers<'a>, RecordFault> {
        let count = body.varint().and_then(|c| usize::try_from(c).ok()).ok_or(RecordFault::Headers)?;
        let headers = Headers { count, bytes: body.rest() };
        for _ in 0..count {
            Header::read(&mut body).ok_or(RecordFault::Headers)?;
        }
        match body.rest().len() {
            0 => Ok(headers),
            left => Err(RecordFault::TrailingBytes(left)),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The headers, in the order they were written.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.bytes);
        (0..self.count).map_while(move |_| Header::read(&mut cursor))
    }

    /// Value of the last header with this key: `Some(None)` when it is there without a value.
    #[must_use]
    pub fn last(&self, key: &str) -> Option<Option<&'a [u8]>> {
        self.iter().filter(|header| header.key == key.as_bytes()).last().map(|header| header.value)
    }
}

impl<'a> Header<'a> {
    #[inline]
    fn read(cursor: &mut Cursor<'a>) -> Option<Header<'a>> {
        let key = cursor.nullable_bytes()??;
        Some(Header { key, value: cursor.nullable_bytes()? })
    }
}

impl std::fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
