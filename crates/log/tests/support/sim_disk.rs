//! A disk in memory with two images: what the process sees, and what survives the loss of power.
//!
//! A write lasts once its file is synced; a name once its folder is. An operation can be made to fail, or to be the last one
//! before a crash; after it, [`SimDisk::crash`] makes the disks that a machine could find when it comes up again.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use klamm_log::disk::{Disk, DiskFile, OpenMode, Stat};

/// Bytes that a disk writes as one.
pub const SECTOR: usize = 512;

#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

/// What happens to the operation with this number, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It and all after it fail, and change nothing: the machine is down.
    Crash { at: usize },
    /// It alone fails.
    Fail { at: usize, how: Failure },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The system's I/O error.
    Io,
    /// There is no space.
    NoSpace,
    /// A write is done by half, then there is no space.
    Short,
}

#[derive(Clone, Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    /// What the process sees: folders have no inode.
    names: BTreeMap<PathBuf, Option<usize>>,
    durable_names: BTreeMap<PathBuf, Option<usize>>,
    /// Changes of names since their folder was last synced, in order.
    renames: Vec<Change>,
    operations: usize,
    fault: Option<Fault>,
    /// The write that the crash interrupted.
    interrupted: Option<(usize, Write)>,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Since the last sync, in order.
    pending: Vec<Write>,
}

#[derive(Clone, Debug)]
enum Write {
    At(usize, Vec<u8>),
    Cut(usize),
}

/// One operation on the names of a folder: all of it happens or nothing.
#[derive(Clone, Debug)]
struct Change {
    folder: PathBuf,
    removed: Vec<PathBuf>,
    put: Vec<(PathBuf, Option<usize>)>,
}

impl Change {
    fn put(path: &Path, inode: Option<usize>) -> Change {
        Change { folder: folder_of(path), removed: Vec::new(), put: vec![(path.to_owned(), inode)] }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Option<usize>>) {
        for path in &self.removed {
            names.remove(path);
        }
        names.extend(self.put.iter().cloned());
    }
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

impl Write {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Write::Cut(length) => bytes.resize(*length, 0),
            Write::At(position, written) => {
                bytes.resize(bytes.len().max(position + written.len()), 0);
                bytes[*position..position + written.len()].copy_from_slice(written);
            }
        }
    }
}

fn down() -> io::Error {
    io::Error::other("the machine is down")
}

impl State {
    /// Counts an operation and says whether it may go on.
    fn begin(&mut self) -> io::Result<()> {
        let number = self.operations;
        self.operations += 1;
        match self.fault {
            Some(Fault::Crash { at }) if number >= at => Err(down()),
            Some(Fault::Fail { at, how }) if number == at => Err(match how {
                Failure::Io => io::Error::from_raw_os_error(5),
                Failure::NoSpace | Failure::Short => io::Error::from_raw_os_error(28),
            }),
            _ => Ok(()),
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.renames.push(change);
    }

    fn inode(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().flatten().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

/// A disk as it is found after a crash, and how it came to be.
pub struct Found {
    pub disk: SimDisk,
    pub how: String,
}

impl SimDisk {
    /// A disk to which this happens.
    pub fn with_fault(fault: Option<Fault>) -> SimDisk {
        let disk = SimDisk::default();
        disk.lock().fault = fault;
        disk
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Operations so far that changed something or could have.
    pub fn operations(&self) -> usize {
        self.lock().operations
    }

    /// All that the machine could find: what was not synced lost, kept, kept up to each prefix of a file, the last write torn at
    /// each sector, and 16 seeded subsets.
    pub fn crash(&self, seed: u64) -> Vec<Found> {
        let state = self.lock().clone();
        let mut found = vec![
            state.found("all that was not synced is lost", |_, _| false, |_| 0),
            state.found("all is kept", |_, _| true, |_| usize::MAX),
            state.found("names are kept, bytes are lost", |_, _| false, |_| usize::MAX),
        ];
        for (file, inode) in state.inodes.iter().enumerate().filter(|(_, inode)| !inode.pending.is_empty()) {
            for prefix in 0..inode.pending.len() {
                let kept = |of: usize, write: usize| of != file || write < prefix;
                let how = format!("of file {file} {prefix} of {} writes are kept", inode.pending.len());
                found.push(state.found(&how, kept, |_| usize::MAX));
            }
        }
        found.extend(state.torn());
        for round in 0..16 {
            let random = |a: usize, b: usize| mixed(seed ^ round << 32 ^ (a as u64) << 16 ^ b as u64);
            let kept = |file: usize, write: usize| random(file, write) % 2 == 0;
            let prefix = |folder: usize| random(folder, 99) as usize % 4 * 2;
            found.push(state.found(&format!("subset {round}"), kept, prefix));
        }
        found
    }
}

impl State {
    /// `kept` says which writes are, `prefix` how many changes of names in a folder.
    fn found(
        &self,
        how: &str,
        kept: impl Fn(usize, usize) -> bool,
        prefix: impl Fn(usize) -> usize,
    ) -> Found {
        let mut state = State { names: self.durable_names.clone(), ..State::default() };
        for (file, inode) in self.inodes.iter().enumerate() {
            let mut bytes = inode.durable.clone();
            let pending = inode.pending.iter().enumerate().filter(|(write, _)| kept(file, *write));
            pending.for_each(|(_, write)| write.apply(&mut bytes));
            state.inodes.push(Inode { live: bytes.clone(), durable: bytes, pending: Vec::new() });
        }
        let mut folders: Vec<(&Path, usize)> = Vec::new();
        for change in &self.renames {
            let at = folders.iter().position(|(folder, _)| *folder == change.folder).unwrap_or(folders.len());
            if at == folders.len() {
                folders.push((&change.folder, 0));
            }
            if folders[at].1 < prefix(at) {
                change.apply(&mut state.names);
            }
            folders[at].1 += 1;
        }
        // What lies in a folder whose own name is gone cannot be found.
        let names = state.names.clone();
        let is_there = |path: &Path| {
            path.ancestors().skip(1).all(|folder| {
                folder.as_os_str().is_empty() || folder == Path::new("/") || names.contains_key(folder)
            })
        };
        state.names.retain(|path, _| is_there(path));
        state.durable_names = state.names.clone();
        Found { disk: SimDisk { state: Arc::new(Mutex::new(state)) }, how: how.to_owned() }
    }

    /// The write that was interrupted, done up to each sector.
    fn torn(&self) -> Vec<Found> {
        let Some((file, Write::At(position, bytes))) = &self.interrupted else { return Vec::new() };
        let borders = (0..=bytes.len()).filter(|at| (position + at) % SECTOR == 0 || *at == bytes.len());
        let torn = |at: usize| {
            let mut state = self.clone();
            state.inodes[*file].pending.push(Write::At(*position, bytes[..at].to_vec()));
            state.found(&format!("the last write is torn after {at} bytes"), |_, _| true, |_| usize::MAX)
        };
        borders.map(torn).collect()
    }
}

fn mixed(mut x: u64) -> u64 {
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: usize,
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let state = self.disk.lock();
        let bytes = state.inodes[self.inode].live.get(position as usize..).unwrap_or_default();
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        let write = Write::At(position as usize, bytes.to_vec());
        if let Err(error) = state.begin() {
            match state.fault {
                Some(Fault::Crash { at }) if state.operations == at + 1 => {
                    state.interrupted = Some((self.inode, write));
                }
                Some(Fault::Fail { how: Failure::Short, .. }) => {
                    let half = Write::At(position as usize, bytes[..bytes.len() / 2].to_vec());
                    state.write(self.inode, half);
                }
                _ => {}
            }
            return Err(error);
        }
        state.write(self.inode, write);
        Ok(())
    }

    /// After a failed sync the pages are clean for the system, and what they held is lost.
    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.lock();
        let allowed = state.begin();
        let is_down = matches!(state.fault, Some(Fault::Crash { .. }));
        let inode = &mut state.inodes[self.inode];
        match allowed {
            Ok(()) => {
                let pending = std::mem::take(&mut inode.pending);
                pending.iter().for_each(|write| write.apply(&mut inode.durable));
                Ok(())
            }
            Err(error) => {
                if !is_down {
                    inode.pending.clear();
                }
                Err(error)
            }
        }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.begin()?;
        state.write(self.inode, Write::Cut(length as usize));
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.lock().inodes[self.inode].live.len() as u64)
    }
}

impl State {
    fn write(&mut self, inode: usize, write: Write) {
        let inode = &mut self.inodes[inode];
        write.apply(&mut inode.live);
        inode.pending.push(write);
    }
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
        Ok(Box::new(SimFile { disk: self.clone(), inode }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let missing: Vec<_> =
            path.ancestors().filter(|p| p.parent().is_some() && !p.as_os_str().is_empty()).collect();
        for folder in missing.into_iter().rev() {
            if !state.names.contains_key(folder) {
                state.begin()?;
                state.change(Change::put(folder, None));
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
        state.change(Change { folder: folder_of(to), removed, put });
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.inode(path)?;
        state.begin()?;
        state.change(Change { folder: folder_of(path), removed: vec![path.to_owned()], put: Vec::new() });
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.begin()?;
        let removed = state.names.keys().filter(|name| name.starts_with(path)).cloned().collect();
        state.change(Change { folder: folder_of(path), removed, put: Vec::new() });
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.begin()?;
        let changes = std::mem::take(&mut state.renames);
        let (of_it, others): (Vec<Change>, Vec<Change>) =
            changes.into_iter().partition(|change: &Change| change.folder == path);
        state.renames = others;
        of_it.iter().for_each(|change| change.apply(&mut state.durable_names));
        Ok(())
    }

    fn lock(&self, _path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>> {
        Ok(Some(Box::new(())))
    }
}
