//! The codec zstd: windows, limits and hostile input.

use std::io::Write;

use proptest::prelude::*;
use zstd::stream::raw::CParameter;

use super::*;

/// A frame whose window has `log` bits, of so many zero bytes, without its size.
fn frame(log: u32, bytes: usize) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.set_parameter(CParameter::WindowLog(log)).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.write_all(&vec![0; bytes]).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_declared_window_takes_no_memory_and_keeps_none() {
    // Warm the context.
    decompress(&frame(10, 1), 10).unwrap();
    let before = context_bytes();
    for log in [10, 20, 23, 27] {
        assert_eq!(decompress(&frame(log, 300_000), 1 << 20).unwrap(), vec![0; 300_000], "window 2^{log}");
        assert_eq!(context_bytes(), before, "window 2^{log}");
    }
}

fn context_bytes() -> usize {
    DECOMPRESSOR.with_borrow(|slot| slot.as_ref().map_or(0, DCtx::sizeof))
}

#[test]
fn a_window_that_no_consumer_could_read_is_refused() {
    let mut frame = frame(27, 1);
    // The window descriptor: exponent 17 stands for 2^27, an eighth more is too much.
    frame[5] = 17 << 3;
    assert!(decompressed_bound(&frame).is_ok());
    frame[5] += 1;
    let error = decompress(&frame, 1 << 20).unwrap_err().to_string();
    assert!(error.contains("window has 150994944 bytes, expected at most 134217728"), "{error}");
}

#[test]
fn the_bound_is_known_without_decompressing() {
    for bytes in [0, 1, 100, 255, 256, 300, 128 << 10, (128 << 10) + 1, 5 << 20] {
        let sized = compress(&vec![7; bytes], None).unwrap();
        assert_eq!(decompressed_bound(&sized).unwrap(), bytes, "of a frame that has its size");
        let unsized_ = frame(20, bytes);
        let bound = decompressed_bound(&unsized_).unwrap();
        assert!((bytes..=bytes + (256 << 10)).contains(&bound), "{bytes}: {bound}");
        let two = [&sized[..], &unsized_].concat();
        assert_eq!(decompressed_bound(&two).unwrap(), bytes + bound);
        assert_eq!(decompress(&two, 2 * bytes).unwrap().len(), 2 * bytes);
    }
}

#[test]
fn skippable_frames_are_skipped() {
    let skippable = [&0x184d_2a53u32.to_le_bytes()[..], &3u32.to_le_bytes(), b"abc"].concat();
    let frames = [&skippable[..], &compress(b"records", None).unwrap(), &skippable].concat();
    assert_eq!(decompress(&frames, 100).unwrap(), b"records");
    assert!(decompress(&frames[..frames.len() - 1], 100).is_err(), "cut");
    assert!(decompress(&[], 100).is_err(), "no frame");
}

#[test]
fn a_false_size_is_damage_and_not_too_large() {
    let mut frame = compress(&[1; 200], None).unwrap();
    assert_eq!(frame[5], 200, "the content's size");
    frame[5] = 100;
    assert!(matches!(decompress(&frame, 1000), Err(CompressionError::Corrupt { .. })));
}

proptest! {
    #[test]
    fn the_bound_holds(data in prop::collection::vec(any::<u8>(), 0..3000), times in 1usize..100) {
        let records = data.repeat(times);
        let frame = compress(&records, None).unwrap();
        prop_assert!(decompressed_bound(&frame).unwrap() >= records.len());
        prop_assert_eq!(decompress(&frame, records.len()).unwrap(), records);
    }

    #[test]
    fn any_bytes_have_a_bound_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let framed = [&MAGIC_BYTES[..], &bytes].concat();
        let _ = (decompressed_bound(&bytes), decompressed_bound(&framed), decompress(&framed, 1000));
    }
}

const MAGIC_BYTES: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
