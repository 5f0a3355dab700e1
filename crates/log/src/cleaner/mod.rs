//! Compaction: of each key the last record stays.
//!
//! ```text
//!            clean                 dirty            active
//!  |--------------------|-----------------------|----------|
//!                       first_dirty             first_uncleanable
//!
//!  map:   dirty part -> last offset of each key
//!  copy:  all segments before the end of what was mapped, some at a time -> one segment -> swap
//! ```
//!
//! Offsets stay, so that there are gaps. A tombstone, a record without a value, stays for
//! `delete.retention.ms` after the first cleaning that came by it (KIP-534); so does the marker of
//! a transaction of which nothing is left. Records of aborted transactions go at once, but the last
//! batch of a producer keeps its header, and with it the last sequence number (KIP-98).
//!
//! A cleaning is stepped, a buffer at a time, so that whoever drives it can slow it down, stop, or
//! show how far it is. It decides by [`retain`], [`plan`] and [`transactions`], without files;
//! [`source`] and [`output`] have the files, [`swap`] the log.

mod copy;
mod map;
mod offset_map;
mod output;
mod plan;
mod retain;
mod rewrite;
mod source;
mod swap;
mod transactions;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use klamm_types::{Offset, Timestamp, TopicPartition};
use parking_lot::Mutex;

use crate::segment::Segment;
use crate::segment_list::SegmentList;
use crate::{ConfigError, Log, LogConfig, LogError, Task};

use copy::Copying;
use map::Mapping;
use offset_map::OffsetMap;
use plan::{Facts, plan_cleaning};
use retain::Rules;
use rewrite::Scratch;
use source::Buffer;

pub use plan::Dirtiness;

/// A log being compacted. Call [`Cleaning::step`] until it is done; dropping it before leaves the
/// log as it is, but for the segments that have been cleaned.
#[derive(Debug)]
pub struct Cleaning {
    work: Work,
    phase: Phase,
}

/// How far a cleaning is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CleaningProgress {
    /// Bytes of batches that have been gone through.
    pub done_bytes: u64,
    /// Bytes that there are to go through, the dirty part twice.
    pub total_bytes: u64,
}

/// What a step did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// So many bytes were read and written; there is more to do.
    More(u64),
    /// All is done.
    Done(Cleaned),
}

/// What a cleaning did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cleaned {
    /// The log.
    pub partition: TopicPartition,
    /// Where the dirty part began.
    pub first_dirty: Offset,
    /// Up to where the log is clean now; lower than it could be when the map was full.
    pub end: Offset,
    /// Keys of the dirty part.
    pub keys: usize,
    /// Records that were looked at to be kept or not, those that were kept, and as many bytes of
    /// batches.
    pub records: (u64, u64),
    /// Bytes of batches before and after.
    pub bytes: (u64, u64),
    /// Segments before and after.
    pub segments: (usize, usize),
}

/// Whether a log is being cleaned, or cannot be.
#[derive(Debug, Default)]
pub(crate) struct CleaningState {
    progress: Mutex<Option<CleaningProgress>>,
    /// Damage was found; until the log is opened again it is not chosen any more.
    damaged: AtomicBool,
    /// When it could not be cleaned last, by the clock's elapsed time; for a while others come
    /// first.
    failed: Mutex<Option<Duration>>,
}

#[derive(Debug)]
enum Phase {
    Map(Mapping),
    Copy(Box<Copying>),
}

/// What both phases work with.
#[derive(Debug)]
struct Work {
    log: Log,
    config: Arc<LogConfig>,
    io_bytes: usize,
    /// As they were when the cleaning began.
    segments: SegmentList,
    dirt: Dirtiness,
    /// As counted when the cleaning began.
    truncations: u64,
    rules: Rules,
    map: OffsetMap,
    buffer: Buffer,
    scratch: Scratch,
    /// Whether a segment that was written could not take the place of others: the log was
    /// truncated, or lost them to retention.
    is_refused: bool,
    report: Cleaned,
}

impl Log {
    /// How much of the log can be cleaned at `now`.
    ///
    /// # Errors
    /// [`LogError`] when a segment cannot be looked at.
    pub fn dirtiness(&self, now: Timestamp) -> Result<Dirtiness, LogError> {
        let published = self.inner.published.read().clone();
        let config = self.config();
        let facts = facts(&published.segments, published.bounds.end(), &config)?;
        let cleaned = self.inner.owner.cleaned(self.partition());
        Ok(plan_cleaning(&facts, published.bounds, cleaned, &config, now))
    }

    /// Compacts all of the log that is committed, however little of it is dirty: closes the active
    /// segment and cleans what comes before; tombstones go too whose time has come. `None` when
    /// there is nothing to clean, or it is being cleaned already.
    ///
    /// # Errors
    /// [`LogError::Config`] when the log's `cleanup.policy` does not compact; [`LogError`]
    /// otherwise.
    pub fn compact(&self, now: Timestamp) -> Result<Option<Cleaned>, LogError> {
        if !self.config().cleanup_policy.compacts() {
            let (setting, got) = ("cleanup.policy", "delete".to_owned());
            return Err(ConfigError { setting, got, expected: "compact, or compact,delete" }.into());
        }
        self.roll()?;
        let dirt = self.dirtiness(now)?;
        let is_empty = dirt.clean_bytes + dirt.dirty_bytes == 0;
        let begun = if is_empty { None } else { self.begin_cleaning(dirt, now)? };
        begun.map(Cleaning::run).transpose()
    }

    /// How far the cleaning is that is under way, if one is.
    #[must_use]
    pub fn cleaning(&self) -> Option<CleaningProgress> {
        *self.inner.cleaning.progress.lock()
    }

    /// `None` when it is being cleaned already.
    pub(crate) fn begin_cleaning(
        &self,
        dirt: Dirtiness,
        now: Timestamp,
    ) -> Result<Option<Cleaning>, LogError> {
        let total_bytes = dirt.clean_bytes + 2 * dirt.dirty_bytes;
        if !self.inner.cleaning.claim(CleaningProgress { done_bytes: 0, total_bytes }) {
            return Ok(None);
        }
        let begun = self.make_durable(dirt).and_then(|()| self.cleaning_of(dirt, now));
        if let Err(error) = &begun {
            self._dir.watch.note_log(Task::Cleaning, &self.inner, &begun);
            self.note_cleaning_failed(error);
        }
        if !matches!(begun, Ok(Some(_))) {
            self.inner.cleaning.release();
        }
        begun
    }

    /// Whether it is one of those that are cleaned when they are dirty.
    pub(crate) fn is_cleanable(&self) -> bool {
        let (state, now) = (&self.inner.cleaning, self.inner.clock.elapsed());
        if state.failed.lock().is_some_and(|failed| now.saturating_sub(failed) < RETRY) {
            return false;
        }
        let is_free = !state.damaged.load(Ordering::Acquire) && state.progress.lock().is_none();
        is_free && self.inner.check_writable().is_ok() && self.config().cleanup_policy.compacts()
    }

    /// So that one that cannot be cleaned does not keep the others from it.
    pub(crate) fn note_cleaning_failed(&self, error: &LogError) {
        let state = &self.inner.cleaning;
        state.damaged.fetch_or(matches!(error, LogError::Damage(_)), Ordering::AcqRel);
        *state.failed.lock() = Some(self.inner.clock.elapsed());
    }

    fn make_durable(&self, dirt: Dirtiness) -> Result<(), LogError> {
        let inner = &self.inner;
        inner.check_writable()?;
        inner.owner.mark_dirty()?;
        inner.sync_rolled()?;
        inner.sync_to(dirt.first_uncleanable)
    }

    /// `None` when the log was truncated since it was looked at.
    fn cleaning_of(&self, dirt: Dirtiness, now: Timestamp) -> Result<Option<Cleaning>, LogError> {
        // Held until the checkpoint is written, so that the log is not removed before.
        let appender = self.inner.appender.lock();
        self.inner.check_writable()?;
        let published = self.inner.published.read().clone();
        let (segments, end) = (published.segments, dirt.first_uncleanable);
        let is_border = segments.iter().any(|segment| segment.base() == end);
        let is_durable = self.inner.durable_with(&appender) >= end;
        if !is_border || !is_durable || end > published.bounds.stable() {
            return Ok(None);
        }
        self.inner.owner.raise_recovery_point(self.partition(), end)?;
        let (config, truncations) = (Arc::clone(&appender.config), appender.truncations);
        let producers = appender.producers.last_batches();
        drop(appender);
        let cleaner = self._dir.cleaner().of_one_thread();
        let rules =
            Rules { now, delete_retention: config.delete_retention, end: dirt.first_uncleanable, producers };
        let keys = u64::try_from(dirt.first_uncleanable.since(dirt.first_dirty)).unwrap_or(0);
        let mut map = OffsetMap::new(cleaner.dedupe_buffer_bytes, keys, cleaner.load_factor, secret());
        // What is clean has been looked at before.
        Offset::new(dirt.first_dirty.get() - 1).into_iter().for_each(|last| map.reach(last));
        let report = Cleaned {
            partition: self.partition().clone(),
            first_dirty: dirt.first_dirty,
            end: dirt.first_dirty,
            keys: 0,
            records: (0, 0),
            bytes: (0, 0),
            segments: (0, 0),
        };
        let io_bytes = cleaner.io_buffer_bytes;
        let log = self.clone();
        let buffer = Buffer::new(io_bytes);
        let scratch = Scratch::default();
        let work = Work {
            log,
            config,
            io_bytes,
            segments,
            dirt,
            truncations,
            rules,
            map,
            buffer,
            scratch,
            is_refused: false,
            report,
        };
        Ok(Some(Cleaning { phase: Phase::Map(Mapping::new(&work)?), work }))
    }
}

impl Cleaning {
    /// The log that is being cleaned.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.work.log
    }

    /// Reads some, and writes what stays of it. After an error it cannot go on; the log is as it
    /// was, but for the segments that have been cleaned.
    ///
    /// # Errors
    /// [`LogError::Damage`] when a batch is not what was written: the log is then not cleaned again
    /// until it is opened anew. [`LogError`] otherwise.
    pub fn step(&mut self) -> Result<Step, LogError> {
        self.work.log.inner.check_writable()?;
        let step = self.step_phase();
        if step.is_err() && self.work.is_overtaken() {
            // What was read had been cut off meanwhile.
            return self.work.end().map(Step::Done);
        }
        let log = &self.work.log;
        if !matches!(step, Ok(Step::More(_))) {
            log._dir.watch.note_log(Task::Cleaning, &log.inner, &step);
        }
        step.inspect_err(|error| log.note_cleaning_failed(error))
    }

    /// Steps until it is done.
    ///
    /// # Errors
    /// As [`Cleaning::step`].
    pub fn run(mut self) -> Result<Cleaned, LogError> {
        loop {
            if let Step::Done(cleaned) = self.step()? {
                return Ok(cleaned);
            }
        }
    }

    fn step_phase(&mut self) -> Result<Step, LogError> {
        match &mut self.phase {
            Phase::Map(mapping) => {
                if let Some(read) = mapping.step(&mut self.work)? {
                    return Ok(Step::More(read));
                }
                self.phase = Phase::Copy(Box::new(Copying::new(&mut self.work)?));
                Ok(Step::More(0))
            }
            Phase::Copy(copying) => match copying.step(&mut self.work)? {
                Some(moved) => Ok(Step::More(moved)),
                None => self.work.end().map(Step::Done),
            },
        }
    }
}

impl Drop for Cleaning {
    fn drop(&mut self) {
        if let Phase::Copy(copying) = &mut self.phase {
            copying.give_up(&self.work);
        }
        self.work.log.inner.cleaning.release();
    }
}

impl Work {
    fn note_read(&mut self, bytes: u64) {
        if let Some(progress) = &mut *self.log.inner.cleaning.progress.lock() {
            progress.done_bytes += bytes;
        }
    }

    /// Where the clean part will end.
    fn end_of_map(&self) -> Offset {
        self.map.latest().map_or(self.dirt.first_dirty, |latest| latest + 1)
    }

    /// Whether the log was truncated meanwhile, so that what was found out about it does not hold.
    fn is_overtaken(&self) -> bool {
        self.log.inner.appender.lock().truncations != self.truncations
    }

    fn end(&mut self) -> Result<Cleaned, LogError> {
        // Held, so that the log is neither truncated nor removed before it is noted.
        let appender = self.log.inner.appender.lock();
        self.log.inner.check_open()?;
        if !self.is_refused && appender.truncations == self.truncations {
            self.report.end = self.end_of_map();
            self.log.inner.owner.note_cleaned(self.log.partition(), self.report.end)?;
        }
        Ok(self.report.clone())
    }
}

impl CleaningState {
    fn claim(&self, progress: CleaningProgress) -> bool {
        let mut slot = self.progress.lock();
        let is_free = slot.is_none();
        slot.get_or_insert(progress);
        is_free
    }

    fn release(&self) {
        *self.progress.lock() = None;
    }
}

/// `end` is the log's.
fn facts(segments: &SegmentList, end: Offset, config: &LogConfig) -> Result<Vec<Facts>, LogError> {
    let ends = segments.iter().skip(1).map(|next| next.base()).chain([end]);
    let facts = |(segment, end): (&Arc<Segment>, Offset)| {
        let newest = match config.min_compaction_lag.is_zero() {
            true => None,
            false => segment.largest_timestamp()?,
        };
        let oldest = match config.max_compaction_lag {
            Some(_) => segment.find(segment.base())?.and_then(|first| first.header.max_timestamp()),
            None => None,
        };
        let oldest = oldest.filter(|oldest| *oldest > Timestamp::from_millis(0));
        let (base, bytes, index_bytes) = (segment.base(), segment.size()?, segment.index_bytes()?);
        Ok(Facts { base, end, bytes, index_bytes, newest, oldest })
    };
    segments.iter().zip(ends).map(facts).collect()
}

/// How long a log that could not be cleaned is passed over.
const RETRY: Duration = Duration::from_secs(60);

/// Makes keys hash as nobody can foresee; what is kept does not depend on it.
fn secret() -> [u64; 2] {
    use std::hash::{BuildHasher, RandomState};
    [0u8, 1].map(|n| RandomState::new().hash_one(n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CleanupPolicy, DirConfig, Durability, LogDir, NewRecord};

    #[test]
    fn a_cleaning_that_ends_after_its_log_was_removed_notes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let log = LogConfig {
            cleanup_policy: CleanupPolicy::Compact,
            min_cleanable_dirty_ratio: 0.0,
            ..LogConfig::default()
        };
        let config = DirConfig { log, ..DirConfig::default() };
        let dir = LogDir::open_with(folder.path(), config).unwrap();
        let log = dir.log("t", 0).unwrap();
        log.append(&NewRecord::new("value").key("key"), Durability::Written).unwrap();
        log.roll().unwrap();
        let mut cleaning = dir.start_cleaning(Timestamp::from_millis(0)).unwrap().unwrap();
        dir.remove(log.partition()).unwrap();
        let ended = cleaning.work.end();
        assert!(matches!(ended, Err(LogError::Closed { .. })), "{ended:?}");
        assert_eq!(log.inner.owner.cleaned(log.partition()), None);
    }
}
