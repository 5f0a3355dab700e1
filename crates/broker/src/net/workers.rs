//! The worker threads (`num.io.threads`). What takes no longer than handing it to another thread is
//! answered on the network thread that has read it; what may have to wait, for a disk or for
//! others, and what is much work, runs here.
//!
//! Requests that take several slices ([`Running`](crate::work::Running)), and those with large
//! frames, have all places but one at most. They wait for a place among themselves, so a small
//! request waits for one slice at most.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metadata::Metadata;

/// Permits to answer, and to wait for one (`queued.max.requests`).
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    metadata: Arc<Metadata>,
    answering: Places,
    /// Those of `answering` that large requests may have.
    large: Places,
    queued: Arc<Semaphore>,
    /// For commands, which may take long: they keep nobody else from a place, and a large one
    /// leaves places for others.
    commanding: Arc<Semaphore>,
    /// The runtime whose threads they have.
    threads: Handle,
}

/// A number of permits that changes with a setting.
#[derive(Clone, Debug)]
struct Places {
    free: Arc<Semaphore>,
    /// Permits that there are, or that are being taken away.
    permits: Arc<AtomicUsize>,
}

/// A place on a worker thread, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    _large: Option<OwnedSemaphorePermit>,
}

/// What a request asks of its thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lane {
    /// Little, most often: it says so itself when it is more
    /// ([`Turn::may_block`](crate::handlers::Turn)).
    Network,
    /// It may have to wait for a disk.
    Io,
    /// It changes topics or settings, and may take long.
    Command,
    /// It has a large frame, or has used up its first slice: small requests go first.
    Large,
}

/// Commands that are carried out at a time.
pub(crate) const COMMANDS: usize = 8;

impl Workers {
    /// Those of this runtime, which must have as many threads as there can be permits.
    pub(crate) fn new(metadata: Arc<Metadata>, threads: Handle) -> Workers {
        let config = metadata.config();
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        Workers {
            metadata,
            answering: Places::new(config.io_threads),
            large: Places::new(for_large(config.io_threads)),
            queued: semaphore(config.max_queued_requests),
            commanding: semaphore(COMMANDS),
            threads,
        }
    }

    /// Runs `work` here and now; `None` when it panicked.
    pub(crate) fn run_here<T>(work: impl FnOnce() -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(work));
        done.inspect_err(|_| tracing::error!("a request handler panicked; its connection is closed")).ok()
    }

    /// Runs `work` on another thread when it is its turn in the lane; `None` when it panicked.
    /// Nobody else has the place before it is dropped. If this future is dropped meanwhile, work
    /// that has begun goes on and keeps its place until it ends.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<(T, Place)> {
        let place = self.place(lane).await?;
        let run = || Workers::run_here(work).map(|done| (done, place));
        self.threads.spawn_blocking(run).await.ok().flatten()
    }

    async fn place(&self, lane: Lane) -> Option<Place> {
        self.resize();
        let _large = if lane == Lane::Large { Some(self.large.take().await?) } else { None };
        // A command that creates ten thousand partitions must not keep others from their records,
        // and those that wait for it have no place in the queue of the others.
        let command = match lane {
            Lane::Command => Some(Arc::clone(&self.commanding).acquire_owned().await.ok()?),
            _ => None,
        };
        let _queued = self.queued.acquire().await.ok()?;
        let _permit = match command {
            Some(command) => command,
            None => self.answering.take().await?,
        };
        Some(Place { _permit, _large })
    }

    /// Makes the places as many as `num.io.threads` says now; those that are taken go when they are
    /// free.
    fn resize(&self) {
        let now = self.metadata.config().io_threads;
        self.answering.resize(now, &self.threads);
        self.large.resize(for_large(now), &self.threads);
    }
}

/// The places of so many that large requests may have.
fn for_large(threads: usize) -> usize {
    threads.saturating_sub(1).max(1)
}

impl Places {
    fn new(permits: usize) -> Places {
        Places { free: Arc::new(Semaphore::new(permits)), permits: Arc::new(AtomicUsize::new(permits)) }
    }

    async fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    fn resize(&self, now: usize, threads: &Handle) {
        let before = self.permits.swap(now, Ordering::Relaxed);
        if now > before {
            self.free.add_permits(now - before);
        } else if let Some(fewer) = u32::try_from(before - now).ok().filter(|fewer| *fewer > 0) {
            let free = Arc::clone(&self.free);
            threads.spawn(async move {
                if let Ok(taken) = free.acquire_many(fewer).await {
                    taken.forget();
                }
            });
        }
    }
}

#[cfg(test)]
mod tests;
