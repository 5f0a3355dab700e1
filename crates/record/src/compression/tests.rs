//! Codecs: round trips, limits and hostile input.

use super::*;
use proptest::prelude::*;

/// The interpreter is a thousand times slower.
const MOST: usize = if cfg!(miri) { 1000 } else { 300_000 };

fn text(size: usize) -> Vec<u8> {
    b"the quick brown fox jumps over the lazy dog ".iter().copied().cycle().take(size).collect()
}

fn available() -> impl Iterator<Item = Compression> {
    Compression::ALL.into_iter().filter(|c| *c != Compression::None && c.is_available())
}

#[test]
fn every_codec_gives_back_what_it_got() {
    for codec in available() {
        for size in [0, 1, 100, 32 * 1024, 32 * 1024 + 1, 300_000].into_iter().filter(|size| *size <= MOST) {
            let compressed = codec.compress(&text(size), None).unwrap().unwrap();
            assert_eq!(codec.decompress(&compressed, size).unwrap().unwrap(), text(size), "{codec} {size}");
        }
    }
}

#[test]
fn more_than_the_limit_is_an_error_that_costs_no_more_than_the_limit() {
    for codec in available() {
        let bomb = codec.compress(&vec![0; 28 * MOST], None).unwrap().unwrap();
        for limit in [0, 1, 1000, 3 * MOST] {
            let got = codec.decompress(&bomb, limit);
            assert_eq!(got, Err(CompressionError::TooLarge { limit }), "{codec} {limit}");
        }
    }
}

#[test]
fn the_decompressed_bound_holds_and_is_near_where_blocks_say_their_size() {
    for codec in available() {
        for size in [0, 1, 5000.min(MOST), 70_000.min(MOST), MOST] {
            let compressed = codec.compress(&text(size), None).unwrap().unwrap();
            let bound = codec.decompressed_bound(&compressed).unwrap();
            assert!(bound >= size, "{codec} {size}: {bound}");
            let is_near = bound <= size + 128 * 1024;
            assert!(is_near || codec == Compression::Gzip, "{codec} {size}: {bound}");
        }
    }
}

#[test]
fn cut_and_foreign_bytes_are_errors() {
    for codec in available() {
        let whole = codec.compress(&text(5000), None).unwrap().unwrap();
        for cut in [1, whole.len() / 2, whole.len() - 1] {
            assert!(codec.decompress(&whole[..cut], 1 << 20).is_err(), "{codec} cut at {cut}");
        }
        assert!(codec.decompress(&[0xff; 100], 1 << 20).is_err(), "{codec}");
        assert_eq!(codec.decompress(&whole, 5000).unwrap().unwrap(), text(5000), "{codec} after an error");
    }
}

#[cfg(feature = "snappy")]
#[test]
fn snappy_also_reads_one_bare_block_and_refuses_a_false_size() {
    let bare = snap::raw::Encoder::new().compress_vec(&text(1000)).unwrap();
    assert_eq!(Compression::Snappy.decompress(&bare, 1000).unwrap().unwrap(), text(1000));
    let claims_a_gigabyte = [0x80, 0x80, 0x80, 0x80, 0x04, 0x00];
    assert!(Compression::Snappy.decompress(&claims_a_gigabyte, usize::MAX).is_err());
}

#[test]
fn names_and_numbers_are_kafkas() {
    for (id, codec) in Compression::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(codec.id()), id);
        assert_eq!(codec.name().parse(), Ok(codec));
    }
    let message = "brotli".parse::<Compression>().unwrap_err().to_string();
    assert_eq!(message, "expected none, gzip, snappy, lz4 or zstd, got \"brotli\"");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for codec in available() {
            let bound = codec.decompressed_bound(&bytes);
            if let Ok(Some(records)) = codec.decompress(&bytes, 1 << 16) {
                prop_assert!(records.len() <= bound.unwrap());
            }
        }
    }
}
