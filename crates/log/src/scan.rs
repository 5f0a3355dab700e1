//! Walks the batches of a segment from the disk, in bounded memory whatever the batches declare.

use std::io;
use std::sync::Arc;

use klamm_record::{BatchError, BatchHeader};
use klamm_types::Offset;

use crate::disk::DiskFile;
use crate::folder::read_full;

/// A walk over the batches of a file.
pub(crate) struct Scan {
    file: Arc<dyn DiskFile>,
    position: u64,
    /// Where the walk ends, at most the file's length.
    end: u64,
    check: Check,
    /// Its first `buffered` bytes are those of the file from `buffered_at` on; it never shrinks.
    buffer: Vec<u8>,
    buffered_at: u64,
    buffered: usize,
    /// Bytes to read at a time.
    window: usize,
}

/// What is looked at of each batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Check {
    Header,
    Checksum,
}

/// A batch that the walk came by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanned {
    pub(crate) header: BatchHeader,
    pub(crate) position: u64,
}

impl Scanned {
    pub(crate) fn end(&self) -> u64 {
        self.position + self.header.size() as u64
    }

    /// Whether it can lie in the segment with this base offset.
    pub(crate) fn is_within(&self, segment: Offset) -> bool {
        let relative = self.header.last_offset().since(segment);
        self.header.base_offset() >= segment && i32::try_from(relative).is_ok()
    }
}

pub(crate) enum ScanError {
    Io(io::Error),
    /// The batch where the walk stands is not valid.
    Batch(BatchError),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> ScanError {
        ScanError::Io(error)
    }
}

impl From<BatchError> for ScanError {
    fn from(error: BatchError) -> ScanError {
        ScanError::Batch(error)
    }
}

impl Scan {
    /// Walks the batches of `file` from `start` to `end`, reading `window` bytes at a time.
    pub(crate) fn new(file: Arc<dyn DiskFile>, start: u64, end: u64, check: Check, window: usize) -> Scan {
        let window = window.max(BatchHeader::SIZE);
        let (buffer, buffered) = (Vec::new(), 0);
        Scan { file, position: start, end, check, buffer, buffered_at: start, buffered, window }
    }

    /// The walk in memory that another one has left: for a file after the other, first touch of new
    /// pages would cost as much as reading.
    pub(crate) fn with_buffer(self, buffer: Vec<u8>) -> Scan {
        Scan { buffer, ..self }
    }

    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Where the next batch starts.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn next(&mut self) -> Result<Option<Scanned>, ScanError> {
        let left = self.end.saturating_sub(self.position);
        if left == 0 {
            return Ok(None);
        }
        let position = self.position;
        let header = BatchHeader::parse(self.bytes(position, BatchHeader::SIZE)?)?;
        if header.size() as u64 > left {
            let got = usize::try_from(left).unwrap_or(usize::MAX);
            return Err(BatchError::Truncated { expected: header.size(), got }.into());
        }
        if self.check == Check::Checksum {
            self.check_crc(&header)?;
        }
        self.position += header.size() as u64;
        Ok(Some(Scanned { header, position }))
    }

    fn check_crc(&mut self, header: &BatchHeader) -> Result<(), ScanError> {
        let size = header.size();
        if size <= self.window {
            let batch = self.bytes(self.position, size)?;
            return Ok(header.check_crc(batch)?);
        }
        let (mut at, mut crc) = (BatchHeader::CRC_COVERS, 0);
        while at < size {
            let chunk = self.bytes(self.position + at as u64, self.window.min(size - at))?;
            if chunk.is_empty() {
                return Err(BatchError::Truncated { expected: size, got: at }.into());
            }
            crc = BatchHeader::extend_crc(crc, chunk);
            at += chunk.len();
        }
        if crc == header.crc() {
            Ok(())
        } else {
            Err(BatchError::Checksum { expected: header.crc(), got: crc }.into())
        }
    }

    /// Up to `want` bytes from `position`; fewer where the walk ends.
    fn bytes(&mut self, position: u64, want: usize) -> io::Result<&[u8]> {
        let left = usize::try_from(self.end - position).unwrap_or(usize::MAX);
        let want = want.min(left);
        let buffered_to = self.buffered_at + self.buffered as u64;
        if position < self.buffered_at || position + want as u64 > buffered_to {
            let window = want.max(self.window).min(left);
            if self.buffer.len() < window {
                self.buffer.resize(window, 0);
            }
            self.buffered_at = position;
            self.buffered = 0;
            self.buffered = read_full(&*self.file, &mut self.buffer[..window], position)?;
        }
        let start = usize::try_from(position - self.buffered_at).unwrap_or(usize::MAX);
        let end = (start + want).min(self.buffered);
        Ok(&self.buffer[start..end])
    }
}
