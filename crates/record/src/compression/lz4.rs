//! The codec lz4.

use std::io::Write;

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};

use super::{Compression, CompressionError, read_capped};

/// Java's reader requires independent blocks, and Kafka writes them of 64 KiB.
pub(super) fn compress(records: &[u8]) -> Result<Vec<u8>, CompressionError> {
    let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(records).map_err(|e| Compression::Lz4.failed(e))?;
    encoder.finish().map_err(|e| Compression::Lz4.failed(e))
}

pub(super) fn decompress(records: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    if !has_end_mark(records) {
        return Err(Compression::Lz4.corrupt("frame is cut short"));
    }
    if records.get(4).is_some_and(|flags| flags & INDEPENDENT == 0) {
        return Err(
            Compression::Lz4.corrupt("blocks depend on each other, which Java's consumers cannot read")
        );
    }
    read_capped(Compression::Lz4, FrameDecoder::new(records), records.len() * 2, limit)
}

/// The decoder takes the end of the bytes for the end of the frame; a whole frame ends with a block
/// of length zero, and with a checksum behind it when the flags (byte 4) have bit 2.
fn has_end_mark(records: &[u8]) -> bool {
    let checksum = records.get(4).map_or(0, |flags| usize::from(flags & 0x04));
    let end = records.len().saturating_sub(checksum);
    records[..end].ends_with(&[0; 4])
}

/// From the headers of the blocks; from the codec's largest ratio where they cannot be read.
pub(super) fn decompressed_bound(records: &[u8]) -> usize {
    let by_ratio = records.len().saturating_mul(LARGEST_RATIO);
    bound_of_blocks(records).unwrap_or(by_ratio).min(by_ratio)
}

/// `None` of anything but one frame.
fn bound_of_blocks(records: &[u8]) -> Option<usize> {
    let [_, _, _, _, flags, sizes, ..] = *records else { return None };
    let has = |bit: u8, bytes: usize| if flags & bit == 0 { 0 } else { bytes };
    let largest = 1usize << (8 + 2 * (sizes >> 4 & 7));
    // Magic, flags, block size, size of the content, id of a dictionary, checksum of this header.
    let mut rest = records.get(7 + has(0x08, 8) + has(0x01, 4)..)?;
    let mut bound = 0usize;
    loop {
        let (size, behind) = rest.split_first_chunk()?;
        let size = usize::try_from(u32::from_le_bytes(*size) & !STORED).ok()?;
        if size == 0 {
            return (behind.len() == has(0x04, 4)).then_some(bound);
        }
        rest = behind.get(size.checked_add(has(0x10, 4))?..)?;
        bound = bound.saturating_add(largest.min(size.saturating_mul(LARGEST_RATIO)));
    }
}

/// The flag of a frame whose blocks do not depend on each other.
const INDEPENDENT: u8 = 0x20;
/// The bit of a block's size that says that the block is not compressed.
const STORED: u32 = 1 << 31;
/// A byte of a block extends a match by at most 255 bytes.
const LARGEST_RATIO: usize = 255;
