//! A disk that can fail, or do something, at each operation.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use klamm_log::disk::*;
use klamm_log::{DirConfig, LogConfig, LogDir};

type Hook = Arc<dyn Fn(&str, &Path) -> io::Result<()> + Send + Sync>;

#[derive(Clone, Default)]
/// The operating system's disk, with a hook that is called before each operation and can fail it.
pub struct HookDisk {
    hook: Arc<std::sync::RwLock<Option<Hook>>>,
    /// `.log` files that are open, and the most that ever were.
    open_logs: Arc<(AtomicUsize, AtomicUsize)>,
}
impl std::fmt::Debug for HookDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("H")
    }
}
impl HookDisk {
    /// Calls `f` with each operation's name and path from now on.
    pub fn set(&self, f: impl Fn(&str, &Path) -> io::Result<()> + Send + Sync + 'static) {
        *self.hook.write().unwrap() = Some(Arc::new(f));
    }
    pub fn clear(&self) {
        *self.hook.write().unwrap() = None;
    }
    /// `.log` files that are open.
    pub fn open_logs(&self) -> usize {
        self.open_logs.0.load(Ordering::SeqCst)
    }
    /// The most `.log` files that ever were open at a time.
    pub fn most_open_logs(&self) -> usize {
        self.open_logs.1.load(Ordering::SeqCst)
    }
    fn note_open(&self, path: &Path) {
        if is_log(path) {
            let open = self.open_logs.0.fetch_add(1, Ordering::SeqCst) + 1;
            self.open_logs.1.fetch_max(open, Ordering::SeqCst);
        }
    }
    fn call(&self, op: &str, p: &Path) -> io::Result<()> {
        let h = self.hook.read().unwrap().clone();
        h.map_or(Ok(()), |h| h(op, p))
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
    fn read_at(&self, b: &mut [u8], p: u64) -> io::Result<usize> {
        self.disk.call("read", &self.path)?;
        self.inner.read_at(b, p)
    }
    fn write_all_at(&self, b: &[u8], p: u64) -> io::Result<()> {
        self.disk.call("write", &self.path)?;
        self.inner.write_all_at(b, p)
    }
    fn sync(&self) -> io::Result<()> {
        self.disk.call("sync", &self.path)?;
        self.inner.sync()
    }
    fn truncate(&self, l: u64) -> io::Result<()> {
        self.disk.call("truncate", &self.path)?;
        self.inner.truncate(l)
    }
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
    fn as_file(&self) -> Option<&std::fs::File> {
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
    fn create_dir(&self, p: &Path) -> io::Result<()> {
        self.call("create_dir", p)?;
        OsDisk.create_dir(p)
    }
    fn list(&self, p: &Path) -> io::Result<Vec<String>> {
        OsDisk.list(p)
    }
    fn stat(&self, p: &Path) -> io::Result<Stat> {
        OsDisk.stat(p)
    }
    fn rename(&self, f: &Path, t: &Path) -> io::Result<()> {
        self.call("rename", f)?;
        OsDisk.rename(f, t)
    }
    fn remove_file(&self, p: &Path) -> io::Result<()> {
        self.call("remove", p)?;
        OsDisk.remove_file(p)
    }
    fn remove_dir(&self, p: &Path) -> io::Result<()> {
        OsDisk.remove_dir(p)
    }
    fn sync_dir(&self, p: &Path) -> io::Result<()> {
        self.call("sync_dir", p)?;
        OsDisk.sync_dir(p)
    }
    fn lock(&self, p: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        OsDisk.lock(p)
    }
}
/// A folder on a disk with a hook, which is not set yet.
pub fn open_hook(path: &Path, log: LogConfig) -> (HookDisk, LogDir) {
    let disk = HookDisk::default();
    let config = DirConfig { log, disk: Arc::new(disk.clone()), ..DirConfig::default() };
    (disk, LogDir::open_with(path, config).unwrap())
}
