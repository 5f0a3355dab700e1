//! Records by their offsets, in any order.

use std::collections::BTreeMap;

use klamm_record::{BatchHeader, Record, RecordCursor};
use klamm_types::Offset;

use crate::reader::WholeBatch;
use crate::{Log, ReadError, Reader};

/// Looks up records by their offsets, in any order. The batches that were read last stay in memory,
/// checked and decompressed, up to a bound; a record of one of them costs no system call.
///
/// ```
/// use klamm_log::{Durability, LogDir, NewRecord, Offset};
/// # let folder = tempfile::tempdir()?;
/// # let dir = LogDir::open(folder.path())?;
/// let log = dir.log("events", 0)?;
/// let offset = log.append(&NewRecord::new("moved"), Durability::Written)?;
///
/// let mut lookup = log.lookup(64 << 20);
/// assert_eq!(lookup.get(offset)?.and_then(|event| event.value), Some(&b"moved"[..]));
/// assert!(lookup.get(offset + 1)?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Lookup {
    reader: Reader,
    kept: Kept,
    /// The log's generation that the batches are of.
    generation: u64,
}

/// Batches in memory. When room is needed a hand goes round over them; one that was asked for since
/// it last came by is spared (CLOCK).
#[derive(Debug, Default)]
struct Kept {
    batches: Vec<KeptBatch>,
    /// Which of them begins at an offset.
    slots: BTreeMap<Offset, usize>,
    hand: usize,
    bytes: usize,
    /// Invariant: `bytes` is at most this, unless a single batch has more.
    limit: usize,
}

#[derive(Debug)]
struct KeptBatch {
    batch: WholeBatch,
    /// The place of every [`STRIDE`]th record.
    marks: Vec<Mark>,
    was_used: bool,
}

/// Where a record stands in its batch.
#[derive(Clone, Copy, Debug)]
struct Mark {
    offset: Offset,
    cursor: RecordCursor,
}

/// Records from one mark to the next.
const STRIDE: usize = 8;

impl Log {
    /// Looks up records by their offsets; keeps at most `memory` bytes of batches, and always the
    /// last one.
    #[must_use]
    pub fn lookup(&self, memory: usize) -> Lookup {
        let kept = Kept { limit: memory, ..Kept::default() };
        Lookup { reader: Reader::at(self, Offset::ZERO), kept, generation: self.generation() }
    }
}

impl Lookup {
    /// The record with this offset. `None` where there is none: it was compacted away, a
    /// transaction's marker has the offset, or it is not committed yet.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] for an offset before the log's start or beyond its end,
    /// [`ReadError::Damage`] when the bytes are not what was written.
    pub fn get(&mut self, offset: Offset) -> Result<Option<Record<'_>>, ReadError> {
        self.follow_the_log(offset)?;
        let slot = match self.kept.find(offset) {
            Some(slot) => slot,
            None => {
                let Some(batch) = self.reader.whole_batch(offset)? else { return Ok(None) };
                self.kept.insert(KeptBatch::new(batch)?)
            }
        };
        let batch = &mut self.kept.batches[slot];
        batch.was_used = true;
        batch.record(offset)
    }

    /// Bytes of memory that the batches take.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.kept.bytes
    }

    /// Forgets what was truncated, deleted or compacted since.
    fn follow_the_log(&mut self, offset: Offset) -> Result<(), ReadError> {
        let (bounds, generation) = {
            let published = self.reader.log().inner.published.read();
            (published.bounds, published.generation)
        };
        if generation != self.generation {
            self.kept.clear();
            self.generation = generation;
        }
        if offset < bounds.start() || offset > bounds.end() {
            return Err(ReadError::OutOfRange { asked: offset, start: bounds.start(), end: bounds.end() });
        }
        Ok(())
    }
}

impl Kept {
    fn find(&self, offset: Offset) -> Option<usize> {
        let (_, &slot) = self.slots.range(..=offset).next_back()?;
        (self.batches[slot].batch.header.last_offset() >= offset).then_some(slot)
    }

    /// Says where it is now.
    fn insert(&mut self, batch: KeptBatch) -> usize {
        // An offset that is in no batch was looked for, and this one is behind it.
        if let Some(&slot) = self.slots.get(&batch.base()) {
            return slot;
        }
        self.make_room(batch.memory());
        self.bytes += batch.memory();
        self.slots.insert(batch.base(), self.batches.len());
        self.batches.push(batch);
        self.batches.len() - 1
    }

    fn make_room(&mut self, wanted: usize) {
        while self.bytes + wanted > self.limit && !self.batches.is_empty() {
            self.hand %= self.batches.len();
            match std::mem::take(&mut self.batches[self.hand].was_used) {
                true => self.hand += 1,
                false => self.forget(self.hand),
            }
        }
    }

    /// The last batch takes its place.
    fn forget(&mut self, slot: usize) {
        let gone = self.batches.swap_remove(slot);
        self.bytes -= gone.memory();
        self.slots.remove(&gone.base());
        if let Some(moved) = self.batches.get(slot) {
            self.slots.insert(moved.base(), slot);
        }
    }

    fn clear(&mut self) {
        *self = Kept { limit: self.limit, ..Kept::default() };
    }
}

impl KeptBatch {
    fn new(batch: WholeBatch) -> Result<KeptBatch, ReadError> {
        let (header, body, mut cursor) = (&batch.header, &batch.body[..], RecordCursor::default());
        let most = 1 + (header.record_count() as usize).min(body.len()) / STRIDE;
        let mut marks = Vec::with_capacity(most);
        while let Some(mark) = Mark::next(&mut cursor, header, body) {
            marks.push(mark);
        }
        match cursor.next(header, body) {
            None if cursor.index() == header.record_count() => {
                Ok(KeptBatch { batch, marks, was_used: false })
            }
            fault => Err(batch.broken(fault.and_then(Result::err))),
        }
    }

    fn record(&self, offset: Offset) -> Result<Option<Record<'_>>, ReadError> {
        let next = self.marks.partition_point(|mark| mark.offset <= offset);
        let Some(mark) = next.checked_sub(1).map(|at| self.marks[at]) else { return Ok(None) };
        let WholeBatch { header, body, .. } = &self.batch;
        let mut cursor = mark.cursor;
        cursor.skip_while(header, body, |passed| passed < offset);
        let found = cursor.next(header, body).transpose().map_err(|fault| self.batch.broken(Some(fault)))?;
        Ok(found.filter(|record| record.offset == offset))
    }

    fn base(&self) -> Offset {
        self.batch.header.base_offset()
    }

    fn memory(&self) -> usize {
        size_of::<KeptBatch>() + self.batch.body.capacity() + self.marks.capacity() * size_of::<Mark>()
    }
}

impl Mark {
    /// The mark at `cursor`, which goes on to the next one.
    fn next(cursor: &mut RecordCursor, header: &BatchHeader, body: &[u8]) -> Option<Mark> {
        let (start, mut first, mut passed) = (*cursor, None, 0);
        cursor.skip_while(header, body, |offset| {
            first.get_or_insert(offset);
            passed += 1;
            passed <= STRIDE
        });
        first.map(|offset| Mark { offset, cursor: start })
    }
}
