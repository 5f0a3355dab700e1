//! Transactions and their markers during compaction.

use std::collections::{BTreeMap, BTreeSet};

use klamm_record::{BatchHeader, EndTransaction, Outcome};
use klamm_types::ProducerId;

use crate::format::AbortedEntry;

/// Which transactions a walk over the batches is in the middle of, and which of them were aborted.
///
/// A marker may go once no batch of its transaction is left: until then a reader needs it, and the
/// entry of the transaction index that belongs to it.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// Those with a batch that was seen and no marker yet.
    committed: BTreeSet<ProducerId>,
    aborted: BTreeMap<ProducerId, Aborted>,
    /// Known from the index, and not begun yet, by where they begin.
    upcoming: BTreeMap<(i64, i64), AbortedEntry>,
    /// Aborted ones whose markers were seen and stay.
    kept: Vec<AbortedEntry>,
}

#[derive(Debug)]
struct Aborted {
    entry: AbortedEntry,
    /// Whether a batch of it was seen.
    seen: bool,
}

impl Transactions {
    /// Makes known what an index says; the same may come again.
    pub(super) fn expect(&mut self, entries: impl IntoIterator<Item = AbortedEntry>) {
        self.upcoming
            .extend(entries.into_iter().map(|entry| ((entry.first_offset, entry.producer_id), entry)));
    }

    /// Notes a batch of records and says whether it was aborted.
    pub(super) fn on_batch(&mut self, header: &BatchHeader) -> bool {
        self.begin_up_to(header);
        let Some(producer) = header.producer().filter(|_| header.is_transactional()) else { return false };
        match self.aborted.get_mut(&producer.id) {
            Some(aborted) => aborted.seen = true,
            None => drop(self.committed.insert(producer.id)),
        }
        self.aborted.contains_key(&producer.id)
    }

    /// Notes a batch of control records, with the marker it holds if it still does, and says
    /// whether nothing needs it any more.
    pub(super) fn on_control(&mut self, header: &BatchHeader, marker: Option<EndTransaction>) -> bool {
        self.begin_up_to(header);
        // Its marker was removed, and only the header stayed.
        let Some(producer) = header.producer().filter(|_| header.record_count() > 0) else {
            return header.record_count() == 0;
        };
        match marker.map(|marker| marker.outcome) {
            Some(Outcome::Commit) => !self.committed.remove(&producer.id),
            Some(Outcome::Abort) => match self.aborted.remove(&producer.id).filter(|aborted| aborted.seen) {
                Some(aborted) => {
                    self.kept.push(aborted.entry);
                    false
                }
                None => true,
            },
            // Another control record.
            None => false,
        }
    }

    /// The entries for the index of the segment that has been written.
    pub(super) fn take_kept(&mut self) -> Vec<AbortedEntry> {
        std::mem::take(&mut self.kept)
    }

    fn begin_up_to(&mut self, header: &BatchHeader) {
        let last = header.last_offset().get();
        while let Some(first) = self.upcoming.first_entry().filter(|first| first.key().0 <= last) {
            let entry = first.remove();
            if let Some(id) = ProducerId::new(entry.producer_id) {
                self.aborted.entry(id).or_insert(Aborted { entry, seen: false });
            }
        }
    }
}
