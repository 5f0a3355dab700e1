//! Writes what stays of a batch. What stays whole keeps its bytes; otherwise the records that stay are written anew with the
//! offsets they have, and the batch keeps the offsets it spans, its producer and its sequence number.

use klamm_record::{
    BatchBuilder, BatchError, BatchHeader, BatchOptions, BuildError, Header, NewRecord, Record, RecordIter,
};

use super::offset_map::OffsetMap;
use super::retain::{Fate, Records, Rules};

/// What was written of a batch, and how many of its records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Written {
    /// None when nothing was.
    pub(super) header: Option<BatchHeader>,
    pub(super) records: u32,
}

/// The rules, and the map that they look records up in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter<'a> {
    pub(super) rules: &'a Rules,
    pub(super) map: &'a OffsetMap,
    /// Bytes that a batch may have once decompressed.
    pub(super) limit: usize,
}

/// What was found of a batch's records.
#[derive(Clone, Copy, Default)]
struct Found {
    kept: u32,
    has_tombstones: bool,
}

impl Filter<'_> {
    /// Writes what stays of `batch`, whose CRC is right, behind what is in `out`.
    pub(super) fn write(
        &self,
        header: &BatchHeader,
        batch: &[u8],
        fate: Fate,
        out: &mut Vec<u8>,
    ) -> Result<Written, BatchError> {
        let start = out.len();
        let written = self.write_records(header, batch, fate, out);
        if written.is_err() {
            out.truncate(start);
        }
        match written? {
            Written { header: None, .. } if fate.keeps_header => {
                Ok(Written { header: Some(header.write_empty(out)), records: 0 })
            }
            written => Ok(written),
        }
    }

    fn write_records(
        &self,
        header: &BatchHeader,
        batch: &[u8],
        fate: Fate,
        out: &mut Vec<u8>,
    ) -> Result<Written, BatchError> {
        if fate.records == Records::None {
            return Ok(Written { header: None, records: 0 });
        }
        let body = &batch[BatchHeader::SIZE..header.size()];
        let decompressed = header.decompress(body, self.limit)?;
        let body = decompressed.as_deref().unwrap_or(body);
        let found = self.look(header, body, fate)?;
        if found.kept == 0 {
            return Ok(Written { header: None, records: 0 });
        }
        let expires = found.has_tombstones || fate.is_spent_marker;
        let horizon = header.delete_horizon().or(expires.then(|| self.rules.horizon()));
        if found.kept == header.record_count() && horizon == header.delete_horizon() {
            out.extend_from_slice(&batch[..header.size()]);
            return Ok(Written { header: Some(*header), records: found.kept });
        }
        let options = BatchOptions { delete_horizon: horizon, ..BatchOptions::of(header) };
        let start = out.len();
        match self.build(header, body, fate, options, out)? {
            Ok(built) => Ok(Written { header: Some(built), records: found.kept }),
            // Its times lie further apart than can be written anew: it stays as it is.
            Err(_) => {
                out.truncate(start);
                out.extend_from_slice(&batch[..header.size()]);
                Ok(Written { header: Some(*header), records: header.record_count() })
            }
        }
    }

    fn keeps(&self, header: &BatchHeader, record: &Record<'_>, fate: Fate) -> bool {
        fate.records == Records::All || self.rules.keeps(header, record, self.map)
    }

    fn look(&self, header: &BatchHeader, body: &[u8], fate: Fate) -> Result<Found, BatchError> {
        let mut found = Found::default();
        for record in RecordIter::new(header, body) {
            let record = record?;
            if self.keeps(header, &record, fate) {
                found.kept += 1;
                found.has_tombstones |= record.value.is_none();
            }
        }
        Ok(found)
    }

    fn build(
        &self,
        header: &BatchHeader,
        body: &[u8],
        fate: Fate,
        options: BatchOptions,
        out: &mut Vec<u8>,
    ) -> Result<Result<BatchHeader, BuildError>, BatchError> {
        let mut builder = BatchBuilder::new(out, options);
        let mut headers: Vec<Header<'_>> = Vec::new();
        for record in RecordIter::new(header, body) {
            let record = record?;
            if self.keeps(header, &record, fate) {
                headers.clear();
                headers.extend(record.headers.iter());
                let Record { timestamp, key, value, .. } = record;
                let kept = NewRecord { timestamp, key, value, headers: &headers };
                if let Err(error) = builder.append_at(record.offset, &kept) {
                    return Ok(Err(error));
                }
            }
        }
        Ok(builder.finish().map(|finished| finished.header))
    }
}
