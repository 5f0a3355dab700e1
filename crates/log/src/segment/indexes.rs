//! A segment's two indexes: loaded on first use, built again when they are absent or cannot be
//! right.

use std::sync::atomic::Ordering;

use klamm_record::BatchHeader;
use klamm_types::Offset;

use super::{CHUNK, Segment};
use crate::folder::read_full;
use crate::format::{FileKind, OffsetEntry};
use crate::index::{Index, IndexPace, Indexes};
use crate::{FileError, ReadError};

/// The stretch of a segment in which a batch has to start, as the index says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    /// Where to begin looking, in bytes.
    pub(crate) from: u64,
    /// The last place where it can start.
    pub(crate) until: u64,
    /// Last offset of the batch at `from`, as the index says; `None` at the segment's start.
    pub(crate) first_ends: Option<Offset>,
    /// Last offset of the batch at `until`; `None` at the segment's end.
    pub(crate) last_ends: Option<Offset>,
}

impl Segment {
    /// Forgets the indexes in memory; they are read from their files when they are needed again.
    /// Indexes that a full disk refused to write stay.
    pub(crate) fn forget_indexes(&self) {
        self.indexes.write().take_if(|indexes| indexes.are_written());
    }

    pub(crate) fn empty_indexes(&self) -> Indexes {
        let name = |kind| (self.folder.clone(), self.name(kind));
        let (offsets, times) = (name(FileKind::OffsetIndex), name(FileKind::TimeIndex));
        Indexes { offsets: Index::empty(offsets.0, offsets.1), times: Index::empty(times.0, times.1) }
    }

    /// For a segment whose files do not have their names.
    pub(crate) fn indexes_in_memory(&self) -> Indexes {
        let name = |kind| (self.folder.clone(), self.name(kind));
        let (offsets, times) = (name(FileKind::OffsetIndex), name(FileKind::TimeIndex));
        Indexes { offsets: Index::in_memory(offsets.0, offsets.1), times: Index::in_memory(times.0, times.1) }
    }

    /// Calls `work` with the indexes, loading them, or building them again when they are absent or
    /// cannot be right.
    pub(crate) fn with_indexes<T>(&self, work: impl FnOnce(&mut Indexes) -> T) -> Result<T, ReadError> {
        let mut slot = self.indexes.write();
        if slot.is_none() {
            *slot = Some(self.load_indexes()?);
        }
        Ok(work(slot.as_mut().expect("set above")))
    }

    fn load_indexes(&self) -> Result<Indexes, ReadError> {
        if self.retired.load(Ordering::Acquire) {
            return self.rebuild_indexes(self.indexes_in_memory());
        }
        match self.stored_indexes()? {
            Some(indexes) if self.is_plausible(&indexes)? => Ok(indexes),
            _ => self.rebuild_indexes(self.empty_indexes()),
        }
    }

    /// The indexes as their files have them; `None` when a file is missing.
    pub(crate) fn stored_indexes(&self) -> Result<Option<Indexes>, FileError> {
        let (offsets, times) = (self.name(FileKind::OffsetIndex), self.name(FileKind::TimeIndex));
        if self.folder.stat(&offsets)?.is_none() || self.folder.stat(&times)?.is_none() {
            return Ok(None);
        }
        let (offsets, times) =
            (Index::open(self.folder.clone(), offsets)?, Index::open(self.folder.clone(), times)?);
        Ok(Some(Indexes { offsets, times }))
    }

    /// Whether the last entries point into the segment. (A preallocated index that was not trimmed
    /// ends in zeros.)
    fn is_plausible(&self, indexes: &Indexes) -> Result<bool, FileError> {
        let size = self.size()?;
        let (first, last) = (indexes.offsets.get(0)?, indexes.offsets.last()?);
        let rises = indexes.offsets.len() < 2 || first.map(|e| e.position) < last.map(|e| e.position);
        Ok(rises && last.is_none_or(|last| u64::from(last.position) < size))
    }

    /// Builds both indexes from the headers of the batches in their places, up to the first that is
    /// not valid.
    fn rebuild_indexes(&self, mut indexes: Indexes) -> Result<Indexes, ReadError> {
        let mut pace = IndexPace::new(self.base, self.interval, None);
        let mut batches = self.in_order(0, Some(self.base), CHUNK)?;
        while let Ok(Some(batch)) = batches.next() {
            pace.on_batch(&batch.header, batch.position, &mut indexes)?;
        }
        pace.push_time(&mut indexes)?;
        Ok(indexes)
    }

    /// Builds the indexes again in the place of what there is. The old maps go first: their files
    /// are cut.
    pub(super) fn replace_indexes(&self) -> Result<(), ReadError> {
        let mut slot = self.indexes.write();
        *slot = None;
        let empty = match self.retired.load(Ordering::Acquire) {
            true => self.indexes_in_memory(),
            false => self.empty_indexes(),
        };
        *slot = Some(self.rebuild_indexes(empty)?);
        Ok(())
    }

    /// Where a batch that holds `offset`, or the first behind it, can start.
    pub(crate) fn span_of(&self, offset: Offset) -> Result<Span, ReadError> {
        if let Some(indexes) = &*self.indexes.read() {
            return Ok(self.look_up(indexes, offset)?);
        }
        self.with_indexes(|indexes| self.look_up(indexes, offset))?.map_err(ReadError::from)
    }

    /// The offset after the first batch with an index entry that starts at or behind `position`;
    /// `None` too when the entry does not name the batch that is there.
    pub(crate) fn first_entry_behind(&self, position: u64) -> Result<Option<Offset>, ReadError> {
        let entry = self.with_indexes(|indexes| {
            let at = indexes.offsets.partition_point(|e| u64::from(e.position) < position)?;
            indexes.offsets.get(at)
        })??;
        let Some(entry) = entry.filter(|entry| u64::from(entry.position) >= position) else {
            return Ok(None);
        };
        let mut bytes = [0; BatchHeader::SIZE];
        let read = read_full(&*self.file()?, &mut bytes, entry.position.into());
        read.map_err(|error| self.failed("read", error))?;
        let last = self.base.checked_add(i64::from(entry.relative_offset));
        let header = BatchHeader::parse(&bytes).ok();
        let header = header.filter(|header| Some(header.last_offset()) == last);
        Ok(header.map(|header| header.next_offset()))
    }

    fn look_up(&self, indexes: &Indexes, offset: Offset) -> Result<Span, FileError> {
        let relative = offset.since(self.base);
        let next = indexes.offsets.partition_point(|e| i64::from(e.relative_offset) <= relative)?;
        let before = next.checked_sub(1).map_or(Ok(None), |at| indexes.offsets.get(at))?;
        let from = before.map_or(0, |entry| u64::from(entry.position));
        let behind = indexes.offsets.get(next)?;
        let until = behind.map_or(self.size()?, |entry| u64::from(entry.position));
        let ends = |entry: OffsetEntry| self.base.checked_add(i64::from(entry.relative_offset));
        Ok(Span { from, until, first_ends: before.and_then(ends), last_ends: behind.and_then(ends) })
    }

    /// Bytes of the larger of its two indexes.
    pub(crate) fn index_bytes(&self) -> Result<usize, FileError> {
        let length = |kind| {
            let stat = self.folder.stat(&self.name(kind))?;
            Ok(stat.map_or(0, |stat| usize::try_from(stat.length).unwrap_or(usize::MAX)))
        };
        Ok(length(FileKind::OffsetIndex)?.max(length(FileKind::TimeIndex)?))
    }
}
