//! Which log files are open. Each partition has at least one, and a process may have only so many:
//! above the bound those that nobody has used for longest are closed, and opened again by whoever
//! needs them next.
//!
//! A file that was written to has to be synced before it is closed. That is left to maintenance,
//! which closes what was not used since its last round, so that an append does not wait for the
//! sync of another log. Files that are in use may exceed the bound meanwhile, up to twice; beyond
//! that whoever opens a file makes room himself, whatever it takes.
//!
//! ```text
//! Closed --open--> Open --evict--> Closed        Open, Closed --keep--> Kept --release--> Open
//!                    \--evict, sync fails--> Failed
//! ```
//!
//! A file in someone's hands is never closed here, for that would free nothing. Why one that was
//! written to is synced first: with its last descriptor the system may forget that a write has
//! failed.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock};

use crate::FileError;
use crate::disk::DiskFile;
use crate::folder::Folder;

/// The open log files of a folder of logs.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    most: usize,
    /// In the order in which they get their chance to be closed. Some may be closed or gone
    /// already.
    ring: Mutex<VecDeque<Weak<Slot>>>,
}

/// A file that is open or not.
#[derive(Debug)]
pub(crate) struct OpenFile {
    files: Arc<OpenFiles>,
    slot: Arc<Slot>,
}

#[derive(Debug)]
struct Slot {
    folder: Folder,
    state: RwLock<State>,
    /// Its name is another's, or nobody's: once closed it stays so.
    gone: AtomicBool,
    /// Since its last chance.
    used: AtomicBool,
    /// Since it was last synced.
    written: AtomicBool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Closed,
    Open(Arc<dyn DiskFile>),
    /// Its name is not its own any more, or not yet, so that it could not be opened again.
    Kept(Arc<dyn DiskFile>),
    /// It could not be synced when it was closed: what was written to it may be lost.
    Failed(String),
}

/// What became of a file that had its chance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Chance {
    /// It is not open any more.
    Gone,
    /// It is in use, or has been lately.
    Used,
    /// It was written to.
    Written,
}

impl OpenFiles {
    pub(crate) fn new(most: usize) -> Arc<OpenFiles> {
        Arc::new(OpenFiles { most: most.max(1), ring: Mutex::default() })
    }

    /// A file in `folder` that is not open yet.
    pub(crate) fn file(self: &Arc<Self>, folder: &Folder) -> OpenFile {
        let [gone, used, written] = [(); 3].map(|()| AtomicBool::new(false));
        let slot = Slot { folder: folder.clone(), state: RwLock::default(), gone, used, written };
        OpenFile { files: Arc::clone(self), slot: Arc::new(slot) }
    }

    /// The most files that are open before opening another one may have to sync one.
    fn limit(&self) -> usize {
        self.most.saturating_mul(2)
    }

    /// Whether opening another file may have to sync one first.
    fn is_full(&self) -> bool {
        self.ring.lock().len() >= self.limit()
    }

    fn register(&self, slot: &Arc<Slot>) {
        let mut ring = self.ring.lock();
        ring.push_back(Arc::downgrade(slot));
        let tries = 2 * ring.len();
        let written = make_room(&mut ring, self.limit(), tries);
        drop(ring);
        // Whoever asks for such a file is told.
        let _told_later = self.sync_and_close(&written);
    }

    /// Closes files that nobody has used since this was last called, as many as there are too many;
    /// syncs those first that were written to.
    pub(crate) fn tidy(&self) -> Result<(), FileError> {
        let mut ring = self.ring.lock();
        let tries = ring.len();
        let written = make_room(&mut ring, self.most, tries);
        drop(ring);
        self.sync_and_close(&written)
    }

    /// Those that were taken into use meanwhile stay. Returns the first error; the others are
    /// closed all the same.
    fn sync_and_close(&self, written: &[Arc<Slot>]) -> Result<(), FileError> {
        let mut done = Ok(());
        for slot in written {
            match slot.sync_and_close() {
                Ok(true) => {}
                Ok(false) => self.ring.lock().push_back(Arc::downgrade(slot)),
                Err(error) => done = done.and(Err(error)),
            }
        }
        done
    }
}

/// Closes those that were not used lately until there are few enough; where all that could be
/// closed were written to, returns as many of them as have to be synced for it. Gives so many their
/// chance at most: when all are in use, there are too many for a while.
fn make_room(ring: &mut VecDeque<Weak<Slot>>, most: usize, tries: usize) -> Vec<Arc<Slot>> {
    let mut written = Vec::new();
    for _ in 0..tries {
        if ring.len() + written.len() <= most {
            break;
        }
        let Some(slot) = ring.pop_front() else { break };
        let Some(found) = slot.upgrade() else { continue };
        match found.chance() {
            Chance::Gone => {}
            Chance::Used => ring.push_back(slot),
            Chance::Written => written.push(found),
        }
    }
    let excess = (ring.len() + written.len()).saturating_sub(most).min(written.len());
    ring.extend(written.drain(excess..).map(|slot| Arc::downgrade(&slot)));
    written
}

/// Whether somebody else has it in hand. What he wrote before he let it go is seen after this.
fn is_used(file: &Arc<dyn DiskFile>) -> bool {
    let is_used = Arc::strong_count(file) > 1;
    fence(Ordering::Acquire);
    is_used
}

impl Slot {
    /// Closes it unless it was used since it was last asked, or there is something to be synced.
    fn chance(&self) -> Chance {
        if self.used.swap(false, Ordering::Relaxed) {
            return Chance::Used;
        }
        let Some(mut state) = self.state.try_write() else { return Chance::Used };
        match &*state {
            State::Open(file) if is_used(file) => Chance::Used,
            State::Open(_) if self.written.load(Ordering::Acquire) => Chance::Written,
            State::Open(_) => {
                *state = State::Closed;
                Chance::Gone
            }
            State::Closed | State::Kept(_) | State::Failed(_) => Chance::Gone,
        }
    }

    /// Says no when it is in use.
    fn sync_and_close(&self) -> Result<bool, FileError> {
        let mut state = self.state.write();
        let State::Open(file) = &*state else { return Ok(true) };
        if is_used(file) {
            return Ok(false);
        }
        let synced = file.sync();
        self.written.store(false, Ordering::Release);
        *state = match &synced {
            Ok(()) => State::Closed,
            Err(error) => {
                self.folder.note_failed_sync();
                State::Failed(error.to_string())
            }
        };
        synced.map(|()| true).map_err(|error| self.folder.failed("sync", "", error))
    }
}

impl OpenFile {
    /// Whether getting it may have to wait for the sync of another file.
    pub(crate) fn may_wait(&self) -> bool {
        matches!(&*self.slot.state.read(), State::Closed) && self.files.is_full()
    }

    /// The file, which `open` opens when it is not open. When it is known that not all of it could
    /// be synced, the error that `failed` makes of the system's.
    #[inline]
    pub(crate) fn get(
        &self,
        open: impl FnOnce() -> Result<Arc<dyn DiskFile>, FileError>,
        failed: impl FnOnce(io::Error) -> FileError,
    ) -> Result<Arc<dyn DiskFile>, FileError> {
        if let State::Open(file) | State::Kept(file) = &*self.slot.state.read() {
            self.note_use();
            return Ok(Arc::clone(file));
        }
        self.open(open, failed)
    }

    fn note_use(&self) {
        if !self.slot.used.load(Ordering::Relaxed) {
            self.slot.used.store(true, Ordering::Relaxed);
        }
    }

    #[cold]
    fn open(
        &self,
        open: impl FnOnce() -> Result<Arc<dyn DiskFile>, FileError>,
        failed: impl FnOnce(io::Error) -> FileError,
    ) -> Result<Arc<dyn DiskFile>, FileError> {
        let mut state = self.slot.state.write();
        let file = match &*state {
            State::Open(file) | State::Kept(file) => return Ok(Arc::clone(file)),
            State::Failed(reason) => return Err(failed(io::Error::other(reason.clone()))),
            State::Closed if self.slot.gone.load(Ordering::Acquire) => {
                return Err(failed(io::Error::new(io::ErrorKind::NotFound, "its log was removed")));
            }
            State::Closed => open()?,
        };
        *state = State::Open(Arc::clone(&file));
        drop(state);
        self.note_use();
        self.files.register(&self.slot);
        Ok(file)
    }

    /// To be called after a write, before the file is let go.
    #[inline]
    pub(crate) fn note_written(&self) {
        if !self.slot.written.load(Ordering::Relaxed) {
            self.slot.written.store(true, Ordering::Release);
        }
    }

    /// To be called before a sync: what is written from then on may not be in it.
    pub(crate) fn note_sync(&self) {
        self.slot.written.store(false, Ordering::Release);
    }

    /// Puts an open file there that stays open until it is released.
    pub(crate) fn keep(&self, file: Arc<dyn DiskFile>) {
        *self.slot.state.write() = State::Kept(file);
    }

    /// Its name goes to another, or away: once it is closed it is not opened any more.
    pub(crate) fn abandon(&self) {
        // Held, so that nobody is opening it meanwhile.
        let _state = self.slot.state.write();
        self.slot.gone.store(true, Ordering::Release);
    }

    /// It has its name: from now on it may be closed.
    pub(crate) fn release(&self) {
        let mut state = self.slot.state.write();
        if let State::Kept(file) = &*state {
            *state = State::Open(Arc::clone(file));
            drop(state);
            self.files.register(&self.slot);
        }
    }
}
