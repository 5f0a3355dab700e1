//! Looks at every byte of a log and says what is wrong, without changing anything.

use std::path::PathBuf;
use std::sync::Arc;

use klamm_record::{BatchError, Depth, validate};
use klamm_types::{EpochHistory, LeaderEpoch, Offset, Timestamp};
use thiserror::Error;

use crate::format::{FileKind, OffsetEntry, TimeEntry};
use crate::load::any_is_compacted;
use crate::log::Published;
use crate::scan::{Check, Scan, ScanError, Scanned};
use crate::segment::Segment;
use crate::segment_list::SegmentList;
use crate::{Log, ReadError};

/// One thing that is wrong in a log's files.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{} at byte {position}, offset {offset}: {kind}", path.display())]
pub struct Finding {
    /// The file.
    pub path: PathBuf,
    /// Where in it, in bytes; for an index, where its entry points.
    pub position: u64,
    /// The offset that is, or should be, there.
    pub offset: Offset,
    /// What is wrong.
    pub kind: FindingKind,
}

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum FindingKind {
    /// A batch is damaged. Those behind it in the segment were looked at only if its length can be
    /// believed.
    #[error("batch is damaged: {0}")]
    Batch(BatchError),
    /// A batch goes back: its first offset is not behind the batch before.
    #[error("batch begins at {got}, expected {expected} or later")]
    Order {
        /// The least offset that it can begin at.
        expected: Offset,
        /// Where it begins.
        got: Offset,
    },
    /// Between two segments offsets are missing, as compaction leaves it.
    #[error("segment begins at {got}, the one before ends at {expected}")]
    Gap {
        /// Where the segment before ends.
        expected: Offset,
        /// Where this one begins.
        got: Offset,
    },
    /// Between two segments offsets are missing, and the log was never compacted: records are lost.
    #[error(
        "segment begins at {got}, the one before ends at {expected}, and nothing was compacted: records are missing"
    )]
    Hole {
        /// Where the segment before ends.
        expected: Offset,
        /// Where this one begins.
        got: Offset,
    },
    /// A batch reaches into the next segment.
    #[error("batch ends at {got}, expected an offset before {limit}, where the next segment begins")]
    Beyond {
        /// Base offset of the next segment.
        limit: Offset,
        /// Its last offset.
        got: Offset,
    },
    /// A batch has another leader epoch than `leader-epoch-checkpoint` has for its offset.
    #[error("batch has the leader epoch {}, expected {expected}", got.map_or(-1, LeaderEpoch::get))]
    LeaderEpoch {
        /// The epoch in the history of epochs.
        expected: LeaderEpoch,
        /// The batch's; `None` where it is negative.
        got: Option<LeaderEpoch>,
    },
    /// The log's first segment is missing.
    #[error(
        "the first segment begins at {got}, expected one that begins at {expected} or before: records are missing"
    )]
    MissingSegment {
        /// Where the first segment began when that was last noted.
        expected: Offset,
        /// Where the first segment that is there begins.
        got: Offset,
    },
    /// An entry of the offset index points to no batch, or to another. Reading goes on without it.
    #[error("offset index leads astray")]
    OffsetIndex,
    /// An entry of the time index has another time than the batches up to it.
    #[error("time index says {got}, expected {expected}")]
    TimeIndex {
        /// The largest time so far, in milliseconds.
        expected: i64,
        /// The entry's.
        got: i64,
    },
    /// A transaction index has other aborted transactions than the batches. It is not used.
    #[error("transaction index does not have the transactions that the batches abort")]
    TransactionIndex,
    /// A producer snapshot is not whole. It is passed over, and what it would say is read from the
    /// batches.
    #[error("producer snapshot is not whole")]
    Snapshot,
}

impl FindingKind {
    /// Whether records are lost or cannot be read; otherwise only a cache is wrong, or a gap to be
    /// explained.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            FindingKind::Batch(_)
                | FindingKind::Order { .. }
                | FindingKind::Hole { .. }
                | FindingKind::Beyond { .. }
                | FindingKind::MissingSegment { .. }
        )
    }
}

impl Log {
    /// Reads all of the log that can be seen now, and its indexes and snapshots, and returns what
    /// is wrong, in the order of the files. `depth` says whether each record is looked at too.
    ///
    /// # Errors
    /// [`ReadError::File`] when the system cannot read a file; what is wrong in a file is no error
    /// here.
    pub fn verify(&self, depth: Depth) -> Result<Vec<Finding>, ReadError> {
        let mut verifier = Verifier::new(depth, self.gaps_before(), self.epochs());
        let mut published = self.inner.published.read().clone();
        let mut at = 0;
        loop {
            let Some(segment) = published.segments.iter().nth(at).cloned() else { break };
            match verifier.verify(&published, &segment, || self.size_of(&segment)) {
                Outcome::Verified => at += 1,
                Outcome::Failed(error) if !self.has_moved(&published) => return Err(error),
                Outcome::Truncated | Outcome::Failed(_) => {
                    published = self.wait_for_truncation();
                    at = verifier.resume(&published.segments, &segment);
                }
            }
        }
        self.keep_wrong_epochs(&mut verifier.found);
        verifier.found.splice(0..0, self.missing_segment());
        verifier.found.extend(self.wrong_transaction_indexes()?);
        verifier.found.extend(self.broken_snapshots()?);
        Ok(verifier.found)
    }

    /// Drops findings of leader epochs that were right: epochs may have begun or ended while the
    /// log was read.
    fn keep_wrong_epochs(&self, found: &mut Vec<Finding>) {
        let (start, epochs) = (self.bounds().start(), self.epochs());
        found.retain(|finding| match finding.kind {
            FindingKind::LeaderEpoch { got, .. } => {
                finding.offset >= start
                    && epochs.epoch_at(finding.offset).is_some_and(|epoch| Some(epoch) != got)
            }
            _ => true,
        });
    }

    fn missing_segment(&self) -> Option<Finding> {
        let appender = self.inner.appender.lock();
        let segment = Arc::clone(self.inner.published.read().segments.first());
        let expected = appender.first_segment.filter(|noted| *noted < segment.base())?;
        let (offset, kind) = (expected, FindingKind::MissingSegment { expected, got: segment.base() });
        Some(Finding { path: segment.path(), position: 0, offset, kind })
    }

    /// What is published once a truncation under way has ended.
    fn wait_for_truncation(&self) -> Published {
        let _appender = self.inner.appender.lock();
        self.inner.published.read().clone()
    }

    pub(crate) fn size_of(&self, segment: &Arc<Segment>) -> Result<u64, ReadError> {
        let published = self.inner.published.read().clone();
        Ok(published.size_of(segment)?)
    }

    /// Before this offset compaction may have left gaps.
    pub(crate) fn gaps_before(&self) -> Offset {
        match self.config().cleanup_policy.compacts() {
            true => Offset::MAX,
            false => self.inner.owner.cleaned(&self.inner.partition).unwrap_or_default(),
        }
    }

    fn wrong_transaction_indexes(&self) -> Result<Vec<Finding>, ReadError> {
        let published = self.inner.published.read().clone();
        let mut found = Vec::new();
        for segment in published.segments.iter() {
            match self.check_aborted(&published.segments, segment) {
                Ok(true) => {}
                Ok(false) => found.push(Finding {
                    path: self.path().join(segment.name(FileKind::TransactionIndex)),
                    position: 0,
                    offset: segment.base(),
                    kind: FindingKind::TransactionIndex,
                }),
                // The segment may have gone meanwhile.
                Err(_) if self.has_moved(&published) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    fn broken_snapshots(&self) -> Result<Vec<Finding>, ReadError> {
        let snapshots = self.inner.appender.lock().snapshots.clone();
        let broken = match snapshots.broken() {
            Ok(broken) if broken.is_empty() => broken,
            // They may have been removed while they were read: with the lock they cannot be.
            _ => self.inner.appender.lock().snapshots.broken()?,
        };
        let broken = broken.into_iter().map(|offset| Finding {
            path: self.path().join(crate::format::SegmentFileName::of(offset, FileKind::ProducerSnapshot)),
            position: 0,
            offset,
            kind: FindingKind::Snapshot,
        });
        Ok(broken.collect())
    }
}

struct Verifier {
    depth: Depth,
    /// Before this offset compaction may have left gaps.
    gaps_before: Offset,
    epochs: EpochHistory,
    found: Vec<Finding>,
    /// Where the segment before ends; `None` before the first.
    expected: Option<Offset>,
}

/// What came of looking at a segment.
enum Outcome {
    Verified,
    /// It was truncated meanwhile; nothing of it is noted.
    Truncated,
    Failed(ReadError),
}

/// A walk over a segment, and how far its indexes have been followed.
struct Walk<'a> {
    segment: &'a Arc<Segment>,
    /// Entries of the indexes that have been looked at.
    offsets: usize,
    times: usize,
    largest: Option<Timestamp>,
}

impl Verifier {
    fn new(depth: Depth, gaps_before: Offset, epochs: EpochHistory) -> Verifier {
        Verifier { depth, gaps_before, epochs, found: Vec::new(), expected: None }
    }

    /// Where to go on in the segments that a truncation has left. When it has taken `segment`, all
    /// are looked at again.
    fn resume(&mut self, segments: &SegmentList, segment: &Arc<Segment>) -> usize {
        let at = segments.iter().position(|left| Arc::ptr_eq(left, segment));
        at.unwrap_or_else(|| {
            *self = Verifier::new(self.depth, self.gaps_before, std::mem::take(&mut self.epochs));
            0
        })
    }

    /// Looks at a segment. Its size is asked for after its count of truncations, so that it cannot
    /// be that of before one.
    fn verify(
        &mut self,
        published: &Published,
        segment: &Arc<Segment>,
        size: impl FnOnce() -> Result<u64, ReadError>,
    ) -> Outcome {
        let (cuts, noted) = (segment.cuts(), self.found.len());
        let end = size().and_then(|size| self.gap_and_segment(published, segment, size));
        // What was found may be the truncation's doing.
        if cuts % 2 == 1 || segment.cuts() != cuts {
            self.found.truncate(noted);
            return Outcome::Truncated;
        }
        match end {
            Ok(end) => {
                self.expected = Some(end);
                Outcome::Verified
            }
            Err(error) => {
                self.found.truncate(noted);
                Outcome::Failed(error)
            }
        }
    }

    fn gap_and_segment(
        &mut self,
        published: &Published,
        segment: &Arc<Segment>,
        size: u64,
    ) -> Result<Offset, ReadError> {
        let got = segment.base();
        if let Some(expected) = self.expected.filter(|expected| got > *expected) {
            let kind = self.gap(published, expected, got)?;
            self.note(segment, 0, got, kind);
        }
        let behind = published.segments.iter().map(|next| next.base()).find(|base| *base > got);
        self.segment(segment, size, behind)
    }

    /// The log's settings, its checkpoint, or its batches can say that it was compacted.
    fn gap(&self, published: &Published, expected: Offset, got: Offset) -> Result<FindingKind, ReadError> {
        let segments: Vec<_> = published.segments.iter().cloned().collect();
        let is_compacted = got <= self.gaps_before || any_is_compacted(&segments)?;
        Ok(if is_compacted {
            FindingKind::Gap { expected, got }
        } else {
            FindingKind::Hole { expected, got }
        })
    }

    fn note(&mut self, segment: &Segment, position: u64, offset: Offset, kind: FindingKind) {
        self.found.push(Finding { path: segment.path(), position, offset, kind });
    }

    /// Returns where the segment ends, as far as it can be told.
    /// `behind` is where the next segment begins.
    fn segment(
        &mut self,
        segment: &Arc<Segment>,
        size: u64,
        behind: Option<Offset>,
    ) -> Result<Offset, ReadError> {
        let mut walk = Walk { segment, offsets: 0, times: 0, largest: None };
        let mut scan = Scan::new(segment.file()?, 0, size, Check::Header, WINDOW);
        let mut next = segment.base();
        loop {
            let at = scan.position();
            match scan.next() {
                Ok(Some(batch)) => {
                    self.batch(segment, &batch, next)?;
                    self.place(segment, &batch, next, behind);
                    self.indexes(&mut walk, &batch)?;
                    next = next.max(batch.header.next_offset());
                }
                Ok(None) => return Ok(next),
                Err(ScanError::Io(error)) => return Err(segment.failed("read", error).into()),
                Err(ScanError::Batch(fault)) => {
                    self.note(segment, at, next, FindingKind::Batch(fault));
                    return Ok(next);
                }
            }
        }
    }

    fn batch(&mut self, segment: &Arc<Segment>, batch: &Scanned, next: Offset) -> Result<(), ReadError> {
        let (header, position) = (&batch.header, batch.position);
        if header.base_offset() < next {
            let kind = FindingKind::Order { expected: next, got: header.base_offset() };
            self.note(segment, position, header.base_offset(), kind);
        }
        if let Some(fault) = self.fault(segment, batch)? {
            self.note(segment, position, header.base_offset(), FindingKind::Batch(fault));
        }
        Ok(())
    }

    /// What the CRC of a batch does not cover: its offset and its leader epoch.
    fn place(&mut self, segment: &Arc<Segment>, batch: &Scanned, next: Offset, behind: Option<Offset>) {
        let (base, got) = (batch.header.base_offset(), batch.header.last_offset());
        if let Some(limit) = behind.filter(|limit| got >= *limit) {
            self.note(segment, batch.position, next, FindingKind::Beyond { limit, got });
        }
        let got = batch.header.leader_epoch();
        if let Some(expected) = self.epochs.epoch_at(base).filter(|expected| got != Some(*expected)) {
            self.note(segment, batch.position, base, FindingKind::LeaderEpoch { expected, got });
        }
    }

    fn fault(&self, segment: &Arc<Segment>, batch: &Scanned) -> Result<Option<BatchError>, ReadError> {
        let mut scan = Scan::new(segment.file()?, batch.position, batch.end(), Check::Checksum, WINDOW);
        match (scan.next(), self.depth) {
            (Err(ScanError::Io(error)), _) => Err(segment.failed("read", error).into()),
            (Err(ScanError::Batch(fault)), _) => Ok(Some(fault)),
            (Ok(_), Depth::Records { limit }) if batch.header.size() <= limit => {
                Ok(validate(&segment.bytes_of(batch)?, self.depth).err())
            }
            (Ok(_), _) => Ok(None),
        }
    }

    /// Follows the entries up to this batch.
    fn indexes(&mut self, walk: &mut Walk<'_>, batch: &Scanned) -> Result<(), ReadError> {
        walk.largest = walk.largest.max(batch.header.max_timestamp());
        let last = batch.header.last_offset();
        while let Some(entry) = walk.offset_entry()? {
            let offset = walk.segment.base() + entry.relative_offset;
            if offset > last {
                break;
            }
            if offset != last || u64::from(entry.position) != batch.position {
                self.note(walk.segment, entry.position.into(), offset, FindingKind::OffsetIndex);
            }
            walk.offsets += 1;
        }
        while let Some(entry) = walk.time_entry()? {
            let offset = walk.segment.base() + entry.relative_offset;
            if offset > last {
                break;
            }
            let expected = walk.largest.map_or(-1, Timestamp::as_millis);
            if entry.timestamp != expected {
                let kind = FindingKind::TimeIndex { expected, got: entry.timestamp };
                self.note(walk.segment, batch.position, offset, kind);
            }
            walk.times += 1;
        }
        Ok(())
    }
}

impl Walk<'_> {
    fn offset_entry(&self) -> Result<Option<OffsetEntry>, ReadError> {
        Ok(self.segment.with_indexes(|indexes| indexes.offsets.get(self.offsets))??)
    }

    fn time_entry(&self) -> Result<Option<TimeEntry>, ReadError> {
        Ok(self.segment.with_indexes(|indexes| indexes.times.get(self.times))??)
    }
}

const WINDOW: usize = 64 * 1024;
