//! Who answers requests. What takes no longer than handing it to another thread is answered on the network thread that has read it;
//! what may have to wait, for a disk or for others, on one of `num.io.threads`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::BrokerConfig;

/// Permits to answer, and to wait for one (`queued.max.requests`).
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    answering: Arc<Semaphore>,
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
    /// Those of the runtime that this is called in.
    pub(crate) fn new(config: &BrokerConfig) -> Workers {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        Workers {
            answering: semaphore(config.io_threads),
            queued: semaphore(config.max_queued_requests),
            commanding: semaphore(1),
            threads: Handle::current(),
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
        let queued = self.queued.acquire().await.ok()?;
        // A command that creates ten thousand partitions must not keep others from their records.
        let places = if lane == Lane::Command { &self.commanding } else { &self.answering };
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        drop(queued);
        let done = self.threads.spawn_blocking(|| Workers::run_here(work)).await.ok().flatten();
        done.map(|done| (done, place))
    }
}
