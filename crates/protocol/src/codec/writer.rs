//! Writing values into frames.

use bytes::{BufMut, Bytes, BytesMut};

use crate::codec::reader::Width;
use crate::{EncodeError, Piece, Pieces, Records};

/// Writes values at the end of a message. Large records become pieces of their own and are not
/// copied.
#[derive(Debug, Default)]
pub struct Writer {
    pieces: Vec<Piece>,
    buffer: BytesMut,
}

impl Writer {
    /// A writer that leaves room in front for the frame's length.
    pub(crate) fn with_length() -> Writer {
        let mut buffer = BytesMut::with_capacity(256);
        buffer.put_i32(0);
        Writer { pieces: Vec::new(), buffer }
    }

    /// The message.
    pub(crate) fn finish(mut self) -> Pieces {
        self.flush();
        Pieces { pieces: self.pieces }
    }

    /// The frame: what follows the first four bytes is counted and the number put there.
    pub(crate) fn finish_frame(mut self) -> Result<Pieces, EncodeError> {
        self.flush();
        let mut frame = Pieces { pieces: self.pieces };
        let got = frame.len() - 4;
        let length = i32::try_from(got).map_err(|_| EncodeError::TooLong { what: "frame", got, max: MAX })?;
        if let Some(Piece::Bytes(first)) = frame.pieces.first_mut() {
            let mut head = BytesMut::from(std::mem::take(first));
            head[..4].copy_from_slice(&length.to_be_bytes());
            *first = head.freeze();
        }
        Ok(frame)
    }

    fn flush(&mut self) {
        if !self.buffer.is_empty() {
            self.pieces.push(Piece::Bytes(self.buffer.split().freeze()));
        }
    }

    pub(crate) fn put(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    pub(crate) fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.buffer.put_u8((value & 0x7f).to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.buffer.put_u8(value.to_le_bytes()[0]);
    }

    pub(crate) fn no_tags(&mut self) {
        self.buffer.put_u8(0);
    }

    /// A length, as [`Reader::length`](super::Reader) reads it; `None` is null.
    pub(crate) fn length(
        &mut self,
        what: &'static str,
        length: Option<usize>,
        flex: bool,
        width: Width,
    ) -> Result<(), EncodeError> {
        let max = if matches!(width, Width::Short) { i16::MAX.unsigned_abs().into() } else { MAX };
        if let Some(got) = length.filter(|got| *got > max) {
            return Err(EncodeError::TooLong { what, got, max });
        }
        let number = length.map_or(-1, |length| i32::try_from(length).unwrap_or(i32::MAX));
        match (flex, width) {
            (true, _) => self.uvarint((i64::from(number) + 1).try_into().unwrap_or(u32::MAX)),
            (false, Width::Short) => self.buffer.put_i16(i16::try_from(number).unwrap_or(i16::MAX)),
            (false, Width::Long) => self.buffer.put_i32(number),
        }
        Ok(())
    }

    pub(crate) fn records(&mut self, records: Option<&Records>, flex: bool) -> Result<(), EncodeError> {
        self.length("records", records.map(Records::len), flex, Width::Long)?;
        match records {
            Some(Records::Bytes(bytes)) if bytes.len() >= OWN_PIECE => {
                self.piece(Piece::Bytes(bytes.clone()));
            }
            Some(Records::Bytes(bytes)) => self.buffer.extend_from_slice(bytes),
            Some(Records::Region(region)) => self.piece(Piece::Region(*region)),
            None => {}
        }
        Ok(())
    }

    fn piece(&mut self, piece: Piece) {
        self.flush();
        self.pieces.push(piece);
    }

    /// Appends what another writer has.
    pub(crate) fn append(&mut self, bytes: &Bytes) {
        self.buffer.extend_from_slice(bytes);
    }
}

/// Lengths are at most 31 bits, one less where they are compact.
const MAX: usize = i32::MAX as usize - 1;
/// Shorter records are copied: a system call for each would cost more.
const OWN_PIECE: usize = 4 * 1024;
