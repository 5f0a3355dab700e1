//! Walking batches that follow one another.

use bytes::Bytes;

use crate::{BatchError, BatchHeader, RecordBatch};

/// Walks batches that stand one after the other, as in a segment or in a Fetch response. After an
/// error it ends.
///
/// A Fetch response may end in the middle of a batch: that is [`BatchError::Truncated`], and
/// [`Batches::remaining`] is what is left of it.
#[derive(Clone, Debug)]
pub struct Batches {
    rest: Bytes,
    failed: bool,
}

impl Batches {
    /// Walks `bytes`.
    #[must_use]
    pub fn new(bytes: Bytes) -> Batches {
        Batches { rest: bytes, failed: false }
    }

    /// What has not been walked yet; after an error, from the broken batch on.
    #[must_use]
    pub fn remaining(&self) -> &Bytes {
        &self.rest
    }

    fn split(&mut self) -> Result<RecordBatch, BatchError> {
        let header = BatchHeader::parse(&self.rest)?;
        if header.size() > self.rest.len() {
            return Err(BatchError::Truncated { expected: header.size(), got: self.rest.len() });
        }
        let batch = RecordBatch::parse(self.rest.slice(..header.size()))?;
        self.rest = self.rest.slice(header.size()..);
        Ok(batch)
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.rest.is_empty() {
            return None;
        }
        let batch = self.split();
        self.failed = batch.is_err();
        Some(batch)
    }
}
