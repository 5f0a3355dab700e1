//! A point in time on a monotonic clock.

use std::time::Duration;

/// A point on a clock that never goes back, as the time that has passed since it began. Timers go
/// by it; what is logged bears a [`Timestamp`](klamm_types::Timestamp).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Moment(Duration);

impl Moment {
    /// The moment that lies `passed` after the clock's beginning.
    #[must_use]
    pub const fn after(passed: Duration) -> Moment {
        Moment(passed)
    }

    /// Time since the clock's beginning.
    #[must_use]
    pub const fn passed(self) -> Duration {
        self.0
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Moment;

    fn add(self, time: Duration) -> Moment {
        Moment(self.0.saturating_add(time))
    }
}
