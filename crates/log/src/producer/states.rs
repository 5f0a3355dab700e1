//! What a log knows of all its producers: a function of its batches, which is why a snapshot can be
//! lost.

use std::collections::BTreeMap;
use std::time::Duration;

use klamm_record::{BatchHeader, BatchProducer, EndTransaction, Outcome};
use klamm_types::{Offset, ProducerId};

use super::entry::{LastBatch, ProducerEntry};
use crate::format::{AbortedEntry, ProducerSnapshot};

/// The producers of a log, and which transactions are open.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct ProducerStates {
    entries: BTreeMap<ProducerId, ProducerEntry>,
    /// Where open transactions began, and whose they are. Invariant: as in `entries`.
    open: BTreeMap<Offset, ProducerId>,
    /// Transactions whose marker is not committed yet: where they began, and the marker.
    undecided: BTreeMap<Offset, Offset>,
    /// What comes before it has been seen.
    end: Offset,
}

impl ProducerStates {
    /// No producers, at this offset.
    pub(crate) fn at(end: Offset) -> ProducerStates {
        ProducerStates { end, ..ProducerStates::default() }
    }

    /// What a snapshot at `end` says; `None` when it cannot be one.
    pub(crate) fn from_snapshot(snapshot: &ProducerSnapshot, end: Offset) -> Option<ProducerStates> {
        let mut states = ProducerStates::at(end);
        for entry in &snapshot.entries {
            let (id, entry) = ProducerEntry::from_snapshot(entry, end)?;
            states.open.extend(entry.open_since.map(|since| (since, id)));
            states.entries.insert(id, entry);
        }
        Some(states)
    }

    pub(crate) fn to_snapshot(&self) -> ProducerSnapshot {
        ProducerSnapshot { entries: self.entries.iter().map(|(id, entry)| entry.to_snapshot(*id)).collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// There are no batches between here and `end`.
    pub(crate) fn advance_to(&mut self, end: Offset) {
        self.end = self.end.max(end);
    }

    /// What comes before it has been seen.
    pub(crate) fn end(&self) -> Offset {
        self.end
    }

    pub(super) fn get(&self, id: ProducerId) -> Option<&ProducerEntry> {
        self.entries.get(&id)
    }

    /// Notes a batch of the log, with the marker that it is if it is one. Returns the transaction
    /// that it aborts.
    #[inline]
    pub(crate) fn apply(
        &mut self,
        header: &BatchHeader,
        marker: Option<EndTransaction>,
    ) -> Option<AbortedEntry> {
        self.end = header.next_offset();
        header.producer().and_then(|producer| self.apply_of(producer, header, marker))
    }

    fn apply_of(
        &mut self,
        producer: BatchProducer,
        header: &BatchHeader,
        marker: Option<EndTransaction>,
    ) -> Option<AbortedEntry> {
        let entry = self.entries.entry(producer.id).or_insert_with(|| ProducerEntry::new(producer.epoch));
        entry.enter_epoch(producer.epoch);
        let Some(marker) = marker else {
            if !header.is_control() {
                entry.on_batch(header);
                self.open.extend(entry.open_since.map(|since| (since, producer.id)));
            }
            return None;
        };
        let first = entry.on_marker(header, marker)?;
        let last = header.last_offset();
        self.open.remove(&first);
        self.undecided.insert(first, last);
        (marker.outcome == Outcome::Abort).then(|| self.aborted(producer.id, first, last))
    }

    fn aborted(&self, id: ProducerId, first: Offset, last: Offset) -> AbortedEntry {
        AbortedEntry {
            producer_id: id.get(),
            first_offset: first.get(),
            last_offset: last.get(),
            last_stable_offset: self.stable_behind(last).get(),
        }
    }

    /// The last stable offset behind a marker at `last`, which is the end of what was seen.
    pub(crate) fn stable_behind(&self, last: Offset) -> Offset {
        self.open.keys().next().copied().unwrap_or(last + 1)
    }

    /// Whether there may be something unstable.
    #[inline]
    pub(crate) fn has_transactions(&self) -> bool {
        !self.open.is_empty() || !self.undecided.is_empty()
    }

    /// Forgets the ended transactions whose markers lie before `committed`, and returns where the
    /// earliest of the others began: what comes before it is stable.
    pub(crate) fn first_unstable(&mut self, committed: Offset) -> Option<Offset> {
        self.undecided.retain(|_, marker| *marker >= committed);
        let firsts = [self.open.keys().next(), self.undecided.keys().next()];
        firsts.into_iter().flatten().min().copied()
    }

    /// The last that is known of each producer.
    pub(crate) fn last_batches(&self) -> BTreeMap<ProducerId, LastBatch> {
        self.entries.iter().map(|(id, entry)| (*id, entry.last_batch())).collect()
    }

    /// Forgets the producers whose last batches are the oldest, if there are more than `most`. An
    /// eighth of `most` goes at a time, so that a batch costs little. A producer with an open
    /// transaction stays.
    pub(crate) fn limit(&mut self, most: usize) {
        if self.entries.len() <= most {
            return;
        }
        let mut ends: Vec<Offset> = self.entries.values().map(ProducerEntry::last_offset).collect();
        let gone = ends.len() - (most - most / 8).max(1);
        let (_, newest_gone, _) = ends.select_nth_unstable(gone.saturating_sub(1));
        let newest_gone = *newest_gone;
        self.entries.retain(|_, entry| entry.open_since.is_some() || entry.last_offset() > newest_gone);
    }

    /// Forgets producers that have been silent for `after` and have no transaction open. `now` is a
    /// clock's elapsed time.
    pub(crate) fn expire(&mut self, now: Duration, after: Duration) {
        self.entries.retain(|_, entry| entry.open_since.is_some() || !entry.is_silent(now, after));
    }
}
