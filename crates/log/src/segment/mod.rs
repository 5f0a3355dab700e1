//! A segment: a file of batches and its two indexes. Opened on first use, so that a log with a
//! thousand of them opens as fast as one with a single one.

mod aborted;
mod file;
mod indexes;
mod leaving;
mod order;
mod times;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use klamm_record::{BatchError, BatchHeader};
use klamm_types::{Offset, Timestamp};
use parking_lot::{Mutex, RwLock};

use crate::disk::OpenMode;
use crate::folder::{Folder, read_full};
use crate::format::{AbortedEntry, FileKind, SegmentFileName};
use crate::index::{Index, Indexes};
use crate::open_files::OpenFile;
use crate::scan::{ScanError, Scanned};
use crate::{Damage, FileError, ReadError};

/// One segment of a log.
#[derive(Debug)]
pub(crate) struct Segment {
    base: Offset,
    folder: Folder,
    file: OpenFile,
    /// Bytes of whole batches; [`UNKNOWN`] until someone asks. Grows in the active segment, after
    /// each write.
    size: AtomicU64,
    /// Up to where the active segment's file is filled with zeros, if it is.
    zeroed: AtomicU64,
    /// Counts the beginnings and the ends of truncations: odd while one is under way.
    cuts: AtomicU64,
    /// `None` until someone asks.
    indexes: RwLock<Option<Indexes>>,
    /// `None` until someone asks; most segments have no such file.
    aborted: RwLock<Option<Index<AbortedEntry>>>,
    /// Whether the file of aborted transactions was compared with the batches, a constant of
    /// `aborted.rs`.
    aborted_check: AtomicU8,
    interval: u32,
    /// The largest time of its batches, once someone has asked.
    largest: Mutex<Option<Largest>>,
    /// Whether it is no longer in the log: its names may be another's, and its indexes stay in
    /// memory. Changes under the lock of `indexes`.
    retired: AtomicBool,
    /// Which of its batches are known to be in their places.
    order: KnownOrder,
}

pub(crate) use file::WriteFailure;
use indexes::Span;
use order::KnownOrder;
use times::Largest;

const UNKNOWN: u64 = u64::MAX;
/// Bytes read at a time to walk over headers between two index entries.
const WALK: usize = 8 * 1024;

impl Segment {
    /// A segment whose files are there; none is opened yet.
    pub(crate) fn existing(folder: &Folder, base: Offset, interval: u32) -> Segment {
        let (folder, size) = (folder.clone(), AtomicU64::new(UNKNOWN));
        let (file, indexes, aborted) = (folder.log_file(), RwLock::default(), RwLock::new(None));
        let (retired, [zeroed, cuts]) = (AtomicBool::new(false), [(); 2].map(|()| AtomicU64::new(0)));
        let (largest, aborted_check) = (Mutex::default(), AtomicU8::new(aborted::UNCHECKED));
        let order = KnownOrder::nothing();
        Segment {
            base,
            folder,
            file,
            size,
            zeroed,
            cuts,
            indexes,
            aborted,
            aborted_check,
            interval,
            largest,
            retired,
            order,
        }
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

    /// A new, empty segment whose indexes get their files when they are first written, or when the
    /// log is closed.
    pub(crate) fn create_bare(folder: &Folder, base: Offset, interval: u32) -> Result<Segment, FileError> {
        let segment = Segment::existing(folder, base, interval);
        let indexes = segment.empty_indexes();
        folder.open(&segment.name(FileKind::Log), OpenMode::Replace)?;
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

    /// Truncates by `cut`. Whoever reads meanwhile sees by [`Segment::cuts`] that batches and
    /// indexes may not agree.
    pub(crate) fn while_cutting<T>(&self, cut: impl FnOnce() -> T) -> T {
        self.cuts.fetch_add(1, Ordering::AcqRel);
        let done = cut();
        self.cuts.fetch_add(1, Ordering::AcqRel);
        done
    }

    /// A number that is odd while the segment is truncated, and has changed after it.
    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Acquire)
    }

    /// Whether no truncation was under way when [`Segment::cuts`] was `cuts`, nor began since.
    fn is_uncut_since(&self, cuts: u64) -> bool {
        cuts.is_multiple_of(2) && self.cuts() == cuts
    }

    pub(crate) fn set_size(&self, size: u64) {
        self.size.store(size, Ordering::Release);
    }

    /// Sets what loading or recovery found out. What is appended from now on is in its place.
    pub(crate) fn set(&self, size: u64, indexes: Indexes) {
        *self.indexes.write() = Some(indexes);
        self.set_size(size);
        self.order.set_written_from(size);
    }

    /// The first batch that ends at or behind `offset`; `None` when all end before it.
    pub(crate) fn find(&self, offset: Offset) -> Result<Option<Scanned>, ReadError> {
        let span = self.span_of(offset)?;
        if let Some(found) = self.guess(span, offset) {
            return Ok(Some(found));
        }
        match self.walk(span, offset) {
            Ok(found) => Ok(found),
            // An index that leads astray is built again; if the log itself is damaged, the walk
            // from its start says so.
            Err(ReadError::Damage(_)) if span.from > 0 => {
                self.replace_indexes()?;
                self.walk(self.span_of(offset)?, offset)
            }
            Err(error) => Err(error),
        }
    }

    /// The batch at the index entry behind `offset`, if that is it, as it is where batches are so
    /// large that each has an entry. Looked at first, for the walk would read the one before it
    /// too. What is wrong with it is for the walk to say.
    fn guess(&self, span: Span, offset: Offset) -> Option<Scanned> {
        let ends = span.last_ends.filter(|_| span.until.saturating_sub(span.from) > WALK as u64)?;
        let mut bytes = [0; BatchHeader::SIZE];
        read_full(&*self.file().ok()?, &mut bytes, span.until).ok()?;
        let batch = Scanned { header: BatchHeader::parse(&bytes).ok()?, position: span.until };
        let is_it = batch.header.base_offset() <= offset && batch.header.last_offset() == ends;
        (is_it && batch.is_within(self.base) && batch.end() <= self.size().ok()?).then_some(batch)
    }

    fn walk(&self, span: Span, offset: Offset) -> Result<Option<Scanned>, ReadError> {
        let window = usize::try_from(span.until.saturating_sub(span.from)).unwrap_or(WALK).min(WALK) + 61;
        // The index vouches for the place of a batch that ends where its entry says.
        let mut expected = span.first_ends;
        let before = if expected.is_some() { None } else { Some(self.base) };
        let mut batches = self.in_order(span.from, before, window)?;
        loop {
            let position = batches.position();
            let found = batches.next().map_err(|error| self.scan_error(error, position, offset))?;
            let ends = expected.take();
            match (found, &batches.out_of_place) {
                (Some(batch), _) if ends.is_some_and(|ends| ends != batch.header.last_offset()) => {
                    return Err(self.out_of_place(&batch, offset));
                }
                (Some(batch), _) if batch.header.last_offset() < offset => {}
                (Some(batch), Some(wrong)) if batch.header.base_offset() > offset => {
                    return Err(self.out_of_place(wrong, offset));
                }
                (None, Some(wrong)) => return Err(self.out_of_place(wrong, offset)),
                (found, _) => return Ok(found),
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

    /// Syncs the batches and the indexes.
    pub(crate) fn sync_all(&self) -> Result<(), FileError> {
        self.sync()?;
        self.sync_aborted()?;
        let synced = self.with_indexes(Indexes::sync);
        synced.map_err(|error| self.failed("index", std::io::Error::other(error)))?
    }

    /// When its file was last written.
    pub(crate) fn modified(&self) -> Result<Option<Timestamp>, FileError> {
        let stat = self.folder.stat(&self.name(FileKind::Log))?;
        let since = stat.and_then(|s| s.modified).and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(since.and_then(|since| i64::try_from(since.as_millis()).ok()).map(Timestamp::from_millis))
    }
}

/// Bytes read at a time where all of a file is.
const CHUNK: usize = 256 * 1024;
