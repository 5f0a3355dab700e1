//! The segment that a cleaning writes, under names that end in `.cleaned`; an opening that finds such names removes them.

use std::sync::Arc;

use klamm_record::BatchHeader;
use klamm_types::Offset;

use crate::FileError;
use crate::disk::{DiskFile, OpenMode};
use crate::folder::Folder;
use crate::format::{AbortedEntry, FileKind};
use crate::index::{Index, IndexPace, Indexes};
use crate::segment::Segment;

/// A segment that is being written.
#[derive(Debug)]
pub(super) struct Output {
    folder: Folder,
    segment: Segment,
    file: Arc<dyn DiskFile>,
    /// Batches that are not in the file yet.
    pub(super) buffer: Vec<u8>,
    /// Bytes in the file.
    written: u64,
    pace: IndexPace,
    indexes: Indexes,
}

/// A segment that has been written, durably, and does not have its names yet.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) segment: Segment,
    /// Which files it has.
    pub(super) kinds: Vec<FileKind>,
}

impl Output {
    pub(super) fn create(folder: &Folder, base: Offset, interval: u32) -> Result<Output, FileError> {
        let segment = Segment::existing(folder, base, interval);
        let file = folder.open(&cleaned(&segment, FileKind::Log), OpenMode::Replace)?;
        let indexes = segment.indexes_in_memory();
        let pace = IndexPace::new(base, interval, None);
        Ok(Output { folder: folder.clone(), segment, file, buffer: Vec::new(), written: 0, pace, indexes })
    }

    /// Notes the batch that was put at the end of the buffer.
    pub(super) fn note(&mut self, header: &BatchHeader) -> Result<(), FileError> {
        let position = self.written + (self.buffer.len() - header.size()) as u64;
        self.pace.on_batch(header, position, &mut self.indexes)
    }

    /// Bytes of batches so far.
    pub(super) fn size(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Writes what is in the buffer.
    pub(super) fn flush(&mut self) -> Result<u64, FileError> {
        let (position, count) = (self.written, self.buffer.len() as u64);
        if count > 0 {
            let written = self.file.write_all_at(&self.buffer, position);
            written.map_err(|e| self.folder.failed("write to", &cleaned(&self.segment, FileKind::Log), e))?;
        }
        self.written += count;
        self.buffer.clear();
        Ok(count)
    }

    /// Makes it durable, with its indexes. A transaction index is written where one has to take the place of another.
    pub(super) fn finish(
        mut self,
        aborted: Vec<AbortedEntry>,
        replaces_aborted: bool,
    ) -> Result<Finished, FileError> {
        self.flush()?;
        self.pace.push_time(&mut self.indexes)?;
        self.file
            .sync()
            .map_err(|e| self.folder.failed("sync", &cleaned(&self.segment, FileKind::Log), e))?;
        self.write(FileKind::OffsetIndex, &self.indexes.offsets.fresh_bytes())?;
        self.write(FileKind::TimeIndex, &self.indexes.times.fresh_bytes())?;
        let mut kinds = vec![FileKind::OffsetIndex, FileKind::TimeIndex];
        let index = self.aborted_index(aborted)?;
        if index.len() > 0 || replaces_aborted {
            self.write(FileKind::TransactionIndex, &index.fresh_bytes())?;
            kinds.push(FileKind::TransactionIndex);
        }
        kinds.push(FileKind::Log);
        self.segment.begin_cleaned(self.file, self.written, self.indexes, index);
        Ok(Finished { segment: self.segment, kinds })
    }

    fn aborted_index(&self, aborted: Vec<AbortedEntry>) -> Result<Index<AbortedEntry>, FileError> {
        let name = self.segment.name(FileKind::TransactionIndex);
        let mut index = Index::in_memory(self.folder.clone(), name);
        aborted.into_iter().try_for_each(|entry| index.push(entry))?;
        Ok(index)
    }

    fn write(&self, kind: FileKind, bytes: &[u8]) -> Result<(), FileError> {
        let name = cleaned(&self.segment, kind);
        let file = self.folder.open(&name, OpenMode::Replace)?;
        let written = file.write_all_at(bytes, 0).and_then(|()| file.sync());
        written.map_err(|e| self.folder.failed("write to", &name, e))
    }
}

/// Removes what a cleaning that is given up has written.
pub(super) fn discard(folder: &Folder, segment: &Segment) {
    for kind in FileKind::ALL {
        // What stays is removed by the next opening.
        let _ = folder.remove(&cleaned(segment, kind));
    }
}

pub(super) fn cleaned(segment: &Segment, kind: FileKind) -> String {
    format!("{}.cleaned", segment.name(kind))
}
