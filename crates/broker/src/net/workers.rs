//! Who answers requests. Logs are synchronous, and a cold read must not hold up other sockets: the runtime has
//! `num.network.threads` and `num.io.threads` together, and at most `num.io.threads` of them answer requests at a time, so that the
//! others are there for sockets. A request is answered on the thread that has read it: handing it to another costs more than
//! most requests do (`docs/speed.md`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::BrokerConfig;

/// Permits to answer, and to wait for one (`queued.max.requests`).
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    answering: Arc<Semaphore>,
    queued: Arc<Semaphore>,
    /// For commands, which wait for each other in any case.
    commanding: Arc<Semaphore>,
}

impl Workers {
    pub(crate) fn new(config: &BrokerConfig) -> Workers {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        Workers {
            answering: semaphore(config.io_threads),
            queued: semaphore(config.max_queued_requests),
            commanding: semaphore(1),
        }
    }

    /// Threads of the runtime.
    pub(crate) fn threads(config: &BrokerConfig) -> usize {
        config.network_threads + config.io_threads
    }

    /// Runs `work` when it is its turn; `None` when it panicked.
    pub(crate) async fn run<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let queued = self.queued.acquire().await.ok()?;
        let _answering = self.answering.acquire().await.ok()?;
        drop(queued);
        let done = catch_unwind(AssertUnwindSafe(work));
        done.inspect_err(|_| tracing::error!("a request handler panicked; its connection is closed")).ok()
    }

    /// Runs a command when it is its turn, on a thread of its own: one that creates ten thousand partitions must not keep
    /// others from their records.
    pub(crate) async fn command<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let _commanding = self.commanding.acquire().await.ok()?;
        let done = tokio::task::spawn_blocking(work).await;
        done.inspect_err(|_| tracing::error!("a command panicked; its connection is closed")).ok()
    }
}
