//! The clock of a log, as a seam for tests.

use std::fmt::Debug;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use klamm_types::Timestamp;

/// Where the log takes the time from, so that a test can hold it.
pub trait Clock: Send + Sync + Debug {
    /// The time now, by the wall clock. It is compared with the timestamps of records only: an
    /// administrator can set it back.
    fn now(&self) -> Timestamp;

    /// Time since a fixed moment. It never goes back, whatever becomes of the wall clock.
    /// Maintenance is scheduled by it.
    ///
    /// By default the time since this process first asked, by the system's monotonic clock. A clock
    /// that a test holds should move this too.
    fn elapsed(&self) -> Duration {
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        BEGAN.get_or_init(Instant::now).elapsed()
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
