//! Producer ids and epochs (KIP-98).

use std::fmt;

/// Identity of an idempotent producer, given out by a broker (KIP-98).
///
/// Invariant: never negative. A batch of a producer without one (-1 on disk) has `None`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProducerId(i64);

/// Incarnation of a producer: a higher one fences off those before it (KIP-98).
///
/// Invariant: never negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProducerEpoch(i16);

impl ProducerId {
    /// The id with this number, or `None` when it is negative.
    #[must_use]
    pub const fn new(number: i64) -> Option<ProducerId> {
        if number < 0 { None } else { Some(ProducerId(number)) }
    }

    /// The number as it stands on disk and on the wire.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl ProducerEpoch {
    /// The epoch with this number, or `None` when it is negative.
    #[must_use]
    pub const fn new(number: i16) -> Option<ProducerEpoch> {
        if number < 0 { None } else { Some(ProducerEpoch(number)) }
    }

    /// The number as it stands on disk and on the wire.
    #[must_use]
    pub const fn get(self) -> i16 {
        self.0
    }
}

impl fmt::Display for ProducerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ProducerEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
