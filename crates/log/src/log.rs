//! The handle of a log, its shared state, and syncing it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use klamm_types::{EpochEnd, EpochHistory, LeaderEpoch, Offset, Timestamp, TopicPartition};
use parking_lot::{Mutex, RwLock};

use crate::appender::Appender;
use crate::cleaner::CleaningState;
use crate::folder::Folder;
use crate::format::{FileKind, PARTITION_METADATA, ProducerSnapshot};
use crate::group_commit::GroupCommit;
use crate::load::Loaded;
use crate::log_dir::{Owner, Shared};
use crate::names::Names;
use crate::producer::{ProducerStates, Snapshots};
use crate::retention::Removals;
use crate::segment::Segment;
use crate::segment_list::SegmentList;
use crate::tail::TailSignal;
use crate::{Bounds, Clock, ConfigError, FileError, LogConfig, LogError};

/// One partition's log: append at its end, read anywhere. A handle: clones share the log, all
/// methods take `&self`, and the folder that it lives in stays open as long as there is one.
///
/// Appending holds one short lock. Readers never wait for it: they take what the last append has
/// published.
#[derive(Clone, Debug)]
pub struct Log {
    pub(crate) inner: Arc<Inner>,
    /// Keeps the folder open.
    pub(crate) _dir: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) partition: TopicPartition,
    pub(crate) folder: Folder,
    pub(crate) names: Names,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) owner: Owner,
    pub(crate) published: RwLock<Published>,
    pub(crate) appender: Mutex<Appender>,
    pub(crate) group: GroupCommit,
    pub(crate) tail: TailSignal,
    pub(crate) removals: Mutex<Removals>,
    pub(crate) health: Health,
    /// `flush.messages`, which each append looks at without a lock; [`NEVER`] where it is not set.
    flush_messages: AtomicU64,
    /// When the background last synced, by [`Clock::elapsed`].
    pub(crate) flushed: Mutex<Option<Duration>>,
    /// When it was last seen that the active segment is in its folder, by [`Clock::elapsed`].
    looked: Mutex<Option<Duration>>,
    pub(crate) cleaning: CleaningState,
}

/// What readers see. Written for a moment after each append, never while the disk is at work.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) segments: SegmentList,
    pub(crate) bounds: Bounds,
    /// Bytes of whole batches in the last segment, up to the end.
    pub(crate) active_size: u64,
    /// The latest leader epoch in the log.
    pub(crate) epoch: Option<LeaderEpoch>,
    /// Counts truncations and deletions: a reader that met an error looks whether the ground has
    /// moved under it.
    pub(crate) generation: u64,
}

impl Published {
    /// Bytes of whole batches in one of the segments, up to the end: what was appended since is not
    /// counted.
    pub(crate) fn size_of(&self, segment: &Arc<Segment>) -> Result<u64, FileError> {
        if Arc::ptr_eq(segment, self.segments.last()) { Ok(self.active_size) } else { segment.size() }
    }

    /// Brings what is unstable up to date.
    pub(crate) fn note_unstable(&mut self, producers: &mut ProducerStates) {
        self.bounds.set_unstable(producers.first_unstable(self.bounds.committed()));
    }
}

/// Whether a log takes writes.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Whether it takes none, for either reason.
    unwell: AtomicBool,
    closed: AtomicBool,
    /// Why it failed, the first time.
    failure: Mutex<Option<String>>,
}

/// A segment as [`Log::segments`] tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentSummary {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Bytes of its batches.
    pub bytes: u64,
    /// The largest time of its records; that of the file where no record has one.
    pub largest_timestamp: Option<Timestamp>,
}

impl Log {
    /// Its topic and partition.
    #[must_use]
    pub fn partition(&self) -> &TopicPartition {
        &self.inner.partition
    }

    /// The folder that holds its files.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.inner.folder.path()
    }

    /// Where it starts, up to where it is committed, and where it ends.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.inner.published.read().bounds
    }

    /// First offset of the segment that is appended to: what is read from there on was written
    /// lately, and is most often still in the system's memory.
    #[must_use]
    pub fn active_start(&self) -> Offset {
        self.inner.published.read().segments.last().base()
    }

    /// The first write or sync that failed, after which the log takes no writes until it is opened
    /// again.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.inner.health.failure.lock().clone()
    }

    /// Its segments, oldest first.
    ///
    /// # Errors
    /// [`LogError::File`] when a segment's size or times cannot be read.
    pub fn segments(&self) -> Result<Vec<SegmentSummary>, LogError> {
        let segments = self.inner.published.read().segments.clone();
        let summary = |segment: &Arc<Segment>| {
            let (base_offset, bytes) = (segment.base(), segment.size()?);
            Ok(SegmentSummary { base_offset, bytes, largest_timestamp: segment.largest_timestamp()? })
        };
        segments.iter().map(summary).collect()
    }

    /// Bytes of its batches.
    ///
    /// # Errors
    /// [`LogError::File`] when a segment's size cannot be read.
    pub fn bytes(&self) -> Result<u64, LogError> {
        let segments = self.inner.published.read().segments.clone();
        let sizes = segments.iter().map(|segment| Ok(segment.size()?));
        sizes.sum()
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> Arc<LogConfig> {
        Arc::clone(&self.inner.appender.lock().config)
    }

    /// Gives it other settings, from the next append on.
    ///
    /// # Errors
    /// [`ConfigError`] names a setting that cannot be; the old ones then stay.
    pub fn set_config(&self, config: LogConfig) -> Result<(), ConfigError> {
        config.validate()?;
        let mut appender = self.inner.appender.lock();
        appender.pace.set_interval(config.index_interval_bytes);
        self.inner.flush_messages.store(config.flush_messages.unwrap_or(NEVER), Ordering::Relaxed);
        appender.config = Arc::new(config);
        Ok(())
    }

    /// Sets the offset after the last committed record: reads with
    /// [`Visibility::Committed`](crate::Visibility), retention and cleaning stop there. It is
    /// brought to between start and end. `None`, as at the beginning, lets it follow the end.
    pub fn set_committed(&self, committed: Option<Offset>) {
        let mut published = self.inner.published.write();
        published.bounds = published.bounds.with_committed(committed);
        let has_unstable = published.bounds.has_unstable();
        drop(published);
        if has_unstable {
            let mut appender = self.inner.appender.lock();
            self.inner.published.write().note_unstable(&mut appender.producers);
        }
        self.inner.tail.notify();
    }

    /// Whether an append in leader epoch `epoch` may have to wait for the disk rather than for the
    /// page cache: it syncs (`flush.messages`), it is the first in its epoch, which is made durable
    /// first, it is the first write since the directory was opened, or its file is closed and so
    /// many others are open that one has to be synced and closed first
    /// ([`DirConfig::max_open_files`](crate::DirConfig::max_open_files)). Never waits itself.
    #[must_use]
    pub fn append_may_wait(&self, epoch: LeaderEpoch) -> bool {
        let is_of_the_log = || {
            let published = self.inner.published.read();
            published.epoch.is_none_or(|latest| latest < epoch) || published.segments.last().may_wait()
        };
        self.inner.flush_messages().is_some() || !self.inner.owner.is_marked() || is_of_the_log()
    }

    /// Where each leader epoch began.
    #[must_use]
    pub fn epochs(&self) -> EpochHistory {
        self.inner.appender.lock().epochs.clone()
    }

    /// Where `epoch` ended in this log: what a follower asks its leader (KIP-101).
    #[must_use]
    pub fn end_of_epoch(&self, epoch: LeaderEpoch) -> Option<EpochEnd> {
        let appender = self.inner.appender.lock();
        appender.epochs.end_of(epoch, appender.next)
    }

    /// The idempotent and transactional producers whose state the log keeps, as a snapshot file has
    /// them.
    #[must_use]
    pub fn producers(&self) -> ProducerSnapshot {
        self.inner.appender.lock().producers.to_snapshot()
    }

    /// Makes all that has been appended durable.
    ///
    /// # Errors
    /// [`LogError`]; after a failed sync the log takes no more writes.
    pub fn sync(&self) -> Result<(), LogError> {
        self.inner.check_writable()?;
        self.inner.sync_to(self.bounds().end())
    }

    /// Makes the records before `end` durable if [`LogConfig::flush_messages`] asks for it: what an
    /// append with [`Durability::Deferred`](crate::Durability::Deferred) has left to its caller.
    /// Callers that wait at the same time share syncs.
    ///
    /// # Errors
    /// [`LogError`]; after a failed sync the log takes no more writes.
    pub fn sync_if_due(&self, end: Offset) -> Result<(), LogError> {
        self.inner.sync_if_due(end)
    }

    /// The offset before which all is durable: where recovery begins after a crash.
    #[must_use]
    pub fn recovery_point(&self) -> Offset {
        self.inner.group.synced()
    }
}

impl Inner {
    pub(crate) fn new(
        partition: TopicPartition,
        folder: Folder,
        config: Arc<LogConfig>,
        clock: Arc<dyn Clock>,
        owner: Owner,
        mut loaded: Loaded,
        names: Names,
    ) -> Inner {
        let mut bounds = Bounds::new(loaded.start, loaded.tail.next);
        bounds.set_unstable(loaded.producers.first_unstable(bounds.committed()));
        let published = Published {
            segments: loaded.segments.clone(),
            bounds,
            active_size: loaded.tail.position,
            epoch: loaded.epochs.latest().map(|latest| latest.epoch),
            generation: 0,
        };
        let synced = loaded.synced;
        let flush_messages = AtomicU64::new(config.flush_messages.unwrap_or(NEVER));
        let appender = Appender::new(folder.clone(), config, loaded);
        Inner {
            partition,
            folder,
            names,
            clock,
            owner,
            published: RwLock::new(published),
            appender: Mutex::new(appender),
            group: GroupCommit::new(synced),
            tail: TailSignal::default(),
            removals: Mutex::new(Removals::default()),
            health: Health::default(),
            flush_messages,
            flushed: Mutex::new(None),
            looked: Mutex::new(None),
            cleaning: CleaningState::default(),
        }
    }

    fn flush_messages(&self) -> Option<u64> {
        Some(self.flush_messages.load(Ordering::Relaxed)).filter(|most| *most != NEVER)
    }

    /// Syncs if `flush.messages` asks the append whose last record is before `end` to do so before
    /// it returns.
    #[inline]
    pub(crate) fn sync_if_due(&self, end: Offset) -> Result<(), LogError> {
        if self.must_flush(end) { self.sync_to(end) } else { Ok(()) }
    }

    #[inline]
    fn must_flush(&self, end: Offset) -> bool {
        let Some(most) = self.flush_messages() else { return false };
        u64::try_from(end.since(self.group.synced())).is_ok_and(|unsynced| unsynced >= most)
    }

    pub(crate) fn sync_to(&self, wanted: Offset) -> Result<(), LogError> {
        self.group.wait(wanted, || self.sync_now())
    }

    /// Syncs what has been written until now. The lock is not held while the disk works.
    fn sync_now(&self) -> Result<Offset, LogError> {
        self.check_sound()?;
        let (end, active, older, snapshots, truncations) = {
            let appender = self.appender.lock();
            let older = appender.unsynced.clone();
            let snapshots = older.first().map(|_| appender.snapshots.clone());
            (appender.next, Arc::clone(&appender.active), older, snapshots, appender.truncations)
        };
        let synced = self.sync_older(&older, snapshots.as_ref());
        let synced = synced.and_then(|()| self.sync_active(&active));
        synced.map_err(|error| self.fail(error))?;
        // Only now: a checkpoint that is written meanwhile must not pass them.
        self.note_synced(&older, truncations);
        Ok(end)
    }

    /// Notes that rolled segments are synced. After a truncation they stay unsynced: one of them
    /// may have been cut, appended to and rolled again since.
    fn note_synced(&self, older: &[Arc<Segment>], truncations: u64) {
        let is_synced = |segment: &Arc<Segment>| older.iter().any(|done| Arc::ptr_eq(done, segment));
        let mut appender = self.appender.lock();
        if appender.truncations == truncations {
            appender.unsynced.retain(|segment| !is_synced(segment));
        }
    }

    /// Syncs the segments before the active one, and the snapshots that were taken since they were
    /// begun.
    fn sync_older(&self, older: &[Arc<Segment>], snapshots: Option<&Snapshots>) -> Result<(), FileError> {
        let (Some(oldest), Some(snapshots)) = (older.first(), snapshots) else { return Ok(()) };
        older.iter().try_for_each(|segment| segment.sync_all())?;
        self.sync_names_from(oldest, snapshots)
    }

    /// Makes the names durable of segments and snapshots that were begun since `oldest`.
    pub(crate) fn sync_names_from(&self, oldest: &Segment, snapshots: &Snapshots) -> Result<(), FileError> {
        snapshots.sync(oldest.base())?;
        self.folder.sync()
    }

    /// The transaction index first: it is not built again for what lies before the recovery point.
    fn sync_active(&self, active: &Arc<Segment>) -> Result<(), FileError> {
        if active.sync_aborted()? {
            self.folder.sync()?;
        }
        active.sync()?;
        self.check_present(active)
    }

    /// A file that someone has removed takes writes and syncs as before, and all is gone when it is
    /// closed. The folder is looked at each time, the file once a second: since Linux 6.13 looking
    /// at a file makes the next write stamp it anew, which takes a third of a sync.
    fn check_present(&self, segment: &Arc<Segment>) -> Result<(), FileError> {
        let removed = || std::io::Error::new(std::io::ErrorKind::NotFound, "it is no longer in its folder");
        if self.folder.stat("")?.is_none() {
            return Err(segment.failed("sync", removed()));
        }
        let (now, mut looked) = (self.clock.elapsed(), self.looked.lock());
        if looked.is_some_and(|looked| now.saturating_sub(looked) < LOOK) {
            return Ok(());
        }
        *looked = Some(now);
        let name = segment.name(FileKind::Log);
        if self.folder.stat(&name)?.is_some() || !Arc::ptr_eq(&self.appender.lock().active, segment) {
            return Ok(());
        }
        Err(self.folder.failed("sync", &name, removed()))
    }

    /// Before it the batches and the indexes are durable, so that recovery need not look.
    pub(crate) fn durable_to(&self) -> Offset {
        self.durable_with(&self.appender.lock())
    }

    pub(crate) fn durable_with(&self, appender: &Appender) -> Offset {
        let oldest = appender.unsynced.first().map(|segment| segment.base());
        oldest.map_or(self.group.synced(), |oldest| oldest.min(self.group.synced()))
    }

    /// Makes segments durable that were rolled and not synced since, as Kafka does in the
    /// background; tells whether there were any. In its turn like every sync: whoever is
    /// acknowledged meanwhile would else miss them.
    pub(crate) fn sync_rolled(&self) -> Result<bool, LogError> {
        let mut appender = self.appender.lock();
        if !self.is_closed() {
            self.note_first_of_several(&mut appender)?;
        }
        if appender.unsynced.is_empty() {
            return Ok(false);
        }
        drop(appender);
        self.group.run_once(|| self.sync_now()).map(|()| true)
    }

    /// Syncs when `flush.ms` says so; tells whether it did.
    pub(crate) fn flush_if_due(&self) -> Result<bool, LogError> {
        let now = self.clock.elapsed();
        let flush_time = self.appender.lock().config.flush_time;
        let end = self.published.read().bounds.end();
        let mut flushed = self.flushed.lock();
        let since = now.saturating_sub(*flushed.get_or_insert(now));
        if end <= self.group.synced() || flush_time.is_none_or(|most| since < most) {
            return Ok(false);
        }
        *flushed = Some(now);
        drop(flushed);
        self.sync_to(end).map(|()| true)
    }

    /// Makes the names in the directory durable, if the log is new. To be called before a write.
    #[inline]
    pub(crate) fn make_names_durable(&self) -> Result<(), FileError> {
        if self.names.are_durable() {
            return Ok(());
        }
        self.names.make_durable(|| self.owner.sync_directory(), || self.sync_new_files())
    }

    fn sync_new_files(&self) -> Result<(), FileError> {
        self.folder.sync_file(PARTITION_METADATA)?;
        self.folder.sync()
    }

    /// Makes all of it durable, indexes too. What was not written to since a clean stop is durable
    /// without a sync, and of a new log that was never written to there is nothing to make durable.
    pub(crate) fn sync_for_close(&self) -> Result<(), LogError> {
        if !self.owner.is_modified() {
            return Ok(());
        }
        let mut appender = self.appender.lock();
        appender.close_indexes()?;
        if !self.names.are_durable() {
            return Ok(());
        }
        self.note_first_of_several(&mut appender)?;
        let segments = self.published.read().segments.clone();
        let taken = appender.take_snapshot(&segments);
        let (end, active, snapshots) =
            (appender.next, Arc::clone(&appender.active), appender.snapshots.clone());
        let trimmed = active.trim();
        drop(appender);
        trimmed.map_err(|error| self.fail(error))?;
        taken?;
        self.sync_rolled()?;
        self.sync_to(end)?;
        active.sync_all()?;
        snapshots.sync(active.base())?;
        Ok(self.folder.sync()?)
    }

    /// Takes no more writes from now on; the pages that a failed sync did not write may be gone,
    /// and another sync would say nothing about them.
    pub(crate) fn fail(&self, error: FileError) -> FileError {
        self.folder.note_failed_sync();
        self.health.failure.lock().get_or_insert_with(|| error.to_string());
        self.health.unwell.store(true, Ordering::Release);
        error
    }

    /// Lets no append in any more; one under way has ended when this returns.
    pub(crate) fn close(&self) {
        let appender = self.appender.lock();
        self.health.closed.store(true, Ordering::Release);
        self.health.unwell.store(true, Ordering::Release);
        drop(appender);
        // The lock that `notify` wants taken.
        drop(self.published.write());
        self.tail.notify();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.health.closed.load(Ordering::Acquire)
    }

    /// Fails for a log that is closed or removed. While the caller holds the appender, a log that
    /// is open stays open.
    pub(crate) fn check_open(&self) -> Result<(), LogError> {
        if self.is_closed() { Err(self.closed()) } else { Ok(()) }
    }

    fn closed(&self) -> LogError {
        LogError::Closed { partition: self.partition.to_string() }
    }

    /// Whether no write or sync has failed.
    fn check_sound(&self) -> Result<(), LogError> {
        match self.health.failure.lock().clone() {
            Some(reason) => Err(LogError::Failed { partition: self.partition.to_string(), reason }),
            None => Ok(()),
        }
    }

    #[inline]
    pub(crate) fn check_writable(&self) -> Result<(), LogError> {
        if self.health.unwell.load(Ordering::Acquire) { Err(self.unwell()) } else { Ok(()) }
    }

    #[cold]
    fn unwell(&self) -> LogError {
        self.check_sound().err().unwrap_or_else(|| self.closed())
    }
}

/// No `flush.messages`.
const NEVER: u64 = u64::MAX;
const LOOK: Duration = Duration::from_secs(1);
