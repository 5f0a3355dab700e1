//! Writes what stays of a batch. What stays whole keeps its bytes; otherwise the records that stay
//! are written anew with the offsets they have, and the batch keeps the offsets it spans, its
//! producer and its sequence number.

use klamm_record::{
    BatchBuilder, BatchError, BatchHeader, BatchOptions, BuildError, Header, NewRecord, Record, RecordIter,
};

use super::offset_map::OffsetMap;
use super::retain::{Candidate, Fate, Records, Rules};

/// What was written of a batch, and how many of its records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Written {
    /// None when nothing was.
    pub(super) header: Option<BatchHeader>,
    pub(super) records: u32,
}

/// The rules, and the map that they look records up in.
#[derive(Debug)]
pub(super) struct Filter<'a> {
    pub(super) rules: &'a Rules,
    pub(super) map: &'a OffsetMap,
    /// Bytes that a batch may have once decompressed.
    pub(super) limit: usize,
    pub(super) scratch: &'a mut Scratch,
}

/// Memory that is kept from batch to batch.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    candidates: Vec<Candidate>,
    /// Which of them stay.
    kept: Vec<bool>,
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
        &mut self,
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
        &mut self,
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
        match self.build(header, body, options, out)? {
            Ok(built) => Ok(Written { header: Some(built), records: found.kept }),
            // Its times lie further apart than can be written anew: it stays as it is.
            Err(_) => {
                out.truncate(start);
                out.extend_from_slice(&batch[..header.size()]);
                Ok(Written { header: Some(*header), records: header.record_count() })
            }
        }
    }

    /// Finds out which records stay.
    fn look(&mut self, header: &BatchHeader, body: &[u8], fate: Fate) -> Result<Found, BatchError> {
        let Filter { rules, map, scratch, .. } = self;
        scratch.candidates.clear();
        for record in RecordIter::new(header, body) {
            let record = record?;
            let key = record.key.map(|key| map.hash(key));
            let candidate = Candidate { offset: record.offset, key, has_value: record.value.is_some() };
            scratch.candidates.push(candidate);
        }
        map.approach(scratch.candidates.iter().filter_map(|candidate| candidate.key));
        scratch.kept.clear();
        let mut found = Found::default();
        for candidate in &scratch.candidates {
            let is_kept = fate.records == Records::All || rules.keeps(header, candidate, map);
            scratch.kept.push(is_kept);
            found.kept += u32::from(is_kept);
            found.has_tombstones |= is_kept && !candidate.has_value;
        }
        Ok(found)
    }

    fn build(
        &self,
        header: &BatchHeader,
        body: &[u8],
        options: BatchOptions,
        out: &mut Vec<u8>,
    ) -> Result<Result<BatchHeader, BuildError>, BatchError> {
        let mut builder = BatchBuilder::new(out, options);
        let mut headers: Vec<Header<'_>> = Vec::new();
        for (record, is_kept) in RecordIter::new(header, body).zip(&self.scratch.kept) {
            let record = record?;
            if *is_kept {
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
