//! The two images of a simulated disk: what the process sees, and what a power loss leaves.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Failure, Fault};

/// Names, and the index of the file that each stands for. Directories have none.
pub(crate) type Names = BTreeMap<PathBuf, Option<usize>>;

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) inodes: Vec<Inode>,
    /// What the process sees.
    pub(crate) names: Names,
    pub(crate) durable_names: Names,
    /// Changes of names since their directory was last synced, in order.
    pub(crate) changes: Vec<Change>,
    pub(crate) operations: usize,
    pub(crate) fault: Option<Fault>,
    /// The write that the crash interrupted.
    pub(crate) interrupted: Option<(usize, Write)>,
}

/// The bytes of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inode {
    pub(crate) live: Vec<u8>,
    pub(crate) durable: Vec<u8>,
    /// Writes since the last sync, in order.
    pub(crate) pending: Vec<Write>,
}

#[derive(Clone, Debug)]
pub(crate) enum Write {
    /// Bytes at a position.
    At(usize, Vec<u8>),
    /// A new length.
    Cut(usize),
}

/// One operation on the names of a directory: a power loss keeps all of it or nothing.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) directory: PathBuf,
    pub(crate) removed: Vec<PathBuf>,
    pub(crate) put: Vec<(PathBuf, Option<usize>)>,
}

impl State {
    /// Counts an operation and says whether it may go on.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        let number = self.operations;
        self.operations += 1;
        match self.fault {
            Some(Fault::Crash { at }) if number >= at => Err(io::Error::other("the machine is down")),
            Some(Fault::Fail { at, how }) if number == at => Err(match how {
                Failure::Io => io::Error::from_raw_os_error(5),
                Failure::NoSpace | Failure::Short => io::Error::from_raw_os_error(28),
            }),
            _ => Ok(()),
        }
    }

    /// Whether the crash has happened.
    pub(crate) fn is_down(&self) -> bool {
        matches!(self.fault, Some(Fault::Crash { at }) if self.operations > at)
    }

    pub(crate) fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }

    pub(crate) fn write(&mut self, inode: usize, write: Write) {
        let inode = &mut self.inodes[inode];
        write.apply(&mut inode.live);
        inode.pending.push(write);
    }

    pub(crate) fn inode(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().flatten().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

impl Inode {
    /// Makes all that was written durable.
    pub(crate) fn sync(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        pending.iter().for_each(|write| write.apply(&mut self.durable));
    }
}

impl Write {
    pub(crate) fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Write::Cut(length) => bytes.resize(*length, 0),
            Write::At(position, written) => {
                bytes.resize(bytes.len().max(position + written.len()), 0);
                bytes[*position..position + written.len()].copy_from_slice(written);
            }
        }
    }
}

impl Change {
    pub(crate) fn put(path: &Path, inode: Option<usize>) -> Change {
        Change { directory: parent(path), removed: Vec::new(), put: vec![(path.to_owned(), inode)] }
    }

    pub(crate) fn removed(path: &Path, removed: Vec<PathBuf>) -> Change {
        Change { directory: parent(path), removed, put: Vec::new() }
    }

    pub(crate) fn apply(&self, names: &mut Names) {
        for path in &self.removed {
            names.remove(path);
        }
        names.extend(self.put.iter().cloned());
    }
}

pub(crate) fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}
