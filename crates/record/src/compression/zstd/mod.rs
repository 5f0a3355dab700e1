//! zstd. Each thread keeps one compression context and one decompression context: creating one for
//! each batch halves the speed. Frames are decompressed directly into the output buffer, so a
//! context never allocates the window that a frame declares: its size is constant, and the output
//! is all the memory that depends on the input.

mod frame;

use std::cell::RefCell;

use zstd::bulk::Compressor;
use zstd::zstd_safe::{DCtx, get_error_name};

use super::{Compression, CompressionError};

pub(super) use frame::decompressed_bound;

thread_local! {
    static COMPRESSOR: RefCell<Option<(i32, Compressor<'static>)>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

pub(super) fn compress(records: &[u8], level: Option<i32>) -> Result<Vec<u8>, CompressionError> {
    let level = level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL);
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|(had, _)| *had != level) {
            *slot = Some((level, Compressor::new(level).map_err(|e| Compression::Zstd.failed(e))?));
        }
        let (_, compressor) = slot.as_mut().expect("filled above");
        compressor.compress(records).map_err(|e| Compression::Zstd.failed(e))
    })
}

pub(super) fn decompress(records: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    let bound = decompressed_bound(records)?;
    let mut out = Vec::with_capacity(bound.min(limit));
    let done = DECOMPRESSOR.with_borrow_mut(|slot| {
        let context = match slot {
            Some(context) => context,
            None => slot.insert(DCtx::try_create().ok_or_else(|| Compression::Zstd.failed("no memory"))?),
        };
        context.decompress(&mut out, records).map_err(|code| failed(get_error_name(code), bound, limit))
    });
    done?;
    // A block may hold up to 128 KiB, most often it holds less.
    if out.len() < out.capacity() / 2 {
        out.shrink_to_fit();
    }
    Ok(out)
}

fn failed(reason: &str, bound: usize, limit: usize) -> CompressionError {
    if reason == OUTPUT_FULL && bound > limit {
        CompressionError::TooLarge { limit }
    } else {
        Compression::Zstd.corrupt(reason)
    }
}

/// The name of zstd's error `dstSize_tooSmall`.
const OUTPUT_FULL: &str = "Destination buffer is too small";

#[cfg(test)]
mod tests;
