//! Snappy as Kafka frames it: the magic of the xerial library, two 32-bit version numbers (1 and
//! 1), then blocks, each a 32-bit length and a raw snappy block. Some clients send one bare raw
//! block instead; both are read.

use snap::raw::{Decoder, Encoder, decompress_len};

use super::{Compression, CompressionError};

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
const BLOCK: usize = 32 * 1024;

pub(super) fn compress(records: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::with_capacity(records.len() / 2 + MAGIC.len() + VERSIONS.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSIONS);
    let mut encoder = Encoder::new();
    for block in records.chunks(BLOCK) {
        let compressed = encoder.compress_vec(block).map_err(|e| Compression::Snappy.failed(e))?;
        let length = u32::try_from(compressed.len()).map_err(|e| Compression::Snappy.failed(e))?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&compressed);
    }
    Ok(out)
}

pub(super) fn decompress(records: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::new();
    let Some(framed) = records.strip_prefix(&MAGIC) else {
        decompress_block(records, limit, &mut out)?;
        return Ok(out);
    };
    let mut rest =
        framed.get(VERSIONS.len()..).ok_or_else(|| Compression::Snappy.corrupt("header is cut short"))?;
    while !rest.is_empty() {
        let (block, behind) =
            split_block(rest).ok_or_else(|| Compression::Snappy.corrupt("block is cut short"))?;
        decompress_block(block, limit, &mut out)?;
        rest = behind;
    }
    Ok(out)
}

/// Each block says its size.
pub(super) fn decompressed_bound(records: &[u8]) -> Result<usize, CompressionError> {
    let Some(framed) = records.strip_prefix(&MAGIC) else { return size_of(records) };
    let mut rest = framed.get(VERSIONS.len()..).unwrap_or_default();
    let mut bound = 0usize;
    while let Some((block, behind)) = split_block(rest) {
        bound = bound.saturating_add(size_of(block)?);
        rest = behind;
    }
    Ok(bound)
}

fn size_of(block: &[u8]) -> Result<usize, CompressionError> {
    decompress_len(block).map_err(|e| Compression::Snappy.corrupt(e))
}

fn split_block(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = rest.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// A raw block says its own decompressed size; snappy cannot shrink by more than a factor of 64, so
/// a larger claim is a lie.
fn decompress_block(block: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CompressionError> {
    let size = size_of(block)?;
    let end = out
        .len()
        .checked_add(size)
        .filter(|end| *end <= limit)
        .ok_or(CompressionError::TooLarge { limit })?;
    if size / 64 > block.len() {
        return Err(Compression::Snappy.corrupt("block claims more than it can hold"));
    }
    let start = out.len();
    out.resize(end, 0);
    let written =
        Decoder::new().decompress(block, &mut out[start..]).map_err(|e| Compression::Snappy.corrupt(e))?;
    out.truncate(start + written);
    Ok(())
}
