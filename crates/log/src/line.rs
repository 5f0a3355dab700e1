//! What no CRC covers of a batch: its base offset and its leader epoch. They are held against the
//! batch before.

use klamm_record::{BatchError, BatchHeader};
use klamm_types::{LeaderEpoch, Offset};

use crate::load::Expected;

/// A walk over the batches of a segment, in the order in which they were appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// Base offset of the segment.
    segment: Offset,
    /// The offset after the last batch.
    pub(crate) next: Offset,
    /// The leader epoch of the last batch; `None` before the first.
    pub(crate) epoch: Option<LeaderEpoch>,
    expected: Expected,
}

impl Line {
    /// A walk that begins at the start of the segment with this base offset.
    pub(crate) fn new(segment: Offset, expected: Expected) -> Line {
        Line { segment, next: segment, epoch: None, expected }
    }

    /// Goes on behind a batch that is known to be in its place.
    pub(crate) fn go_on(self, next: Offset, epoch: Option<LeaderEpoch>) -> Line {
        Line { next, epoch, ..self }
    }

    /// Takes the next batch, unless something is wrong with it.
    pub(crate) fn take(&mut self, header: &BatchHeader) -> Option<BatchError> {
        let fault = self.wrong_offset(header).or_else(|| self.wrong_epoch(header));
        if fault.is_none() {
            *self = self.go_on(header.next_offset(), header.leader_epoch());
        }
        fault
    }

    fn wrong_offset(&self, header: &BatchHeader) -> Option<BatchError> {
        let base = header.base_offset();
        let fits = i32::try_from(header.last_offset().since(self.segment)).is_ok();
        let is_right = fits && self.expected.gaps.allow(self.segment, self.next, base);
        let expected = "the offset after the batch before";
        (!is_right).then(|| BatchError::Field { field: "base offset", got: base.get(), expected })
    }

    fn wrong_epoch(&self, header: &BatchHeader) -> Option<BatchError> {
        let epoch = header.leader_epoch();
        let got = epoch.map_or(-1, |epoch| epoch.get().into());
        let expected = match self.expected.latest_epoch {
            _ if epoch < self.epoch => "at least that of the batch before",
            Some(latest) if epoch > Some(latest) => "at most that of the partition's leader",
            _ => return None,
        };
        Some(BatchError::Field { field: "leader epoch", got, expected })
    }
}
