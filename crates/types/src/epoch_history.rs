//! Where each leader epoch began.
//!
//! A partition's log is a sequence of reigns. A follower whose log went another way than its
//! leader's finds the place where they part by comparing reigns, not offsets: it asks where its own
//! last epoch ended in the leader's history and truncates there (KIP-101, KIP-279).
//!
//! ```text
//! epoch 0       epoch 2        epoch 5
//! |-------------|--------------|----------> log end
//! 0             61             140
//! ```
//!
//! Invariant: epochs and start offsets both rise strictly from entry to entry (`EPOCH-1`).

use crate::{LeaderEpoch, Offset};

/// Where each leader epoch of a partition began, oldest first. Pure: log and replication share it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EpochHistory {
    entries: Vec<EpochStart>,
}

/// A leader epoch and the offset of its first record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochStart {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// Offset of the first record that was, or will be, written in it.
    pub start: Offset,
}

/// The answer to "where did this epoch end?": an epoch and the offset after its last record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEnd {
    /// The largest epoch in the history that is not above the one asked for.
    pub epoch: LeaderEpoch,
    /// The offset after its last record.
    pub offset: Offset,
}

impl EpochHistory {
    /// Notes that `epoch` begins at `start`. Later reigns that this contradicts (same or higher
    /// epoch, or a start at or beyond this one) are dropped. An epoch that is already the latest
    /// changes nothing. Returns whether anything changed.
    pub fn assign(&mut self, epoch: LeaderEpoch, start: Offset) -> bool {
        if self.latest().is_some_and(|last| last.epoch == epoch && last.start <= start) {
            return false;
        }
        self.entries.retain(|e| e.epoch < epoch && e.start < start);
        self.entries.push(EpochStart { epoch, start });
        self.assert_rising();
        true
    }

    /// Drops what lies at or after `end`: the log was truncated there. Returns whether anything
    /// changed.
    pub fn truncate_to(&mut self, end: Offset) -> bool {
        let before = self.entries.len();
        self.entries.retain(|e| e.start < end);
        self.entries.len() != before
    }

    /// Forgets what lies before `start`, the log's new first offset; the reign that contains it now
    /// begins there. Returns whether anything changed.
    pub fn advance_start(&mut self, start: Offset) -> bool {
        let reigns_before = self.entries.partition_point(|e| e.start <= start);
        let Some(current) = reigns_before.checked_sub(1) else { return false };
        let changed = current > 0 || self.entries[current].start < start;
        self.entries[current].start = start;
        self.entries.drain(..current);
        changed
    }

    /// Where `epoch` ended, in a log whose end is `log_end`: the largest known epoch not above it,
    /// and the start of the reign after. `None` when all known epochs are higher, or none is known.
    #[must_use]
    pub fn end_of(&self, epoch: LeaderEpoch, log_end: Offset) -> Option<EpochEnd> {
        let next = self.entries.partition_point(|e| e.epoch <= epoch);
        let reign = self.entries.get(next.checked_sub(1)?)?;
        let offset = self.entries.get(next).map_or(log_end, |e| e.start);
        Some(EpochEnd { epoch: reign.epoch, offset })
    }

    /// The epoch in which the record at `offset` was written; `None` before the first reign.
    #[must_use]
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let next = self.entries.partition_point(|e| e.start <= offset);
        next.checked_sub(1).map(|at| self.entries[at].epoch)
    }

    /// The latest reign.
    #[must_use]
    pub fn latest(&self) -> Option<EpochStart> {
        self.entries.last().copied()
    }

    /// All reigns, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[EpochStart] {
        &self.entries
    }

    fn assert_rising(&self) {
        debug_assert!(
            self.entries.windows(2).all(|w| w[0].epoch < w[1].epoch && w[0].start < w[1].start),
            "EPOCH-1: {:?}",
            self.entries
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn epoch(n: i32) -> LeaderEpoch {
        LeaderEpoch::new(n).unwrap()
    }

    fn history(entries: &[(i32, u32)]) -> EpochHistory {
        let mut history = EpochHistory::default();
        entries.iter().for_each(|(e, o)| assert!(history.assign(epoch(*e), Offset::from(*o))));
        history
    }

    #[test]
    fn the_end_of_an_epoch_is_the_start_of_the_next_one_known() {
        let history = history(&[(1, 0), (3, 10), (6, 25)]);
        for (asked, want) in [
            (0, None),
            (1, Some((1, 10))),
            (2, Some((1, 10))),
            (3, Some((3, 25))),
            (5, Some((3, 25))),
            (6, Some((6, 40))),
            (9, Some((6, 40))),
        ] {
            let got = history.end_of(epoch(asked), Offset::from(40)).map(|e| (e.epoch.get(), e.offset.get()));
            assert_eq!(got, want, "epoch {asked}");
        }
    }

    #[test]
    fn assigning_drops_what_it_contradicts() {
        for (new, changed, want) in [
            ((6, 30), false, vec![(1, 0), (3, 10), (6, 25)]),
            ((7, 30), true, vec![(1, 0), (3, 10), (6, 25), (7, 30)]),
            ((7, 25), true, vec![(1, 0), (3, 10), (7, 25)]),
            ((5, 30), true, vec![(1, 0), (3, 10), (5, 30)]),
            ((6, 20), true, vec![(1, 0), (3, 10), (6, 20)]),
            ((2, 0), true, vec![(2, 0)]),
        ] {
            let mut after = history(&[(1, 0), (3, 10), (6, 25)]);
            assert_eq!(after.assign(epoch(new.0), Offset::from(new.1)), changed, "{new:?}");
            assert_eq!(after, history(&want), "{new:?}");
        }
    }

    #[test]
    fn advancing_the_start_keeps_the_reign_that_contains_it() {
        for (start, changed, want) in [
            (0, false, vec![(1, 0), (3, 10), (6, 25)]),
            (5, true, vec![(1, 5), (3, 10), (6, 25)]),
            (10, true, vec![(3, 10), (6, 25)]),
            (30, true, vec![(6, 30)]),
        ] {
            let mut after = history(&[(1, 0), (3, 10), (6, 25)]);
            assert_eq!(after.advance_start(Offset::from(start)), changed, "{start}");
            assert_eq!(after, history(&want), "{start}");
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Write(i32, u8),
        Truncate(u8),
        Advance(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..3i32, 1..5u8).prop_map(|(up, n)| Step::Write(up, n)),
            any::<u8>().prop_map(Step::Truncate),
            any::<u8>().prop_map(Step::Advance),
        ]
    }

    proptest! {
        /// Model: the epoch of each record, in a plain list.
        #[test]
        fn agrees_with_a_list_of_epochs(steps in prop::collection::vec(step(), 1..40)) {
            let (mut history, mut start, mut epochs, mut now) = (EpochHistory::default(), 0usize, Vec::new(), 0);
            for step in steps {
                match step {
                    Step::Write(up, n) => {
                        now += up;
                        history.assign(epoch(now), Offset::from(epochs.len() as u32));
                        epochs.extend(std::iter::repeat_n(now, n as usize));
                    }
                    Step::Truncate(to) => {
                        let to = (to as usize).clamp(start, epochs.len().max(start));
                        epochs.truncate(to);
                        history.truncate_to(Offset::from(to as u32));
                    }
                    Step::Advance(to) => {
                        start = (to as usize).clamp(start, epochs.len().max(start));
                        history.advance_start(Offset::from(start as u32));
                    }
                }
                for (offset, want) in epochs.iter().enumerate().skip(start) {
                    let got = history.epoch_at(Offset::from(offset as u32)).map(LeaderEpoch::get);
                    prop_assert_eq!(got, Some(*want), "offset {}", offset);
                }
            }
        }
    }
}
