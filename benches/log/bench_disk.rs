//! The operating system's disk, with its syncs counted; or one whose files take writes and keep nothing, so that what remains is
//! the log's own work.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use klamm_log::disk::{Disk, DiskFile, OpenMode, OsDisk, Stat};

#[derive(Clone, Debug, Default)]
pub(crate) struct BenchDisk {
    /// Whether files keep nothing.
    forgets: bool,
    syncs: Arc<AtomicU64>,
}

#[derive(Debug)]
struct BenchFile {
    file: Box<dyn DiskFile>,
    disk: BenchDisk,
}

impl BenchDisk {
    pub(crate) fn null() -> BenchDisk {
        BenchDisk { forgets: true, ..BenchDisk::default() }
    }

    /// Syncs of files so far.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }
}

impl Disk for BenchDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(BenchFile { file: OsDisk.open(path, mode)?, disk: self.clone() }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        OsDisk.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        OsDisk.list(path)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        OsDisk.stat(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsDisk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        OsDisk.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        OsDisk.lock(path)
    }
}

impl DiskFile for BenchFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        if self.disk.forgets { Ok(()) } else { self.file.write_all_at(bytes, position) }
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.syncs.fetch_add(1, Ordering::Relaxed);
        if self.disk.forgets { Ok(()) } else { self.file.sync() }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}
