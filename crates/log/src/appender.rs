//! What appending changes, behind one lock: the active segment, its end, the epochs, the indexes'
//! pace.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use klamm_record::BatchHeader;
use klamm_types::{EpochHistory, LeaderEpoch, Offset, Timestamp};

use crate::folder::Folder;
use crate::format::{EPOCH_CHECKPOINT, EpochCheckpoint, FOLLOWER_GAPS};
use crate::index::IndexPace;
use crate::load::Loaded;
use crate::producer::{ProducerStates, Snapshots, marker};
use crate::segment::Segment;
use crate::segment_list::SegmentList;
use crate::{AppendError, Clock, FileError, LogConfig, ReadError, offset_note};

/// The writing end of a log.
#[derive(Debug)]
pub(crate) struct Appender {
    pub(crate) folder: Folder,
    pub(crate) config: Arc<LogConfig>,
    pub(crate) active: Arc<Segment>,
    /// Bytes of whole batches in the active segment.
    pub(crate) position: u64,
    pub(crate) next: Offset,
    pub(crate) epochs: EpochHistory,
    pub(crate) producers: ProducerStates,
    pub(crate) snapshots: Snapshots,
    pub(crate) pace: IndexPace,
    /// The last segment that is noted to have gaps, which a follower has copied.
    followed: Option<Offset>,
    /// The base offset of the first segment as the disk has it, where it is noted.
    pub(crate) first_segment: Option<Offset>,
    /// The first batch's time, which `segment.ms` counts from; not read from the file until needed.
    first_time: FirstTime,
    /// When the active segment was begun here, by [`Clock::elapsed`], for batches without a time.
    began: Option<Duration>,
    /// Segments that were rolled and not synced since.
    pub(crate) unsynced: Vec<Arc<Segment>>,
    /// Counts truncations: what was read before one says nothing about the log behind it.
    pub(crate) truncations: u64,
    /// Headers of the batches at hand; kept for its memory.
    pub(crate) headers: Vec<BatchHeader>,
    /// The batch at hand; kept for its memory.
    pub(crate) scratch: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum FirstTime {
    Unread,
    Known(Option<Timestamp>),
}

impl Appender {
    pub(crate) fn new(folder: Folder, config: Arc<LogConfig>, loaded: Loaded) -> Appender {
        let first_time = if loaded.tail.position == 0 { FirstTime::Known(None) } else { FirstTime::Unread };
        Appender {
            folder,
            config,
            active: Arc::clone(loaded.segments.last()),
            position: loaded.tail.position,
            next: loaded.tail.next,
            unsynced: loaded.unsynced(),
            epochs: loaded.epochs,
            producers: loaded.producers,
            snapshots: loaded.snapshots,
            pace: loaded.tail.pace,
            followed: loaded.followed,
            first_segment: loaded.first_segment,
            first_time,
            began: None,
            truncations: 0,
            headers: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Whether the batches at hand, `bytes` in all, need a new segment: by size, time, or room in
    /// offsets and index.
    pub(crate) fn must_roll(&mut self, bytes: usize, clock: &dyn Clock) -> Result<bool, ReadError> {
        let last = self.headers.last().map_or(self.next, BatchHeader::last_offset);
        let offsets_full = i32::try_from(last.since(self.active.base())).is_err();
        if self.position == 0 {
            return Ok(offsets_full);
        }
        let full = self.position + bytes as u64 > u64::from(self.config.segment_bytes);
        Ok(full || offsets_full || self.index_is_full()? || self.is_old(clock)?)
    }

    fn index_is_full(&self) -> Result<bool, ReadError> {
        if !self.pace.is_due() {
            return Ok(false);
        }
        let most = self.config.segment_index_bytes as usize;
        self.active.with_indexes(|i| i.offsets.size() + 8 > most || i.times.size() + 12 > most)
    }

    fn is_old(&mut self, clock: &dyn Clock) -> Result<bool, ReadError> {
        let first = self.first_time()?;
        let newest = self.headers.iter().filter_map(BatchHeader::max_timestamp).max();
        let age = match (first, newest) {
            (Some(first), Some(newest)) => newest.since(first),
            _ => self.began.map_or_else(Default::default, |began| clock.elapsed().saturating_sub(began)),
        };
        Ok(age > self.config.segment_age(self.seed()))
    }

    /// A number that is the segment's own: another segment, or another log, has another.
    fn seed(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        (self.folder.path(), self.active.base().get()).hash(&mut hasher);
        hasher.finish()
    }

    fn first_time(&mut self) -> Result<Option<Timestamp>, ReadError> {
        if let FirstTime::Known(time) = self.first_time {
            return Ok(time);
        }
        let first = self.active.find(self.active.base())?;
        let time = first.and_then(|batch| batch.header.max_timestamp());
        self.first_time = FirstTime::Known(time);
        Ok(time)
    }

    /// Where the segment begins that takes the batches at hand: at the log's end, so that a gap
    /// before them lies inside it and is not taken for a lost end; behind the gap only where
    /// offsets would not fit.
    pub(crate) fn next_base(&self) -> Offset {
        let first = self.headers.first().map_or(self.next, BatchHeader::base_offset);
        let last = self.headers.last().map_or(self.next, BatchHeader::last_offset);
        if i32::try_from(last.since(self.next)).is_ok() { self.next } else { first }
    }

    /// Closes the active segment and begins one at `base`. The old one is synced later, by whoever
    /// syncs the log.
    pub(crate) fn roll(&mut self, base: Offset, now: Duration) -> Result<Arc<Segment>, AppendError> {
        self.close_indexes()?;
        self.active.trim()?;
        self.producers.advance_to(base);
        self.snapshots.take(&self.producers)?;
        let interval = self.config.index_interval_bytes;
        let segment = Arc::new(Segment::create(&self.folder, base, interval)?);
        let old = std::mem::replace(&mut self.active, Arc::clone(&segment));
        old.forget_indexes();
        self.unsynced.push(old);
        self.position = 0;
        self.pace = IndexPace::new(base, interval, None);
        self.first_time = FirstTime::Known(None);
        self.began = Some(now);
        Ok(segment)
    }

    /// At a clean stop: the next opening need not read the batches. Those that were taken for
    /// nothing else go.
    pub(crate) fn take_snapshot(&mut self, segments: &SegmentList) -> Result<(), FileError> {
        self.producers.advance_to(self.next);
        self.snapshots.take(&self.producers)?;
        let bases: Vec<_> = segments.iter().map(|segment| segment.base()).collect();
        self.snapshots.tidy(&bases)
    }

    /// Writes what the active segment's indexes have not yet in their files, and the last time.
    pub(crate) fn close_indexes(&mut self) -> Result<(), FileError> {
        let pace = self.pace;
        let written = self.active.with_indexes(|indexes| {
            pace.push_time(indexes)?;
            indexes.write()
        });
        written.map_err(file_error)?
    }

    /// Notes that the batches at hand are written in `epoch` from `start` on; a new epoch is on the
    /// disk before them.
    pub(crate) fn enter_epoch(&mut self, epoch: LeaderEpoch, start: Offset) -> Result<(), AppendError> {
        match self.epochs.latest() {
            Some(latest) if latest.epoch == epoch => return Ok(()),
            Some(latest) if latest.epoch > epoch => {
                return Err(AppendError::FencedEpoch { got: epoch, latest: latest.epoch });
            }
            _ => {}
        }
        let mut history = self.epochs.clone();
        history.assign(epoch, start);
        self.write_epochs(&history)?;
        self.epochs = history;
        Ok(())
    }

    /// Notes on the disk that offsets are missing in the active segment, when they are before or
    /// between the batches at hand. Otherwise opening would take what lies behind the gap for
    /// damaged.
    pub(crate) fn note_gaps(&mut self) -> Result<(), FileError> {
        let mut next = self.next;
        let has_gap = self.headers.iter().any(|header| {
            let has_gap = header.base_offset() > next;
            next = header.next_offset();
            has_gap
        });
        let last_segment = self.active.base();
        if !has_gap || self.followed.is_some_and(|noted| noted >= last_segment) {
            return Ok(());
        }
        offset_note::write(&self.folder, FOLLOWER_GAPS, last_segment)?;
        self.followed = Some(last_segment);
        Ok(())
    }

    /// Forgets the gaps, for a log that begins anew.
    pub(crate) fn forget_gaps(&mut self) -> Result<(), FileError> {
        self.followed = None;
        self.folder.remove(FOLLOWER_GAPS)
    }

    pub(crate) fn write_epochs(&self, history: &EpochHistory) -> Result<(), FileError> {
        let text = EpochCheckpoint { history: history.clone() }.to_text();
        self.folder.replace(EPOCH_CHECKPOINT, text.as_bytes())
    }

    /// Notes the batches at hand, which have been written. They are in the log whatever becomes of
    /// the index: it is a cache, and what could not be written of it is tried again with the next
    /// entry, at the latest when the log is closed.
    pub(crate) fn advance(&mut self, bytes: &[u8]) {
        let mut position = self.position;
        for header in &self.headers {
            if self.pace.is_due() {
                let (active, pace) = (&self.active, &mut self.pace);
                let _tried_again_later = active.with_indexes(|i| pace.on_batch(header, position, i));
            } else {
                self.pace.pass(header);
            }
            position += header.size() as u64;
        }
        self.note_producers(bytes);
        if self.first_time == FirstTime::Known(None) {
            let time = self.headers.first().and_then(BatchHeader::max_timestamp);
            self.first_time = FirstTime::Known(time);
        }
        self.position += bytes.len() as u64;
        self.next = self.headers.last().map_or(self.next, BatchHeader::next_offset);
        self.active.set_size(self.position);
    }

    /// Notes what the batches at hand say of their producers.
    fn note_producers(&mut self, bytes: &[u8]) {
        let mut at = 0;
        for header in &self.headers {
            let aborted = self.producers.apply(header, marker(header, &bytes[at..]));
            if let Some(entry) = aborted {
                // As with the other indexes: what could not be written is tried again by the next
                // sync.
                let _tried_again_later = self.active.push_aborted(entry);
            }
            at += header.size();
        }
        self.producers.limit(self.config.max_producer_ids);
    }

    /// Forgets what is known of the active segment's beginning, after a truncation.
    pub(crate) fn reset_to(&mut self, active: Arc<Segment>, position: u64, next: Offset, pace: IndexPace) {
        self.truncations += 1;
        self.unsynced.retain(|segment| segment.base() < active.base());
        (self.active, self.position, self.next, self.pace) = (active, position, next, pace);
        self.first_time = if position == 0 { FirstTime::Known(None) } else { FirstTime::Unread };
    }
}

/// The indexes of the active segment are in memory, so that getting at them can only fail on their
/// files.
fn file_error(error: ReadError) -> FileError {
    match error {
        ReadError::File(error) => error,
        ReadError::Damage(damage) => {
            let path = damage.path.clone();
            FileError { operation: "index", path, source: std::io::Error::other(damage) }
        }
        ReadError::OutOfRange { .. } => unreachable!("LOG-2: indexes are not looked up by offset here"),
    }
}
