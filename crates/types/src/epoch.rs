//! Leader epochs (KIP-101).

use std::fmt;

/// Number of a leader's reign over a partition; each new leader has a higher one (KIP-101).
///
/// Invariant: never negative. A batch without one (-1 on disk) has `None`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct LeaderEpoch(i32);

impl LeaderEpoch {
    /// The first epoch: what a log that has only ever had one writer uses.
    pub const ZERO: LeaderEpoch = LeaderEpoch(0);

    /// The epoch with this number, or `None` when it is negative.
    #[must_use]
    pub const fn new(number: i32) -> Option<LeaderEpoch> {
        if number < 0 { None } else { Some(LeaderEpoch(number)) }
    }

    /// The number as it stands on disk and on the wire.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0
    }
}

impl fmt::Display for LeaderEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
