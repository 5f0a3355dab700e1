//! An index file: entries of a fixed size in rising order.
//!
//! ```text
//! file    [ stored ............ | written ... ]
//! memory  [ map, on first use   | fresh ................... ]
//! ```
//!
//! Entries that were in the file when it was opened are read through a map, made on first use. New
//! ones live in memory and are appended to the file some at a time: it is a cache, which recovery
//! builds again from the log. The file is open only while it is read or written, so that an index
//! costs no descriptor.

mod map;
mod pace;

use std::io;
use std::sync::{Arc, OnceLock};

use memmap2::Mmap;

use crate::FileError;
use crate::disk::{DiskFile, OpenMode};
use crate::folder::{Folder, read_full};
use crate::format::{IndexEntry, OffsetEntry, TimeEntry};

pub(crate) use pace::IndexPace;

/// Both indexes of a segment.
#[derive(Debug)]
pub(crate) struct Indexes {
    pub(crate) offsets: Index<OffsetEntry>,
    pub(crate) times: Index<TimeEntry>,
}

/// One index file.
#[derive(Debug)]
pub(crate) struct Index<E> {
    folder: Folder,
    name: String,
    home: Home,
    /// Entries of the file that are read through `bytes`.
    stored: usize,
    /// The first `stored` entries as bytes.
    bytes: OnceLock<IndexBytes>,
    /// Entries since then.
    fresh: Vec<E>,
    /// How many of `fresh` are in the file. Invariant: at most `fresh.len()`.
    written: usize,
    /// How many of `fresh` have been synced. Invariant: at most `written`.
    synced: usize,
}

/// Where new entries go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Home {
    File,
    /// Nowhere: the file's name belongs to another segment, or will only later be its own.
    Memory,
}

#[derive(Debug)]
enum IndexBytes {
    Mapped(Mmap),
    Read(Vec<u8>),
}

/// Fresh entries that are gathered before they are written to the file: those of 4 MiB of batches,
/// beside which opening it costs nothing.
const GATHER: usize = 1024;
/// Smaller files are read, not mapped: a map costs a page table entry and a fault. A fuzz target
/// maps all.
const SMALL: usize = if cfg!(fuzzing) { 0 } else { 16 * 1024 };

impl<E: IndexEntry> Index<E> {
    /// The index in file `name`, which need not be there; its entries are not looked at yet.
    pub(crate) fn open(folder: Folder, name: String) -> Result<Index<E>, FileError> {
        let length = folder.stat(&name)?.map_or(0, |stat| stat.length);
        let stored = usize::try_from(length).unwrap_or(0) / E::SIZE;
        Ok(Index { stored, ..Index::empty(folder, name) })
    }

    /// An index without entries; what the file holds is replaced when entries are written.
    pub(crate) fn empty(folder: Folder, name: String) -> Index<E> {
        let (home, bytes) = (Home::File, OnceLock::new());
        Index { folder, name, home, stored: 0, bytes, fresh: Vec::new(), written: 0, synced: 0 }
    }

    /// An index without entries that stays in memory.
    pub(crate) fn in_memory(folder: Folder, name: String) -> Index<E> {
        Index { home: Home::Memory, ..Index::empty(folder, name) }
    }

    /// An index with these entries, which take the place of those of the file when they are
    /// written.
    pub(crate) fn rebuilt(folder: Folder, name: String, entries: Vec<E>) -> Index<E> {
        Index { fresh: entries, ..Index::empty(folder, name) }
    }

    /// Reads all that the file has, so that it is not needed any more, whatever becomes of its
    /// name.
    pub(crate) fn leave_file(&mut self) -> Result<(), FileError> {
        if self.stored > 0 {
            self.bytes()?;
        }
        self.home = Home::Memory;
        Ok(())
    }

    /// The entries that are not from the file, as they would be in it.
    pub(crate) fn fresh_bytes(&self) -> Vec<u8> {
        self.encoded(&self.fresh)
    }

    fn encoded(&self, entries: &[E]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(entries.len() * E::SIZE);
        entries.iter().for_each(|entry| entry.encode(&mut bytes));
        bytes
    }

    /// Entries of the file as it was when it was opened.
    pub(crate) fn stored(&self) -> usize {
        self.stored
    }

    /// Entries that were added since it was opened.
    pub(crate) fn fresh(&self) -> &[E] {
        &self.fresh
    }

    pub(crate) fn len(&self) -> usize {
        self.stored + self.fresh.len()
    }

    /// Bytes that the file has, or will have when all is written.
    pub(crate) fn size(&self) -> usize {
        self.len() * E::SIZE
    }

    pub(crate) fn get(&self, at: usize) -> Result<Option<E>, FileError> {
        if let Some(fresh) = at.checked_sub(self.stored) {
            return Ok(self.fresh.get(fresh).copied());
        }
        let start = at * E::SIZE;
        Ok(self.bytes()?.get(start..start + E::SIZE).map(E::decode))
    }

    pub(crate) fn last(&self) -> Result<Option<E>, FileError> {
        self.len().checked_sub(1).map_or(Ok(None), |last| self.get(last))
    }

    /// Number of entries at the front for which `holds` is true.
    pub(crate) fn partition_point(&self, holds: impl Fn(&E) -> bool) -> Result<usize, FileError> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle)? {
                Some(entry) if holds(&entry) => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// Adds an entry. When the file refuses those that have gathered, as on a full disk, they stay
    /// in memory and are written with a later entry, or by the next sync.
    pub(crate) fn push(&mut self, entry: E) {
        self.fresh.push(entry);
        if self.fresh.len() - self.written >= GATHER {
            let _written_later = self.write();
        }
    }

    /// Appends what is not yet in the file.
    pub(crate) fn write(&mut self) -> Result<(), FileError> {
        let nothing_new = self.written == self.fresh.len() && self.len() > 0;
        if nothing_new || self.home == Home::Memory {
            return Ok(());
        }
        let file = self.file()?;
        self.write_to(&*file)
    }

    fn write_to(&mut self, file: &dyn DiskFile) -> Result<(), FileError> {
        let bytes = self.encoded(&self.fresh[self.written..]);
        let position = ((self.stored + self.written) * E::SIZE) as u64;
        if position == 0 && Self::file_holds(file, &bytes).map_err(|e| self.failed("read", e))? {
            self.written = self.fresh.len();
            return Ok(());
        }
        if position == 0 {
            file.truncate(0).map_err(|e| self.failed("truncate", e))?;
        }
        file.write_all_at(&bytes, position).map_err(|e| self.failed("write to", e))?;
        self.written = self.fresh.len();
        Ok(())
    }

    /// Whether the file is these bytes already, as after a recovery that found all in order: then
    /// it need not be written.
    fn file_holds(file: &dyn DiskFile, bytes: &[u8]) -> io::Result<bool> {
        let mut held = vec![0; bytes.len() + 1];
        let got = read_full(file, &mut held, 0)?;
        Ok(&held[..got] == bytes)
    }

    fn failed(&self, operation: &'static str, error: io::Error) -> FileError {
        self.folder.failed(operation, &self.name, error)
    }

    /// Writes what is not yet in the file and makes all of it durable.
    pub(crate) fn sync(&mut self) -> Result<(), FileError> {
        if self.home == Home::Memory {
            return Ok(());
        }
        let file = self.file()?;
        if self.written < self.fresh.len() || self.len() == 0 {
            self.write_to(&*file)?;
        }
        file.sync().map_err(|e| self.failed("sync", e))?;
        self.synced = self.written;
        Ok(())
    }

    fn is_written(&self) -> bool {
        self.written == self.fresh.len() || self.home == Home::Memory
    }

    /// Whether there are entries that are not known to be durable.
    pub(crate) fn is_unsynced(&self) -> bool {
        self.synced < self.fresh.len()
    }

    /// Keeps the first `count` entries only.
    pub(crate) fn truncate(&mut self, count: usize) -> Result<(), FileError> {
        let count = count.min(self.len());
        self.bytes = OnceLock::new();
        self.fresh.truncate(count.saturating_sub(self.stored));
        self.stored = self.stored.min(count);
        self.written = self.written.min(self.fresh.len());
        self.synced = self.synced.min(self.written);
        let length = ((self.stored + self.written) * E::SIZE) as u64;
        if self.home == Home::Memory {
            return Ok(());
        }
        self.file()?.truncate(length).map_err(|e| self.failed("truncate", e))
    }

    fn file(&self) -> Result<Arc<dyn DiskFile>, FileError> {
        self.folder.open(&self.name, OpenMode::Create)
    }

    fn bytes(&self) -> Result<&[u8], FileError> {
        if self.bytes.get().is_none() {
            let bytes = self.load().map_err(|e| self.failed("read", e))?;
            let _ = self.bytes.set(bytes);
        }
        Ok(self.bytes.get().map_or(&[], IndexBytes::as_slice))
    }

    fn load(&self) -> io::Result<IndexBytes> {
        let length = self.stored * E::SIZE;
        let file = self.folder.open(&self.name, OpenMode::Read).map_err(|e| e.source)?;
        match file.as_file() {
            Some(file) if length > SMALL => map::map(file, length).map(IndexBytes::Mapped),
            _ => {
                let mut bytes = vec![0; length];
                let got = read_full(&*file, &mut bytes, 0)?;
                bytes.truncate(got);
                Ok(IndexBytes::Read(bytes))
            }
        }
    }
}

impl IndexBytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            IndexBytes::Mapped(map) => map,
            IndexBytes::Read(bytes) => bytes,
        }
    }
}

impl Indexes {
    /// Whether so many entries of each rise from the first to the last. A killed Kafka leaves zeros
    /// behind its entries, which do not.
    pub(crate) fn do_rise(&self, offsets: usize, times: usize) -> Result<bool, FileError> {
        let offset = |at: usize| Ok(self.offsets.get(at)?.map(|entry| entry.relative_offset));
        let time = |at: usize| Ok(self.times.get(at)?.map(|entry| entry.relative_offset));
        Ok((offsets < 2 || offset(0)? < offset(offsets - 1)?) && (times < 2 || time(0)? < time(times - 1)?))
    }

    /// Whether their files have all their entries.
    pub(crate) fn are_written(&self) -> bool {
        self.offsets.is_written() && self.times.is_written()
    }

    pub(crate) fn write(&mut self) -> Result<(), FileError> {
        self.offsets.write()?;
        self.times.write()
    }

    pub(crate) fn sync(&mut self) -> Result<(), FileError> {
        self.offsets.sync()?;
        self.times.sync()
    }
}

#[cfg(test)]
mod tests;
