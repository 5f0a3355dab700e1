//! The threads that answer requests (`num.io.threads`), behind a bounded queue (`queued.max.requests`): logs are
//! synchronous, and a cold read must not hold up other sockets.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

type Job = Box<dyn FnOnce() + Send>;

/// The queue's entrance. The threads end when the last one is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    queue: mpsc::Sender<Job>,
}

impl Workers {
    /// Starts `threads` threads behind a queue of `most` jobs.
    pub(crate) fn start(threads: usize, most: usize) -> (Workers, Vec<JoinHandle<()>>) {
        let (queue, jobs) = mpsc::channel::<Job>(most);
        let jobs = Arc::new(Mutex::new(jobs));
        let run = |number: usize| {
            let jobs = Arc::clone(&jobs);
            let name = format!("klamm-io-{number}");
            std::thread::Builder::new().name(name).spawn(move || run(&jobs)).ok()
        };
        (Workers { queue }, (0..threads).filter_map(run).collect())
    }

    /// Runs `work` on one of the threads; `None` when they have ended, or it panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move || {
            // When the connection has gone meanwhile, nobody wants the answer.
            if !done.is_closed() {
                drop(done.send(work()));
            }
        });
        self.queue.send(job).await.ok()?;
        result.await.ok()
    }
}

fn run(jobs: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let job = jobs.lock().blocking_recv();
        let Some(job) = job else { return };
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a request handler panicked; its connection is closed");
        }
    }
}
