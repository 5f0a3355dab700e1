//! Which batches of a segment are in their place. The CRC of a batch does not cover its base
//! offset, so that one which has changed on the disk shows only beside its neighbours: the batch
//! begins before the one before it ends, or ends behind the beginning of the next. This holds in
//! compacted logs too.

use std::ops::Range;

use klamm_record::BatchError;
use klamm_types::Offset;
use parking_lot::Mutex;

use super::Segment;
use crate::ReadError;
use crate::scan::{Check, Scan, ScanError, Scanned};

/// A walk over the batches of a segment that passes over those that are out of place.
pub(super) struct InOrder {
    scan: Scan,
    segment: Offset,
    /// The offset after the last batch in its place; the first batch is taken for one where it is
    /// `None`.
    next: Option<Offset>,
    ahead: Option<Scanned>,
    /// The last batch that the walk has passed over since the batch in its place before.
    pub(super) out_of_place: Option<Scanned>,
}

impl InOrder {
    /// Walks behind a batch that ends before `next`.
    pub(super) fn new(scan: Scan, segment: Offset, next: Option<Offset>) -> InOrder {
        InOrder { scan, segment, next, ahead: None, out_of_place: None }
    }

    /// Where the walk stands, in bytes.
    pub(super) fn position(&self) -> u64 {
        self.ahead.as_ref().map_or(self.scan.position(), |batch| batch.position)
    }

    /// The next batch in its place.
    pub(super) fn next(&mut self) -> Result<Option<Scanned>, ScanError> {
        self.out_of_place = None;
        loop {
            let batch = match self.ahead.take() {
                Some(batch) => batch,
                None => match self.scan.next()? {
                    Some(batch) => batch,
                    None => return Ok(None),
                },
            };
            if self.is_in_place(&batch)? {
                self.next = Some(batch.header.next_offset());
                return Ok(Some(batch));
            }
            self.out_of_place = Some(batch);
        }
    }

    fn is_in_place(&mut self, batch: &Scanned) -> Result<bool, ScanError> {
        let base = batch.header.base_offset();
        match self.next {
            _ if !batch.is_within(self.segment) => Ok(false),
            Some(next) if base > next => self.ends_before_the_next(batch),
            next => Ok(next.is_none_or(|next| base == next)),
        }
    }

    /// Behind a gap only the batch behind it can tell. What is wrong with that one is said when the
    /// walk comes to it.
    fn ends_before_the_next(&mut self, batch: &Scanned) -> Result<bool, ScanError> {
        self.ahead = match self.scan.next() {
            Err(ScanError::Batch(_)) => None,
            behind => behind?,
        };
        Ok(self.ahead.as_ref().is_none_or(|behind| behind.header.base_offset() >= batch.header.next_offset()))
    }
}

/// Which bytes of a segment's file are known to hold batches in their places.
#[derive(Debug)]
pub(super) struct KnownOrder(Mutex<Known>);

#[derive(Debug)]
struct Known {
    walked: Walked,
    /// What lies behind was written since the segment was opened.
    written_from: u64,
}

/// Bytes whose batches were found to be in their places.
#[derive(Clone, Debug)]
struct Walked {
    bytes: Range<u64>,
    /// The offset after the last of them; `None` where nothing was walked.
    next: Option<Offset>,
}

impl Walked {
    fn nothing() -> Walked {
        Walked { bytes: 0..0, next: None }
    }
}

impl KnownOrder {
    pub(super) fn nothing() -> KnownOrder {
        KnownOrder(Mutex::new(Known { walked: Walked::nothing(), written_from: u64::MAX }))
    }

    pub(super) fn set_written_from(&self, position: u64) {
        self.0.lock().written_from = position;
    }

    /// Forgets what was walked beyond `position`, where the segment is cut. What lies behind is
    /// written anew.
    fn cut(&self, position: u64) {
        let mut known = self.0.lock();
        known.written_from = known.written_from.min(position);
        if known.walked.bytes.end > position {
            known.walked = Walked::nothing();
        }
    }

    /// What was walked and reaches to `first`, or `first` alone; and the position up to which the
    /// bytes before `to` have to be walked.
    fn before(&self, first: &Scanned, to: u64) -> (Walked, u64) {
        let (known, from) = (self.0.lock(), first.position);
        let Walked { bytes, .. } = &known.walked;
        let reaches = bytes.start <= from && from <= bytes.end;
        let walked = if reaches && first.end() <= bytes.end {
            known.walked.clone()
        } else {
            let start = if reaches { bytes.start } else { from };
            Walked { bytes: start..first.end(), next: Some(first.header.next_offset()) }
        };
        (walked, to.min(known.written_from))
    }
}

impl Segment {
    /// The batches from `from` on, where one begins, to the end of the segment.
    pub(super) fn in_order(
        &self,
        from: u64,
        next: Option<Offset>,
        window: usize,
    ) -> Result<InOrder, ReadError> {
        let scan = Scan::new(self.file()?, from, self.size()?, Check::Header, window);
        Ok(InOrder::new(scan, self.base, next))
    }

    /// How far the bytes from `first` on, a batch in its place, to `to` can be read: up to the
    /// first batch that is out of place, or damaged, or that ends behind `limit`. What was looked
    /// at once is not looked at again.
    pub(crate) fn in_place_until(&self, first: &Scanned, to: u64, limit: Offset) -> Result<u64, ReadError> {
        let cuts = self.cuts();
        let (mut walked, until) = self.order.before(first, to);
        if walked.bytes.end >= until {
            return Ok(to);
        }
        // What is read here of small batches is about to be sent, so that it need be read anyway.
        let window = if first.header.size() < LARGE { LARGE_WINDOW } else { WINDOW };
        let mut batches = self.in_order(walked.bytes.end, walked.next, window)?;
        while walked.bytes.end < until {
            match batches.next() {
                Ok(Some(batch)) if batches.out_of_place.is_none() && batch.header.next_offset() <= limit => {
                    walked.bytes.end = batch.end();
                    walked.next = Some(batch.header.next_offset());
                }
                Err(ScanError::Io(error)) => return Err(self.failed("read", error).into()),
                _ => break,
            }
        }
        let end = walked.bytes.end;
        self.note_walked(walked, cuts);
        Ok(if end < until { end } else { to })
    }

    /// Notes what was walked, unless the segment was cut since [`Segment::cuts`] was `cuts`: a cut
    /// counts before it takes the lock.
    fn note_walked(&self, walked: Walked, cuts: u64) {
        let mut known = self.order.0.lock();
        // Another reader may have walked further meanwhile.
        let is_within =
            known.walked.bytes.start <= walked.bytes.start && walked.bytes.end <= known.walked.bytes.end;
        if self.is_uncut_since(cuts) && !is_within {
            known.walked = walked;
        }
    }

    /// Forgets the order of the batches behind `position`, where the segment is about to be cut.
    pub(crate) fn cut_order(&self, position: u64) {
        self.order.cut(position);
    }

    /// The damage of a batch that is out of place.
    pub(crate) fn out_of_place(&self, batch: &Scanned, offset: Offset) -> ReadError {
        let got = batch.header.base_offset().get();
        let expected = "one between the batch before and the one behind";
        self.damage(batch.position, offset, BatchError::Field { field: "base offset", got, expected }).into()
    }
}

/// Bytes of a batch of which the header alone is read.
const LARGE: usize = 16 * 1024;
/// Bytes read at a time for the header of a large batch, and for small batches.
const WINDOW: usize = 1024;
const LARGE_WINDOW: usize = 64 * 1024;
