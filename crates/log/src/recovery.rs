//! Finds out where a segment's valid batches end.
//!
//! After a clean stop the batches behind the last index entry are walked by their headers. After an
//! unclean one all that lies behind the recovery point is read and its CRC checked; a torn tail is
//! cut there, and the indexes are built again from that place. Damage *before* the recovery point
//! was synced once and is an error, never a cut.

use std::sync::Arc;

use klamm_record::BatchError;
use klamm_types::{EpochHistory, LeaderEpoch, Offset};

use crate::index::{IndexPace, Indexes};
use crate::kept::Kept;
use crate::line::Line;
use crate::load::Expected;
use crate::producer::{ProducerStates, catch_up, marker_on_disk};
use crate::scan::{Check, Scan, ScanError, Scanned};
use crate::segment::Segment;
use crate::{FileError, OpenError, ReadError};

/// The end of a segment: what appending needs to go on there.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) position: u64,
    pub(crate) next: Offset,
    pub(crate) pace: IndexPace,
}

/// What recovery made of a segment.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) tail: Tail,
    /// Bytes that were cut off.
    pub(crate) cut: u64,
    /// Why, if any were.
    pub(crate) fault: Option<BatchError>,
}

/// Where a walk over a segment can begin: a batch that an index entry points to and that is really
/// there.
struct Anchor {
    position: u64,
    next: Offset,
    /// The leader epoch of the batch.
    epoch: Option<LeaderEpoch>,
    offsets: usize,
    times: usize,
}

/// The end of a segment that was closed cleanly; `None` when it does not look so.
pub(crate) fn clean_tail(
    segment: &Segment,
    interval: u32,
    expected: Expected,
) -> Result<Option<Tail>, OpenError> {
    let Some(indexes) = segment.stored_indexes()? else { return Ok(None) };
    let last = indexes.offsets.last()?;
    let size = segment.size()?;
    let from = last.map_or(0, |entry| u64::from(entry.position));
    let mut scan = Scan::new(segment.file()?, from, size, Check::Header, WALK);
    let mut line = Line::new(segment.base(), expected);
    // The batch that the last entry points to ends where the entry says.
    let mut ends = last.and_then(|entry| segment.base().checked_add(i64::from(entry.relative_offset)));
    loop {
        match scan.next() {
            Ok(Some(batch)) => {
                if let Some(ends) = ends.take() {
                    if ends != batch.header.last_offset() {
                        return Ok(None);
                    }
                    line = line.go_on(batch.header.base_offset(), None);
                }
                if line.take(&batch.header).is_some() {
                    return Ok(None);
                }
            }
            Ok(None) if from < size || size == 0 => break,
            Err(ScanError::Io(error)) => return Err(segment.failed("read", error).into()),
            _ => return Ok(None),
        }
    }
    segment.set(size, indexes);
    let largest = segment.largest_mark(size)?.map(|mark| mark.entry);
    Ok(Some(Tail {
        position: size,
        next: line.next,
        pace: IndexPace::new(segment.base(), interval, largest),
    }))
}

/// What a recovery learns from the batches on its way.
#[derive(Debug)]
pub(crate) struct Replay<'a> {
    epochs: &'a mut EpochHistory,
    producers: ProducerStates,
    expected: Expected,
    /// The leader epoch of the last batch.
    epoch: Option<LeaderEpoch>,
    /// Memory kept between segments.
    buffer: Vec<u8>,
}

impl<'a> Replay<'a> {
    /// `producers` is what is known of them at the base of the first segment.
    pub(crate) fn new(
        epochs: &'a mut EpochHistory,
        producers: ProducerStates,
        expected: Expected,
    ) -> Replay<'a> {
        Replay { epochs, producers, expected, epoch: None, buffer: Vec::new() }
    }

    pub(crate) fn into_producers(self) -> ProducerStates {
        self.producers
    }

    fn on_batch(&mut self, segment: &Arc<Segment>, batch: &Scanned) -> Result<(), ReadError> {
        if let Some(epoch) = batch.header.leader_epoch() {
            self.epochs.assign(epoch, batch.header.base_offset());
        }
        let marker = marker_on_disk(segment, batch)?;
        if let Some(aborted) = self.producers.apply(&batch.header, marker) {
            segment.push_aborted(aborted)?;
        }
        Ok(())
    }
}

/// Checks all batches that lie behind `recovery_point`, cuts the segment at the first that is not
/// valid, and builds the indexes of that part again. From there on `replay` is what the batches
/// tell.
pub(crate) fn recover(
    segment: &Arc<Segment>,
    recovery_point: Offset,
    interval: u32,
    replay: &mut Replay<'_>,
    kept: &mut Kept<'_>,
) -> Result<Recovered, OpenError> {
    let anchor = anchor(segment, recovery_point, replay.expected)?;
    let (mut indexes, max) = kept_indexes(segment, &anchor)?;
    let mut pace = IndexPace::new(segment.base(), interval, max);
    let size = segment.size()?;
    let scan = Scan::new(segment.file()?, anchor.position, size, Check::Checksum, WINDOW);
    let mut scan = scan.with_buffer(std::mem::take(&mut replay.buffer));
    let epoch = replay.epoch.max(anchor.epoch);
    let mut line = Line::new(segment.base(), replay.expected).go_on(anchor.next, epoch);
    replay.epochs.truncate_to(line.next);
    catch_up(std::slice::from_ref(segment), &mut replay.producers, line.next)?;
    segment.truncate_aborted(line.next)?;
    let fault = loop {
        match scan.next() {
            Ok(Some(batch)) => {
                if let Some(fault) = line.take(&batch.header) {
                    break Some((batch.position, fault));
                }
                pace.on_batch(&batch.header, batch.position, &mut indexes)?;
                replay.on_batch(segment, &batch)?;
                segment.set_size(batch.end());
            }
            Ok(None) => break None,
            Err(ScanError::Io(error)) => return Err(segment.failed("read", error).into()),
            Err(ScanError::Batch(fault)) => break Some((scan.position(), fault)),
        }
    };
    (replay.buffer, replay.epoch) = (scan.into_buffer(), line.epoch);
    let next = line.next;
    let end = fault.as_ref().map_or(size, |(position, _)| *position);
    check_not_before(segment, recovery_point, next, fault.clone())?;
    // What was zeroed ahead is no loss.
    let fault = match fault {
        Some(_) if segment.is_zero_from(end)? => None,
        fault => fault.map(|(_, fault)| fault),
    };
    if fault.is_some() {
        kept.copy_from(segment, end, size)?;
    }
    finish(segment, end, size, indexes, &pace)?;
    Ok(Recovered { tail: Tail { position: end, next, pace }, cut: size - end, fault })
}

fn check_not_before(
    segment: &Segment,
    recovery_point: Offset,
    next: Offset,
    fault: Option<(u64, BatchError)>,
) -> Result<(), OpenError> {
    match fault {
        Some((position, fault)) if next < recovery_point => {
            Err(ReadError::from(segment.damage(position, next, fault)).into())
        }
        _ => Ok(()),
    }
}

fn finish(
    segment: &Segment,
    end: u64,
    size: u64,
    mut indexes: Indexes,
    pace: &IndexPace,
) -> Result<(), FileError> {
    if end < size {
        segment.cut_file(end)?;
    }
    pace.push_time(&mut indexes)?;
    // Indexes are caches. What a full disk refuses stays in memory and is written later, at the
    // latest by a sync, before the recovery point passes it.
    let _written_later = indexes.write();
    let _synced_later = segment.sync_aborted();
    segment.set(end, indexes);
    Ok(())
}

/// The last index entry before the recovery point whose batch is there; the segment's start when
/// there is none, or when the leader epoch of the batch cannot be right, so that the walk names it.
fn anchor(segment: &Segment, recovery_point: Offset, expected: Expected) -> Result<Anchor, OpenError> {
    let start = Anchor { position: 0, next: segment.base(), epoch: None, offsets: 0, times: 0 };
    if recovery_point <= segment.base() {
        return Ok(start);
    }
    let Some(indexes) = segment.stored_indexes()? else { return Ok(start) };
    let relative = recovery_point.since(segment.base());
    let before = indexes.offsets.partition_point(|e| i64::from(e.relative_offset) < relative)?;
    let Some(entry) = before.checked_sub(1).map_or(Ok(None), |at| indexes.offsets.get(at))? else {
        return Ok(start);
    };
    let position = u64::from(entry.position);
    let mut scan = Scan::new(segment.file()?, position, segment.size()?, Check::Checksum, WALK);
    let wanted = segment.base().checked_add(i64::from(entry.relative_offset));
    match scan.next() {
        Ok(Some(batch)) if expected.latest_epoch.is_some_and(|e| batch.header.leader_epoch() > Some(e)) => {
            Ok(start)
        }
        Ok(Some(batch)) if Some(batch.header.last_offset()) == wanted => {
            let times = indexes.times.partition_point(|t| t.relative_offset <= entry.relative_offset)?;
            if !indexes.do_rise(before, times)? {
                return Ok(start);
            }
            let (next, epoch) = (batch.header.next_offset(), batch.header.leader_epoch());
            Ok(Anchor { position: batch.end(), next, epoch, offsets: before, times })
        }
        _ => Ok(start),
    }
}

fn kept_indexes(
    segment: &Segment,
    anchor: &Anchor,
) -> Result<(Indexes, Option<crate::format::TimeEntry>), OpenError> {
    let stored = if anchor.offsets > 0 { segment.stored_indexes()? } else { None };
    let Some(mut indexes) = stored else { return Ok((segment.empty_indexes(), None)) };
    indexes.offsets.truncate(anchor.offsets)?;
    indexes.times.truncate(anchor.times)?;
    let max = indexes.times.last()?;
    Ok((indexes, max))
}

/// Bytes read at a time: enough to make reading sequential, small beside the 8 MB that recovery may
/// use.
const WINDOW: usize = 1 << 20;
const WALK: usize = 16 * 1024;
