//! A disk in memory with two images: what the process sees, and what a power loss leaves.
//!
//! ```text
//! write -> live image --sync of the file------> durable image
//! name  -> live names --sync of the directory-> durable names
//! ```
//!
//! A fault makes one operation fail, or be the last one before a power loss; after it
//! [`SimDisk::crash`] makes the disks that the machine could find when it comes up again.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use klamm_log::disk::{Disk, DiskFile, OpenMode, Stat};

use crate::state::{Change, Inode, State, Write, parent};

/// Bytes that a disk writes as one.
pub const SECTOR: usize = 512;

/// A disk in memory that knows what was synced. Clones share the disk.
#[derive(Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    /// Which files and directories are not synced although the disk says so.
    lies: Option<Arc<Lie>>,
}

type Lie = dyn Fn(&Path) -> bool + Send + Sync;

/// What happens to the operation with this number, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The power is lost: this operation and all after it fail and change nothing.
    Crash {
        /// The number of the operation.
        at: usize,
    },
    /// This operation alone fails.
    Fail {
        /// The number of the operation.
        at: usize,
        /// How it fails.
        how: Failure,
    },
}

/// How an operation fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// With the system's I/O error.
    Io,
    /// Because there is no space.
    NoSpace,
    /// Half of a write is done, then there is no space.
    Short,
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimDisk")
    }
}

impl SimDisk {
    /// An empty disk to which `fault` happens.
    #[must_use]
    pub fn with_fault(fault: Option<Fault>) -> SimDisk {
        let disk = SimDisk::default();
        disk.lock().fault = fault;
        disk
    }

    /// The same disk, but a sync of a path for which `lies` is true reports success and does
    /// nothing. A test uses it to prove that its check sees a missing sync.
    #[must_use]
    pub fn lying(self, lies: impl Fn(&Path) -> bool + Send + Sync + 'static) -> SimDisk {
        SimDisk { lies: Some(Arc::new(lies)), ..self }
    }

    pub(crate) fn of(state: State) -> SimDisk {
        SimDisk { state: Arc::new(Mutex::new(state)), lies: None }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of operations so far that changed something or could have.
    #[must_use]
    pub fn operations(&self) -> usize {
        self.lock().operations
    }

    /// Whether the power was lost.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.lock().is_down()
    }

    /// Loses the power: every operation from now on fails and changes nothing.
    pub fn cut_power(&self) {
        let mut state = self.lock();
        state.fault = Some(Fault::Crash { at: state.operations });
        // The crash is not an operation that is interrupted.
        state.operations += 1;
    }

    fn lies_about(&self, path: &Path) -> bool {
        self.lies.as_ref().is_some_and(|lies| lies(path))
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    inode: usize,
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let state = self.disk.lock();
        let bytes = state.inodes[self.inode].live.get(index(position)..).unwrap_or_default();
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        let write = Write::At(index(position), bytes.to_vec());
        if let Err(error) = state.begin() {
            match state.fault {
                Some(Fault::Crash { at }) if state.operations == at + 1 => {
                    state.interrupted = Some((self.inode, write));
                }
                Some(Fault::Fail { how: Failure::Short, .. }) => {
                    let half = Write::At(index(position), bytes[..bytes.len() / 2].to_vec());
                    state.write(self.inode, half);
                }
                _ => {}
            }
            return Err(error);
        }
        state.write(self.inode, write);
        Ok(())
    }

    /// After a failed sync the system takes the pages for clean, and what they held is lost.
    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.lock();
        let allowed = state.begin();
        let (is_down, is_lie) = (state.is_down(), self.disk.lies_about(&self.path));
        let inode = &mut state.inodes[self.inode];
        match &allowed {
            Ok(()) if is_lie => {}
            Ok(()) => inode.sync(),
            Err(_) if is_down => {}
            Err(_) => inode.pending.clear(),
        }
        allowed
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.begin()?;
        state.write(self.inode, Write::Cut(index(length)));
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.lock().inodes[self.inode].live.len() as u64)
    }
}

/// A position in a file in memory.
fn index(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock();
        let inode = match state.inode(path) {
            Ok(inode) => {
                if mode == OpenMode::Replace {
                    state.begin()?;
                    state.write(inode, Write::Cut(0));
                }
                inode
            }
            Err(error) if matches!(mode, OpenMode::Read | OpenMode::Write) => return Err(error),
            Err(_) => {
                state.begin()?;
                let inode = state.inodes.len();
                state.inodes.push(Inode::default());
                state.change(Change::put(path, Some(inode)));
                inode
            }
        };
        Ok(Box::new(SimFile { disk: self.clone(), path: path.to_owned(), inode }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let missing: Vec<_> =
            path.ancestors().filter(|p| p.parent().is_some() && !p.as_os_str().is_empty()).collect();
        for directory in missing.into_iter().rev() {
            if !state.names.contains_key(directory) {
                state.begin()?;
                state.change(Change::put(directory, None));
            }
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = self.lock();
        let inside = state.names.keys().filter(|name| name.parent() == Some(path));
        Ok(inside.filter_map(|name| Some(name.file_name()?.to_str()?.to_owned())).collect())
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let state = self.lock();
        let entry = state.names.get(path).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let length = entry.map_or(0, |inode| state.inodes[inode].live.len() as u64);
        Ok(Stat { length, is_dir: entry.is_none(), modified: None })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.begin()?;
        let moved: Vec<_> = state
            .names
            .iter()
            .filter(|(name, _)| name.starts_with(from))
            .map(|(n, i)| (n.clone(), *i))
            .collect();
        if moved.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let target = |name: &Path| match name.strip_prefix(from) {
            Ok(rest) if !rest.as_os_str().is_empty() => to.join(rest),
            _ => to.to_owned(),
        };
        let put = moved.iter().map(|(name, inode)| (target(name), *inode)).collect();
        let removed = moved.into_iter().map(|(name, _)| name).collect();
        state.change(Change { directory: parent(to), removed, put });
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.inode(path)?;
        state.begin()?;
        state.change(Change::removed(path, vec![path.to_owned()]));
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.begin()?;
        let removed = state.names.keys().filter(|name| name.starts_with(path)).cloned().collect();
        state.change(Change::removed(path, removed));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.begin()?;
        if self.lies_about(path) {
            return Ok(());
        }
        let changes = std::mem::take(&mut state.changes);
        let (of_it, others): (Vec<Change>, Vec<Change>) =
            changes.into_iter().partition(|change: &Change| change.directory == path);
        state.changes = others;
        of_it.iter().for_each(|change| change.apply(&mut state.durable_names));
        Ok(())
    }

    fn lock(&self, _path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        Ok(Some(Box::new(())))
    }
}
