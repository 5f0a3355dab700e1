//! zstd keeps one context a thread: a new one for each batch halves the speed.

use std::cell::RefCell;

use zstd::bulk::Compressor;
use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::{Compression, CompressionError};

thread_local! {
    static COMPRESSOR: RefCell<Option<(i32, Compressor<'static>)>> = const { RefCell::new(None) };
    static DECODER: RefCell<Option<Decoder<'static>>> = const { RefCell::new(None) };
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
    DECODER.with_borrow_mut(|slot| {
        let mut decoder = match slot.take() {
            Some(decoder) => decoder,
            None => Decoder::new().map_err(|e| Compression::Zstd.corrupt(e))?,
        };
        decoder.reinit().map_err(|e| Compression::Zstd.corrupt(e))?;
        let out = stream(&mut decoder, records, limit)?;
        *slot = Some(decoder);
        Ok(out)
    })
}

fn stream(decoder: &mut Decoder<'_>, records: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    let mut input = InBuffer::around(records);
    let mut out = Vec::with_capacity(records.len().saturating_mul(2).min(limit));
    loop {
        make_room(&mut out, limit);
        let (before, had_input) = (out.len(), input.pos());
        let hint = step(decoder, &mut input, &mut out)?;
        if out.len() > limit {
            return Err(CompressionError::TooLarge { limit });
        }
        let stuck = out.len() == before && input.pos() == had_input;
        if input.pos() == records.len() && (hint == 0 || stuck) {
            return if hint == 0 { Ok(out) } else { Err(Compression::Zstd.corrupt("frame is cut short")) };
        }
        if stuck {
            return Err(Compression::Zstd.corrupt("frame makes no progress"));
        }
    }
}

fn step(
    decoder: &mut Decoder<'_>,
    input: &mut InBuffer<'_>,
    out: &mut Vec<u8>,
) -> Result<usize, CompressionError> {
    let end = out.len();
    let mut output = OutBuffer::around_pos(out, end);
    decoder.run(input, &mut output).map_err(|e| Compression::Zstd.corrupt(e))
}

/// Doubles the room, up to one byte more than the limit, so that going over it shows.
fn make_room(out: &mut Vec<u8>, limit: usize) {
    if out.len() == out.capacity() {
        let more = out.capacity().max(16 * 1024).min(limit.saturating_add(1).saturating_sub(out.len()));
        out.reserve_exact(more);
    }
}
