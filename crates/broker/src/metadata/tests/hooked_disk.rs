//! The system's disk, with a hook before each operation that changes something: a test counts them, or holds one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use klamm_log::disk::{Disk, DiskFile, OpenMode, OsDisk, Stat};
use parking_lot::RwLock;

type Hook = Arc<dyn Fn(&str, &Path) + Send + Sync>;

#[derive(Clone, Default)]
pub(super) struct HookedDisk(Arc<RwLock<Option<Hook>>>);

struct HookedFile {
    disk: HookedDisk,
    path: PathBuf,
    file: Box<dyn DiskFile>,
}

impl HookedDisk {
    /// Calls `hook` with the name and the path of each operation from now on.
    pub(super) fn set(&self, hook: impl Fn(&str, &Path) + Send + Sync + 'static) {
        *self.0.write() = Some(Arc::new(hook));
    }

    fn call(&self, operation: &str, path: &Path) {
        let hook = self.0.read().clone();
        hook.iter().for_each(|hook| hook(operation, path));
    }
}

impl std::fmt::Debug for HookedDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HookedDisk")
    }
}

impl std::fmt::Debug for HookedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HookedFile({})", self.path.display())
    }
}

impl Disk for HookedDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        if mode != OpenMode::Read {
            self.call("open", path);
        }
        let file = OsDisk.open(path, mode)?;
        Ok(Box::new(HookedFile { disk: self.clone(), path: path.to_owned(), file }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.call("create_dir", path);
        OsDisk.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        OsDisk.list(path)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        OsDisk.stat(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call("rename", from);
        OsDisk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.call("remove", path);
        OsDisk.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.call("remove_dir", path);
        OsDisk.remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.call("sync_dir", path);
        OsDisk.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        OsDisk.lock(path)
    }
}

impl DiskFile for HookedFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.disk.call("write", &self.path);
        self.file.write_all_at(bytes, position)
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.call("sync", &self.path);
        self.file.sync()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.disk.call("truncate", &self.path);
        self.file.truncate(length)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn as_file(&self) -> Option<&File> {
        self.file.as_file()
    }
}
