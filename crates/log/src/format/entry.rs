//! Entries of index files.

/// One entry of an index: of a fixed size, in rising order.
pub trait IndexEntry: Copy {
    /// Bytes of an entry.
    const SIZE: usize;

    /// Reads an entry.
    ///
    /// # Panics
    /// When `bytes` is shorter than [`IndexEntry::SIZE`].
    fn decode(bytes: &[u8]) -> Self;

    /// Appends the entry's bytes to `out`.
    fn encode(&self, out: &mut Vec<u8>);
}

/// An entry of a `.index` file: the batch at `position` ends with the record at `relative_offset`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetEntry {
    /// Offset of the batch's last record, counted from the segment's base offset.
    pub relative_offset: u32,
    /// Where the batch starts in the segment, in bytes.
    pub position: u32,
}

/// An entry of a `.timeindex` file: up to the record at `relative_offset` no time is later than
/// `timestamp`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeEntry {
    /// The largest time so far, in milliseconds.
    pub timestamp: i64,
    /// Offset of the last record of the batch that has it, counted from the segment's base offset.
    pub relative_offset: u32,
}

impl IndexEntry for OffsetEntry {
    const SIZE: usize = 8;

    fn decode(bytes: &[u8]) -> OffsetEntry {
        OffsetEntry { relative_offset: be_u32(&bytes[0..4]), position: be_u32(&bytes[4..8]) }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.relative_offset.to_be_bytes());
        out.extend_from_slice(&self.position.to_be_bytes());
    }
}

impl IndexEntry for TimeEntry {
    const SIZE: usize = 12;

    fn decode(bytes: &[u8]) -> TimeEntry {
        let timestamp = u64::from(be_u32(&bytes[0..4])) << 32 | u64::from(be_u32(&bytes[4..8]));
        TimeEntry { timestamp: timestamp.cast_signed(), relative_offset: be_u32(&bytes[8..12]) }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.relative_offset.to_be_bytes());
    }
}

/// An entry of a `.txnindex` file: a transaction that was aborted, in the segment that holds its
/// marker. (KIP-98)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedEntry {
    /// Id of the producer.
    pub producer_id: i64,
    /// Offset of the transaction's first record.
    pub first_offset: i64,
    /// Offset of its marker.
    pub last_offset: i64,
    /// The last stable offset once it was aborted: where the earliest transaction still open began,
    /// or behind the marker.
    pub last_stable_offset: i64,
}

impl IndexEntry for AbortedEntry {
    const SIZE: usize = 34;

    fn decode(bytes: &[u8]) -> AbortedEntry {
        let field = |at: usize| u64::from(be_u32(&bytes[at..])) << 32 | u64::from(be_u32(&bytes[at + 4..]));
        AbortedEntry {
            producer_id: field(2).cast_signed(),
            first_offset: field(10).cast_signed(),
            last_offset: field(18).cast_signed(),
            last_stable_offset: field(26).cast_signed(),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&ABORTED_VERSION.to_be_bytes());
        for field in [self.producer_id, self.first_offset, self.last_offset, self.last_stable_offset] {
            out.extend_from_slice(&field.to_be_bytes());
        }
    }
}

/// The version that each entry of a transaction index begins with.
const ABORTED_VERSION: i16 = 0;

fn be_u32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
