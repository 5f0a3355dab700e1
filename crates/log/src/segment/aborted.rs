//! A segment's index of aborted transactions; most segments have none.
//!
//! The index is a cache of what the batches say. It is compared with them before its file is first
//! used. A file that is missing is not noticed then, for that would take a walk over every segment:
//! [`Log::verify`](crate::Log::verify) does.

use std::sync::atomic::Ordering;

use klamm_types::Offset;

use super::Segment;
use crate::FileError;
use crate::aborts::{Aborts, Verdict};
use crate::format::{AbortedEntry, FileKind, IndexEntry};
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

    /// Notes aborted transactions whose markers this segment has. They are in the file when a sync
    /// next returns.
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

    /// Makes what is known of aborted transactions durable, and says whether there was anything
    /// new.
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

    /// Whether the index comes from a file that was not compared with the batches yet.
    pub(crate) fn is_aborted_unchecked(&self) -> Result<bool, FileError> {
        if self.aborted_check.load(Ordering::Acquire) != UNCHECKED {
            return Ok(false);
        }
        let has_file = self.with_aborted(|index| Ok(index.stored() > 0))? || self.has_aborted_file()?;
        if !has_file {
            // Entries that are added to it later come from the batches.
            self.aborted_check.store(RIGHT, Ordering::Release);
        }
        Ok(has_file)
    }

    /// Notes that a damaged batch prevents the comparison of the index with the batches. `cuts` is
    /// [`Segment::cuts`] from before they were read: what a truncation has cut meanwhile is not
    /// damaged.
    pub(crate) fn pass_over_aborted_check(&self, cuts: u64) {
        if self.is_uncut_since(cuts) {
            self.aborted_check.store(RIGHT, Ordering::Release);
        }
    }

    /// Compares the index with the batches, and takes their entries where it differs. `cuts` is
    /// [`Segment::cuts`] from before the batches were read; after a truncation nothing is done.
    /// Returns whether the file was right.
    pub(crate) fn settle_aborted(&self, aborts: Aborts, cuts: u64) -> Result<bool, FileError> {
        let name = self.name(FileKind::TransactionIndex);
        let is_whole = self.folder.stat(&name)?.is_none_or(|s| s.length % AbortedEntry::SIZE as u64 == 0);
        self.with_aborted(|index| {
            let was_wrong = self.aborted_check.load(Ordering::Acquire) == WRONG;
            if was_wrong || !self.is_uncut_since(cuts) {
                return Ok(!was_wrong);
            }
            let (held, later) = split(index, aborts.end())?;
            let verdict = if is_whole { aborts.judge(&held) } else { Verdict::Wrong };
            if verdict != Verdict::Right {
                let entries = aborts.into_entries().into_iter().chain(later).collect();
                *index = Index::rebuilt(self.folder.clone(), name, entries);
                if self.retired.load(Ordering::Acquire) {
                    index.leave_file()?;
                }
            }
            let is_right = verdict != Verdict::Wrong;
            self.aborted_check.store(if is_right { RIGHT } else { WRONG }, Ordering::Release);
            Ok(is_right)
        })
    }
}

/// The entries of an index, and apart from them those that were added for markers at or behind
/// `end`.
fn split(
    index: &Index<AbortedEntry>,
    end: Offset,
) -> Result<(Vec<AbortedEntry>, Vec<AbortedEntry>), FileError> {
    let fresh = index.fresh();
    let later = fresh.iter().position(|entry| entry.last_offset >= end.get()).unwrap_or(fresh.len());
    let held = (0..index.stored() + later).filter_map(|at| index.get(at).transpose());
    Ok((held.collect::<Result<_, _>>()?, fresh[later..].to_vec()))
}

pub(super) const UNCHECKED: u8 = 0;
/// The batches say the same, or cannot be read.
const RIGHT: u8 = 1;
/// The file differed, and the entries are those that the batches say.
const WRONG: u8 = 2;
