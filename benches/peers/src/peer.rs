//! What a log has to do to be measured.

use std::path::Path;

/// Whether an append returns once the record is on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durable {
    No,
    Yes,
}

/// A log in a folder. What a contestant cannot do, it says with `None`.
pub trait Peer: Sync {
    /// One record a call.
    fn append_one(&self, value: &[u8]);

    /// Many records as one unit.
    fn append_many(&self, values: &[&[u8]]);

    /// Makes all that was appended ready to be read; not measured.
    fn settle(&mut self, _path: &Path) {}

    /// Reads all, in order: records and bytes.
    fn scan(&mut self) -> Option<(u64, u64)>;

    /// Bytes of the record with this number.
    fn get(&self, number: u64) -> Option<usize>;
}

/// Looks at each byte of a record, as whoever reads it does.
pub fn touch(bytes: &[u8]) -> u64 {
    std::hint::black_box(bytes.iter().fold(0u64, |sum, byte| sum.wrapping_add(u64::from(*byte))));
    bytes.len() as u64
}
