//! The snapshots in a partition's folder. They are caches: a broken one is passed over, and what it
//! would have said is read from the batches behind the one before.
//!
//! One is written at the base of each new segment and at a clean stop, unless the log has never had
//! a producer. So where there is none at all, there were no producers when the segment began.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use klamm_types::Offset;

use super::states::ProducerStates;
use crate::FileError;
use crate::disk::OpenMode;
use crate::folder::Folder;
use crate::format::{FileKind, ProducerSnapshot, SegmentFileName};

/// The snapshots there are, by their offsets, in order.
#[derive(Clone, Debug)]
pub(crate) struct Snapshots {
    folder: Folder,
    offsets: Vec<Offset>,
    /// Those of them that were found not to be whole.
    broken: BTreeSet<Offset>,
    /// Whether there has ever been one, as far as is known.
    taken: bool,
}

/// What was found of a snapshot.
#[derive(Debug)]
pub(crate) enum Newest {
    /// One that is whole.
    Found(ProducerStates),
    /// None was ever taken.
    NeverTaken,
    /// There were some, but none was whole.
    Broken,
}

impl Snapshots {
    pub(crate) fn new(folder: &Folder, mut offsets: Vec<Offset>) -> Snapshots {
        offsets.sort_unstable();
        let taken = !offsets.is_empty();
        Snapshots { folder: folder.clone(), offsets, broken: BTreeSet::new(), taken }
    }

    /// Whether there has never been one.
    pub(crate) fn is_empty(&self) -> bool {
        !self.taken
    }

    /// Writes `states`, unless there have never been producers. It is synced with the segment that
    /// it belongs to.
    pub(crate) fn take(&mut self, states: &ProducerStates) -> Result<(), FileError> {
        let end = states.end();
        let is_there = self.offsets.last() == Some(&end) && !self.broken.contains(&end);
        if is_there || (states.is_empty() && !self.taken) {
            return Ok(());
        }
        let name = name(end);
        let file = self.folder.open(&name, OpenMode::Replace)?;
        let written = file.write_all_at(&states.to_snapshot().to_bytes(), 0);
        written.map_err(|e| self.folder.failed("write to", &name, e))?;
        self.broken.remove(&end);
        self.taken = true;
        if self.offsets.last() != Some(&end) {
            self.offsets.push(end);
        }
        Ok(())
    }

    /// The newest at or before `end` that is whole. Those that are not stay until they are taken
    /// anew: they tell that there were producers.
    pub(crate) fn newest(&mut self, end: Offset) -> Result<Newest, FileError> {
        let known = self.offsets.iter().copied().filter(|offset| *offset <= end).rev().collect::<Vec<_>>();
        for offset in &known {
            if let Some(states) = self.read(*offset)? {
                return Ok(Newest::Found(states));
            }
            self.broken.insert(*offset);
        }
        Ok(if self.taken { Newest::Broken } else { Newest::NeverTaken })
    }

    /// Those that are not whole.
    pub(crate) fn broken(&self) -> Result<Vec<Offset>, FileError> {
        let mut broken = Vec::new();
        for offset in &self.offsets {
            if self.read(*offset)?.is_none() {
                broken.push(*offset);
            }
        }
        Ok(broken)
    }

    fn read(&self, offset: Offset) -> Result<Option<ProducerStates>, FileError> {
        let length = self.folder.stat(&name(offset))?.map_or(0, |stat| stat.length);
        if length > LIMIT {
            return Ok(None);
        }
        let bytes = self.folder.read(&name(offset), LIMIT)?.unwrap_or_default();
        let parsed = ProducerSnapshot::parse(&bytes).ok();
        Ok(parsed.and_then(|snapshot| ProducerStates::from_snapshot(&snapshot, offset)))
    }

    /// Makes those at or behind `from` durable.
    pub(crate) fn sync(&self, from: Offset) -> Result<(), FileError> {
        for offset in self.offsets.iter().filter(|offset| **offset >= from) {
            let name = name(*offset);
            // One that is not there any more went with its segment.
            match self.folder.open(&name, OpenMode::Write) {
                Ok(file) => file.sync().map_err(|e| self.folder.failed("sync", &name, e))?,
                Err(error) if error.source.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Removes those behind `end`: they tell of batches that are gone.
    pub(crate) fn truncate(&mut self, end: Offset) -> Result<(), FileError> {
        self.remove(|offset| offset > end)
    }

    /// Removes those that are neither at the base of one of the segments nor the newest.
    pub(crate) fn tidy(&mut self, bases: &[Offset]) -> Result<(), FileError> {
        let newest = self.offsets.last().copied();
        self.remove(|offset| bases.binary_search(&offset).is_err() && Some(offset) != newest)
    }

    fn remove(&mut self, goes: impl Fn(Offset) -> bool) -> Result<(), FileError> {
        let going: Vec<Offset> = self.offsets.iter().copied().filter(|offset| goes(*offset)).collect();
        going.iter().try_for_each(|offset| self.folder.remove(&name(*offset)))?;
        self.offsets.retain(|offset| !goes(*offset));
        Ok(())
    }

    /// Removes all.
    pub(crate) fn clear(&mut self) -> Result<(), FileError> {
        self.taken = false;
        self.remove(|_| true)
    }

    /// Forgets those that went with their segments.
    pub(crate) fn forget(&mut self, went: impl Fn(Offset) -> bool) {
        self.offsets.retain(|offset| !went(*offset));
    }
}

fn name(offset: Offset) -> String {
    SegmentFileName::of(offset, FileKind::ProducerSnapshot)
}

/// Bytes of a snapshot, 23 million producers. What is longer is taken for broken.
const LIMIT: u64 = 1 << 30;
