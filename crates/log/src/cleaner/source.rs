//! Reading the batches of a segment that is compacted.

use std::sync::Arc;

use klamm_record::{BatchError, BatchHeader};

use crate::ReadError;
use crate::folder::read_full;
use crate::segment::Segment;

/// Reads a segment's batches, a buffer at a time. The CRC of each is checked, for a cleaner gives
/// batches a new one.
#[derive(Debug)]
pub(super) struct Source {
    segment: Arc<Segment>,
    /// Where the next batch begins.
    position: u64,
    end: u64,
}

/// Memory to read batches into; it grows to the largest.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// Bytes to read at a time.
    window: usize,
}

impl Buffer {
    pub(super) fn new(window: usize) -> Buffer {
        Buffer { bytes: Vec::new(), window: window.max(BatchHeader::SIZE) }
    }
}

impl Source {
    /// The batches from `position` on, where one begins.
    pub(super) fn new(segment: &Arc<Segment>, position: u64) -> Result<Source, ReadError> {
        Ok(Source { segment: Arc::clone(segment), position, end: segment.size()? })
    }

    pub(super) fn is_done(&self) -> bool {
        self.position >= self.end
    }

    /// Reads the next whole batches into `buffer` and calls `visit` with each, until it says that
    /// it is enough. Returns how many bytes were gone through.
    pub(super) fn read(
        &mut self,
        buffer: &mut Buffer,
        mut visit: impl FnMut(&BatchHeader, &[u8]) -> Result<bool, BatchError>,
    ) -> Result<u64, ReadError> {
        let begun = self.position;
        let filled = self.fill(buffer, buffer.window)?;
        let first = BatchHeader::parse(&buffer.bytes[..filled]).map_err(|fault| self.damage(fault))?;
        let filled = if first.size() > filled { self.fill(buffer, first.size())? } else { filled };
        let mut rest = &buffer.bytes[..filled];
        while rest.len() >= BatchHeader::SIZE {
            let header = BatchHeader::parse(rest).map_err(|fault| self.damage(fault))?;
            if header.size() > rest.len() && self.position > begun {
                break;
            }
            let visited = header.check_crc(rest).and_then(|()| visit(&header, rest));
            let goes_on = visited.map_err(|fault| self.damage(fault))?;
            self.position += header.size() as u64;
            rest = &rest[header.size()..];
            if !goes_on {
                break;
            }
        }
        Ok(self.position - begun)
    }

    /// Reads up to `want` bytes from where the next batch begins.
    fn fill(&self, buffer: &mut Buffer, want: usize) -> Result<usize, ReadError> {
        let left = usize::try_from(self.end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let want = want.min(left);
        if buffer.bytes.len() < want {
            buffer.bytes.resize(want, 0);
        }
        let file = self.segment.file()?;
        let got = read_full(&*file, &mut buffer.bytes[..want], self.position);
        Ok(got.map_err(|error| self.segment.failed("read", error))?)
    }

    fn damage(&self, fault: BatchError) -> ReadError {
        self.segment.damage(self.position, self.segment.base(), fault).into()
    }
}
