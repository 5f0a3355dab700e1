//! The bound on the memory of requests that are being read (one frame at a time goes beyond it),
//! and of decoding and answering them until the response is sent (each `queued.max.request.bytes`).
//! Small ones are not counted: there are as many of them, at most, as connections
//! (`max.connections`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::buffer::Pool;

/// The memory that all connections share.
#[derive(Clone, Debug)]
pub(crate) struct RequestMemory {
    free: Arc<Semaphore>,
    /// The place of the one share that goes beyond the bound.
    beyond: Arc<Semaphore>,
    /// Those who wait for some.
    waiting: Arc<AtomicUsize>,
    /// Told when somebody begins to wait.
    wanted: Arc<Notify>,
    most: usize,
    pool: Pool,
}

/// Some of it, given back when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Share {
    counted: Option<OwnedSemaphorePermit>,
    beyond: Option<Beyond>,
}

/// Memory beyond the bound, which one share at a time has.
#[derive(Debug)]
struct Beyond {
    bytes: usize,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug, Error)]
#[error("no memory within {PATIENCE:?} (queued.max.request.bytes)")]
pub(crate) struct OutOfMemory;

/// Why there is no memory to answer a request.
#[derive(Debug, Error)]
pub(crate) enum NoMemory {
    #[error(
        "decoding and answering takes {got} bytes of memory, expected at most {max} (queued.max.request.bytes)"
    )]
    TooLarge { got: usize, max: usize },
    #[error(transparent)]
    Short(#[from] OutOfMemory),
}

/// Counts those who wait, for as long as they do.
struct Waiting<'a>(&'a AtomicUsize);

impl RequestMemory {
    pub(crate) fn new(bytes: usize) -> RequestMemory {
        let most = bytes.min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        RequestMemory {
            free: Arc::new(Semaphore::new(most)),
            beyond: Arc::new(Semaphore::new(1)),
            waiting: Arc::default(),
            wanted: Arc::default(),
            most,
            pool: Pool::default(),
        }
    }

    /// Takes so many bytes, or all there are in the world if that is less; waits in line for them.
    pub(crate) async fn take(&self, bytes: usize) -> Result<Share, OutOfMemory> {
        if let Some(taken) = self.try_take(bytes) {
            return Ok(taken);
        }
        let free = Arc::clone(&self.free).acquire_many_owned(self.permits(bytes));
        self.wait(async { free.await.ok().map(Share::counted) }).await
    }

    /// Waits until there is a share.
    async fn wait(&self, share: impl Future<Output = Option<Share>>) -> Result<Share, OutOfMemory> {
        let _waiting = Waiting::new(&self.waiting);
        self.wanted.notify_waiters();
        tokio::time::timeout(PATIENCE, share).await.ok().flatten().ok_or(OutOfMemory)
    }

    /// Takes so many bytes more for a frame that has some and cannot give them back. Several such
    /// frames would wait for each other: one at a time gets what it needs beyond the bound.
    pub(super) async fn take_more(&self, bytes: usize, own: &mut Share) -> Result<(), OutOfMemory> {
        if let Some(beyond) = &mut own.beyond {
            beyond.bytes += bytes;
            return Ok(());
        }
        if own.bytes() == 0 {
            own.merge(self.take(bytes).await?);
            return Ok(());
        }
        let free = Arc::clone(&self.free).acquire_many_owned(self.permits(bytes));
        let place = Arc::clone(&self.beyond).acquire_owned();
        let either = async {
            tokio::select! {
                biased;
                taken = free => taken.ok().map(Share::counted),
                place = place => place.ok().map(|place| Share::beyond(bytes, place)),
            }
        };
        own.merge(self.wait(either).await?);
        Ok(())
    }

    /// Takes so many bytes for work that cannot be done with fewer; waits in line for them.
    pub(crate) async fn take_whole(&self, bytes: usize) -> Result<Share, NoMemory> {
        if bytes > self.most {
            return Err(NoMemory::TooLarge { got: bytes, max: self.most });
        }
        Ok(self.take(bytes).await?)
    }

    /// Takes so many bytes beside `own`. When they are not free, `own` is given back and both are
    /// waited for together: nobody who has memory waits for more, so that those who have some
    /// always finish.
    pub(crate) async fn take_beside(&self, bytes: usize, own: &mut Share) -> Result<Share, OutOfMemory> {
        if let Some(taken) = self.try_take(bytes) {
            return Ok(taken);
        }
        let all = bytes.saturating_add(own.bytes());
        drop(std::mem::take(own));
        self.take(all).await
    }

    /// Resolves when somebody waits for memory.
    pub(crate) async fn is_wanted(&self) {
        let mut wanted = std::pin::pin!(self.wanted.notified());
        wanted.as_mut().enable();
        if !self.is_short() {
            wanted.await;
        }
    }

    /// Takes so many bytes if they are free.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<Share> {
        let taken = Arc::clone(&self.free).try_acquire_many_owned(self.permits(bytes));
        taken.ok().map(Share::counted)
    }

    fn permits(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.min(self.most)).unwrap_or(u32::MAX)
    }

    /// Where large buffers come from.
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Whether somebody waits for memory.
    pub(crate) fn is_short(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

/// How long it may take, where memory is short, to receive or send so many bytes: slow ones must
/// not keep it from all others.
pub(crate) fn patience(bytes: usize) -> Duration {
    GRACE + Duration::from_millis(bytes as u64 / LEAST_BYTES_A_MILLISECOND)
}

/// How long it may take to receive so many bytes of a frame that has memory beyond the bound:
/// others wait for its place.
pub(super) fn patience_beyond(bytes: usize) -> Duration {
    GRACE + Duration::from_millis(bytes as u64 / LEAST_BYTES_BEYOND)
}

impl Share {
    /// Whether a part of it is beyond the bound.
    pub(super) fn is_beyond(&self) -> bool {
        self.beyond.is_some()
    }

    fn counted(permit: OwnedSemaphorePermit) -> Share {
        Share { counted: Some(permit), beyond: None }
    }

    fn beyond(bytes: usize, place: OwnedSemaphorePermit) -> Share {
        Share { counted: None, beyond: Some(Beyond { bytes, _place: place }) }
    }

    pub(crate) fn bytes(&self) -> usize {
        let counted = self.counted.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        counted + self.beyond.as_ref().map_or(0, |beyond| beyond.bytes)
    }

    pub(crate) fn merge(&mut self, more: Share) {
        match (&mut self.counted, more.counted) {
            (Some(own), Some(more)) => own.merge(more),
            (own @ None, more) => *own = more,
            (Some(_), None) => {}
        }
        self.beyond = self.beyond.take().or(more.beyond);
    }

    /// Splits off so many bytes, or all; first what is beyond the bound, of which the rest is given
    /// back.
    pub(crate) fn split(&mut self, bytes: usize) -> Share {
        let mut beyond = self.beyond.take();
        if let Some(beyond) = &mut beyond {
            beyond.bytes = beyond.bytes.min(bytes);
        }
        let left = bytes - beyond.as_ref().map_or(0, |beyond| beyond.bytes);
        let split = |own: &mut OwnedSemaphorePermit| own.split(left.min(own.num_permits()));
        Share { counted: self.counted.as_mut().and_then(split), beyond }
    }
}

impl<'a> Waiting<'a> {
    fn new(waiting: &'a AtomicUsize) -> Waiting<'a> {
        waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long anybody waits: those who have memory may wait for more themselves.
const PATIENCE: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(1);
const LEAST_BYTES_A_MILLISECOND: u64 = 64;
/// The same of a frame that has memory beyond the bound.
const LEAST_BYTES_BEYOND: u64 = 1024;

#[cfg(test)]
mod tests;
