//! The first phase: the last offset of each key of the dirty part.

use std::collections::VecDeque;
use std::sync::Arc;

use klamm_record::{BatchError, BatchHeader, RecordIter};
use klamm_types::Offset;

use super::Work;
use super::offset_map::OffsetMap;
use super::source::Source;
use super::transactions::Transactions;
use crate::LogError;
use crate::producer::marker;
use crate::segment::Segment;
use crate::transactions::aborted_entries;

/// Fills the map.
#[derive(Debug)]
pub(super) struct Mapping {
    /// The dirty ones that have not been begun, and where each ends.
    segments: VecDeque<(Arc<Segment>, Offset)>,
    source: Option<(Source, Offset)>,
    transactions: Transactions,
}

impl Mapping {
    pub(super) fn new(work: &Work) -> Result<Mapping, LogError> {
        let (from, to) = (work.dirt.first_dirty, work.dirt.first_uncleanable);
        let ends = work.segments.iter().skip(1).map(|next| next.base()).chain([to]);
        let dirty = work.segments.iter().cloned().zip(ends);
        let segments = dirty.filter(|(segment, end)| *end > from && segment.base() < to).collect();
        let mut transactions = Transactions::default();
        transactions.expect(aborted_entries(&work.segments, from, to)?);
        Ok(Mapping { segments, source: None, transactions })
    }

    /// Reads the next stretch and says how many bytes; `None` when all has been read, or the map is full.
    pub(super) fn step(&mut self, work: &mut Work) -> Result<Option<u64>, LogError> {
        if self.source.is_none() {
            let Some((segment, end)) = self.segments.pop_front() else { return Ok(None) };
            let position = segment.span_of(work.dirt.first_dirty.max(segment.base()))?.from;
            self.source = Some((Source::new(&segment, position)?, end));
        }
        let Some((source, end)) = &mut self.source else { return Ok(None) };
        let end = *end;
        let mut full = false;
        let mut read = 0;
        if !source.is_done() {
            let (map, transactions) = (&mut work.map, &mut self.transactions);
            let (from, limit) = (work.dirt.first_dirty, work.config.max_decompressed_bytes);
            read = source.read(&mut work.buffer, |header, batch| {
                full = !note(map, transactions, header, batch, from, limit)?;
                Ok(!full)
            })?;
        }
        work.note_read(read);
        work.report.keys = work.map.len();
        if full {
            return Ok(None);
        }
        if source.is_done() {
            // Where offsets are missing at its end too.
            work.map.reach(Offset::new(end.get() - 1).unwrap_or_default());
            self.source = None;
        }
        Ok(Some(read))
    }
}

/// Says whether there was room for all.
fn note(
    map: &mut OffsetMap,
    transactions: &mut Transactions,
    header: &BatchHeader,
    batch: &[u8],
    from: Offset,
    limit: usize,
) -> Result<bool, BatchError> {
    if header.is_control() {
        transactions.on_control(header, marker(header, batch));
    } else if !transactions.on_batch(header) && !note_records(map, header, batch, from, limit)? {
        return Ok(false);
    }
    if header.last_offset() >= from {
        map.reach(header.last_offset());
    }
    Ok(true)
}

fn note_records(
    map: &mut OffsetMap,
    header: &BatchHeader,
    batch: &[u8],
    from: Offset,
    limit: usize,
) -> Result<bool, BatchError> {
    let body = &batch[BatchHeader::SIZE..header.size()];
    let decompressed = header.decompress(body, limit)?;
    for record in RecordIter::new(header, decompressed.as_deref().unwrap_or(body)) {
        let record = record?;
        if let Some(key) = record.key.filter(|_| record.offset >= from) {
            if map.is_full() {
                return Ok(false);
            }
            map.put(key, record.offset);
        }
    }
    Ok(true)
}
