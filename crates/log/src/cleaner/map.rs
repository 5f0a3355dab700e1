//! The first phase: the last offset of each key of the dirty part.

use std::collections::VecDeque;
use std::sync::Arc;

use klamm_record::{BatchError, BatchHeader, RecordIter};
use klamm_types::Offset;

use super::Work;
use super::offset_map::{KeyHash, OffsetMap};
use super::source::Source;
use super::transactions::Transactions;
use crate::LogError;
use crate::producer::marker;
use crate::segment::Segment;

/// Fills the map.
#[derive(Debug)]
pub(super) struct Mapping {
    /// The dirty ones that have not been begun, and where each ends.
    segments: VecDeque<(Arc<Segment>, Offset)>,
    source: Option<(Source, Offset)>,
    transactions: Transactions,
    /// The keys of a batch; kept for its memory.
    keys: Vec<(KeyHash, Offset)>,
}

impl Mapping {
    pub(super) fn new(work: &Work) -> Result<Mapping, LogError> {
        let (from, to) = (work.dirt.first_dirty, work.dirt.first_uncleanable);
        let ends = work.segments.iter().skip(1).map(|next| next.base()).chain([to]);
        let dirty = work.segments.iter().cloned().zip(ends);
        let segments = dirty.filter(|(segment, end)| *end > from && segment.base() < to).collect();
        let mut transactions = Transactions::default();
        transactions.expect(work.log.aborted_entries(&work.segments, from, to)?);
        Ok(Mapping { segments, source: None, transactions, keys: Vec::new() })
    }

    /// Reads the next stretch and says how many bytes; `None` when all has been read, or the map is
    /// full.
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
            let mut notes = Notes {
                map: &mut work.map,
                transactions: &mut self.transactions,
                keys: &mut self.keys,
                from: work.dirt.first_dirty,
                limit: work.config.max_decompressed_bytes,
            };
            read = source.read(&mut work.buffer, |header, batch| {
                full = !notes.batch(header, batch)?;
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

/// What a batch is noted in.
struct Notes<'a> {
    map: &'a mut OffsetMap,
    transactions: &'a mut Transactions,
    keys: &'a mut Vec<(KeyHash, Offset)>,
    /// Where the dirty part begins.
    from: Offset,
    /// Bytes that a batch may have once decompressed.
    limit: usize,
}

impl Notes<'_> {
    /// Says whether there was room for all.
    fn batch(&mut self, header: &BatchHeader, batch: &[u8]) -> Result<bool, BatchError> {
        if header.is_control() {
            self.transactions.on_control(header, marker(header, batch));
        } else if !self.transactions.on_batch(header) && !self.records(header, batch)? {
            return Ok(false);
        }
        if header.last_offset() >= self.from {
            self.map.reach(header.last_offset());
        }
        Ok(true)
    }

    fn records(&mut self, header: &BatchHeader, batch: &[u8]) -> Result<bool, BatchError> {
        let Notes { map, keys, from, limit, .. } = self;
        let body = &batch[BatchHeader::SIZE..header.size()];
        let decompressed = header.decompress(body, *limit)?;
        keys.clear();
        for record in RecordIter::new(header, decompressed.as_deref().unwrap_or(body)) {
            let record = record?;
            let key = record.key.filter(|_| record.offset >= *from);
            keys.extend(key.map(|key| (map.hash(key), record.offset)));
        }
        map.approach(keys.iter().map(|(key, _)| *key));
        for (key, offset) in keys.iter() {
            if map.is_full() {
                return Ok(false);
            }
            map.put(*key, *offset);
        }
        Ok(true)
    }
}
