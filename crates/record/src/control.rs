//! Control records: what brokers write into a log for each other. The key is a version and a type;
//! the value of a transaction marker is a version and the epoch of the coordinator that wrote it
//! (KIP-98).

use thiserror::Error;

use crate::Record;

/// A control record, told by its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ControlRecord {
    /// A transaction of the batch's producer ended here.
    EndTransaction(EndTransaction),
    /// A type that concerns the metadata quorum (2 to 6) or is not known; the number is kept.
    Other(i16),
}

/// The end of a transaction in one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndTransaction {
    /// How it ended.
    pub outcome: Outcome,
    /// Epoch of the transaction coordinator that decided.
    pub coordinator_epoch: i32,
}

/// How a transaction ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Its records are not to be read (type 0).
    Abort,
    /// Its records are part of the log (type 1).
    Commit,
}

/// A control record's key or value is too short.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("control record {part} has {got} bytes, expected at least {expected}")]
pub struct ControlError {
    /// `"key"` or `"value"`.
    pub part: &'static str,
    /// Bytes that are there.
    pub got: usize,
    /// Bytes that are needed.
    pub expected: usize,
}

impl ControlRecord {
    /// Reads a record of a batch whose `is_control()` is true.
    ///
    /// # Errors
    /// [`ControlError`] when key or value are too short.
    pub fn parse(record: &Record<'_>) -> Result<ControlRecord, ControlError> {
        let key: [u8; 4] = head(record.key, "key")?;
        let outcome = match i16::from_be_bytes([key[2], key[3]]) {
            0 => Outcome::Abort,
            1 => Outcome::Commit,
            other => return Ok(ControlRecord::Other(other)),
        };
        let value: [u8; 6] = head(record.value, "value")?;
        let coordinator_epoch = i32::from_be_bytes([value[2], value[3], value[4], value[5]]);
        Ok(ControlRecord::EndTransaction(EndTransaction { outcome, coordinator_epoch }))
    }
}

impl EndTransaction {
    /// The marker's key.
    #[must_use]
    pub fn key(&self) -> [u8; 4] {
        match self.outcome {
            Outcome::Abort => [0, 0, 0, 0],
            Outcome::Commit => [0, 0, 0, 1],
        }
    }

    /// The marker's value, version 0.
    #[must_use]
    pub fn value(&self) -> [u8; 6] {
        let [a, b, c, d] = self.coordinator_epoch.to_be_bytes();
        [0, 0, a, b, c, d]
    }
}

fn head<const N: usize>(bytes: Option<&[u8]>, part: &'static str) -> Result<[u8; N], ControlError> {
    let bytes = bytes.unwrap_or_default();
    bytes.first_chunk().copied().ok_or(ControlError { part, got: bytes.len(), expected: N })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchBuilder, BatchOptions, NewRecord, RecordBatch};

    #[test]
    fn a_marker_reads_back() {
        for outcome in [Outcome::Abort, Outcome::Commit] {
            let marker = EndTransaction { outcome, coordinator_epoch: 7 };
            let options = BatchOptions { control: true, transactional: true, ..BatchOptions::default() };
            let mut builder = BatchBuilder::new(Vec::new(), options);
            builder.append(&NewRecord::new(&marker.value()).key(&marker.key())).unwrap();
            let batch = RecordBatch::parse(builder.finish().unwrap().buffer.into()).unwrap();
            let records = batch.records(1024).unwrap();
            let record = records.iter().next().unwrap().unwrap();
            assert!(batch.is_control() && batch.is_transactional());
            assert_eq!(ControlRecord::parse(&record), Ok(ControlRecord::EndTransaction(marker)));
        }
    }

    #[test]
    fn short_keys_and_values_are_errors() {
        let record = |key, value| Record { key, value, ..EMPTY };
        const EMPTY: Record<'_> = Record {
            offset: klamm_types::Offset::ZERO,
            timestamp: None,
            key: None,
            value: None,
            headers: NO_HEADERS,
        };
        const NO_HEADERS: crate::Headers<'_> = crate::Headers::NONE;
        assert!(ControlRecord::parse(&record(None, None)).is_err());
        assert!(ControlRecord::parse(&record(Some(&[0, 0, 0, 1]), Some(&[0; 5]))).is_err());
        assert_eq!(ControlRecord::parse(&record(Some(&[0, 0, 0, 9]), None)), Ok(ControlRecord::Other(9)));
    }
}
