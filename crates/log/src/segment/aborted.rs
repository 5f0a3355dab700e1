//! A segment's index of aborted transactions; most segments have none.

use klamm_types::Offset;

use super::Segment;
use crate::FileError;
use crate::format::{AbortedEntry, FileKind};
use crate::index::Index;

impl Segment {
    pub(super) fn with_aborted<T>(
        &self,
        work: impl FnOnce(&mut Index<AbortedEntry>) -> Result<T, FileError>,
    ) -> Result<T, FileError> {
        let mut slot = self.aborted.write();
        if slot.is_none() {
            *slot = Some(Index::open(self.folder.clone(), self.name(FileKind::TransactionIndex))?);
        }
        work(slot.as_mut().expect("set above"))
    }

    /// Notes aborted transactions whose markers this segment has. They are in the file when a sync next returns.
    pub(crate) fn push_aborted(&self, entry: AbortedEntry) -> Result<(), FileError> {
        self.with_aborted(|index| {
            index.push(entry);
            Ok(())
        })
    }

    /// The aborted transactions whose markers this segment has, in order.
    pub(crate) fn aborted(&self) -> Result<Vec<AbortedEntry>, FileError> {
        self.with_aborted(|index| (0..index.len()).filter_map(|at| index.get(at).transpose()).collect())
    }

    /// Forgets those whose markers lie at or behind `end`.
    pub(crate) fn truncate_aborted(&self, end: Offset) -> Result<(), FileError> {
        self.with_aborted(|index| {
            let kept = index.partition_point(|entry| entry.last_offset < end.get())?;
            if kept < index.len() { index.truncate(kept) } else { Ok(()) }
        })
    }

    /// Makes what is known of aborted transactions durable, and says whether there was anything new.
    pub(crate) fn sync_aborted(&self) -> Result<bool, FileError> {
        match &mut *self.aborted.write() {
            Some(index) if index.is_unsynced() => index.sync().map(|()| true),
            _ => Ok(false),
        }
    }

    /// Whether there is a file of aborted transactions.
    pub(crate) fn has_aborted_file(&self) -> Result<bool, FileError> {
        Ok(self.folder.stat(&self.name(FileKind::TransactionIndex))?.is_some())
    }
}
