//! The marker of a clean stop, and what a log knows of the folder it lives in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use klamm_types::{Offset, TopicPartition};
use parking_lot::Mutex;

use super::shared::Shared;
use crate::folder::Folder;
use crate::{FileError, LogEvent};

/// The marker of a clean stop.
#[derive(Debug)]
pub(super) struct CleanMarker {
    folder: Folder,
    /// What it said when the folder was opened: Kafka notes its broker's epoch there, and wants to
    /// find it again.
    text: Option<Vec<u8>>,
    /// Whether the marker is gone, so that writing is allowed.
    dirty: AtomicBool,
    lock: Mutex<()>,
}

/// What a log knows of its folder, and whether it has been written to.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(super) marker: Arc<CleanMarker>,
    pub(super) shared: Weak<Shared>,
    /// Whether the log's files may differ from what is durable: it was written to, or was not
    /// closed cleanly the last time.
    pub(super) modified: AtomicBool,
}

impl CleanMarker {
    /// The marker in `folder`.
    pub(super) fn find(folder: Folder) -> Result<CleanMarker, FileError> {
        let text = folder.read(CLEAN_SHUTDOWN, TEXT_LIMIT)?;
        Ok(CleanMarker { folder, dirty: AtomicBool::new(text.is_none()), text, lock: Mutex::new(()) })
    }

    /// What is to be written after a clean stop.
    pub(super) fn text(&self) -> &[u8] {
        self.text.as_deref().unwrap_or(CLEAN_TEXT.as_bytes())
    }

    #[inline]
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn mark_dirty(&self) -> Result<(), FileError> {
        if self.is_dirty() { Ok(()) } else { self.take_away() }
    }

    #[cold]
    fn take_away(&self) -> Result<(), FileError> {
        let _one = self.lock.lock();
        if !self.is_dirty() {
            self.folder.remove(CLEAN_SHUTDOWN)?;
            self.folder.sync()?;
            self.dirty.store(true, Ordering::Release);
        }
        Ok(())
    }
}

impl Owner {
    pub(super) fn new(marker: &Arc<CleanMarker>, shared: &Arc<Shared>) -> Owner {
        let (marker, shared) = (Arc::clone(marker), Arc::downgrade(shared));
        Owner { marker, shared, modified: AtomicBool::new(false) }
    }

    /// A clean stop has to sync the log.
    pub(super) fn mark_modified(&self) {
        self.modified.store(true, Ordering::Release);
    }

    /// Must come before each write: takes the marker of a clean stop away.
    #[inline]
    pub(crate) fn mark_dirty(&self) -> Result<(), FileError> {
        if !self.is_modified() {
            self.mark_modified();
        }
        self.marker.mark_dirty()
    }

    /// Makes the names of the logs in the directory durable.
    pub(crate) fn sync_directory(&self) -> Result<(), FileError> {
        self.shared.upgrade().map_or(Ok(()), |shared| shared.folder.sync())
    }

    /// Whether the marker of a clean stop is gone, so that a write need not take it away first.
    pub(crate) fn is_marked(&self) -> bool {
        self.marker.is_dirty()
    }

    /// Whether a clean stop has to sync the log.
    #[inline]
    pub(crate) fn is_modified(&self) -> bool {
        self.modified.load(Ordering::Acquire)
    }

    /// Before a log is truncated neither its recovery point nor its start may lie beyond what will
    /// be left.
    pub(crate) fn lower_checkpoints(&self, partition: &TopicPartition, to: Offset) -> Result<(), FileError> {
        self.shared.upgrade().map_or(Ok(()), |shared| shared.lower_checkpoints(partition, to))
    }

    /// Before a log gets gaps, what has them must lie before its recovery point: behind that a gap
    /// is taken for a lost end.
    pub(crate) fn raise_recovery_point(
        &self,
        partition: &TopicPartition,
        to: Offset,
    ) -> Result<(), FileError> {
        self.shared.upgrade().map_or(Ok(()), |shared| shared.raise_recovery_point(partition, to))
    }

    /// Tells the folder's observer what happens to the log.
    pub(crate) fn tell(&self, event: &LogEvent<'_>) {
        if let Some(shared) = self.shared.upgrade() {
            shared.watch.tell(event);
        }
    }

    /// Up to where a log has been cleaned.
    pub(crate) fn cleaned(&self, partition: &TopicPartition) -> Option<Offset> {
        self.shared.upgrade().and_then(|shared| shared.state.lock().cleaned.offsets.get(partition).copied())
    }

    pub(crate) fn note_cleaned(&self, partition: &TopicPartition, to: Offset) -> Result<(), FileError> {
        self.shared.upgrade().map_or(Ok(()), |shared| shared.note_cleaned(partition, to))
    }
}

pub(super) const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
/// What Kafka writes there, without an epoch of a broker.
const CLEAN_TEXT: &str = "{\"version\":0,\"brokerEpoch\":-1}";
const TEXT_LIMIT: u64 = 4096;
