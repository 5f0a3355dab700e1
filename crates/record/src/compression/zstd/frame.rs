//! The headers of zstd frames and blocks (RFC 8878, section 3.1): how many bytes a frame can
//! decompress to, without decompressing it.

use super::{Compression, CompressionError};

/// The largest window that is accepted, as by zstd's streaming decoder, which Kafka's consumers
/// use.
pub(super) const LARGEST_WINDOW: u64 = 1 << 27;
/// The most bytes of one block.
const LARGEST_BLOCK: u64 = 128 << 10;
const MAGIC: u32 = 0xfd2f_b528;
const SKIPPABLE: std::ops::RangeInclusive<u32> = 0x184d_2a50..=0x184d_2a5f;
const CHECKSUM: usize = 4;

/// The header of one frame.
struct FrameHeader {
    window: u64,
    content: Option<u64>,
    has_checksum: bool,
}

/// The most bytes that `frames` can decompress to.
pub(in crate::compression) fn decompressed_bound(frames: &[u8]) -> Result<usize, CompressionError> {
    let mut rest = frames;
    let mut bound = 0u64;
    loop {
        bound = bound.saturating_add(frame(&mut rest)?);
        if rest.is_empty() {
            return Ok(usize::try_from(bound).unwrap_or(usize::MAX));
        }
    }
}

fn frame(rest: &mut &[u8]) -> Result<u64, CompressionError> {
    let magic = number(rest, 4)?;
    if u32::try_from(magic).is_ok_and(|magic| SKIPPABLE.contains(&magic)) {
        let size = number(rest, 4)?;
        skip(rest, size)?;
        return Ok(0);
    }
    if magic != u64::from(MAGIC) {
        return Err(Compression::Zstd.corrupt(format!("frame magic is {magic:#x}, expected {MAGIC:#x}")));
    }
    let header = FrameHeader::read(rest)?;
    let blocks = blocks(rest, header.window.min(LARGEST_BLOCK))?;
    if header.has_checksum {
        skip(rest, CHECKSUM as u64)?;
    }
    Ok(header.content.map_or(blocks, |content| content.min(blocks)))
}

impl FrameHeader {
    fn read(rest: &mut &[u8]) -> Result<FrameHeader, CompressionError> {
        let descriptor = number(rest, 1)?;
        let is_single = descriptor & 0x20 != 0;
        let window = if is_single { None } else { Some(window_of(number(rest, 1)?)) };
        // The id of a dictionary.
        skip(rest, [0, 1, 2, 4][usize_of(descriptor & 3)])?;
        let size = match descriptor >> 6 {
            0 => usize::from(is_single),
            flag => 1 << flag,
        };
        // A field of two bytes counts from 256.
        let content = number(rest, size)?.saturating_add(if size == 2 { 256 } else { 0 });
        let content = (size > 0).then_some(content);
        let window = window.or(content).unwrap_or(0);
        if window > LARGEST_WINDOW {
            let words = format!("window has {window} bytes, expected at most {LARGEST_WINDOW}");
            return Err(Compression::Zstd.corrupt(words));
        }
        Ok(FrameHeader { window, content, has_checksum: descriptor & 4 != 0 })
    }
}

/// The window's bytes: an exponent of five bits, and eighths in three.
fn window_of(descriptor: u64) -> u64 {
    let base = 1 << (10 + (descriptor >> 3));
    base + base / 8 * (descriptor & 7)
}

/// Passes over the blocks of a frame; the most bytes they can decompress to.
fn blocks(rest: &mut &[u8], largest: u64) -> Result<u64, CompressionError> {
    let mut bound = 0u64;
    loop {
        let header = number(rest, 3)?;
        let size = header >> 3;
        let (stored, content) = match (header >> 1) & 3 {
            0 => (size, size),
            1 => (1, size),
            2 => (size, largest),
            _ => return Err(Compression::Zstd.corrupt("block has a reserved type")),
        };
        skip(rest, stored)?;
        bound = bound.saturating_add(content.min(largest));
        if header & 1 != 0 {
            return Ok(bound);
        }
    }
}

/// Reads a little-endian number of so many bytes, at most 8.
fn number(rest: &mut &[u8], bytes: usize) -> Result<u64, CompressionError> {
    let (front, behind) = rest.split_at_checked(bytes).ok_or_else(cut_short)?;
    *rest = behind;
    let mut number = [0; 8];
    number[..bytes].copy_from_slice(front);
    Ok(u64::from_le_bytes(number))
}

fn skip(rest: &mut &[u8], bytes: u64) -> Result<(), CompressionError> {
    let bytes = usize::try_from(bytes).ok();
    *rest = bytes.and_then(|bytes| rest.get(bytes..)).ok_or_else(cut_short)?;
    Ok(())
}

fn usize_of(small: u64) -> usize {
    usize::try_from(small).unwrap_or(usize::MAX)
}

fn cut_short() -> CompressionError {
    Compression::Zstd.corrupt("frame is cut short")
}
