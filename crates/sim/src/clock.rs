//! A clock that a test holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use klamm_log::Clock;
use klamm_types::Timestamp;

/// A clock that stands still until the test sets it.
#[derive(Debug, Default)]
pub struct HeldClock(AtomicI64);

impl HeldClock {
    /// Returns a clock that shows `millis` milliseconds since 1970.
    #[must_use]
    pub fn at(millis: i64) -> Arc<HeldClock> {
        Arc::new(HeldClock(AtomicI64::new(millis)))
    }

    /// Sets the clock, forwards or backwards, to `millis` milliseconds since 1970.
    pub fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::SeqCst);
    }
}

impl Clock for HeldClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}
