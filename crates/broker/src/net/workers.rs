//! Who answers requests. What takes no longer than handing it to another thread is answered on the network thread that has read it;
//! what may have to wait, for a disk or for others, on one of `num.io.threads`.

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
    answering: Arc<Semaphore>,
    /// Permits of `answering` that there are, or that are being taken away.
    permits: Arc<AtomicUsize>,
    queued: Arc<Semaphore>,
    /// For commands, which wait for each other in any case.
    commanding: Arc<Semaphore>,
    /// The runtime whose threads they have.
    threads: Handle,
}

/// What a request asks of its thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lane {
    /// Little, most often: it says so itself when it is more ([`Turn::may_block`](crate::handlers::Turn)).
    Network,
    /// It may have to wait for a disk.
    Io,
    /// It changes topics or settings, one after the other, and may take long.
    Command,
}

impl Workers {
    /// Those of this runtime, which must have as many threads as there can be permits.
    pub(crate) fn new(metadata: Arc<Metadata>, threads: Handle) -> Workers {
        let config = metadata.config();
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        Workers {
            metadata,
            answering: semaphore(config.io_threads),
            permits: Arc::new(AtomicUsize::new(config.io_threads)),
            queued: semaphore(config.max_queued_requests),
            commanding: semaphore(1),
            threads,
        }
    }

    /// Runs `work` here and now; `None` when it panicked.
    pub(crate) fn run_here<T>(work: impl FnOnce() -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(work));
        done.inspect_err(|_| tracing::error!("a request handler panicked; its connection is closed")).ok()
    }

    /// Runs `work` on another thread when it is its turn in the lane; `None` when it panicked. Nobody else has the place before it is
    /// dropped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<(T, OwnedSemaphorePermit)> {
        self.resize();
        let queued = self.queued.acquire().await.ok()?;
        // A command that creates ten thousand partitions must not keep others from their records.
        let places = if lane == Lane::Command { &self.commanding } else { &self.answering };
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        drop(queued);
        let done = self.threads.spawn_blocking(|| Workers::run_here(work)).await.ok().flatten();
        done.map(|done| (done, place))
    }

    /// Makes the places as many as `num.io.threads` says now; those that are taken go when they are free.
    fn resize(&self) {
        let now = self.metadata.config().io_threads;
        let before = self.permits.swap(now, Ordering::Relaxed);
        if now > before {
            self.answering.add_permits(now - before);
        } else if let Some(fewer) = u32::try_from(before - now).ok().filter(|fewer| *fewer > 0) {
            let answering = Arc::clone(&self.answering);
            self.threads.spawn(async move {
                if let Ok(taken) = answering.acquire_many(fewer).await {
                    taken.forget();
                }
            });
        }
    }
}
