//! CRC-32C, which every batch has.

use crc_fast::{CrcAlgorithm, Digest};

/// The CRC of `bytes`.
#[inline]
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// The CRC of the bytes so far, whose CRC is `crc`, and `bytes`.
pub(crate) fn extend(crc: u32, bytes: &[u8]) -> u32 {
    let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, u64::from(!crc));
    digest.update(bytes);
    u32::try_from(digest.finalize()).unwrap_or(u32::MAX)
}
