//! The 61 bytes at the head of a batch.
//!
//! ```text
//!  0 base offset i64          21 attributes i16           51 producer epoch i16
//!  8 length i32 (from 12 on)  23 last offset delta i32    53 base sequence i32
//! 12 leader epoch i32         27 base timestamp i64       57 record count i32
//! 16 magic i8 (2)             35 max timestamp i64        61 records
//! 17 crc u32 (from 21 on)     43 producer id i64
//! ```
//!
//! What stands before byte 21 is outside of the CRC, so a broker gives a batch its offset without
//! touching the rest. Attributes: bits 0-2 codec, 3 timestamp type, 4 transactional, 5 control, 6
//! base timestamp is a delete horizon (KIP-534). Source: Kafka's protocol guide, KIP-98.

use klamm_types::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Timestamp};

use crate::crc::{crc, extend};
use crate::{BatchError, Compression};

/// The header of a record batch, parsed and found consistent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    /// Invariant: `base_offset + last_offset_delta + 1` does not overflow.
    pub(crate) base_offset: Offset,
    /// Whole batch in bytes. Invariant: at least [`BatchHeader::SIZE`].
    pub(crate) size: usize,
    pub(crate) leader_epoch: i32,
    pub(crate) crc: u32,
    pub(crate) attributes: i16,
    pub(crate) compression: Compression,
    pub(crate) last_offset_delta: u32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer: Option<BatchProducer>,
    pub(crate) base_sequence: i32,
    /// Invariant: at most `last_offset_delta + 1`.
    pub(crate) record_count: u32,
}

/// The idempotent producer that wrote a batch (KIP-98).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchProducer {
    /// Its id.
    pub id: ProducerId,
    /// Its incarnation.
    pub epoch: ProducerEpoch,
}

/// What a batch's timestamps mean (`message.timestamp.type`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimestampType {
    /// Each record has the time its producer gave it.
    #[default]
    CreateTime,
    /// All records have the time at which the broker appended the batch: its max timestamp.
    LogAppendTime,
}

impl BatchHeader {
    /// Bytes of the header.
    pub const SIZE: usize = 61;
    /// Bytes before the part that the length field counts.
    pub(crate) const LENGTH_END: usize = 12;
    pub(crate) const CRC_START: usize = 17;
    /// From this byte on a batch is covered by its CRC.
    pub const CRC_COVERS: usize = 21;

    /// Reads the header at the front of `bytes`, which need not hold the rest of the batch. The CRC
    /// is not checked.
    ///
    /// # Errors
    /// [`BatchError`] when there are fewer than [`BatchHeader::SIZE`] bytes or a field cannot be
    /// right.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let truncated = BatchError::Truncated { expected: Self::SIZE, got: bytes.len() };
        let head: &[u8; Self::SIZE] = bytes.first_chunk().ok_or(truncated)?;
        let size = size_of_batch(be_i32(head, 8))?;
        if head[16] != 2 {
            return Err(BatchError::Magic { got: head[16].cast_signed() });
        }
        let attributes = i16::from_be_bytes([head[21], head[22]]);
        let (base_offset, last_offset_delta) = offsets(be_i64(head, 0), be_i32(head, 23))?;
        Ok(BatchHeader {
            base_offset,
            size,
            leader_epoch: be_i32(head, 12),
            crc: be_i32(head, Self::CRC_START).cast_unsigned(),
            attributes,
            compression: Compression::from_attributes(attributes)?,
            last_offset_delta,
            base_timestamp: be_i64(head, 27),
            max_timestamp: be_i64(head, 35),
            producer: producer(head)?,
            base_sequence: be_i32(head, 53),
            record_count: record_count(be_i32(head, 57), last_offset_delta)?,
        })
    }

    /// Writes the header into the front of `batch`, the whole batch, and the CRC of what follows
    /// with it.
    pub(crate) fn seal(&mut self, batch: &mut [u8]) {
        let length = i32::try_from(self.size - Self::LENGTH_END).expect("BATCH-2: the size is checked");
        let mut put = |at: usize, bytes: &[u8]| batch[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &self.base_offset.get().to_be_bytes());
        put(8, &length.to_be_bytes());
        put(12, &self.leader_epoch.to_be_bytes());
        put(16, &[2]);
        put(21, &self.attributes.to_be_bytes());
        put(23, &self.last_offset_delta.to_be_bytes());
        put(27, &self.base_timestamp.to_be_bytes());
        put(35, &self.max_timestamp.to_be_bytes());
        put(43, &self.producer.map_or(-1, |p| p.id.get()).to_be_bytes());
        put(51, &self.producer.map_or(-1, |p| p.epoch.get()).to_be_bytes());
        put(53, &self.base_sequence.to_be_bytes());
        put(57, &self.record_count.to_be_bytes());
        self.crc = crc(&batch[Self::CRC_COVERS..]);
        batch[Self::CRC_START..Self::CRC_COVERS].copy_from_slice(&self.crc.to_be_bytes());
    }

    /// Writes a batch at the end of `out` that has this header and no records: what compaction
    /// leaves of a batch whose records are gone, so that its last offset and its producer's last
    /// sequence number are not. It is 61 bytes.
    pub fn write_empty(&self, out: &mut Vec<u8>) -> BatchHeader {
        let plain = !(i16::from(CODEC_BITS) | 1 << 6);
        let attributes = self.attributes & plain;
        let compression = Compression::None;
        let mut empty = BatchHeader {
            attributes,
            compression,
            size: Self::SIZE,
            base_timestamp: -1,
            record_count: 0,
            ..*self
        };
        let start = out.len();
        out.resize(start + Self::SIZE, 0);
        empty.seal(&mut out[start..]);
        empty
    }

    /// The header as it is once [`BatchHeader::assign`] has written these into the batch; `None`
    /// when there are not enough offsets behind `base_offset`.
    #[must_use]
    pub fn assigned(self, base_offset: Offset, epoch: LeaderEpoch) -> Option<BatchHeader> {
        base_offset.checked_add(i64::from(self.last_offset_delta) + 1)?;
        Some(BatchHeader { base_offset, leader_epoch: epoch.get(), ..self })
    }

    /// Writes base offset and leader epoch into the head of `batch`: what a leader does when it
    /// appends. Both lie outside of the CRC.
    ///
    /// # Panics
    /// When `batch` is shorter than [`BatchHeader::SIZE`].
    pub fn assign(batch: &mut [u8], base_offset: Offset, epoch: LeaderEpoch) {
        assert!(batch.len() >= Self::SIZE, "BATCH-1: a batch has a header");
        batch[0..8].copy_from_slice(&base_offset.get().to_be_bytes());
        batch[12..16].copy_from_slice(&epoch.get().to_be_bytes());
    }

    /// Makes all records of the uncompressed or compressed `batch` bear the time `now`, as
    /// `message.timestamp.type=LogAppendTime` asks for, and mends the CRC.
    ///
    /// # Panics
    /// When `batch` is shorter than [`BatchHeader::SIZE`].
    pub fn set_log_append_time(batch: &mut [u8], now: Timestamp) {
        assert!(batch.len() >= Self::SIZE, "BATCH-1: a batch has a header");
        batch[22] |= 1 << 3;
        Self::set_max_timestamp(batch, Some(now));
    }

    /// Makes the records bear their own times, as `message.timestamp.type=CreateTime` asks for, of
    /// which `latest` is the largest, and mends the CRC.
    ///
    /// # Panics
    /// When `batch` is shorter than [`BatchHeader::SIZE`].
    pub fn set_create_time(batch: &mut [u8], latest: Option<Timestamp>) {
        assert!(batch.len() >= Self::SIZE, "BATCH-1: a batch has a header");
        batch[22] &= !(1 << 3);
        Self::set_max_timestamp(batch, latest);
    }

    /// Writes the largest time of the records into the header and mends the CRC; `None` when no
    /// record bears one.
    ///
    /// # Panics
    /// When `batch` is shorter than [`BatchHeader::SIZE`].
    pub fn set_max_timestamp(batch: &mut [u8], latest: Option<Timestamp>) {
        assert!(batch.len() >= Self::SIZE, "BATCH-1: a batch has a header");
        let latest = latest.map_or(-1, Timestamp::as_millis);
        batch[35..43].copy_from_slice(&latest.to_be_bytes());
        let crc = crc(&batch[Self::CRC_COVERS..]);
        batch[Self::CRC_START..Self::CRC_COVERS].copy_from_slice(&crc.to_be_bytes());
    }

    /// Offset of the first record (after compaction: of the first that the batch once had).
    #[must_use]
    pub fn base_offset(&self) -> Offset {
        self.base_offset
    }

    /// Offset of the last record; compaction keeps it when that record is removed.
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        self.base_offset + self.last_offset_delta
    }

    /// The offset after the last record.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        self.last_offset() + 1
    }

    /// Offsets from the first to the last record.
    #[must_use]
    pub fn last_offset_delta(&self) -> u32 {
        self.last_offset_delta
    }

    /// The whole batch in bytes, this header included.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// The leader's epoch when it was appended; `None` in a batch that no leader has appended yet.
    #[must_use]
    pub fn leader_epoch(&self) -> Option<LeaderEpoch> {
        LeaderEpoch::new(self.leader_epoch)
    }

    /// CRC-32C of the bytes from the attributes to the end, as the header says.
    #[must_use]
    pub fn crc(&self) -> u32 {
        self.crc
    }

    /// The codec of the records.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// What the timestamps mean.
    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        if self.has(3) { TimestampType::LogAppendTime } else { TimestampType::CreateTime }
    }

    /// Whether the batch is part of a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.has(4)
    }

    /// Whether the batch holds control records (markers), which consumers do not see.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.has(5)
    }

    /// From when on the cleaner may drop the batch's tombstones or markers (KIP-534).
    #[must_use]
    pub fn delete_horizon(&self) -> Option<Timestamp> {
        self.has(6).then_some(Timestamp::from_millis(self.base_timestamp))
    }

    /// The time that timestamp deltas count from, in milliseconds; -1 when the writer gave none.
    pub(crate) fn base_timestamp(&self) -> i64 {
        self.base_timestamp
    }

    /// The largest timestamp of the records.
    #[must_use]
    pub fn max_timestamp(&self) -> Option<Timestamp> {
        Timestamp::from_raw(self.max_timestamp)
    }

    /// The idempotent producer that wrote the batch, if one did.
    #[must_use]
    pub fn producer(&self) -> Option<BatchProducer> {
        self.producer
    }

    /// Sequence number of the first record; `None` in transaction markers and without an idempotent
    /// producer. (Batches that a group coordinator wrote have one but no producer.)
    #[must_use]
    pub fn base_sequence(&self) -> Option<u32> {
        u32::try_from(self.base_sequence).ok()
    }

    /// Number of records; after compaction it can be smaller than the offsets span, and 0.
    #[must_use]
    pub fn record_count(&self) -> u32 {
        self.record_count
    }

    /// Compares the CRC of `batch`, the whole batch, with the header's.
    ///
    /// # Errors
    /// [`BatchError::Truncated`] when `batch` is shorter than the header says,
    /// [`BatchError::Checksum`].
    pub fn check_crc(&self, batch: &[u8]) -> Result<(), BatchError> {
        let truncated = BatchError::Truncated { expected: self.size, got: batch.len() };
        let covered = batch.get(Self::CRC_COVERS..self.size).ok_or(truncated)?;
        match crc(covered) {
            got if got == self.crc => Ok(()),
            got => Err(BatchError::Checksum { expected: self.crc, got }),
        }
    }

    /// Whether the checksum of `batch`, which is one batch and nothing else, is right, whatever its
    /// other fields say: a field that is wrong under a right checksum was sent so.
    ///
    /// ```
    /// use klamm_record::{BatchBuilder, BatchHeader, BatchOptions, NewRecord};
    ///
    /// let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
    /// builder.append(&NewRecord::new("value"))?;
    /// let mut batch = builder.finish()?.buffer;
    /// assert!(BatchHeader::is_undamaged(&batch));
    /// batch[BatchHeader::SIZE] ^= 1;
    /// assert!(!BatchHeader::is_undamaged(&batch) && !BatchHeader::is_undamaged(&[]));
    /// # Ok::<(), klamm_record::BuildError>(())
    /// ```
    #[must_use]
    pub fn is_undamaged(batch: &[u8]) -> bool {
        let stored = batch.get(Self::CRC_START..Self::CRC_COVERS).and_then(|bytes| bytes.first_chunk());
        let is_whole = batch.len() >= Self::SIZE;
        is_whole
            && stored.is_some_and(|stored| u32::from_be_bytes(*stored) == crc(&batch[Self::CRC_COVERS..]))
    }

    /// Goes on computing a CRC over the next bytes that it covers (those from byte 21 of the batch
    /// on), for a batch that is not in memory as a whole. It begins with 0 and in the end should be
    /// [`BatchHeader::crc`].
    #[must_use]
    pub fn extend_crc(crc: u32, bytes: &[u8]) -> u32 {
        extend(crc, bytes)
    }

    /// The decompressed form of `body`, what follows the header, in at most `limit` bytes; `None`
    /// when there is no codec, so that nothing is copied.
    /// [`RecordIter::new`](crate::RecordIter::new) walks it.
    ///
    /// # Errors
    /// [`BatchError::Compression`] when it does not decompress, is larger than `limit`, or the
    /// codec's feature is off.
    pub fn decompress(&self, body: &[u8], limit: usize) -> Result<Option<Vec<u8>>, BatchError> {
        Ok(self.compression.decompress(body, limit)?)
    }

    /// The most bytes that [`BatchHeader::decompress`] can give for `body`, from the headers of
    /// frames and blocks alone: nothing is decompressed.
    ///
    /// # Errors
    /// [`BatchError::Compression`] when these headers are not what the codec writes, or the codec's
    /// feature is off.
    pub fn decompressed_bound(&self, body: &[u8]) -> Result<usize, BatchError> {
        Ok(self.compression.decompressed_bound(body)?)
    }

    fn has(&self, bit: u32) -> bool {
        self.attributes & (1 << bit) != 0
    }
}

/// Of the attributes.
const CODEC_BITS: u8 = 7;

fn size_of_batch(length: i32) -> Result<usize, BatchError> {
    let wrong = BatchError::Length { got: length, expected: "at least 49" };
    let length = usize::try_from(length).map_err(|_| wrong.clone())?;
    if length < BatchHeader::SIZE - BatchHeader::LENGTH_END {
        Err(wrong)
    } else {
        Ok(length + BatchHeader::LENGTH_END)
    }
}

fn offsets(base: i64, last_delta: i32) -> Result<(Offset, u32), BatchError> {
    let base = Offset::try_from(base)?;
    let delta = u32::try_from(last_delta).map_err(|_| BatchError::Field {
        field: "last offset delta",
        got: last_delta.into(),
        expected: "0 or more",
    })?;
    let fits = base.checked_add(i64::from(delta) + 1).is_some();
    let overflow =
        BatchError::Field { field: "base offset", got: base.get(), expected: "room for its records" };
    if fits { Ok((base, delta)) } else { Err(overflow) }
}

fn producer(head: &[u8; BatchHeader::SIZE]) -> Result<Option<BatchProducer>, BatchError> {
    let Some(id) = ProducerId::new(be_i64(head, 43)) else { return Ok(None) };
    let epoch = i16::from_be_bytes([head[51], head[52]]);
    let wrong = BatchError::Field { field: "producer epoch", got: epoch.into(), expected: "0 or more" };
    let epoch = ProducerEpoch::new(epoch).ok_or(wrong)?;
    Ok(Some(BatchProducer { id, epoch }))
}

fn record_count(count: i32, last_offset_delta: u32) -> Result<u32, BatchError> {
    let wrong =
        BatchError::Field { field: "record count", got: count.into(), expected: "0 to the offsets it spans" };
    u32::try_from(count).ok().filter(|c| *c <= last_offset_delta + 1).ok_or(wrong)
}

fn be_i32(head: &[u8; BatchHeader::SIZE], at: usize) -> i32 {
    i32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

fn be_i64(head: &[u8; BatchHeader::SIZE], at: usize) -> i64 {
    i64::from(be_i32(head, at)) << 32 | i64::from(be_i32(head, at + 4).cast_unsigned())
}
