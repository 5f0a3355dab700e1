//! A directory and the operations on names in it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::FileError;
use crate::disk::{Disk, DiskFile, OpenMode, Stat};
use crate::format::SYNC_FAILED;
use crate::open_files::{OpenFile, OpenFiles};

/// A folder on a disk, and what the log does with names in it: errors bear the operation and the
/// path.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    disk: Arc<dyn Disk>,
    path: Arc<Path>,
    files: Arc<OpenFiles>,
}

impl Folder {
    /// A folder in which at most so many log files are open at a time, those of the folders in it
    /// counted.
    pub(crate) fn new(disk: Arc<dyn Disk>, path: &Path, max_open_files: usize) -> Folder {
        Folder { disk, path: Arc::from(path), files: OpenFiles::new(max_open_files) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, name: &str) -> Folder {
        Folder { path: Arc::from(self.path.join(name)), ..self.clone() }
    }

    /// A log file that is not open yet.
    pub(crate) fn log_file(&self) -> OpenFile {
        self.files.file(self)
    }

    /// Closes log files that are not in use, if too many are open.
    pub(crate) fn tidy_files(&self) -> Result<(), FileError> {
        self.files.tidy()
    }

    /// Tells the next opening of the log in this folder that a sync has failed. If this fails too,
    /// there is nobody left to tell.
    pub(crate) fn note_failed_sync(&self) {
        let _ = self.open(SYNC_FAILED, OpenMode::Create);
        let _ = self.sync();
    }

    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn create(&self) -> Result<(), FileError> {
        self.disk.create_dir(&self.path).map_err(|e| self.failed("create folder", "", e))
    }

    /// Makes its name durable, and those of the folders above it. What may not be opened was there
    /// before.
    pub(crate) fn sync_above(&self) -> Result<(), FileError> {
        for above in self.path.ancestors().skip(1) {
            let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
            match self.disk.sync_dir(above) {
                Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
                    return Err(self.failed("sync what is above", "", error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(crate) fn names(&self) -> Result<Vec<String>, FileError> {
        self.disk.list(&self.path).map_err(|e| self.failed("list folder", "", e))
    }

    pub(crate) fn sync(&self) -> Result<(), FileError> {
        self.disk.sync_dir(&self.path).map_err(|e| self.failed("sync folder", "", e))
    }

    pub(crate) fn lock(&self, name: &str) -> Result<Option<Box<dyn Send + Sync>>, FileError> {
        self.disk.lock(&self.path_of(name)).map_err(|e| self.failed("lock", name, e))
    }

    pub(crate) fn open(&self, name: &str, mode: OpenMode) -> Result<Arc<dyn DiskFile>, FileError> {
        let file = self.disk.open(&self.path_of(name), mode).map_err(|e| self.failed("open", name, e))?;
        Ok(Arc::from(file))
    }

    /// `None` when it is not there.
    pub(crate) fn stat(&self, name: &str) -> Result<Option<Stat>, FileError> {
        match self.disk.stat(&self.path_of(name)) {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed("look up", name, error)),
        }
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), FileError> {
        let renamed = self.disk.rename(&self.path_of(from), &self.path_of(to));
        renamed.map_err(|e| self.failed("rename", from, e))
    }

    /// A name that is not there is no error.
    pub(crate) fn remove(&self, name: &str) -> Result<(), FileError> {
        match self.disk.remove_file(&self.path_of(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed("remove", name, error)),
            _ => Ok(()),
        }
    }

    pub(crate) fn remove_folder(&self, name: &str) -> Result<(), FileError> {
        match self.disk.remove_dir(&self.path_of(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.failed("remove folder", name, error))
            }
            _ => Ok(()),
        }
    }

    /// All bytes of a file; `None` when it is not there. Files longer than `limit` are refused.
    pub(crate) fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
        let Some(stat) = self.stat(name)? else { return Ok(None) };
        let file = self.open(name, OpenMode::Read)?;
        if stat.length > limit {
            let error = io::Error::other(format!("it has {} bytes, expected at most {limit}", stat.length));
            return Err(self.failed("read", name, error));
        }
        let mut bytes = vec![0; usize::try_from(stat.length).unwrap_or(0)];
        let got = read_full(&*file, &mut bytes, 0).map_err(|e| self.failed("read", name, e))?;
        bytes.truncate(got);
        Ok(Some(bytes))
    }

    /// Writes a new file, of which nothing is durable then.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FileError> {
        let file = self.open(name, OpenMode::Replace)?;
        file.write_all_at(bytes, 0).map_err(|e| self.failed("write to", name, e))
    }

    /// Makes the contents of a file durable; a name that is not there is no error.
    pub(crate) fn sync_file(&self, name: &str) -> Result<(), FileError> {
        match self.open(name, OpenMode::Write) {
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => Ok(()),
            opened => opened?.sync().map_err(|e| self.failed("sync", name, e)),
        }
    }

    /// Puts `bytes` in the place of a file in one step that survives the loss of power: a new file,
    /// synced, renamed over.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), FileError> {
        let draft = format!("{name}.tmp");
        let file = self.open(&draft, OpenMode::Replace)?;
        file.write_all_at(bytes, 0)
            .and_then(|()| file.sync())
            .map_err(|e| self.failed("write to", &draft, e))?;
        self.rename(&draft, name)?;
        self.sync()
    }

    pub(crate) fn failed(&self, operation: &'static str, name: &str, source: io::Error) -> FileError {
        let path = if name.is_empty() { self.path.to_path_buf() } else { self.path_of(name) };
        FileError { operation, path, source }
    }
}

/// Reads until `buffer` is full or the file ends, and says how many bytes there were.
pub(crate) fn read_full(file: &dyn DiskFile, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read_at(&mut buffer[got..], position + got as u64)? {
            0 => break,
            more => got += more,
        }
    }
    Ok(got)
}
