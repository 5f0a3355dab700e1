//! Checks a transaction index against the batches of its segment.
//!
//! No checksum covers the file. A walk over the headers of the batches and over the abort markers
//! says which transactions were aborted. Compaction may have removed batches of a transaction while
//! its marker, and so its entry, stays: the walk then knows a range in which the transaction began.

use std::collections::BTreeMap;

use klamm_record::{BatchHeader, EndTransaction, Outcome};
use klamm_types::{Offset, ProducerId};

use crate::format::AbortedEntry;
use crate::producer::ProducerStates;

/// The aborted transactions that a walk over the batches of one segment has found.
#[derive(Debug)]
pub(crate) struct Aborts {
    base: Offset,
    is_first: bool,
    is_compacted: bool,
    states: ProducerStates,
    /// The offset after the last marker of each producer.
    behind: BTreeMap<ProducerId, Offset>,
    entries: Vec<AbortedEntry>,
    /// The abort markers by their offsets.
    markers: BTreeMap<i64, Marker>,
    next: Offset,
}

/// Bounds on the entry of an abort marker.
#[derive(Debug)]
struct Marker {
    producer_id: i64,
    /// The least and the greatest first offset.
    first: (i64, i64),
    /// The greatest last stable offset.
    stable: i64,
}

/// What a comparison of an index with the batches says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// The index says what the batches say.
    Right,
    /// Compaction has left out transactions that have no batch in the segment but their marker.
    Incomplete,
    /// The index differs.
    Wrong,
}

impl Aborts {
    /// Begins at the base offset of a segment, where the producers are as in `states`. `is_first`
    /// says whether it is the first of its log, `is_compacted` whether compaction may have removed
    /// batches.
    pub(crate) fn new(base: Offset, states: ProducerStates, is_first: bool, is_compacted: bool) -> Aborts {
        let (behind, entries, markers) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let is_first = is_first && base > Offset::ZERO;
        Aborts { base, is_first, is_compacted, states, behind, entries, markers, next: base }
    }

    /// Takes the next batch, with its marker if it is one.
    pub(crate) fn take(&mut self, header: &BatchHeader, marker: Option<EndTransaction>) {
        self.is_compacted |= header.base_offset() != self.next;
        self.next = header.next_offset();
        let entry = self.states.apply(header, marker);
        let (Some(producer), Some(marker)) = (header.producer(), marker) else { return };
        let after = self.behind.insert(producer.id, self.next);
        if marker.outcome == Outcome::Abort {
            self.note(producer.id, header.last_offset(), after, entry);
        }
    }

    fn note(&mut self, id: ProducerId, at: Offset, after: Option<Offset>, entry: Option<AbortedEntry>) {
        let latest = entry.map_or(at.get(), |entry| entry.first_offset);
        let earliest = match after {
            Some(after) => after,
            None if self.is_first => Offset::ZERO,
            None => self.base,
        };
        let first = (earliest.get().min(latest), latest);
        let stable = self.states.stable_behind(at).get();
        self.markers.insert(at.get(), Marker { producer_id: id.get(), first, stable });
        self.entries.extend(entry);
    }

    /// The offset after the last batch.
    pub(crate) fn end(&self) -> Offset {
        self.next
    }

    /// Compares the entries of an index with the batches.
    pub(crate) fn judge(&self, held: &[AbortedEntry]) -> Verdict {
        if held == self.entries {
            return Verdict::Right;
        }
        let is_open = self.is_compacted || self.is_first;
        let rises = held.windows(2).all(|pair| pair[0].last_offset < pair[1].last_offset);
        if !is_open || !rises || !held.iter().all(|entry| self.allows(entry)) {
            return Verdict::Wrong;
        }
        let began_before = |entry: &AbortedEntry| entry.first_offset < self.base.get();
        let is_held = |entry: &&AbortedEntry| held.iter().any(|held| held.last_offset == entry.last_offset);
        let mut missing = self.entries.iter().filter(|entry| !is_held(entry));
        match missing.next() {
            None => Verdict::Right,
            Some(first) if self.is_compacted && std::iter::once(first).chain(missing).all(began_before) => {
                Verdict::Incomplete
            }
            Some(_) => Verdict::Wrong,
        }
    }

    fn allows(&self, entry: &AbortedEntry) -> bool {
        self.markers.get(&entry.last_offset).is_some_and(|marker| {
            marker.producer_id == entry.producer_id
                && (marker.first.0..=marker.first.1).contains(&entry.first_offset)
                && entry.last_stable_offset <= marker.stable
        })
    }

    /// The entries that the batches say.
    pub(crate) fn into_entries(self) -> Vec<AbortedEntry> {
        self.entries
    }
}
