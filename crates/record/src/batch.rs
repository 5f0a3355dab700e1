//! A record batch over shared bytes.

use std::ops::Deref;

use bytes::Bytes;

use crate::{BatchError, BatchHeader, Depth, Records, validate};

/// One batch whose header and CRC are known to be right, over shared bytes: cloning it copies no
/// records.
///
/// It derefs to its [`BatchHeader`], so `batch.base_offset()` works.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordBatch {
    header: BatchHeader,
    /// Invariant: exactly `header.size()` bytes whose CRC matches.
    bytes: Bytes,
}

impl RecordBatch {
    /// Checks that `bytes` is one whole batch: its header and its CRC. The records inside are not
    /// looked at.
    ///
    /// # Errors
    /// [`BatchError`] names what is wrong, or how many bytes there should be.
    pub fn parse(bytes: Bytes) -> Result<RecordBatch, BatchError> {
        let header = validate(&bytes, Depth::Header)?;
        if bytes.len() > header.size() {
            let got = i32::try_from(header.size() - BatchHeader::LENGTH_END).unwrap_or(i32::MAX);
            return Err(BatchError::Length { got, expected: "the length of the bytes" });
        }
        Ok(RecordBatch { header, bytes })
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The batch as it stands on disk and on the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The batch's records, decompressed to at most `limit` bytes. Without a codec nothing is
    /// copied.
    ///
    /// # Errors
    /// [`BatchError::Compression`] when they do not decompress, are larger than `limit`, or the
    /// codec's feature is off.
    pub fn records(&self, limit: usize) -> Result<Records, BatchError> {
        let body = self.bytes.slice(BatchHeader::SIZE..);
        let body = self.header.decompress(&body, limit)?.map_or(body, Bytes::from);
        Ok(Records::new(self.header, body))
    }
}

impl Deref for RecordBatch {
    type Target = BatchHeader;

    fn deref(&self) -> &BatchHeader {
        &self.header
    }
}
