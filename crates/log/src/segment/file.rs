//! A segment's file of batches: opened on first use, written behind what there is, zeroed ahead,
//! cut, synced.

use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::{CHUNK, Segment};
use crate::FileError;
use crate::disk::{DiskFile, OpenMode};
use crate::folder::read_full;
use crate::format::FileKind;
use crate::scan::Scanned;

/// How a write failed.
pub(crate) enum WriteFailure {
    /// The file is as it was.
    Undone(FileError),
    /// It is not known what the file holds behind its last batch.
    Torn(FileError),
}

impl Segment {
    pub(crate) fn file(&self) -> Result<Arc<dyn DiskFile>, FileError> {
        self.open_as(OpenMode::Write)
    }

    /// Whether a write may have to wait for the sync of another segment's file.
    pub(crate) fn may_wait(&self) -> bool {
        self.file.may_wait()
    }

    #[inline]
    pub(super) fn open_as(&self, mode: OpenMode) -> Result<Arc<dyn DiskFile>, FileError> {
        self.file.get(|| self.open(mode), |error| self.failed("sync", error))
    }

    /// What may not be written to can still be read.
    fn open(&self, mode: OpenMode) -> Result<Arc<dyn DiskFile>, FileError> {
        let name = self.name(FileKind::Log);
        match self.folder.open(&name, mode) {
            Err(error) if error.source.kind() == ErrorKind::PermissionDenied => {
                self.folder.open(&name, OpenMode::Read)
            }
            opened => opened,
        }
    }

    /// Writes behind the batches there are. When the system refuses, what was written is cut off
    /// again. `ahead` is how much of the file is to be zeroed at a time.
    pub(crate) fn write(
        &self,
        bytes: &[u8],
        position: u64,
        ahead: Option<NonZeroU32>,
    ) -> Result<(), WriteFailure> {
        let file = self.file().map_err(WriteFailure::Undone)?;
        if let Some(ahead) = ahead {
            self.zero(&*file, position, position + bytes.len() as u64, ahead);
        }
        let written = file.write_all_at(bytes, position);
        self.file.note_written();
        let Err(error) = written else { return Ok(()) };
        let error = self.failed("write to", error);
        match file.truncate(position) {
            Ok(()) => {
                self.zeroed.store(0, Ordering::Relaxed);
                Err(WriteFailure::Undone(error))
            }
            Err(_) => Err(WriteFailure::Torn(error)),
        }
    }

    pub(crate) fn sync(&self) -> Result<(), FileError> {
        let file = self.file()?;
        self.file.note_sync();
        file.sync().map_err(|e| self.failed("sync", e))
    }

    /// Zeros the file beyond `end`, if it is not. What the system refuses of it, for want of space,
    /// is not needed.
    fn zero(&self, file: &dyn DiskFile, position: u64, end: u64, ahead: NonZeroU32) {
        let zeroed = self.zeroed.load(Ordering::Relaxed).max(position);
        if end <= zeroed {
            return;
        }
        let until = end + u64::from(ahead.get());
        let zeros = vec![0; usize::try_from(until - zeroed).unwrap_or(0)];
        match file.write_all_at(&zeros, zeroed) {
            Ok(()) => self.zeroed.store(until, Ordering::Relaxed),
            Err(_) => {
                // Not tried again in this segment.
                let _ = file.truncate(zeroed);
                self.zeroed.store(u64::MAX, Ordering::Relaxed);
            }
        }
    }

    /// Cuts off the zeros behind the batches.
    pub(crate) fn trim(&self) -> Result<(), FileError> {
        if self.zeroed.load(Ordering::Relaxed) == 0 { Ok(()) } else { self.cut_file(self.size()?) }
    }

    /// Cuts the file.
    pub(crate) fn cut_file(&self, length: u64) -> Result<(), FileError> {
        self.zeroed.store(0, Ordering::Relaxed);
        let file = self.file()?;
        let cut = file.truncate(length);
        self.file.note_written();
        cut.map_err(|e| self.failed("truncate", e))
    }

    /// The whole of a batch; nothing of it is checked.
    pub(crate) fn bytes_of(&self, batch: &Scanned) -> Result<Bytes, FileError> {
        let mut bytes = vec![0; batch.header.size()];
        let got =
            read_full(&*self.file()?, &mut bytes, batch.position).map_err(|e| self.failed("read", e))?;
        if got < bytes.len() {
            return Err(self.failed("read", ErrorKind::UnexpectedEof.into()));
        }
        Ok(bytes.into())
    }

    /// Whether the file has zeros only from `position` on.
    pub(crate) fn is_zero_from(&self, mut position: u64) -> Result<bool, FileError> {
        let file = self.file()?;
        let mut buffer = vec![0; CHUNK];
        loop {
            let got = file.read_at(&mut buffer, position).map_err(|e| self.failed("read", e))?;
            if got == 0 || buffer[..got].iter().any(|byte| *byte != 0) {
                return Ok(got == 0);
            }
            position += got as u64;
        }
    }

    /// Writes what the file holds in its place once more, and syncs it.
    pub(crate) fn write_again(&self) -> Result<(), FileError> {
        let (file, size) = (self.file()?, self.size()?);
        let mut buffer = vec![0; CHUNK];
        let mut at = 0;
        while at < size {
            let got = file.read_at(&mut buffer, at).map_err(|e| self.failed("read", e))?;
            if got == 0 {
                break;
            }
            file.write_all_at(&buffer[..got], at).map_err(|e| self.failed("write to", e))?;
            at += got as u64;
        }
        self.cut_file(size)?;
        self.sync()
    }
}
