//! The one batch of a partition in a Produce request, before any of its fields is believed.
//!
//! Kafka looks at the fields in a fixed order, and each has an error code of its own, which decides
//! whether a producer sends its records again or drops them. Length and magic number come first,
//! because they say where the checksum lies; the checksum does not cover them, nor the base offset,
//! which is 0 from a producer.

use thiserror::Error;

/// What is wrong with the frame of a batch.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum FrameFault {
    #[error("there is no whole batch, but {got} bytes")]
    NoBatch { got: usize },
    #[error("length is {got}, expected at least {LEAST_LENGTH}")]
    Length { got: i32 },
    #[error("magic number is {got}, expected 2")]
    UnknownMagic { got: i8 },
    #[error("magic number is {got}, expected 2: batches of older formats are not taken")]
    OldMagic { got: i8 },
    #[error("a partition's records are more than one batch")]
    Several,
    #[error("base offset is {got}, expected 0 from a producer")]
    BaseOffset { got: i64 },
}

/// The only batch in `records`. Up to eleven bytes behind it are passed over, as in Kafka.
pub(crate) fn only_batch(records: &[u8]) -> Result<&[u8], FrameFault> {
    let size = batch_size(records)?.ok_or(FrameFault::NoBatch { got: records.len() })?;
    let (batch, behind) = records.split_at(size);
    match batch_size(behind)? {
        _ if batch[MAGIC].cast_signed() != CURRENT_MAGIC => {
            Err(FrameFault::OldMagic { got: batch[MAGIC].cast_signed() })
        }
        Some(_) => Err(FrameFault::Several),
        None => Ok(batch),
    }
}

/// The size of the batch at the front; `None` where there is no whole one.
fn batch_size(bytes: &[u8]) -> Result<Option<usize>, FrameFault> {
    let Some(length) = bytes.get(8..12).and_then(|length| length.first_chunk()) else { return Ok(None) };
    let got = i32::from_be_bytes(*length);
    if got < LEAST_LENGTH {
        return Err(FrameFault::Length { got });
    }
    let Some(magic) = bytes.get(MAGIC).map(|magic| magic.cast_signed()) else { return Ok(None) };
    if !(0..=CURRENT_MAGIC).contains(&magic) {
        return Err(FrameFault::UnknownMagic { got: magic });
    }
    let size = usize::try_from(got).unwrap_or(usize::MAX).saturating_add(LENGTH_END);
    Ok(Some(size).filter(|size| *size <= bytes.len()))
}

/// Checks the base offset, which the checksum does not cover.
pub(crate) fn check_base_offset(batch: &[u8]) -> Result<(), FrameFault> {
    let got = batch.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes));
    if got == 0 { Ok(()) } else { Err(FrameFault::BaseOffset { got }) }
}

/// Whether the attributes name a transaction; the checksum is not checked.
pub(crate) fn is_transactional(records: &[u8]) -> bool {
    let is_current = records.get(MAGIC) == Some(&CURRENT_MAGIC.cast_unsigned());
    is_current && records.get(ATTRIBUTES_LOW).is_some_and(|attributes| attributes & 0x10 != 0)
}

const MAGIC: usize = 16;
const ATTRIBUTES_LOW: usize = 22;
const LENGTH_END: usize = 12;
/// The least that Kafka takes for a length: what follows it in the oldest format.
const LEAST_LENGTH: i32 = 14;
const CURRENT_MAGIC: i8 = 2;

#[cfg(test)]
mod tests {
    use klamm_record::{BatchBuilder, BatchOptions, NewRecord};

    use super::*;

    fn batch() -> Vec<u8> {
        let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
        builder.append(&NewRecord::new("value")).unwrap();
        builder.finish().unwrap().buffer
    }

    #[test]
    fn a_frame_is_checked_in_kafkas_order() {
        let with = |at: usize, bytes: &[u8]| {
            let mut changed = batch();
            changed[at..at + bytes.len()].copy_from_slice(bytes);
            changed
        };
        let whole = batch().len();
        for (records, want) in [
            (batch(), Ok(whole)),
            ([&batch()[..], &[0; 11]].concat(), Ok(whole)),
            ([batch(), batch()].concat(), Err(FrameFault::Several)),
            (batch()[..11].to_vec(), Err(FrameFault::NoBatch { got: 11 })),
            (batch()[..whole - 1].to_vec(), Err(FrameFault::NoBatch { got: whole - 1 })),
            (with(8, &(-1i32).to_be_bytes()), Err(FrameFault::Length { got: -1 })),
            (with(8, &13i32.to_be_bytes()), Err(FrameFault::Length { got: 13 })),
            (with(8, &i32::MAX.to_be_bytes()), Err(FrameFault::NoBatch { got: whole })),
            (with(16, &[3]), Err(FrameFault::UnknownMagic { got: 3 })),
            (with(16, &[0xff]), Err(FrameFault::UnknownMagic { got: -1 })),
            (with(16, &[1]), Err(FrameFault::OldMagic { got: 1 })),
        ] {
            assert_eq!(only_batch(&records).map(<[u8]>::len), want);
        }
        assert_eq!(check_base_offset(&with(7, &[1])), Err(FrameFault::BaseOffset { got: 1 }));
        assert!(is_transactional(&with(22, &[0x10])) && !is_transactional(&batch()));
    }
}
