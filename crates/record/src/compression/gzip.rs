//! The codec gzip.

use std::io::Write;

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::{Compression, CompressionError, read_capped};

pub(super) fn compress(records: &[u8], level: Option<i32>) -> Result<Vec<u8>, CompressionError> {
    let level = level.and_then(|l| u32::try_from(l).ok()).unwrap_or(DEFAULT_LEVEL).min(9);
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    encoder.write_all(records).and_then(|()| encoder.finish()).map_err(|e| Compression::Gzip.failed(e))
}

/// Takes several members one after the other, as Java's reader does.
pub(super) fn decompress(records: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    read_capped(Compression::Gzip, MultiGzDecoder::new(records), records.len() * 2, limit)
}

/// A frame says its size at its end, modulo 2^32 and unchecked, so the codec's largest ratio
/// counts.
pub(super) fn decompressed_bound(records: &[u8]) -> usize {
    records.len().saturating_mul(LARGEST_RATIO)
}

/// Of deflate, which encodes up to 258 bytes in two bits.
const LARGEST_RATIO: usize = 1032;
const DEFAULT_LEVEL: u32 = 6;
