//! The codecs, each in a file of its own and behind a cargo feature. All of them count what they
//! put out while they stream and stop at the caller's limit: a few kilobytes can stand for
//! gigabytes.

#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "snappy")]
mod snappy;
#[cfg(feature = "zstd")]
mod zstd;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::BatchError;

/// How the records of a batch are compressed (`compression.type`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip; levels 1 to 9, default 6.
    Gzip,
    /// snappy in the framing of the xerial library, blocks of 32 KiB.
    Snappy,
    /// lz4 frames of independent 64 KiB blocks.
    Lz4,
    /// zstd; default level 3.
    Zstd,
}

/// Why records could not be compressed or decompressed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum CompressionError {
    /// The bytes are not what the codec writes.
    #[error("records do not decompress as {codec}: {reason}")]
    Corrupt {
        /// The codec.
        codec: Compression,
        /// What it said.
        reason: String,
    },
    /// More than `limit` bytes come out.
    #[error("records decompress to more than {limit} bytes")]
    TooLarge {
        /// The caller's limit in bytes.
        limit: usize,
    },
    /// The codec's cargo feature is off.
    #[error("codec {codec} is not compiled in: turn on the feature \"{codec}\" of klamm-record")]
    FeatureOff {
        /// The codec, named as its feature is.
        codec: Compression,
    },
    /// The codec failed to compress.
    #[error("records do not compress as {codec}: {reason}")]
    Failed {
        /// The codec.
        codec: Compression,
        /// What it said.
        reason: String,
    },
}

impl Compression {
    /// All of them, in the order of their numbers.
    pub const ALL: [Compression; 5] =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

    /// The codec's number in a batch's attributes.
    #[must_use]
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// Kafka's name for it, which is also the name of the cargo feature.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }

    /// Whether it is compiled in.
    #[must_use]
    pub const fn is_available(self) -> bool {
        match self {
            Compression::None => true,
            Compression::Gzip => cfg!(feature = "gzip"),
            Compression::Snappy => cfg!(feature = "snappy"),
            Compression::Lz4 => cfg!(feature = "lz4"),
            Compression::Zstd => cfg!(feature = "zstd"),
        }
    }

    pub(crate) fn from_attributes(attributes: i16) -> Result<Compression, BatchError> {
        let id = attributes.to_le_bytes()[0] & 0x07;
        Self::ALL.get(usize::from(id)).copied().ok_or(BatchError::Codec { got: id })
    }

    /// The compressed form of `records`; `None` when there is no codec, so that nothing is copied.
    #[cfg_attr(not(all(feature = "gzip", feature = "zstd")), allow(unused_variables))]
    pub(crate) fn compress(
        self,
        records: &[u8],
        level: Option<i32>,
    ) -> Result<Option<Vec<u8>>, CompressionError> {
        match self {
            Compression::None => Ok(None),
            #[cfg(feature = "gzip")]
            Compression::Gzip => gzip::compress(records, level).map(Some),
            #[cfg(feature = "snappy")]
            Compression::Snappy => snappy::compress(records).map(Some),
            #[cfg(feature = "lz4")]
            Compression::Lz4 => lz4::compress(records).map(Some),
            #[cfg(feature = "zstd")]
            Compression::Zstd => zstd::compress(records, level).map(Some),
            #[allow(unreachable_patterns)]
            codec => Err(CompressionError::feature_off(codec)),
        }
    }

    /// The decompressed form of `records`, at most `limit` bytes; `None` when there is no codec, so
    /// that nothing is copied.
    #[cfg_attr(
        not(any(feature = "gzip", feature = "snappy", feature = "lz4", feature = "zstd")),
        allow(unused_variables)
    )]
    pub(crate) fn decompress(
        self,
        records: &[u8],
        limit: usize,
    ) -> Result<Option<Vec<u8>>, CompressionError> {
        match self {
            Compression::None => Ok(None),
            #[cfg(feature = "gzip")]
            Compression::Gzip => gzip::decompress(records, limit).map(Some),
            #[cfg(feature = "snappy")]
            Compression::Snappy => snappy::decompress(records, limit).map(Some),
            #[cfg(feature = "lz4")]
            Compression::Lz4 => lz4::decompress(records, limit).map(Some),
            #[cfg(feature = "zstd")]
            Compression::Zstd => zstd::decompress(records, limit).map(Some),
            #[allow(unreachable_patterns)]
            codec => Err(CompressionError::feature_off(codec)),
        }
    }

    /// The most bytes that `records` can decompress to, from the headers of frames and blocks
    /// alone, or from the largest ratio of the codec where there are none (gzip).
    #[cfg_attr(
        not(any(feature = "gzip", feature = "snappy", feature = "lz4", feature = "zstd")),
        allow(unused_variables)
    )]
    pub(crate) fn decompressed_bound(self, records: &[u8]) -> Result<usize, CompressionError> {
        match self {
            Compression::None => Ok(records.len()),
            #[cfg(feature = "gzip")]
            Compression::Gzip => Ok(gzip::decompressed_bound(records)),
            #[cfg(feature = "snappy")]
            Compression::Snappy => snappy::decompressed_bound(records),
            #[cfg(feature = "lz4")]
            Compression::Lz4 => Ok(lz4::decompressed_bound(records)),
            #[cfg(feature = "zstd")]
            Compression::Zstd => zstd::decompressed_bound(records),
            #[allow(unreachable_patterns)]
            codec => Err(CompressionError::feature_off(codec)),
        }
    }

    #[cfg(any(feature = "gzip", feature = "snappy", feature = "lz4", feature = "zstd"))]
    fn corrupt(self, reason: impl fmt::Display) -> CompressionError {
        CompressionError::Corrupt { codec: self, reason: reason.to_string() }
    }

    #[cfg(any(feature = "gzip", feature = "snappy", feature = "lz4", feature = "zstd"))]
    fn failed(self, reason: impl fmt::Display) -> CompressionError {
        CompressionError::Failed { codec: self, reason: reason.to_string() }
    }
}

/// Reads all of `source` but stops with an error when it gives more than `limit` bytes.
#[cfg(any(feature = "gzip", feature = "lz4"))]
fn read_capped(
    codec: Compression,
    source: impl std::io::Read,
    hint: usize,
    limit: usize,
) -> Result<Vec<u8>, CompressionError> {
    use std::io::Read;
    let mut out = Vec::with_capacity(hint.min(limit));
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    source.take(most).read_to_end(&mut out).map_err(|e| codec.corrupt(e))?;
    if out.len() > limit { Err(CompressionError::TooLarge { limit }) } else { Ok(out) }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Compression {
    type Err = UnknownCompression;

    fn from_str(name: &str) -> Result<Compression, UnknownCompression> {
        let found = Self::ALL.into_iter().find(|codec| codec.name() == name);
        found.ok_or_else(|| UnknownCompression { got: name.to_owned() })
    }
}

/// A name that is none of Kafka's codecs.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("expected none, gzip, snappy, lz4 or zstd, got {got:?}")]
pub struct UnknownCompression {
    got: String,
}

#[cfg(test)]
mod tests;
