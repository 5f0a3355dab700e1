//! The segment that a cleaning writes, under names that end in `.cleaned`; an opening that finds
//! such names removes them.

use std::sync::Arc;

use klamm_record::BatchHeader;
use klamm_types::Offset;

use crate::disk::{DiskFile, OpenMode};
use crate::folder::Folder;
use crate::format::{AbortedEntry, FileKind};
use crate::index::{Index, IndexPace, Indexes};
use crate::log::Inner;
use crate::segment::Segment;
use crate::{FileError, LogError};

/// A segment that is being written.
#[derive(Debug)]
pub(super) struct Output {
    folder: Folder,
    segment: Segment,
    /// The log is the last.
    files: Vec<(FileKind, Arc<dyn DiskFile>)>,
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
    /// Creates all its files, those of a transaction index too if it has to take the place of one.
    pub(super) fn create(
        folder: &Folder,
        base: Offset,
        interval: u32,
        has_aborted: bool,
    ) -> Result<Output, FileError> {
        let segment = Segment::existing(folder, base, interval);
        let mut kinds = vec![FileKind::OffsetIndex, FileKind::TimeIndex];
        kinds.extend(has_aborted.then_some(FileKind::TransactionIndex));
        kinds.push(FileKind::Log);
        let open = |kind| Ok((kind, folder.open(&cleaned(&segment, kind), OpenMode::Replace)?));
        let files = kinds.into_iter().map(open).collect::<Result<_, FileError>>()?;
        let indexes = segment.indexes_in_memory();
        let pace = IndexPace::new(base, interval, None);
        Ok(Output { folder: folder.clone(), segment, files, buffer: Vec::new(), written: 0, pace, indexes })
    }

    fn log(&self) -> &Arc<dyn DiskFile> {
        &self.files[self.files.len() - 1].1
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
            let written = self.log().write_all_at(&self.buffer, position);
            written.map_err(|e| self.failed(FileKind::Log, e))?;
        }
        self.written += count;
        self.buffer.clear();
        Ok(count)
    }

    /// Makes it durable, with its indexes.
    pub(super) fn finish(mut self, aborted: Vec<AbortedEntry>) -> Result<Finished, FileError> {
        self.flush()?;
        self.pace.push_time(&mut self.indexes)?;
        let aborted = self.aborted_index(aborted)?;
        for (kind, file) in &self.files {
            let bytes = match kind {
                FileKind::OffsetIndex => self.indexes.offsets.fresh_bytes(),
                FileKind::TimeIndex => self.indexes.times.fresh_bytes(),
                FileKind::TransactionIndex => aborted.fresh_bytes(),
                _ => Vec::new(),
            };
            let written = if bytes.is_empty() { Ok(()) } else { file.write_all_at(&bytes, 0) };
            written.and_then(|()| file.sync()).map_err(|e| self.failed(*kind, e))?;
        }
        let file = Arc::clone(self.log());
        self.segment.begin_cleaned(file, self.written, self.indexes, aborted);
        let kinds = self.files.iter().map(|(kind, _)| *kind).collect();
        Ok(Finished { segment: self.segment, kinds })
    }

    fn failed(&self, kind: FileKind, error: std::io::Error) -> FileError {
        self.folder.failed("write to", &cleaned(&self.segment, kind), error)
    }

    fn aborted_index(&self, aborted: Vec<AbortedEntry>) -> Result<Index<AbortedEntry>, FileError> {
        let name = self.segment.name(FileKind::TransactionIndex);
        let mut index = Index::in_memory(self.folder.clone(), name);
        aborted.into_iter().for_each(|entry| index.push(entry));
        Ok(index)
    }
}

/// Names in the folder are the log's only until it is removed, for another of its name may come: so
/// they are used under the lock that closing takes.
impl Inner {
    pub(super) fn begin_output(&self, group: &[Arc<Segment>], interval: u32) -> Result<Output, LogError> {
        let _appender = self.appender.lock();
        self.check_writable()?;
        let mut has_aborted = false;
        for segment in group {
            has_aborted |= segment.has_aborted_file()?;
        }
        Ok(Output::create(&self.folder, group[0].base(), interval, has_aborted)?)
    }

    /// Removes what a cleaning that is given up has written; what stays is removed by the next
    /// opening.
    pub(super) fn discard(&self, segment: &Segment) {
        let _appender = self.appender.lock();
        if !self.is_closed() {
            FileKind::ALL.iter().for_each(|kind| drop(self.folder.remove(&cleaned(segment, *kind))));
        }
    }
}

pub(super) fn cleaned(segment: &Segment, kind: FileKind) -> String {
    format!("{}.cleaned", segment.name(kind))
}
