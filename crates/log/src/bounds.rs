//! A log's start, high watermark, last stable offset and end.

use klamm_types::Offset;

/// The offsets that bound a log.
///
/// Invariant (`LOG-1`): `start <= committed <= end`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bounds {
    start: Offset,
    committed: Option<Offset>,
    end: Offset,
    /// Where the earliest transaction began that is not decided and committed yet.
    unstable: Option<Offset>,
}

impl Bounds {
    pub(crate) fn new(start: Offset, end: Offset) -> Bounds {
        Bounds::default().with_end(end).with_start(start)
    }

    /// Offset of the first record that can be read (Kafka's log start offset).
    #[must_use]
    pub fn start(&self) -> Offset {
        self.start
    }

    /// The offset after the last committed record (Kafka's high watermark); the end, unless
    /// replication says less.
    #[must_use]
    pub fn committed(&self) -> Offset {
        self.committed.unwrap_or(self.end)
    }

    /// The offset before which all transactions are decided (Kafka's last stable offset); at most
    /// the commit bound.
    #[must_use]
    pub fn stable(&self) -> Offset {
        self.unstable.map_or(self.committed(), |unstable| unstable.clamp(self.start, self.committed()))
    }

    /// The offset that the next record gets (Kafka's log end offset).
    #[must_use]
    pub fn end(&self) -> Offset {
        self.end
    }

    /// A new end: everything behind follows it down, as after a truncation.
    pub(crate) fn with_end(mut self, end: Offset) -> Bounds {
        self.set_end(end);
        self
    }

    /// As [`Bounds::with_end`], in place, for each append.
    #[inline]
    pub(crate) fn set_end(&mut self, end: Offset) {
        self.end = end;
        self.start = self.start.min(end);
        self.committed = self.committed.map(|c| c.min(end));
        self.check();
    }

    /// A new start, at most the end; the commit bound is never behind it.
    pub(crate) fn with_start(self, start: Offset) -> Bounds {
        let start = start.min(self.end);
        Bounds { start, committed: self.committed.map(|c| c.max(start)), ..self }.checked()
    }

    /// The bounds of a log that begins anew at `offset`, without records. A commit bound that is
    /// set stays set.
    pub(crate) fn restarted_at(self, offset: Offset) -> Bounds {
        Bounds::new(offset, offset).with_committed(self.committed.map(|_| offset))
    }

    /// A new commit bound, brought to between start and end; `None` lets it follow the end.
    pub(crate) fn with_committed(self, committed: Option<Offset>) -> Bounds {
        Bounds { committed: committed.map(|c| c.clamp(self.start, self.end)), ..self }.checked()
    }

    #[inline]
    pub(crate) fn set_unstable(&mut self, unstable: Option<Offset>) {
        self.unstable = unstable;
    }

    pub(crate) fn has_unstable(&self) -> bool {
        self.unstable.is_some()
    }

    fn checked(self) -> Bounds {
        self.check();
        self
    }

    #[inline]
    fn check(&self) {
        assert!(self.start <= self.committed() && self.committed() <= self.end, "LOG-1: {self:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_holds_whatever_is_set() {
        let at = Offset::from;
        let bounds = Bounds::new(at(10), at(50));
        assert_eq!((bounds.start(), bounds.committed(), bounds.end()), (at(10), at(50), at(50)));
        let held = bounds.with_committed(Some(at(30)));
        assert_eq!(held.committed(), at(30));
        assert_eq!(held.with_committed(Some(at(99))).committed(), at(50));
        assert_eq!(held.with_committed(Some(at(1))).committed(), at(10));
        assert_eq!(held.with_end(at(60)).committed(), at(30));
        assert_eq!(held.with_end(at(20)).committed(), at(20));
        assert_eq!(held.with_end(at(5)), Bounds::new(at(5), at(5)).with_committed(Some(at(5))));
        assert_eq!(held.with_start(at(40)).committed(), at(40));
        assert_eq!(held.with_start(at(99)).start(), at(50));
    }
}
