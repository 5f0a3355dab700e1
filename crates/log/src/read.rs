//! Reading batches by offset: which stretch of which file.

use std::sync::Arc;

use klamm_types::Offset;

use crate::log::Published;
use crate::scan::Scanned;
use crate::segment::Segment;
use crate::{Log, ReadError, Slice};

/// How much a read may return.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadLimit {
    /// Bytes of the slice; the first batch is whole even when it alone has more.
    pub max_bytes: usize,
    /// Up to where.
    pub visibility: Visibility,
}

/// Up to where a reader sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Visibility {
    /// Up to the commit bound: what a consumer may see. The same as the end, unless replication
    /// says less.
    #[default]
    Committed,
    /// Up to the last stable offset: what a consumer may see that reads committed transactions only
    /// (`isolation.level`). The batches of aborted transactions are there;
    /// [`Log::aborted_transactions`] tells which they are.
    Stable,
    /// Up to the end: what a follower fetches.
    All,
}

impl Log {
    /// The batches from `offset` on, as a stretch of one segment's file. At the log's end the slice
    /// is empty. The first batch can begin before `offset`, in the middle of which it lies; a batch
    /// is never read in part to find that out.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] for an offset before the start or beyond the end,
    /// [`ReadError::Damage`]. Between what is visible and the end there is nothing to read yet.
    pub fn read(&self, offset: Offset, limit: ReadLimit) -> Result<Slice, ReadError> {
        loop {
            let published = self.inner.published.read().clone();
            match read(&published, offset, limit) {
                Err(_) if self.has_moved(&published) => {}
                // The search for the batch, or the slice, may have ended where a truncation cut.
                Ok(_) if self.has_moved(&published) => {}
                done => return done,
            }
        }
    }

    /// Counts truncations, deletions and compactions.
    pub(crate) fn generation(&self) -> u64 {
        self.inner.published.read().generation
    }

    /// Whether segments were truncated or deleted since `published` was taken.
    pub(crate) fn has_moved(&self, published: &Published) -> bool {
        self.inner.published.read().generation != published.generation
    }
}

fn read(published: &Published, offset: Offset, limit: ReadLimit) -> Result<Slice, ReadError> {
    let bounds = published.bounds;
    let end = match limit.visibility {
        Visibility::All => bounds.end(),
        Visibility::Committed => bounds.committed(),
        Visibility::Stable => bounds.stable(),
    };
    if offset < bounds.start() || offset > bounds.end() {
        return Err(ReadError::OutOfRange { asked: offset, start: bounds.start(), end: bounds.end() });
    }
    if offset < end {
        let segments = published.segments.from(offset);
        for (at, segment) in segments.iter().enumerate() {
            let next_segment = segments.get(at + 1).map(|next| next.base());
            match segment.find(offset)? {
                // It was appended since.
                Some(first) if first.position >= published.size_of(segment)? => break,
                Some(first) if is_beyond(&first, next_segment, bounds.end()) => {
                    return Err(segment.out_of_place(&first, offset));
                }
                Some(first) if first.header.base_offset() < end => {
                    return slice(published, segment, &first, end, limit, next_segment);
                }
                Some(_) => break,
                None => {}
            }
        }
    }
    let active = published.segments.last();
    let file = active.file()?;
    Ok(Slice { segment: Arc::clone(active), file, position: 0, length: 0, start: offset, reaches_end: true })
}

/// Whether a batch ends behind the base offset of the next segment, or begins behind the log end:
/// the CRC of a batch does not cover its base offset.
fn is_beyond(batch: &Scanned, next_segment: Option<Offset>, end: Offset) -> bool {
    batch.header.base_offset() >= end || next_segment.is_some_and(|next| batch.header.next_offset() > next)
}

fn slice(
    published: &Published,
    segment: &Arc<Segment>,
    first: &Scanned,
    visible: Offset,
    limit: ReadLimit,
    next_segment: Option<Offset>,
) -> Result<Slice, ReadError> {
    let is_active = Arc::ptr_eq(segment, published.segments.last());
    let mut end = published.size_of(segment)?;
    if visible < published.bounds.end() {
        // A batch is visible when all of it is; the bound may lie inside one.
        end = segment.find(visible)?.map_or(end, |beyond| beyond.position.min(end));
    }
    let wanted = (limit.max_bytes as u64).max(first.header.size() as u64);
    let until = first.position + wanted.min(end.saturating_sub(first.position));
    let until = segment.in_place_until(first, until, next_segment.unwrap_or(Offset::MAX))?;
    let length = usize::try_from(until - first.position).unwrap_or(usize::MAX);
    let file = segment.file()?;
    let start = first.header.base_offset();
    let ends_here = is_active || visible < published.bounds.end();
    let reaches_end = ends_here && until >= end;
    Ok(Slice { segment: Arc::clone(segment), file, position: first.position, length, start, reaches_end })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Durability, LogDir, NewRecord};

    /// The log ends with a gap and an empty segment. What is appended after a reader has looked at
    /// the bounds of the log lies at their end.
    #[test]
    fn a_batch_that_is_appended_during_a_read_is_not_damage() {
        let folder = tempfile::tempdir().unwrap();
        let log = LogDir::open(folder.path()).unwrap().log("t", 0).unwrap();
        log.append(&NewRecord::new("before"), Durability::Written).unwrap();
        log.inner.roll_at(&mut log.inner.appender.lock(), Offset::from(50)).unwrap();
        let seen = log.inner.published.read().clone();
        assert_eq!(log.append(&NewRecord::new("behind"), Durability::Written).unwrap(), Offset::from(50));
        let limit = ReadLimit { max_bytes: 1000, visibility: Visibility::All };
        let slice = read(&seen, Offset::from(40), limit).unwrap();
        assert_eq!((slice.len(), slice.base_offset(), slice.reaches_end()), (0, Offset::from(40), true));
    }
}
