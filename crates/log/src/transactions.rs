//! What a reader needs to know of transactions: up to where they are decided, and which were aborted.

use klamm_types::{Offset, ProducerId};

use crate::format::AbortedEntry;
use crate::log::Published;
use crate::segment_list::SegmentList;
use crate::{FileError, Log, ReadError};

/// A transaction that was aborted: a reader that sees only committed records passes over those of this producer from the
/// first offset up to the marker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTransaction {
    /// The producer.
    pub producer_id: ProducerId,
    /// Offset of its first record.
    pub first_offset: Offset,
    /// Offset of its marker.
    pub last_offset: Offset,
}

impl Log {
    /// The aborted transactions that have records between `from` and `to` (exclusive), in the order of their markers.
    ///
    /// # Errors
    /// [`ReadError`] when a transaction index cannot be read, [`ReadError::OutOfRange`] when `from` lies before the start: the
    /// indexes of what was deleted are gone.
    pub fn aborted_transactions(
        &self,
        from: Offset,
        to: Offset,
    ) -> Result<Vec<AbortedTransaction>, ReadError> {
        loop {
            let published = self.inner.published.read().clone();
            let found = aborted(&published, from, to);
            if !self.has_moved(&published) {
                return found;
            }
        }
    }

    /// Forgets idempotent producers that have been silent for `producer.id.expiration.ms`.
    pub(crate) fn expire_producers(&self) {
        let now = self.inner.clock.elapsed();
        let mut appender = self.inner.appender.lock();
        let (after, most) = (appender.config.producer_id_expiration, appender.config.max_producer_ids);
        appender.producers.expire(now, after);
        appender.producers.limit(most);
    }
}

fn aborted(published: &Published, from: Offset, to: Offset) -> Result<Vec<AbortedTransaction>, ReadError> {
    let (start, end) = (published.bounds.start(), published.bounds.end());
    if from < start {
        return Err(ReadError::OutOfRange { asked: from, start, end });
    }
    let transaction = |entry: AbortedEntry| {
        let of = |number| Offset::new(number).unwrap_or_default();
        let (first_offset, last_offset) = (of(entry.first_offset), of(entry.last_offset));
        let producer_id = ProducerId::new(entry.producer_id)?;
        Some(AbortedTransaction { producer_id, first_offset, last_offset })
    };
    Ok(aborted_entries(&published.segments, from, to)?.into_iter().filter_map(transaction).collect())
}

/// The entries of the transaction indexes that concern what lies between `from` and `to`, in the order of their markers.
pub(crate) fn aborted_entries(
    segments: &SegmentList,
    from: Offset,
    to: Offset,
) -> Result<Vec<AbortedEntry>, FileError> {
    let mut found = Vec::new();
    for segment in segments.from(from) {
        for entry in segment.aborted()? {
            if entry.last_offset >= from.get() && entry.first_offset < to.get() {
                found.push(entry);
            }
            // Behind it no transaction that began before is undecided.
            if entry.last_stable_offset >= to.get() {
                return Ok(found);
            }
        }
    }
    Ok(found)
}
