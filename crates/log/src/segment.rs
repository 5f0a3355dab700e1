//! A segment: a file of batches and its two indexes. Opened on first use, so that a log with a thousand of them opens
//! as fast as one with a single one.

use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use klamm_record::BatchError;
use klamm_types::{Offset, Timestamp};
use parking_lot::RwLock;

use crate::disk::{DiskFile, OpenMode};
use crate::folder::{Folder, read_full};
use crate::format::{AbortedEntry, FileKind, SegmentFileName};
use crate::index::{Index, IndexPace, Indexes};
use crate::open_files::OpenFile;
use crate::scan::{Check, Scan, ScanError, Scanned};
use crate::{Damage, FileError, ReadError};

/// One segment of a log.
#[derive(Debug)]
pub(crate) struct Segment {
    base: Offset,
    folder: Folder,
    file: OpenFile,
    /// Bytes of whole batches; [`UNKNOWN`] until someone asks. Grows in the active segment, after each write.
    size: AtomicU64,
    /// Up to where the active segment's file is filled with zeros, if it is.
    zeroed: AtomicU64,
    /// `None` until someone asks.
    indexes: RwLock<Option<Indexes>>,
    /// `None` until someone asks; most segments have no such file.
    aborted: RwLock<Option<Index<AbortedEntry>>>,
    interval: u32,
    /// Whether it is no longer in the log: its names may be another's, and its indexes stay in memory. Changes under the lock
    /// of `indexes`.
    retired: AtomicBool,
}

/// How a write failed.
pub(crate) enum WriteFailure {
    /// The file is as it was.
    Undone(FileError),
    /// It is not known what the file holds behind its last batch.
    Torn(FileError),
}

/// The stretch of a segment in which a batch has to start, as the index says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    /// Where to begin looking, in bytes.
    pub(crate) from: u64,
    /// The last place where it can start.
    pub(crate) until: u64,
    /// Last offset of the batch at `from`, as the index says; `None` at the segment's start.
    pub(crate) first_ends: Option<Offset>,
}

const UNKNOWN: u64 = u64::MAX;
/// Bytes read at a time to walk over headers between two index entries.
const WALK: usize = 4 * 1024;

impl Segment {
    /// A segment whose files are there; none is opened yet.
    pub(crate) fn existing(folder: &Folder, base: Offset, interval: u32) -> Segment {
        let (folder, size) = (folder.clone(), AtomicU64::new(UNKNOWN));
        let (file, indexes, aborted) = (folder.log_file(), RwLock::default(), RwLock::new(None));
        let (retired, zeroed) = (AtomicBool::new(false), AtomicU64::new(0));
        Segment { base, folder, file, size, zeroed, indexes, aborted, interval, retired }
    }

    /// A new, empty segment; its files are created, or emptied.
    pub(crate) fn create(folder: &Folder, base: Offset, interval: u32) -> Result<Segment, FileError> {
        let segment = Segment::existing(folder, base, interval);
        let mut indexes = segment.empty_indexes();
        indexes.write()?;
        // Last: indexes without a log are cleared away, but a log would be taken for a segment.
        segment.open_as(OpenMode::Replace)?;
        segment.set(0, indexes);
        Ok(segment)
    }

    pub(crate) fn base(&self) -> Offset {
        self.base
    }

    pub(crate) fn name(&self, kind: FileKind) -> String {
        SegmentFileName::of(self.base, kind)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path_of(&self.name(FileKind::Log))
    }

    pub(crate) fn file(&self) -> Result<Arc<dyn DiskFile>, FileError> {
        self.open_as(OpenMode::Write)
    }

    #[inline]
    fn open_as(&self, mode: OpenMode) -> Result<Arc<dyn DiskFile>, FileError> {
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

    /// Bytes of whole batches.
    pub(crate) fn size(&self) -> Result<u64, FileError> {
        match self.size.load(Ordering::Acquire) {
            UNKNOWN => {
                let found = self.folder.stat(&self.name(FileKind::Log))?.map_or(0, |stat| stat.length);
                let _ = self.size.compare_exchange(UNKNOWN, found, Ordering::AcqRel, Ordering::Acquire);
                Ok(self.size.load(Ordering::Acquire))
            }
            size => Ok(size),
        }
    }

    pub(crate) fn set_size(&self, size: u64) {
        self.size.store(size, Ordering::Release);
    }

    /// Sets what loading or recovery found out.
    pub(crate) fn set(&self, size: u64, indexes: Indexes) {
        *self.indexes.write() = Some(indexes);
        self.set_size(size);
    }

    /// Forgets the indexes in memory; they are read from their files when they are needed again.
    pub(crate) fn forget_indexes(&self) {
        *self.indexes.write() = None;
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

    /// Calls `work` with the indexes, loading them, or building them again when they are absent or cannot be right.
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

    /// Takes it out of the log. Readers that hold it can go on: what they need of its files is kept, for the names go to other
    /// segments now, or away.
    pub(crate) fn retire(&self) -> Result<(), FileError> {
        if self.retired.load(Ordering::Acquire) {
            return Ok(());
        }
        let file = self.file()?;
        // By name it would soon be another's.
        self.size()?;
        let mut indexes = self.indexes.write();
        self.with_aborted(Index::leave_file)?;
        self.file.keep(file);
        self.retired.store(true, Ordering::Release);
        *indexes = None;
        Ok(())
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

    /// Whether the last entries point into the segment. (A preallocated index that was not trimmed ends in zeros.)
    fn is_plausible(&self, indexes: &Indexes) -> Result<bool, FileError> {
        let size = self.size()?;
        let (first, last) = (indexes.offsets.get(0)?, indexes.offsets.last()?);
        let rises = indexes.offsets.len() < 2 || first.map(|e| e.position) < last.map(|e| e.position);
        Ok(rises && last.is_none_or(|last| u64::from(last.position) < size))
    }

    /// Gives a segment that a cleaning has written what it has, while its files do not have their names.
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

    /// Its log was removed: what is open can be read on, but by its names nothing is opened any more.
    pub(crate) fn abandon(&self) {
        let mut indexes = self.indexes.write();
        // What cannot be read now is not there later.
        let _ = self.with_aborted(Index::leave_file);
        let _ = self.size();
        self.file.abandon();
        self.retired.store(true, Ordering::Release);
        *indexes = None;
    }

    /// Builds both indexes from the batches' headers, up to the first that is not valid.
    fn rebuild_indexes(&self, mut indexes: Indexes) -> Result<Indexes, ReadError> {
        let mut pace = IndexPace::new(self.base, self.interval, None);
        let mut scan = Scan::new(self.file()?, 0, self.size()?, Check::Header, REBUILD);
        while let Ok(Some(batch)) = scan.next() {
            if !self.holds(&batch) {
                break;
            }
            pace.on_batch(&batch.header, batch.position, &mut indexes)?;
        }
        pace.push_time(&mut indexes)?;
        Ok(indexes)
    }

    /// Builds the indexes again in the place of what there is. The old maps go first: their files are cut.
    fn replace_indexes(&self) -> Result<(), ReadError> {
        let mut slot = self.indexes.write();
        *slot = None;
        let empty = match self.retired.load(Ordering::Acquire) {
            true => self.indexes_in_memory(),
            false => self.empty_indexes(),
        };
        *slot = Some(self.rebuild_indexes(empty)?);
        Ok(())
    }

    fn holds(&self, batch: &Scanned) -> bool {
        let relative = batch.header.last_offset().since(self.base);
        batch.header.base_offset() >= self.base && i32::try_from(relative).is_ok()
    }

    /// Where a batch that holds `offset`, or the first behind it, can start.
    pub(crate) fn span_of(&self, offset: Offset) -> Result<Span, ReadError> {
        if let Some(indexes) = &*self.indexes.read() {
            return Ok(self.look_up(indexes, offset)?);
        }
        self.with_indexes(|indexes| self.look_up(indexes, offset))?.map_err(ReadError::from)
    }

    /// The offset after the first batch with an index entry that starts at or behind `position`.
    pub(crate) fn first_entry_behind(&self, position: u64) -> Result<Option<Offset>, ReadError> {
        let entry = self.with_indexes(|indexes| {
            let at = indexes.offsets.partition_point(|e| u64::from(e.position) < position)?;
            indexes.offsets.get(at)
        })??;
        Ok(entry.and_then(|entry| self.base.checked_add(i64::from(entry.relative_offset) + 1)))
    }

    fn look_up(&self, indexes: &Indexes, offset: Offset) -> Result<Span, FileError> {
        let relative = offset.since(self.base);
        let next = indexes.offsets.partition_point(|e| i64::from(e.relative_offset) <= relative)?;
        let before = next.checked_sub(1).map_or(Ok(None), |at| indexes.offsets.get(at))?;
        let from = before.map_or(0, |entry| u64::from(entry.position));
        let until = indexes.offsets.get(next)?.map_or(self.size()?, |entry| u64::from(entry.position));
        let first_ends = before.and_then(|entry| self.base.checked_add(i64::from(entry.relative_offset)));
        Ok(Span { from, until, first_ends })
    }

    /// The first batch that ends at or behind `offset`; `None` when all end before it.
    pub(crate) fn find(&self, offset: Offset) -> Result<Option<Scanned>, ReadError> {
        let span = self.span_of(offset)?;
        match self.walk(span, offset) {
            Ok(found) => Ok(found),
            // An index that leads astray is built again; if the log itself is damaged, the walk from its start says so.
            Err(ReadError::Damage(_)) if span.from > 0 => {
                self.replace_indexes()?;
                self.walk(self.span_of(offset)?, offset)
            }
            Err(error) => Err(error),
        }
    }

    fn walk(&self, span: Span, offset: Offset) -> Result<Option<Scanned>, ReadError> {
        let window = usize::try_from(span.until.saturating_sub(span.from)).unwrap_or(WALK).min(WALK) + 61;
        let mut scan = Scan::new(self.file()?, span.from, self.size()?, Check::Header, window);
        let mut least = self.base;
        loop {
            let position = scan.position();
            let Some(batch) = scan.next().map_err(|e| self.scan_error(e, position, offset))? else {
                return Ok(None);
            };
            let expected = span.first_ends.filter(|_| position == span.from);
            let led_astray = expected.is_some_and(|ends| ends != batch.header.last_offset());
            if led_astray || batch.header.base_offset() < least || !self.holds(&batch) {
                let got = batch.header.base_offset().get();
                let fault = BatchError::Field {
                    field: "base offset",
                    got,
                    expected: "one that follows the batch before",
                };
                return Err(self.damage(position, offset, fault).into());
            }
            least = batch.header.next_offset();
            if batch.header.last_offset() >= offset {
                return Ok(Some(batch));
            }
        }
    }

    pub(crate) fn scan_error(&self, error: ScanError, position: u64, offset: Offset) -> ReadError {
        match error {
            ScanError::Io(error) => self.failed("read", error).into(),
            ScanError::Batch(fault) => self.damage(position, offset, fault).into(),
        }
    }

    pub(crate) fn damage(&self, position: u64, offset: Offset, fault: BatchError) -> Damage {
        Damage { path: self.path(), position, offset, fault }
    }

    pub(crate) fn failed(&self, operation: &'static str, error: std::io::Error) -> FileError {
        self.folder.failed(operation, &self.name(FileKind::Log), error)
    }

    /// Writes behind the batches there are. When the system refuses, what was written is cut off again. `ahead` is how much of the
    /// file is to be zeroed at a time.
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

    /// Zeros the file beyond `end`, if it is not. What the system refuses of it, for want of space, is not needed.
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
        let mut buffer = vec![0; WALK];
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
        let mut buffer = vec![0; REBUILD];
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

    fn with_aborted<T>(
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
        self.with_aborted(|index| index.push(entry))
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

    /// Syncs the batches and the indexes.
    pub(crate) fn sync_all(&self) -> Result<(), FileError> {
        self.sync()?;
        self.sync_aborted()?;
        let synced = self.with_indexes(Indexes::sync);
        synced.map_err(|error| self.failed("index", std::io::Error::other(error)))?
    }

    /// Whether there is a file of aborted transactions.
    pub(crate) fn has_aborted_file(&self) -> Result<bool, FileError> {
        Ok(self.folder.stat(&self.name(FileKind::TransactionIndex))?.is_some())
    }

    /// Bytes of the larger of its two indexes.
    pub(crate) fn index_bytes(&self) -> Result<usize, FileError> {
        let length = |kind| {
            let stat = self.folder.stat(&self.name(kind))?;
            Ok(stat.map_or(0, |stat| usize::try_from(stat.length).unwrap_or(usize::MAX)))
        };
        Ok(length(FileKind::OffsetIndex)?.max(length(FileKind::TimeIndex)?))
    }

    /// The largest time of its records; that of the file where no record has one.
    pub(crate) fn largest_timestamp(&self) -> Result<Option<Timestamp>, ReadError> {
        let last = self.with_indexes(|indexes| indexes.times.last())??;
        match last {
            Some(entry) => Ok(Some(Timestamp::from_millis(entry.timestamp))),
            None => Ok(self.modified()?),
        }
    }

    fn modified(&self) -> Result<Option<Timestamp>, FileError> {
        let stat = self.folder.stat(&self.name(FileKind::Log))?;
        let since = stat.and_then(|s| s.modified).and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(since.and_then(|since| i64::try_from(since.as_millis()).ok()).map(Timestamp::from_millis))
    }
}

const REBUILD: usize = 256 * 1024;
