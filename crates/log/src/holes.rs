//! Records that are missing between the segments of a log that is opened. A recovery cuts a log at
//! a hole behind the recovery point; before it a hole is damage, which is named, and the log is
//! served without the missing records.

use std::sync::Arc;

use klamm_types::Offset;

use crate::gaps::Gaps;
use crate::load::any_is_compacted;
use crate::scan::Check;
use crate::segment::Segment;
use crate::{Inconsistency, OpenError, ReadError};

/// The places where a segment does not begin at the end of the one before, and where `gaps` does
/// not explain it.
pub(crate) fn find(segments: &[Arc<Segment>], gaps: Gaps) -> Result<Vec<Inconsistency>, OpenError> {
    let mut found = Vec::new();
    if gaps.anywhere {
        return Ok(found);
    }
    for pair in segments.windows(2) {
        let (segment, next) = (&pair[0], pair[1].base());
        let Some(end) = end_of(segment)? else { continue };
        if !gaps.allow(segment.base(), end, next) {
            found.push(hole(segment, end, next));
        }
    }
    // No checkpoint may say that the log was compacted, but the batches do.
    if !found.is_empty() && any_is_compacted(segments)? {
        found.clear();
    }
    Ok(found)
}

/// Where a sealed segment ends; `None` when it is damaged, which reading it reports.
fn end_of(segment: &Arc<Segment>) -> Result<Option<Offset>, OpenError> {
    let size = segment.size()?;
    let end = segment.end_before(size);
    segment.forget_indexes();
    match end.or_else(|_| end_by_headers(segment, size)) {
        Ok(end) => Ok(Some(end)),
        Err(ReadError::File(error)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// The end of a segment whose offset index points to no batch.
fn end_by_headers(segment: &Segment, size: u64) -> Result<Offset, ReadError> {
    let mut end = segment.base();
    segment.for_each_header(0, size, Check::Header, |batch| end = batch.header.next_offset())?;
    Ok(end)
}

fn hole(segment: &Segment, end: Offset, next: Offset) -> Inconsistency {
    Inconsistency {
        path: segment.path(),
        got: format!("the end offset {end}"),
        expected: format!("the base offset {next} of the next segment"),
        instead: "the records between are missing",
    }
}
