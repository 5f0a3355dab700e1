//! The system's disk, which can be full.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use klamm_log::disk::{Disk, DiskFile, OpenMode, OsDisk, Stat};

#[derive(Clone, Debug, Default)]
pub(super) struct FullDisk {
    is_full: Arc<AtomicBool>,
}

#[derive(Debug)]
struct FullDiskFile {
    disk: FullDisk,
    file: Box<dyn DiskFile>,
}

impl FullDisk {
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
        if mode == OpenMode::Create && !path.exists() {
            self.check()?;
        }
        let file = OsDisk.open(path, mode)?;
        Ok(Box::new(FullDiskFile { disk: self.clone(), file }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.check()?;
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
