//! A disk whose files take writes and keep nothing: what remains is the log's own work.

use std::io;
use std::path::Path;

use klamm_log::disk::{Disk, DiskFile, OpenMode, OsDisk, Stat};

#[derive(Debug)]
pub(crate) struct NullDisk;

#[derive(Debug)]
struct NullFile(Box<dyn DiskFile>);

impl Disk for NullDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        OsDisk.open(path, mode).map(|file| Box::new(NullFile(file)) as Box<dyn DiskFile>)
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

impl DiskFile for NullFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.0.read_at(buffer, position)
    }

    fn write_all_at(&self, _bytes: &[u8], _position: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.truncate(length)
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
}
