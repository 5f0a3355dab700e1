//! What a reader needs to know of transactions: up to where they are decided, and which were
//! aborted.

use std::sync::Arc;

use klamm_types::{Offset, ProducerId};

use crate::aborts::Aborts;
use crate::format::AbortedEntry;
use crate::log::Published;
use crate::producer::{marker_on_disk, restore};
use crate::scan::{Check, Scan};
use crate::segment::Segment;
use crate::segment_list::SegmentList;
use crate::{Log, ReadError};

/// A transaction that was aborted: a reader that sees only committed records passes over those of
/// this producer from the first offset up to the marker.
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
    /// The aborted transactions that have records between `from` and `to` (exclusive), in the order
    /// of their markers.
    ///
    /// # Errors
    /// [`ReadError`] when a transaction index cannot be read, [`ReadError::OutOfRange`] when `from`
    /// lies before the start: the indexes of what was deleted are gone.
    pub fn aborted_transactions(
        &self,
        from: Offset,
        to: Offset,
    ) -> Result<Vec<AbortedTransaction>, ReadError> {
        loop {
            let published = self.inner.published.read().clone();
            let found = self.aborted(&published, from, to);
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

    fn aborted(
        &self,
        published: &Published,
        from: Offset,
        to: Offset,
    ) -> Result<Vec<AbortedTransaction>, ReadError> {
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
        let entries = self.aborted_entries(&published.segments, from, to)?;
        Ok(entries.into_iter().filter_map(transaction).collect())
    }

    /// The entries of the transaction indexes that concern what lies between `from` and `to`, in
    /// the order of their markers. An index that was not used before is compared with the batches
    /// first.
    pub(crate) fn aborted_entries(
        &self,
        segments: &SegmentList,
        from: Offset,
        to: Offset,
    ) -> Result<Vec<AbortedEntry>, ReadError> {
        let mut found = Vec::new();
        for segment in segments.from(from) {
            if segment.is_aborted_unchecked()? {
                self.check_aborted(segments, segment)?;
            }
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

    /// Compares the transaction index of a segment with its batches, and takes what they say where
    /// it differs. Returns whether the file was right. A segment with a damaged batch is passed
    /// over, for nobody knows what it aborts.
    pub(crate) fn check_aborted(
        &self,
        segments: &SegmentList,
        segment: &Arc<Segment>,
    ) -> Result<bool, ReadError> {
        let cuts = segment.cuts();
        match self.read_aborts(segments, segment) {
            Ok(aborts) => Ok(segment.settle_aborted(aborts, cuts)?),
            Err(ReadError::Damage(_)) => {
                segment.pass_over_aborted_check(cuts);
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    fn read_aborts(&self, segments: &SegmentList, segment: &Arc<Segment>) -> Result<Aborts, ReadError> {
        let size = self.size_of(segment)?;
        let list: Vec<_> = segments.iter().cloned().collect();
        let mut snapshots = self.inner.appender.lock().snapshots.clone();
        let states = restore(&mut snapshots, &list, segment.base())?;
        let is_first = Arc::ptr_eq(segment, segments.first());
        let is_compacted = segment.base() < self.gaps_before();
        let mut aborts = Aborts::new(segment.base(), states, is_first, is_compacted);
        let mut scan = Scan::new(segment.file()?, 0, size, Check::Header, WINDOW);
        loop {
            let position = scan.position();
            let next = scan.next().map_err(|error| segment.scan_error(error, position, aborts.end()))?;
            let Some(batch) = next else { return Ok(aborts) };
            aborts.take(&batch.header, marker_on_disk(segment, &batch)?);
        }
    }
}

/// Bytes read at a time to walk over headers.
const WINDOW: usize = 4 * 1024;
