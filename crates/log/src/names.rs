//! Whether the names in a new log's directory are durable. Creating a log syncs nothing; the log's
//! first write makes its names durable, so that a log with records never loses its directory in a
//! power failure. An empty one may lose it, and is then created again.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// What of a new log's names is durable.
#[derive(Debug)]
pub(crate) struct Names {
    /// Whether all are: that of the directory, and those of the files in it.
    all: AtomicBool,
    /// Whether that of the directory is.
    directory: AtomicBool,
    /// Held while they are made durable.
    lock: Mutex<()>,
}

impl Names {
    /// The names of a log that was found, which are durable, or of one that was created, which are
    /// not.
    pub(crate) fn new(durable: bool) -> Names {
        let flag = || AtomicBool::new(durable);
        Names { all: flag(), directory: flag(), lock: Mutex::default() }
    }

    /// Whether all names are durable.
    #[inline]
    pub(crate) fn are_durable(&self) -> bool {
        self.all.load(Ordering::Acquire)
    }

    /// Notes that the directory's own name is durable.
    pub(crate) fn note_directory(&self) {
        self.directory.store(true, Ordering::Release);
    }

    /// Makes durable what is not yet: `directory` the directory's own name, `files` the names of
    /// the files in it.
    #[cold]
    pub(crate) fn make_durable<E>(
        &self,
        directory: impl FnOnce() -> Result<(), E>,
        files: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let _one = self.lock.lock();
        if self.are_durable() {
            return Ok(());
        }
        files()?;
        if !self.directory.load(Ordering::Acquire) {
            directory()?;
        }
        self.all.store(true, Ordering::Release);
        Ok(())
    }
}
