//! The one seam through which a log reaches its disk: a folder, and a file. A test puts another one
//! there, which loses what was not synced, tears a write or fails a sync.

mod lock;
mod os;

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::SystemTime;

pub use os::OsDisk;

/// Folders and the names in them. Paths are absolute or relative to the process, as the caller
/// opened the log.
pub trait Disk: Send + Sync + Debug {
    /// Opens a file for reading and, unless `mode` says otherwise, writing.
    ///
    /// # Errors
    /// As the system says; [`io::ErrorKind::NotFound`] when it is not there and `mode` does not
    /// create it.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>>;

    /// Creates a folder and those above it; one that is there already is no error.
    ///
    /// # Errors
    /// As the system says.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Names of what is in a folder, in any order.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// Size and kind of a file or folder.
    ///
    /// # Errors
    /// As the system says; [`io::ErrorKind::NotFound`] when it is not there.
    fn stat(&self, path: &Path) -> io::Result<Stat>;

    /// Gives a file or folder another name, in one step, replacing what has it.
    ///
    /// # Errors
    /// As the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the system says.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder and all in it.
    ///
    /// # Errors
    /// As the system says.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes creations, renames and removals in a folder durable.
    ///
    /// # Errors
    /// As the system says.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Takes the lock that `path` stands for until the value is dropped; `None` when another has
    /// it. Excludes other Klamm instances, in this process too, and Kafka.
    ///
    /// # Errors
    /// As the system says.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Send + Sync>>>;
}

/// An open file. All positions and lengths are in bytes; all methods can be called from several
/// threads.
pub trait DiskFile: Send + Sync + Debug {
    /// Reads up to `buffer.len()` bytes from `position` and says how many; 0 at the end.
    ///
    /// # Errors
    /// As the system says.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `position`, beyond the end if need be.
    ///
    /// # Errors
    /// As the system says; part of the bytes may have been written then.
    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()>;

    /// Makes what was written durable, and the length with it.
    ///
    /// # Errors
    /// As the system says. What was written since the last sync may then be lost for good.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file to `length`.
    ///
    /// # Errors
    /// As the system says.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// The file's length.
    ///
    /// # Errors
    /// As the system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file is empty.
    ///
    /// # Errors
    /// As the system says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The operating system's file, where there is one: for `sendfile` and for maps.
    fn as_file(&self) -> Option<&File> {
        None
    }
}

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenMode {
    /// For reading; it must be there.
    Read,
    /// For reading and writing; it must be there.
    Write,
    /// For reading and writing; created when it is not there.
    Create,
    /// For reading and writing; created, or emptied when it is there.
    Replace,
}

/// What a disk knows of a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stat {
    /// Bytes of a file.
    pub length: u64,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// When it was last written, where known.
    pub modified: Option<SystemTime>,
}
