//! Tells those who follow a log that it has grown. An append without followers pays one atomic
//! load.

use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(feature = "async")]
use std::task::Waker;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

#[derive(Debug, Default)]
pub(crate) struct TailSignal {
    /// Threads and tasks that wait, or are about to look once more and then wait.
    waiting: AtomicUsize,
    lock: Mutex<Waiters>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct Waiters {
    #[cfg(feature = "async")]
    wakers: Vec<Waker>,
}

impl TailSignal {
    /// Called after a change that was made under the lock on what is published, or before that lock
    /// was last taken.
    ///
    /// Who waits has counted itself before it looks, and looks under the same lock: so either it
    /// sees the change, or its count is seen here.
    #[inline]
    pub(crate) fn notify(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.wake_all();
        }
    }

    #[cold]
    fn wake_all(&self) {
        #[allow(unused_mut, unused_variables)]
        let mut waiters = self.lock.lock();
        self.grown.notify_all();
        #[cfg(feature = "async")]
        {
            let wakers = std::mem::take(&mut waiters.wakers);
            self.waiting.fetch_sub(wakers.len(), Ordering::SeqCst);
            drop(waiters);
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// Blocks until `is_ready` or `deadline`; says whether it is ready. Without a deadline it
    /// blocks until it is.
    pub(crate) fn wait(&self, deadline: Option<Instant>, is_ready: impl Fn() -> bool) -> bool {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut waiters = self.lock.lock();
        let mut timed_out = false;
        while !is_ready() && !timed_out {
            match deadline {
                Some(deadline) => timed_out = self.grown.wait_until(&mut waiters, deadline).timed_out(),
                None => self.grown.wait(&mut waiters),
            }
        }
        drop(waiters);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        is_ready()
    }

    /// Has `waker` called at the next growth, unless `is_ready` already; says whether it is.
    #[cfg(feature = "async")]
    pub(crate) fn register(&self, waker: &Waker, is_ready: impl Fn() -> bool) -> bool {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut waiters = self.lock.lock();
        if is_ready() {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            return true;
        }
        if waiters.wakers.iter().any(|known| known.will_wake(waker)) {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        } else {
            waiters.wakers.push(waker.clone());
        }
        false
    }
}
