//! What a log knows of one producer.

use std::collections::VecDeque;
use std::time::Duration;

use klamm_record::{BatchHeader, EndTransaction};
use klamm_types::{Offset, ProducerEpoch, ProducerId, Timestamp};

use crate::format::ProducerSnapshotEntry;

/// One producer's latest epoch and its last batches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ProducerEntry {
    pub(super) epoch: ProducerEpoch,
    /// The last batches of this epoch, oldest first. Invariant: at most [`REMEMBERED`].
    batches: VecDeque<Remembered>,
    /// Epoch of the coordinator that wrote the last marker; -1 before one.
    pub(super) coordinator_epoch: i32,
    /// The latest time of the last batch or marker, in milliseconds.
    pub(super) last_time: i64,
    /// Where its open transaction began.
    pub(super) open_since: Option<Offset>,
    /// When it was first looked at since its last batch. What a batch says of its time may be long
    /// ago.
    pub(super) looked_at: Option<Duration>,
}

/// A batch that may be sent again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Remembered {
    pub(super) last_sequence: u32,
    pub(super) last_offset: Offset,
    pub(super) delta: u32,
    pub(super) time: i64,
}

/// The last that a log knows of a producer: what compaction must not lose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LastBatch {
    /// Offset of its last record; none when a marker of a new epoch came last.
    pub(crate) data: Option<Offset>,
    pub(crate) epoch: ProducerEpoch,
}

/// Batches that are remembered of a producer: it has at most so many requests in flight.
const REMEMBERED: usize = 5;

impl ProducerEntry {
    pub(super) fn new(epoch: ProducerEpoch) -> ProducerEntry {
        let batches = VecDeque::new();
        ProducerEntry {
            epoch,
            batches,
            coordinator_epoch: -1,
            last_time: -1,
            open_since: None,
            looked_at: None,
        }
    }

    /// Sequence number of the epoch's last record.
    pub(super) fn last_sequence(&self) -> Option<u32> {
        self.batches.back().map(|last| last.last_sequence)
    }

    /// The batch that `header` is a repetition of.
    pub(super) fn repeated(&self, header: &BatchHeader, base_sequence: u32) -> Option<&Remembered> {
        let same = |batch: &&Remembered| {
            batch.first_sequence() == base_sequence && batch.delta == header.last_offset_delta()
        };
        let is_epoch = header.producer().is_some_and(|producer| producer.epoch == self.epoch);
        self.batches.iter().find(same).filter(|_| is_epoch)
    }

    /// A later epoch forgets the batches of the one before.
    pub(super) fn enter_epoch(&mut self, epoch: ProducerEpoch) {
        if epoch != self.epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
    }

    /// Notes a batch of records in the log.
    pub(super) fn on_batch(&mut self, header: &BatchHeader) {
        if let Some(base) = header.base_sequence() {
            if self.batches.len() == REMEMBERED {
                self.batches.pop_front();
            }
            self.batches.push_back(Remembered::of(header, base));
        }
        self.last_time = time(header);
        self.looked_at = None;
        if header.is_transactional() {
            self.open_since.get_or_insert(header.base_offset());
        }
    }

    /// Notes a marker and returns where the transaction that it ends began.
    pub(super) fn on_marker(&mut self, header: &BatchHeader, marker: EndTransaction) -> Option<Offset> {
        self.coordinator_epoch = marker.coordinator_epoch;
        self.last_time = time(header);
        self.looked_at = None;
        self.open_since.take()
    }

    /// Whether it has been silent for `after` since it was first looked at.
    pub(super) fn is_silent(&mut self, now: Duration, after: Duration) -> bool {
        let looked_at = *self.looked_at.get_or_insert(now);
        now.saturating_sub(looked_at) >= after
    }

    /// The offset of its last record in this epoch; 0 when it has none.
    pub(super) fn last_offset(&self) -> Offset {
        self.batches.back().map_or(Offset::default(), |last| last.last_offset)
    }

    /// The last that is known of it.
    pub(super) fn last_batch(&self) -> LastBatch {
        LastBatch { data: self.batches.back().map(|last| last.last_offset), epoch: self.epoch }
    }

    pub(super) fn to_snapshot(&self, id: ProducerId) -> ProducerSnapshotEntry {
        let last = self.batches.back();
        ProducerSnapshotEntry {
            producer_id: id.get(),
            producer_epoch: self.epoch.get(),
            last_sequence: last.map_or(-1, |last| last.last_sequence.cast_signed()),
            last_offset: last.map_or(-1, |last| last.last_offset.get()),
            offset_delta: last.map_or(0, |last| last.delta.cast_signed()),
            timestamp: self.last_time,
            coordinator_epoch: self.coordinator_epoch,
            transaction_start: self.open_since.map_or(-1, Offset::get),
        }
    }

    /// `None` when the numbers cannot be those of a producer.
    pub(super) fn from_snapshot(
        entry: &ProducerSnapshotEntry,
        end: Offset,
    ) -> Option<(ProducerId, ProducerEntry)> {
        let last = match entry.last_offset {
            -1 => None,
            last => Some(Remembered {
                last_sequence: u32::try_from(entry.last_sequence).ok()?,
                last_offset: Offset::new(last).filter(|last| *last < end)?,
                delta: u32::try_from(entry.offset_delta).ok().filter(|delta| i64::from(*delta) <= last)?,
                time: entry.timestamp,
            }),
        };
        let open_since = match entry.transaction_start {
            -1 => None,
            start => Some(Offset::new(start).filter(|start| *start < end)?),
        };
        let found = ProducerEntry {
            epoch: ProducerEpoch::new(entry.producer_epoch)?,
            batches: last.into_iter().collect(),
            coordinator_epoch: entry.coordinator_epoch,
            last_time: entry.timestamp,
            open_since,
            looked_at: None,
        };
        Some((ProducerId::new(entry.producer_id)?, found))
    }
}

impl Remembered {
    fn of(header: &BatchHeader, base_sequence: u32) -> Remembered {
        let delta = header.last_offset_delta();
        Remembered {
            last_sequence: sequence_after(base_sequence, delta),
            last_offset: header.last_offset(),
            delta,
            time: time(header),
        }
    }

    pub(super) fn base_offset(&self) -> Offset {
        Offset::new(self.last_offset.get() - i64::from(self.delta)).unwrap_or_default()
    }

    fn first_sequence(&self) -> u32 {
        self.last_sequence.wrapping_sub(self.delta) & SEQUENCES
    }
}

/// Sequence numbers are 31 bits and begin again at 0.
pub(super) fn sequence_after(sequence: u32, delta: u32) -> u32 {
    sequence.wrapping_add(delta) & SEQUENCES
}

fn time(header: &BatchHeader) -> i64 {
    header.max_timestamp().map_or(-1, Timestamp::as_millis)
}

const SEQUENCES: u32 = u32::MAX >> 1;
