//! A disk that can be full.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use klamm_log::disk::{Disk, DiskFile, OpenMode, Stat};

#[derive(Clone, Debug)]
pub(super) struct FullDisk {
    disk: Arc<dyn Disk>,
    is_full: Arc<AtomicBool>,
}

#[derive(Debug)]
struct FullDiskFile {
    disk: FullDisk,
    file: Box<dyn DiskFile>,
}

impl FullDisk {
    /// The same as `disk`, with room.
    pub(super) fn new(disk: Arc<dyn Disk>) -> FullDisk {
        FullDisk { disk, is_full: Arc::default() }
    }

    pub(super) fn fill(&self) {
        self.is_full.store(true, Ordering::SeqCst);
    }

    pub(super) fn free(&self) {
        self.is_full.store(false, Ordering::SeqCst);
    }

    fn check(&self) -> io::Result<()> {
        let is_full = self.is_full.load(Ordering::SeqCst);
        if is_full { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(()) }
    }
}

impl Disk for FullDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        if mode == OpenMode::Create && self.disk.stat(path).is_err() {
            self.check()?;
        }
        let file = self.disk.open(path, mode)?;
        Ok(Box::new(FullDiskFile { disk: self.clone(), file }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        self.disk.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.disk.list(path)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.disk.stat(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        self.disk.lock(path)
    }
}

impl DiskFile for FullDiskFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.disk.check()?;
        self.file.write_all_at(bytes, position)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn as_file(&self) -> Option<&File> {
        self.file.as_file()
    }
}
