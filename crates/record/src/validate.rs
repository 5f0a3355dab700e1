//! Checking batches.

use crate::{BatchError, BatchHeader, RecordIter};

/// How deep a batch is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Depth {
    /// The header's fields and the CRC: enough for bytes that were checked before.
    Header,
    /// Beside those, every record: lengths, headers, rising offsets, their number.
    Records {
        /// The most bytes that the records may have once decompressed.
        limit: usize,
    },
}

/// Checks the batch at the front of `bytes` and returns its header. Bytes behind the batch are not
/// looked at.
///
/// # Errors
/// [`BatchError`] names the first thing that is wrong.
pub fn validate(bytes: &[u8], depth: Depth) -> Result<BatchHeader, BatchError> {
    let header = BatchHeader::parse(bytes)?;
    header.check_crc(bytes)?;
    if let Depth::Records { limit } = depth {
        check_records(&header, &bytes[BatchHeader::SIZE..header.size()], limit)?;
    }
    Ok(header)
}

fn check_records(header: &BatchHeader, body: &[u8], limit: usize) -> Result<(), BatchError> {
    let decompressed = header.decompress(body, limit)?;
    let body = decompressed.as_deref().unwrap_or(body);
    RecordIter::new(header, body).try_for_each(|record| record.map(drop)).map_err(BatchError::from)
}

/// Checks what a leader asks of a batch that a producer sends: it has records, as many as the
/// offsets it spans (with rising offsets that means without gaps), and no control records.
///
/// # Errors
/// [`BatchError::Field`] names the field that is wrong.
pub fn check_produced(header: &BatchHeader) -> Result<(), BatchError> {
    let (count, spans) = (i64::from(header.record_count()), i64::from(header.last_offset_delta()) + 1);
    if count != spans {
        return Err(BatchError::Field {
            field: "record count",
            got: count,
            expected: "the offsets it spans",
        });
    }
    if header.is_control() {
        return Err(BatchError::Field { field: "control bit", got: 1, expected: "0 from a producer" });
    }
    Ok(())
}
