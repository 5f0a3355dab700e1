//! A stretch of a segment's file, as a read returns it.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use klamm_types::Offset;

use crate::disk::DiskFile;
use crate::folder::read_full;
use crate::segment::Segment;
use crate::{FileError, ReadError};

/// A stretch of one segment's file that holds the batches a read asked for. A driver can send it
/// with `sendfile`, or turn it into bytes. The file stays readable as long as the slice lives, even
/// when the log deletes the segment.
#[derive(Clone, Debug)]
pub struct Slice {
    pub(crate) segment: Arc<Segment>,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) position: u64,
    pub(crate) length: usize,
    pub(crate) start: Offset,
    pub(crate) reaches_end: bool,
}

impl Slice {
    /// Where it starts in the file, in bytes.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Its length in bytes; 0 when there is nothing to read yet. It may end in the middle of a
    /// batch, never of its first.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is nothing to read yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether it ends where what can be read ends; otherwise there is more behind it, in this
    /// segment or the next.
    #[must_use]
    pub fn reaches_end(&self) -> bool {
        self.reaches_end
    }

    /// Base offset of its first batch, which can be lower than the offset asked for.
    #[must_use]
    pub fn base_offset(&self) -> Offset {
        self.start
    }

    /// An offset that all its records lie before, as near as the index knows; `None` when only the
    /// log's end is.
    ///
    /// # Errors
    /// [`ReadError`] when the index cannot be read.
    pub fn offsets_before(&self) -> Result<Option<Offset>, ReadError> {
        self.segment.first_entry_behind(self.position + self.length as u64)
    }

    /// The operating system's file, for `sendfile`; `None` on a disk that has none.
    #[must_use]
    pub fn as_file(&self) -> Option<&File> {
        self.file.as_file()
    }

    /// Reads it into memory.
    ///
    /// # Errors
    /// [`ReadError::File`] when the system refuses, or the file has become shorter.
    pub fn read(&self) -> Result<Bytes, ReadError> {
        let mut bytes = vec![0; self.length];
        self.read_into(&mut bytes)?;
        Ok(Bytes::from(bytes))
    }

    /// Reads it into `buffer`, which must have its length.
    pub(crate) fn read_into(&self, buffer: &mut [u8]) -> Result<(), FileError> {
        let got =
            read_full(&*self.file, buffer, self.position).map_err(|e| self.segment.failed("read", e))?;
        if got < buffer.len() {
            let error = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
            return Err(self.segment.failed("read", error));
        }
        Ok(())
    }
}
