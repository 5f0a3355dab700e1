//! The operating system's disk with a hook: a function that is called before each operation and can
//! fail, block or count it.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use klamm_log::disk::{Disk, DiskFile, OpenMode, OsDisk, Stat};

/// Takes the name of an operation and its path. The names are those of the methods of [`Disk`] and
/// [`DiskFile`], in short: `open` (`open_read` for reading alone), `create_dir`, `rename`,
/// `remove`, `sync_dir`, `read`, `write`, `sync`, `truncate`.
type Hook = Arc<dyn Fn(&str, &Path) -> io::Result<()> + Send + Sync>;

/// The operating system's disk, with a hook that is called before each operation and can fail it.
/// Clones share the hook.
#[derive(Clone, Default)]
pub struct HookDisk {
    hook: Arc<RwLock<Option<Hook>>>,
    /// Whether files keep nothing of what is written.
    forgets: bool,
    /// `.log` files that are open, and the most that were open at a time.
    open_logs: Arc<(AtomicUsize, AtomicUsize)>,
}

impl fmt::Debug for HookDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookDisk")
    }
}

impl HookDisk {
    /// A disk whose files take writes and syncs and keep nothing, for a bench of everything but the
    /// disk.
    #[must_use]
    pub fn forgetful() -> HookDisk {
        HookDisk { forgets: true, ..HookDisk::default() }
    }

    /// Calls `hook` with the name and the path of each operation from now on; its error is the
    /// operation's.
    pub fn set(&self, hook: impl Fn(&str, &Path) -> io::Result<()> + Send + Sync + 'static) {
        *self.hook.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(hook));
    }

    /// Removes the hook.
    pub fn clear(&self) {
        *self.hook.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The number of `.log` files that are open.
    #[must_use]
    pub fn open_logs(&self) -> usize {
        self.open_logs.0.load(Ordering::SeqCst)
    }

    /// The largest number of `.log` files that were open at a time.
    #[must_use]
    pub fn most_open_logs(&self) -> usize {
        self.open_logs.1.load(Ordering::SeqCst)
    }

    fn note_open(&self, path: &Path) {
        if is_log(path) {
            let open = self.open_logs.0.fetch_add(1, Ordering::SeqCst) + 1;
            self.open_logs.1.fetch_max(open, Ordering::SeqCst);
        }
    }

    fn call(&self, operation: &str, path: &Path) -> io::Result<()> {
        let hook = self.hook.read().unwrap_or_else(PoisonError::into_inner).clone();
        hook.map_or(Ok(()), |hook| hook(operation, path))
    }
}

#[derive(Debug)]
struct HookFile {
    disk: HookDisk,
    path: PathBuf,
    inner: Box<dyn DiskFile>,
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|kind| kind == "log")
}

impl Drop for HookFile {
    fn drop(&mut self) {
        if is_log(&self.path) {
            self.disk.open_logs.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl DiskFile for HookFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.disk.call("read", &self.path)?;
        self.inner.read_at(buffer, position)
    }

    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.disk.call("write", &self.path)?;
        if self.disk.forgets { Ok(()) } else { self.inner.write_all_at(bytes, position) }
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.call("sync", &self.path)?;
        if self.disk.forgets { Ok(()) } else { self.inner.sync() }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.disk.call("truncate", &self.path)?;
        self.inner.truncate(length)
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn as_file(&self) -> Option<&File> {
        self.inner.as_file()
    }
}

impl Disk for HookDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        self.call(if mode == OpenMode::Read { "open_read" } else { "open" }, path)?;
        let inner = OsDisk.open(path, mode)?;
        self.note_open(path);
        Ok(Box::new(HookFile { disk: self.clone(), path: path.to_owned(), inner }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.call("create_dir", path)?;
        OsDisk.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        OsDisk.list(path)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        OsDisk.stat(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call("rename", from)?;
        OsDisk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.call("remove", path)?;
        OsDisk.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.call("sync_dir", path)?;
        OsDisk.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        OsDisk.lock(path)
    }
}
