//! Reading records one after the other: what an embedder iterates.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use klamm_record::{BatchError, BatchHeader, Record, RecordCursor, RecordError};
use klamm_types::{Offset, Timestamp};

use crate::segment::Segment;
use crate::{Log, ReadError, ReadLimit, Slice, Visibility};

/// Reads a log's records in order, across its segments. [`Reader::next`] lends each record, without
/// copying it; for records to keep, iterate [`Log::records`].
///
/// At the log's end `next` returns `None`; when more has been appended it goes on.
#[derive(Debug)]
pub struct Reader {
    log: Log,
    /// The offset that the next record has at least.
    next: Offset,
    /// The commit bound when there was nothing more to read; before it rises there is nothing
    /// either.
    seen: Offset,
    limit: usize,
    chunk: Chunk,
    batch: Option<Batch>,
}

/// Bytes of a segment that have been read, and how far the walk over their batches has come.
#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    at: usize,
    /// The offset after the batch before, where that is in the bytes too.
    least: Offset,
    /// Where the bytes come from; for what damage is reported as.
    from: Option<Slice>,
    /// How much is read next; it doubles as long as reading goes on in order.
    wanted: usize,
    /// The log's generation before the bytes were looked for.
    generation: u64,
}

/// The batch whose records are being read.
#[derive(Debug)]
struct Batch {
    header: BatchHeader,
    /// Where it stands in the chunk.
    at: usize,
    decompressed: Option<Vec<u8>>,
    cursor: RecordCursor,
}

/// A batch by itself, its records decompressed.
#[derive(Debug)]
pub(crate) struct WholeBatch {
    pub(crate) header: BatchHeader,
    pub(crate) body: Vec<u8>,
    place: Place,
}

/// Where a batch stands, for what damage is reported as.
#[derive(Debug)]
struct Place {
    segment: Arc<Segment>,
    position: u64,
}

/// Where reading begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Position {
    /// At the first record that the log has.
    Start,
    /// At the end: only what comes after.
    End,
    /// At this offset.
    At(Offset),
    /// At the first record that is not older than this time.
    Since(Timestamp),
}

impl From<Offset> for Position {
    fn from(offset: Offset) -> Position {
        Position::At(offset)
    }
}

/// A record that stands for itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnedRecord {
    /// Its position in the log.
    pub offset: Offset,
    /// When it was created, or appended.
    pub timestamp: Option<Timestamp>,
    /// The key, if any.
    pub key: Option<Bytes>,
    /// The value; none is a tombstone in a compacted log.
    pub value: Option<Bytes>,
    /// The headers, in the order they were written.
    pub headers: Vec<OwnedHeader>,
}

/// A header that stands for itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnedHeader {
    /// The key, UTF-8 by convention.
    pub key: Bytes,
    /// The value, if any.
    pub value: Option<Bytes>,
}

/// Iterates over records that stand for themselves; see [`Log::records`] and [`Log::follow`].
#[derive(Debug)]
pub struct RecordStream {
    reader: Reader,
    follow: bool,
}

impl Log {
    /// A reader that begins at `position`.
    ///
    /// # Errors
    /// [`ReadError`] when a time has to be looked up and that fails. An offset is only checked by
    /// the first read.
    pub fn reader(&self, position: impl Into<Position>) -> Result<Reader, ReadError> {
        Ok(Reader::at(self, self.resolve(position.into())?))
    }

    /// The records from `position` to the end, each with bytes of its own.
    ///
    /// # Errors
    /// As [`Log::reader`].
    pub fn records(&self, position: impl Into<Position>) -> Result<RecordStream, ReadError> {
        Ok(RecordStream { reader: self.reader(position)?, follow: false })
    }

    /// The records from `position` on, and then each that is appended: the iterator blocks until
    /// there is one. It ends when the log is closed.
    ///
    /// # Errors
    /// As [`Log::reader`].
    pub fn follow(&self, position: impl Into<Position>) -> Result<RecordStream, ReadError> {
        Ok(RecordStream { reader: self.reader(position)?, follow: true })
    }

    fn resolve(&self, position: Position) -> Result<Offset, ReadError> {
        let bounds = self.bounds();
        match position {
            Position::Start => Ok(bounds.start()),
            Position::End => Ok(bounds.committed()),
            Position::At(offset) => Ok(offset),
            Position::Since(time) => {
                Ok(self.offset_since(time)?.map_or(bounds.committed(), |found| found.offset))
            }
        }
    }
}

impl Reader {
    pub(crate) fn at(log: &Log, next: Offset) -> Reader {
        let (chunk, limit) = (Chunk::default(), log.config().max_decompressed_bytes);
        Reader { log: log.clone(), next, seen: Offset::ZERO, limit, chunk, batch: None }
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// The next record, or `None` at the end of what is committed.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] when the offset has been deleted meanwhile, [`ReadError::Damage`]
    /// when the bytes are not what was written. The reader stays where it is.
    #[allow(clippy::should_implement_trait)]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        while !self.has_record() {
            if !self.load_batch()? {
                return Ok(None);
            }
        }
        self.take_record().map(Some)
    }

    /// The next record; blocks until there is one, for at most `timeout`, after which it is `None`.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub fn next_within(&mut self, timeout: Duration) -> Result<Option<Record<'_>>, ReadError> {
        let deadline = Instant::now().checked_add(timeout);
        while !self.has_record() && !self.load_batch()? && self.wait(deadline) {}
        self.next()
    }

    /// The offset that the next record has at least.
    #[must_use]
    pub fn offset(&self) -> Offset {
        self.next
    }

    /// Goes to another place.
    ///
    /// # Errors
    /// As [`Log::reader`].
    pub fn seek(&mut self, position: impl Into<Position>) -> Result<(), ReadError> {
        self.next = self.log.resolve(position.into())?;
        self.seen = Offset::ZERO;
        self.batch = None;
        self.chunk.clear();
        Ok(())
    }

    /// Resolves when there is a record to read, or the log is closed; woken through std's
    /// [`Waker`](std::task::Waker), so that any runtime will do.
    #[cfg(feature = "async")]
    pub async fn ready(&mut self) {
        std::future::poll_fn(|context| self.poll_ready(context)).await;
    }

    /// What [`Reader::ready`] polls.
    #[cfg(feature = "async")]
    pub fn poll_ready(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        let inner = &self.log.inner;
        let ready = || self.may_have_more() || inner.is_closed();
        let ready = self.has_record() || inner.tail.register(context.waker(), ready);
        if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    }

    /// Blocks until there may be more, or the log is closed; says whether there may.
    fn wait(&self, deadline: Option<Instant>) -> bool {
        let ready = || self.may_have_more() || self.log.inner.is_closed();
        (ready() || self.log.inner.tail.wait(deadline, ready)) && !self.is_over()
    }

    /// Whether the log is closed and all of it has been read.
    fn is_over(&self) -> bool {
        self.log.inner.is_closed() && !self.may_have_more()
    }

    fn may_have_more(&self) -> bool {
        let (committed, generation) = {
            let published = self.log.inner.published.read();
            (published.bounds.committed(), published.generation)
        };
        // A truncation may have put records where there were none.
        let seen = if generation == self.chunk.generation { self.seen } else { Offset::ZERO };
        committed > self.next.max(seen)
    }

    #[inline]
    fn has_record(&self) -> bool {
        self.batch.as_ref().is_some_and(|batch| self.next <= batch.header.last_offset() && !batch.is_done())
    }

    #[inline]
    fn take_record(&mut self) -> Result<Record<'_>, ReadError> {
        let chunk = &self.chunk;
        let Batch { header, at, decompressed, cursor } =
            self.batch.as_mut().expect("READ-1: asked after has_record");
        match cursor.next(header, body_of(header, *at, decompressed.as_deref(), chunk)) {
            Some(Ok(record)) => {
                self.next = record.offset + 1;
                Ok(record)
            }
            fault => Err(broken(&chunk.place(), header, fault.and_then(Result::err))),
        }
    }

    /// Goes to the next batch that has a record at or behind `next`; says whether there is one.
    /// Bytes that were cut off while they were read look damaged: they are read again.
    fn load_batch(&mut self) -> Result<bool, ReadError> {
        loop {
            match self.try_load_batch() {
                Err(_) if self.chunk.generation != self.log.generation() => self.chunk.clear(),
                done => return done,
            }
        }
    }

    fn try_load_batch(&mut self) -> Result<bool, ReadError> {
        if let Some(done) = self.batch.take() {
            self.next = self.next.max(done.header.next_offset());
            self.chunk.pass(done.at, &done.header);
        }
        loop {
            match self.chunk.batch(self.next)? {
                Some(header) if header.last_offset() < self.next || header.is_control() => {
                    self.next = self.next.max(header.next_offset());
                    self.chunk.pass(self.chunk.at, &header);
                }
                Some(header) => return self.open_batch(header).map(|()| true),
                None => {
                    if !self.fill()? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// The batch that holds `offset`, or the next one that has records, by itself and decompressed.
    pub(crate) fn whole_batch(&mut self, offset: Offset) -> Result<Option<WholeBatch>, ReadError> {
        self.seek(offset)?;
        if !self.load_batch()? {
            return Ok(None);
        }
        let Batch { header, at, decompressed, .. } = self.batch.take().expect("READ-3: a batch was loaded");
        let stored = || body_of(&header, at, None, &self.chunk).to_vec();
        let (body, place) = (decompressed.unwrap_or_else(stored), self.chunk.place());
        Ok(Some(WholeBatch { header, body, place }))
    }

    fn open_batch(&mut self, header: BatchHeader) -> Result<(), ReadError> {
        let at = self.chunk.at;
        let body = &self.chunk.bytes[at + BatchHeader::SIZE..at + header.size()];
        let fault = |fault| self.chunk.damage(self.next, fault);
        let decompressed = header.decompress(body, self.limit).map_err(fault)?;
        let mut batch = Batch { header, at, decompressed, cursor: RecordCursor::default() };
        batch.skip_to(self.next, &self.chunk);
        self.batch = Some(batch);
        Ok(())
    }

    /// Reads the next stretch; says whether there is one.
    fn fill(&mut self) -> Result<bool, ReadError> {
        let wanted = self.chunk.wanted.clamp(FIRST_CHUNK, MOST_CHUNK);
        let limit = ReadLimit { max_bytes: wanted, visibility: Visibility::Committed };
        // Before the slice is looked for: a later truncation then shows as another generation.
        self.chunk.generation = self.log.generation();
        let committed = self.log.bounds().committed();
        let slice = self.log.read(self.next, limit)?;
        self.chunk.wanted = wanted * 4;
        if slice.is_empty() {
            self.seen = committed;
            return Ok(false);
        }
        self.chunk.fill(slice)?;
        Ok(true)
    }
}

impl WholeBatch {
    /// What is wrong with a record of it; without a fault there are fewer than it says.
    pub(crate) fn broken(&self, fault: Option<RecordError>) -> ReadError {
        broken(&self.place, &self.header, fault)
    }
}

impl Place {
    fn damage(&self, offset: Offset, fault: BatchError) -> ReadError {
        self.segment.damage(self.position, offset, fault).into()
    }
}

#[cold]
fn broken(place: &Place, header: &BatchHeader, fault: Option<RecordError>) -> ReadError {
    let count = i64::from(header.record_count());
    let few = BatchError::Field { field: "record count", got: count, expected: "the records there are" };
    place.damage(header.base_offset(), fault.map_or(few, Into::into))
}

/// The records of the batch that stands at `at` in the chunk.
#[inline]
fn body_of<'a>(
    header: &BatchHeader,
    at: usize,
    decompressed: Option<&'a [u8]>,
    chunk: &'a Chunk,
) -> &'a [u8] {
    decompressed.unwrap_or_else(|| &chunk.bytes[at + BatchHeader::SIZE..at + header.size()])
}

impl Batch {
    #[inline]
    fn is_done(&self) -> bool {
        self.cursor.index() >= self.header.record_count()
    }

    /// Passes over the records before `offset`.
    fn skip_to(&mut self, offset: Offset, chunk: &Chunk) {
        if self.header.base_offset() >= offset {
            return;
        }
        let body = body_of(&self.header, self.at, self.decompressed.as_deref(), chunk);
        self.cursor.skip_while(&self.header, body, |passed| passed < offset);
    }
}

impl Chunk {
    /// Forgets the bytes, but keeps their memory.
    fn clear(&mut self) {
        let Chunk { mut bytes, generation, .. } = std::mem::take(self);
        bytes.clear();
        *self = Chunk { bytes, generation, ..Chunk::default() };
    }

    /// The header of the whole batch that stands at `at`; `None` when more has to be read.
    fn batch(&self, offset: Offset) -> Result<Option<BatchHeader>, ReadError> {
        let rest = &self.bytes[self.at..];
        if rest.len() < BatchHeader::SIZE {
            return Ok(None);
        }
        let header = BatchHeader::parse(rest).map_err(|fault| self.damage(offset, fault))?;
        if header.size() > rest.len() {
            return Ok(None);
        }
        header.check_crc(rest).map_err(|fault| self.damage(offset, fault))?;
        if header.base_offset() < self.least {
            // The CRC does not cover it.
            let (got, expected) = (header.base_offset().get(), "one that follows the batch before");
            return Err(self.damage(offset, BatchError::Field { field: "base offset", got, expected }));
        }
        Ok(Some(header))
    }

    /// Goes behind the batch at `at`.
    fn pass(&mut self, at: usize, header: &BatchHeader) {
        self.at = at + header.size();
        self.least = header.next_offset();
    }

    fn fill(&mut self, slice: Slice) -> Result<(), ReadError> {
        // Growing zeroes what is new; in steady state nothing is.
        self.bytes.resize(slice.len(), 0);
        (self.at, self.least) = (0, Offset::ZERO);
        let read = slice.read_into(&mut self.bytes);
        if read.is_err() {
            self.bytes.clear();
        }
        self.from = Some(slice);
        Ok(read?)
    }

    fn damage(&self, offset: Offset, fault: BatchError) -> ReadError {
        self.place().damage(offset, fault)
    }

    /// Where in the log the walk stands.
    fn place(&self) -> Place {
        let from = self.from.as_ref().expect("READ-2: bytes come from a slice");
        Place { segment: Arc::clone(&from.segment), position: from.position + self.at as u64 }
    }
}

impl Iterator for RecordStream {
    type Item = Result<OwnedRecord, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let record = self.reader.next().map(|record| record.map(OwnedRecord::from)).transpose();
            if record.is_some() || !self.follow || self.reader.is_over() {
                return record;
            }
            self.reader.wait(None);
        }
    }
}

impl From<Record<'_>> for OwnedRecord {
    fn from(record: Record<'_>) -> OwnedRecord {
        let header = |h: klamm_record::Header<'_>| OwnedHeader {
            key: Bytes::copy_from_slice(h.key),
            value: h.value.map(Bytes::copy_from_slice),
        };
        OwnedRecord {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(Bytes::copy_from_slice),
            value: record.value.map(Bytes::copy_from_slice),
            headers: record.headers.iter().map(header).collect(),
        }
    }
}

/// The first read is small, for one record may be all that is wanted.
const FIRST_CHUNK: usize = 4 * 1024;
const MOST_CHUNK: usize = 256 * 1024;
