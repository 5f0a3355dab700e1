//! Timestamps.

use std::fmt;
use std::time::Duration;

/// Milliseconds since 1970-01-01 00:00 UTC, as Kafka counts time.
///
/// Where Kafka writes -1 for "none", Klamm has an `Option<Timestamp>`; other negative values are
/// times before 1970, which Kafka's producers refuse but its files can hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The time that lies `millis` milliseconds after the beginning of 1970.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis)
    }

    /// The time as it stands on disk: `None` for Kafka's -1.
    #[must_use]
    pub const fn from_raw(raw: i64) -> Option<Timestamp> {
        if raw == -1 { None } else { Some(Timestamp(raw)) }
    }

    /// Milliseconds since the beginning of 1970.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// How much time passed from `earlier` to this; zero when `earlier` is the later.
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> Duration {
        let passed = i128::from(self.0) - i128::from(earlier.0);
        Duration::from_millis(u64::try_from(passed).unwrap_or(0))
    }

    /// This time moved later by `duration`, at most to the end of the number range.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Timestamp {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.0.saturating_add(millis))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_never_overflow_and_never_go_negative() {
        let (least, most) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
        assert_eq!(most.since(least).as_millis(), u128::from(u64::MAX));
        assert_eq!(least.since(most), Duration::ZERO);
        assert_eq!(most.saturating_add(Duration::MAX), most);
    }
}
