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
    read_capped(Compression::Lz4, FrameDecoder::new(records), records.len() * 2, limit)
}

/// The decoder takes the end of the bytes for the end of the frame; a whole frame ends with a block of length zero, and
/// with a checksum behind it when the flags (byte 4) have bit 2.
fn has_end_mark(records: &[u8]) -> bool {
    let checksum = records.get(4).map_or(0, |flags| usize::from(flags & 0x04));
    let end = records.len().saturating_sub(checksum);
    records[..end].ends_with(&[0; 4])
}
