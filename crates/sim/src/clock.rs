//! A clock that a test holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use klamm_log::Clock;
use klamm_types::Timestamp;

/// A clock that stands still until the test sets it.
#[derive(Debug, Default)]
pub struct HeldClock {
    /// Milliseconds since 1970, by the wall clock.
    now: AtomicI64,
    /// Milliseconds that have passed.
    elapsed: AtomicU64,
}

impl HeldClock {
    /// Returns a clock that shows `millis` milliseconds since 1970.
    #[must_use]
    pub fn at(millis: i64) -> Arc<HeldClock> {
        Arc::new(HeldClock { now: AtomicI64::new(millis), elapsed: AtomicU64::new(0) })
    }

    /// Sets the wall clock to `millis` milliseconds since 1970. Where it goes forward, as much time
    /// passes.
    pub fn set(&self, millis: i64) {
        let passed = millis.saturating_sub(self.now.swap(millis, Ordering::SeqCst));
        self.elapsed.fetch_add(u64::try_from(passed).unwrap_or(0), Ordering::SeqCst);
    }

    /// Sets the wall clock alone, as an administrator does: no time passes.
    pub fn set_wall(&self, millis: i64) {
        self.now.store(millis, Ordering::SeqCst);
    }

    /// Lets time pass that the wall clock does not show.
    pub fn pass(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.elapsed.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for HeldClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed.load(Ordering::SeqCst))
    }
}
