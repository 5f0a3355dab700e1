//! A segment that takes the place of others, or gives its place up: its names are not its own for a
//! while, or for ever.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Segment;
use crate::FileError;
use crate::disk::DiskFile;
use crate::format::AbortedEntry;
use crate::index::{Index, Indexes};

impl Segment {
    /// Takes it out of the log. Readers that hold it can go on: what they need of its files is
    /// kept, for the names go to other segments now, or away.
    pub(crate) fn retire(&self) -> Result<(), FileError> {
        if self.retired.load(Ordering::Acquire) {
            return Ok(());
        }
        let file = self.file()?;
        // By name it would soon be another's.
        self.size()?;
        let mut indexes = self.indexes.write();
        self.leave_aborted_file()?;
        self.file.keep(file);
        *indexes = None;
        Ok(())
    }

    /// Retired first: an index of aborted transactions that is built again from now on stays in
    /// memory.
    fn leave_aborted_file(&self) -> Result<(), FileError> {
        self.retired.store(true, Ordering::Release);
        self.with_aborted(Index::leave_file).inspect_err(|_| self.retired.store(false, Ordering::Release))
    }

    /// Gives a segment that a cleaning has written what it has, while its files do not have their
    /// names.
    pub(crate) fn begin_cleaned(
        &self,
        file: Arc<dyn DiskFile>,
        size: u64,
        indexes: Indexes,
        aborted: Index<AbortedEntry>,
    ) {
        self.file.keep(file);
        *self.aborted.write() = Some(aborted);
        self.set(size, indexes);
    }

    /// Its files have their names.
    pub(crate) fn end_cleaned(&self) {
        self.forget_indexes();
        *self.aborted.write() = None;
        self.file.release();
    }

    /// Its log was removed: what is open can be read on, but by its names nothing is opened any
    /// more.
    pub(crate) fn abandon(&self) {
        let mut indexes = self.indexes.write();
        // What cannot be read now is not there later.
        let _ = self.leave_aborted_file();
        let _ = self.size();
        self.file.abandon();
        self.retired.store(true, Ordering::Release);
        *indexes = None;
    }
}
