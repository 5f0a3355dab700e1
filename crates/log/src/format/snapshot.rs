//! Producer snapshot files (KIP-98).

use klamm_record::BatchHeader;
use thiserror::Error;

/// A `.snapshot` file: what a log knew of its producers at the offset in the file's name (KIP-98).
///
/// ```text
///  0 version i16 (1)   2 crc u32 (of what follows)   6 count i32   10 entries, 46 bytes each
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProducerSnapshot {
    /// One for each producer.
    pub entries: Vec<ProducerSnapshotEntry>,
}

/// What a log knew of one producer. Numbers are as they stand in the file; -1 stands for none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerSnapshotEntry {
    /// Its id.
    pub producer_id: i64,
    /// Its latest epoch.
    pub producer_epoch: i16,
    /// Sequence number of its last record; -1 when the epoch has none yet.
    pub last_sequence: i32,
    /// Offset of its last record; -1 when the epoch has none yet.
    pub last_offset: i64,
    /// Offsets from the first to the last record of its last batch.
    pub offset_delta: i32,
    /// The latest time of its last batch or marker, in milliseconds.
    pub timestamp: i64,
    /// Epoch of the transaction coordinator that wrote its last marker; -1 without one.
    pub coordinator_epoch: i32,
    /// Where its open transaction began; -1 without one.
    pub transaction_start: i64,
}

/// Why bytes are no snapshot.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("producer snapshot has {field} {got}, expected {expected}")]
pub struct SnapshotError {
    /// The field that is wrong.
    pub field: &'static str,
    /// Its value.
    pub got: i64,
    /// What would be right.
    pub expected: i64,
}

impl ProducerSnapshot {
    /// Reads the file's bytes.
    ///
    /// # Errors
    /// [`SnapshotError`] for another version, a wrong CRC or a count that does not fit the length.
    pub fn parse(bytes: &[u8]) -> Result<ProducerSnapshot, SnapshotError> {
        let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let Some((head, entries)) = bytes.split_at_checked(HEAD) else {
            return Err(SnapshotError { field: "length", got: length, expected: 10 });
        };
        expect("version", i16::from_be_bytes([head[0], head[1]]).into(), VERSION.into())?;
        let crc = BatchHeader::extend_crc(0, &bytes[CRC_COVERS..]);
        expect("CRC", u32::from_be_bytes([head[2], head[3], head[4], head[5]]).into(), crc.into())?;
        let count = i32::from_be_bytes([head[6], head[7], head[8], head[9]]);
        let (whole, rest) = entries.as_chunks::<ENTRY>();
        expect("count", count.into(), i64::try_from(whole.len()).unwrap_or(i64::MAX))?;
        expect("bytes behind its entries", i64::try_from(rest.len()).unwrap_or(i64::MAX), 0)?;
        Ok(ProducerSnapshot { entries: whole.iter().map(ProducerSnapshotEntry::decode).collect() })
    }

    /// The file's bytes.
    ///
    /// # Panics
    /// With more than 2^31 entries.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.entries.len() * ENTRY);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        let count = i32::try_from(self.entries.len()).expect("PRODUCER-1: entries are counted in 31 bits");
        bytes.extend_from_slice(&count.to_be_bytes());
        self.entries.iter().for_each(|entry| entry.encode(&mut bytes));
        let crc = BatchHeader::extend_crc(0, &bytes[CRC_COVERS..]);
        bytes[2..CRC_COVERS].copy_from_slice(&crc.to_be_bytes());
        bytes
    }
}

impl ProducerSnapshotEntry {
    fn decode(bytes: &[u8; ENTRY]) -> ProducerSnapshotEntry {
        let mut fields = Fields(bytes);
        ProducerSnapshotEntry {
            producer_id: i64::from_be_bytes(fields.next()),
            producer_epoch: i16::from_be_bytes(fields.next()),
            last_sequence: i32::from_be_bytes(fields.next()),
            last_offset: i64::from_be_bytes(fields.next()),
            offset_delta: i32::from_be_bytes(fields.next()),
            timestamp: i64::from_be_bytes(fields.next()),
            coordinator_epoch: i32::from_be_bytes(fields.next()),
            transaction_start: i64::from_be_bytes(fields.next()),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.producer_id.to_be_bytes());
        out.extend_from_slice(&self.producer_epoch.to_be_bytes());
        out.extend_from_slice(&self.last_sequence.to_be_bytes());
        out.extend_from_slice(&self.last_offset.to_be_bytes());
        out.extend_from_slice(&self.offset_delta.to_be_bytes());
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.coordinator_epoch.to_be_bytes());
        out.extend_from_slice(&self.transaction_start.to_be_bytes());
    }
}

/// Takes fields off the front of an entry.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn next<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("PRODUCER-2: an entry has 46 bytes");
        self.0 = rest;
        *field
    }
}

fn expect(field: &'static str, got: i64, expected: i64) -> Result<(), SnapshotError> {
    if got == expected { Ok(()) } else { Err(SnapshotError { field, got, expected }) }
}

const VERSION: i16 = 1;
const CRC_COVERS: usize = 6;
const HEAD: usize = 10;
const ENTRY: usize = 46;

#[cfg(test)]
mod tests {
    use super::*;

    const KAFKA: &str = "0001da49662f000000010000000000000015000100000004000000000000000a000000010000018bcfe5680e000000000000000000000006";

    fn unhex(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
    }

    #[test]
    fn what_kafka_wrote_reads_back_the_same() {
        let snapshot = ProducerSnapshot::parse(&unhex(KAFKA)).unwrap();
        let entry = snapshot.entries[0];
        assert_eq!((entry.producer_id, entry.producer_epoch, entry.last_sequence), (21, 1, 4));
        assert_eq!((entry.last_offset, entry.offset_delta, entry.transaction_start), (10, 1, 6));
        assert_eq!(snapshot.to_bytes(), unhex(KAFKA));
        assert_eq!(ProducerSnapshot::default().to_bytes(), unhex("000148674bc700000000"));
    }

    #[test]
    fn anything_else_is_an_error() {
        let good = unhex(KAFKA);
        for cut in 0..good.len() {
            assert!(ProducerSnapshot::parse(&good[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..good.len() {
            let mut flipped = good.clone();
            flipped[at] ^= 1;
            assert!(ProducerSnapshot::parse(&flipped).is_err(), "flipped at {at}");
        }
    }
}
