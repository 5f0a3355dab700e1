//! Reading values from frames.

use bytes::{Buf, Bytes};

use super::replaced;
use crate::{ByteString, DecodeError};

/// Reads values off the front of a frame. Texts and byte strings share the frame's memory. Text
/// that is not UTF-8 is copied, with U+FFFD in place of each malformed sequence.
#[derive(Debug)]
pub struct Reader {
    rest: Bytes,
    /// Bytes of memory that the elements of collections and replaced texts may still take.
    room: usize,
    /// Bytes of memory that they could take at first.
    whole_room: usize,
    /// Bytes of the texts and byte strings read so far.
    texts: usize,
    /// Bytes of memory of the texts that were replaced because they are not UTF-8.
    replaced: usize,
    purpose: Purpose,
}

/// What a message takes in memory once it is decoded, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Measured {
    /// The elements of its collections.
    pub elements: usize,
    /// Its texts and byte strings, which share the memory of the frame until somebody copies them.
    pub texts: usize,
    /// Its texts that are not UTF-8: these are copies from the beginning.
    pub replaced: usize,
}

/// What a message is read for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purpose {
    /// Its values.
    Decode,
    /// The memory that its values would take: elements are dropped as soon as they are read.
    Measure,
}

impl Reader {
    /// Reads `bytes`. What the elements of its collections take in memory is bounded by a multiple
    /// of its length.
    #[must_use]
    pub fn new(bytes: Bytes) -> Reader {
        let room = bytes.len().saturating_mul(ROOM_PER_BYTE).saturating_add(ROOM);
        Reader { rest: bytes, room, whole_room: room, texts: 0, replaced: 0, purpose: Purpose::Decode }
    }

    /// Reads `bytes` without keeping the elements of collections, to learn how much memory they
    /// would take.
    pub(crate) fn measuring(bytes: Bytes) -> Reader {
        Reader { purpose: Purpose::Measure, ..Reader::new(bytes) }
    }

    pub(crate) fn is_measuring(&self) -> bool {
        self.purpose == Purpose::Measure
    }

    pub(crate) fn measured(&self) -> Measured {
        let elements = self.whole_room - self.room - self.replaced;
        Measured { elements, texts: self.texts, replaced: self.replaced }
    }

    /// Takes a byte string.
    pub(crate) fn bytes(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        self.texts += length;
        self.take("bytes", length)
    }

    /// Takes a text of at most 32,767 bytes. As in Kafka, U+FFFD replaces each malformed sequence.
    /// The replaced text must not be longer than a text can be either, so that it can always be
    /// encoded.
    pub(crate) fn text(&mut self, length: usize) -> Result<ByteString, DecodeError> {
        check_text(length)?;
        self.need("string", length)?;
        let text = match ByteString::try_from(self.rest.slice(..length)) {
            Ok(text) => {
                self.texts += length;
                text
            }
            Err(_) => self.replace(length)?,
        };
        self.rest.advance(length);
        Ok(text)
    }

    /// The text in the next `length` bytes, which are not UTF-8. Its memory is counted before it is
    /// allocated. When measuring, the text is empty.
    fn replace(&mut self, length: usize) -> Result<ByteString, DecodeError> {
        let whole = replaced::length(&self.rest[..length]);
        check_text(whole)?;
        self.charge(1, whole + SHARED)?;
        self.texts += whole;
        self.replaced += whole + SHARED + ALLOCATION;
        if self.is_measuring() {
            return Ok(ByteString::new());
        }
        Ok(replaced::text(&self.rest[..length], whole).into())
    }

    /// Bytes that are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// What is left.
    #[must_use]
    pub fn into_rest(self) -> Bytes {
        self.rest
    }

    /// Makes sure that nothing is left.
    pub(crate) fn finish(&self, what: &'static str) -> Result<(), DecodeError> {
        match self.left() {
            0 => Ok(()),
            got => Err(DecodeError::Trailing { what, got }),
        }
    }

    fn need(&self, what: &'static str, expected: usize) -> Result<(), DecodeError> {
        let got = self.left();
        if got < expected { Err(DecodeError::Truncated { what, expected, got }) } else { Ok(()) }
    }

    pub(crate) fn take(&mut self, what: &'static str, length: usize) -> Result<Bytes, DecodeError> {
        self.need(what, length)?;
        Ok(self.rest.split_to(length))
    }

    pub(crate) fn i8(&mut self) -> Result<i8, DecodeError> {
        self.need("int8", 1)?;
        Ok(self.rest.get_i8())
    }

    pub(crate) fn i16(&mut self) -> Result<i16, DecodeError> {
        self.need("int16", 2)?;
        Ok(self.rest.get_i16())
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.need("uint16", 2)?;
        Ok(self.rest.get_u16())
    }

    pub(crate) fn i32(&mut self) -> Result<i32, DecodeError> {
        self.need("int32", 4)?;
        Ok(self.rest.get_i32())
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.need("uint32", 4)?;
        Ok(self.rest.get_u32())
    }

    pub(crate) fn i64(&mut self) -> Result<i64, DecodeError> {
        self.need("int64", 8)?;
        Ok(self.rest.get_i64())
    }

    pub(crate) fn f64(&mut self) -> Result<f64, DecodeError> {
        self.need("float64", 8)?;
        Ok(self.rest.get_f64())
    }

    /// A number of 1 to 5 bytes, 7 bits each, the lowest first.
    pub(crate) fn uvarint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.i8()?.cast_unsigned();
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(value).map_err(|_| DecodeError::Varint);
            }
        }
        Err(DecodeError::Varint)
    }

    /// A length: compact ones are one more than the number, 0 is null; others are of `width` and -1
    /// is null.
    pub(crate) fn length(
        &mut self,
        what: &'static str,
        flex: bool,
        width: Width,
    ) -> Result<Option<usize>, DecodeError> {
        let raw = match (flex, width) {
            (true, _) => i64::from(self.uvarint()?) - 1,
            (false, Width::Short) => i64::from(self.i16()?),
            (false, Width::Long) => i64::from(self.i32()?),
        };
        match raw {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).map_err(|_| DecodeError::Length {
                what,
                got: length,
                expected: "0 or more, or -1 for null",
            }),
        }
    }

    /// Number of elements of a collection: each needs at least a byte.
    pub(crate) fn count(&mut self, flex: bool) -> Result<Option<usize>, DecodeError> {
        match self.length("collection", flex, Width::Long)? {
            Some(got) if got > self.left() => Err(DecodeError::Collection { got, left: self.left() }),
            count => Ok(count),
        }
    }

    /// Counts the memory of `count` elements of `size` bytes each, before it is allocated.
    pub(crate) fn charge(&mut self, count: usize, size: usize) -> Result<(), DecodeError> {
        let bytes = if count == 0 { 0 } else { count.saturating_mul(size).saturating_add(ALLOCATION) };
        self.room = self.room.checked_sub(bytes).ok_or(DecodeError::Memory { max: ROOM_PER_BYTE })?;
        Ok(())
    }

    /// Passes over tagged fields.
    pub(crate) fn skip_tags(&mut self) -> Result<(), DecodeError> {
        self.tags(&mut |_, _| Ok(false))
    }

    /// Reads tagged fields: `read` says whether it knows the tag; those that it does not know are
    /// passed over.
    pub(crate) fn tags(
        &mut self,
        read: &mut dyn FnMut(u32, &mut Reader) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        for _ in 0..self.uvarint()? {
            let tag = self.uvarint()?;
            let size = usize::try_from(self.uvarint()?).unwrap_or(usize::MAX);
            let field = self.take("tagged field", size)?;
            let behind = std::mem::replace(&mut self.rest, field);
            if read(tag, self)? {
                self.finish("a tagged field")?;
            }
            self.rest = behind;
        }
        Ok(())
    }
}

/// A text of more bytes could not be encoded.
fn check_text(length: usize) -> Result<(), DecodeError> {
    let got = i64::try_from(length).unwrap_or(i64::MAX);
    if got <= i16::MAX.into() {
        return Ok(());
    }
    Err(DecodeError::Length { what: "string", got, expected: "at most 32,767" })
}

/// How a length is written where it is not compact.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Width {
    /// 16 bits.
    Short,
    /// 32 bits.
    Long,
}

/// Bytes in memory for a byte of the frame: an element is one byte at the least, and some hundred
/// in memory. Honest messages stay under eight.
const ROOM_PER_BYTE: usize = 16;
/// What any frame may take, however short.
const ROOM: usize = 1024;
/// Bytes that an allocator adds to an allocation.
const ALLOCATION: usize = 16;
/// Bytes of what counts the holders of a text that does not share the frame's memory, with its
/// allocation.
const SHARED: usize = 24 + ALLOCATION;
