//! Errors of record batches.

use klamm_types::NegativeNumber;
use thiserror::Error;

use crate::{Compression, CompressionError};

/// Why bytes are no valid record batch. Positions and lengths are in bytes from the start of the
/// batch.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The bytes end before the batch does.
    #[error("batch is cut short: expected {expected} bytes, got {got}")]
    Truncated {
        /// Bytes that the header, or the length in it, asks for.
        expected: usize,
        /// Bytes that are there.
        got: usize,
    },
    /// The length field cannot be that of a batch, or bytes follow the batch.
    #[error("batch length field is {got}, expected {expected}")]
    Length {
        /// The field's value.
        got: i32,
        /// What would be right, in words.
        expected: &'static str,
    },
    /// Another format than v2.
    #[error("batch has magic {got}, expected 2")]
    Magic {
        /// The format's number.
        got: i8,
    },
    /// The checksum is not that of the bytes.
    #[error("batch checksum does not match: header says {expected:#010x}, bytes give {got:#010x}")]
    Checksum {
        /// CRC-32C in the header.
        expected: u32,
        /// CRC-32C of the bytes.
        got: u32,
    },
    /// The attributes name a codec that does not exist.
    #[error("batch names codec {got}, expected 0 to 4")]
    Codec {
        /// The codec's number.
        got: u8,
    },
    /// A number in the header that cannot be negative is, or two that belong together do not fit.
    #[error("batch header has {field} {got}, expected {expected}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// Its value.
        got: i64,
        /// What would be right, in words.
        expected: &'static str,
    },
    /// A record inside is broken.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The records could not be decompressed.
    #[error(transparent)]
    Compression(#[from] CompressionError),
}

/// Where in a batch a record is broken, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("record {index} of the batch, at byte {position} of its records: {fault}")]
pub struct RecordError {
    /// Number of the record in its batch, 0 for the first.
    pub index: usize,
    /// Where it starts, in bytes of the decompressed records.
    pub position: usize,
    /// What is wrong.
    pub fault: RecordFault,
}

/// What is wrong with a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// The record's length is negative or larger than what is left.
    #[error("its length does not fit the bytes that are left")]
    Length,
    /// A number or byte string in the record does not fit its length.
    #[error("its fields do not fit its length")]
    Fields,
    /// A header's key or value does not fit, or their number is negative.
    #[error("its headers do not fit its length")]
    Headers,
    /// Bytes follow the last header.
    #[error("{0} bytes follow its last header")]
    TrailingBytes(usize),
    /// The offset does not rise, or lies beyond the batch's last.
    #[error("its offset delta {0} does not rise within the batch")]
    Offset(i32),
    /// The timestamp leaves the range of 64 bits.
    #[error("its timestamp delta {0} overflows")]
    Timestamp(i64),
    /// The batch's record count is smaller than what its bytes hold.
    #[error("{0} bytes follow the last record")]
    TrailingRecords(usize),
}

/// Why a batch could not be built.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A key, value, header or the whole batch is longer than the format can say.
    #[error("batch would have {got} bytes, expected at most {max}")]
    TooLarge {
        /// Bytes it would have.
        got: usize,
        /// The most there can be.
        max: usize,
    },
    /// The record's offset does not lie behind that of the record before it, or too far from the
    /// batch's base.
    #[error("record offset delta {got} does not rise, the last was {last}")]
    Offset {
        /// Delta from the batch's base offset.
        got: i64,
        /// Delta of the record before.
        last: i64,
    },
    /// The timestamp is too far from the batch's first.
    #[error("record timestamp {got} overflows as a delta from {base}")]
    Timestamp {
        /// The record's timestamp in milliseconds.
        got: i64,
        /// The batch's base timestamp in milliseconds.
        base: i64,
    },
    /// A batch must hold at least one record, unless it is built to be empty.
    #[error("batch has no records")]
    Empty,
    /// The codec failed, or is not compiled in.
    #[error(transparent)]
    Compression(#[from] CompressionError),
}

impl From<NegativeNumber> for BatchError {
    fn from(error: NegativeNumber) -> BatchError {
        BatchError::Field { field: error.what, got: error.got, expected: "0 or more" }
    }
}

impl CompressionError {
    /// The codec is known, but its cargo feature is off.
    #[cfg_attr(
        all(feature = "gzip", feature = "snappy", feature = "lz4", feature = "zstd"),
        allow(dead_code)
    )]
    pub(crate) fn feature_off(codec: Compression) -> CompressionError {
        CompressionError::FeatureOff { codec }
    }
}
