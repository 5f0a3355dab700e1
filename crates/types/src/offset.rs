//! Offsets.

use std::fmt;
use std::ops::Add;

/// Position of a record in a partition: 0 for the first, one more for each that follows.
///
/// Invariant: never negative. Where Kafka writes -1 for "none", Klamm has an `Option<Offset>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Offset(i64);

/// A number that must not be negative was: the error of the `TryFrom` conversions here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NegativeNumber {
    /// What the number stands for, e.g. `"offset"`.
    pub what: &'static str,
    /// The value that was given.
    pub got: i64,
}

impl Offset {
    /// The first offset of a partition.
    pub const ZERO: Offset = Offset(0);
    /// The largest offset there is.
    pub const MAX: Offset = Offset(i64::MAX);

    /// The offset with this number, or `None` when it is negative.
    #[must_use]
    pub const fn new(number: i64) -> Option<Offset> {
        if number < 0 { None } else { Some(Offset(number)) }
    }

    /// The number as it stands on disk and on the wire.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The offset after this one, or `None` at the end of the number range.
    #[must_use]
    pub fn checked_next(self) -> Option<Offset> {
        self.checked_add(1)
    }

    /// This offset moved by `delta`, or `None` when the result is negative or overflows.
    #[must_use]
    pub fn checked_add(self, delta: i64) -> Option<Offset> {
        self.0.checked_add(delta).and_then(Offset::new)
    }

    /// How many offsets lie between `earlier` and this one; negative when `earlier` is the later.
    #[must_use]
    pub const fn since(self, earlier: Offset) -> i64 {
        self.0 - earlier.0
    }
}

impl Add<u32> for Offset {
    type Output = Offset;

    /// # Panics
    /// When the sum leaves the range of `i64`, which no log of checked batches can reach.
    fn add(self, delta: u32) -> Offset {
        self.checked_add(i64::from(delta)).expect("offsets stay within i64")
    }
}

impl From<u32> for Offset {
    fn from(number: u32) -> Offset {
        Offset(i64::from(number))
    }
}

impl TryFrom<i64> for Offset {
    type Error = NegativeNumber;

    fn try_from(number: i64) -> Result<Offset, NegativeNumber> {
        Offset::new(number).ok_or(NegativeNumber { what: "offset", got: number })
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Offset({})", self.0)
    }
}

impl fmt::Display for NegativeNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} must not be negative, got {}", self.what, self.got)
    }
}

impl std::error::Error for NegativeNumber {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_never_negative_and_never_overflows() {
        for (start, delta, want) in [
            (0, 5, Some(5)),
            (5, -5, Some(0)),
            (5, -6, None),
            (i64::MAX, 1, None),
            (i64::MAX, i64::MIN, None),
            (i64::MAX, 0, Some(i64::MAX)),
        ] {
            let got = Offset::new(start).and_then(|o| o.checked_add(delta)).map(Offset::get);
            assert_eq!(got, want, "{start} + {delta}");
        }
        assert_eq!(Offset::try_from(-1i64).unwrap_err().to_string(), "offset must not be negative, got -1");
    }
}
