//! Producer state from the batches themselves: from the newest snapshot that is whole, on to an
//! offset.

use std::sync::Arc;

use klamm_record::{BatchHeader, ControlRecord, EndTransaction, RecordIter};
use klamm_types::Offset;

use super::snapshots::{Newest, Snapshots};
use super::states::ProducerStates;
use crate::ReadError;
use crate::scan::{Check, Scan, Scanned};
use crate::segment::Segment;

/// The state at `until`, which lies in one of `segments` or at its end.
pub(crate) fn restore(
    snapshots: &mut Snapshots,
    segments: &[Arc<Segment>],
    until: Offset,
) -> Result<ProducerStates, ReadError> {
    let within = segments.iter().rev().map(|segment| segment.base()).find(|base| *base <= until);
    let first = segments.first().map(|segment| segment.base());
    let mut states = match snapshots.newest(until)? {
        Newest::Found(states) => states,
        Newest::NeverTaken => ProducerStates::at(within.unwrap_or(until)),
        Newest::Broken => ProducerStates::at(first.unwrap_or(until)),
    };
    catch_up(segments, &mut states, until)?;
    Ok(states)
}

/// Reads the headers from where `states` stands up to `until`.
pub(crate) fn catch_up(
    segments: &[Arc<Segment>],
    states: &mut ProducerStates,
    until: Offset,
) -> Result<(), ReadError> {
    if states.end() >= until {
        return Ok(());
    }
    let first = segments.partition_point(|segment| segment.base() <= states.end()).saturating_sub(1);
    for segment in segments[first..].iter().filter(|segment| segment.base() < until) {
        // Not by the index: during a recovery it may not be right yet.
        let mut scan = Scan::new(segment.file()?, 0, segment.size()?, Check::Header, WINDOW);
        let mut seen = segment.base();
        // What lies at `until` may not be valid: a recovery has yet to look at it.
        while seen < until {
            let at = scan.position();
            let next = scan.next().map_err(|error| segment.scan_error(error, at, seen))?;
            let Some(batch) = next.filter(|batch| batch.header.base_offset() < until) else { break };
            if batch.header.base_offset() >= states.end() {
                states.apply(&batch.header, marker_on_disk(segment, &batch)?);
            }
            seen = batch.header.next_offset();
        }
    }
    states.advance_to(until);
    Ok(())
}

/// The marker that a batch of a segment is, if it is one.
pub(crate) fn marker_on_disk(
    segment: &Arc<Segment>,
    batch: &Scanned,
) -> Result<Option<EndTransaction>, ReadError> {
    if !batch.header.is_control() {
        return Ok(None);
    }
    let bytes = crate::timestamps::read_batch(segment, batch)?;
    Ok(marker(&batch.header, &bytes))
}

/// The marker that a batch is, if it is one.
pub(crate) fn marker(header: &BatchHeader, batch: &[u8]) -> Option<EndTransaction> {
    if !header.is_control() {
        return None;
    }
    let body = batch.get(BatchHeader::SIZE..header.size())?;
    let decompressed = header.decompress(body, LARGEST_MARKER).ok()?;
    let record = RecordIter::new(header, decompressed.as_deref().unwrap_or(body)).next()?.ok()?;
    match ControlRecord::parse(&record) {
        Ok(ControlRecord::EndTransaction(marker)) => Some(marker),
        _ => None,
    }
}

const WINDOW: usize = 4 * 1024;
/// Bytes of a batch with a marker, decompressed.
const LARGEST_MARKER: usize = 64 * 1024;
