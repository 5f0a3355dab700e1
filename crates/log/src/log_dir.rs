//! A folder of logs: Kafka's `log.dirs`.
//!
//! ```text
//! .lock                               held while the folder is open; excludes Kafka too
//! .kafka_cleanshutdown                there when the folder was closed cleanly and not written to since
//! recovery-point-offset-checkpoint    before which all is durable, for each log
//! log-start-offset-checkpoint         where logs start whose first records were deleted
//! replication-offset-checkpoint       commit bounds
//! topic-0/ topic-1/ ...               the logs
//! topic-0.<hex>-delete/               a log that was removed; its files go later
//! ```
//!
//! The marker of a clean stop is taken away, durably, before the first write after opening; so a folder that is only read
//! stays as it was, and a marker never stands over something half written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use klamm_types::{Offset, Timestamp, TopicId, TopicName, TopicPartition};
use parking_lot::{Mutex, RwLock};

use crate::disk::{Disk, OsDisk};
use crate::folder::Folder;
use crate::format::{OffsetCheckpoint, PARTITION_METADATA, PartitionMetadata};
use crate::load::{CHECKPOINT_LIMIT, Trust, format_error, load};
use crate::log::Inner;
use crate::{Clock, FileError, Log, LogConfig, LogError, OpenError, SystemClock};

/// A folder of logs. All logs in it are opened with it. A handle: clones share the folder. It is closed when the last handle
/// on it or on one of its logs is dropped; [`LogDir::close`] does so at once and tells of errors.
#[derive(Clone, Debug)]
pub struct LogDir {
    shared: Arc<Shared>,
}

/// How a folder of logs behaves.
#[derive(Clone, Debug)]
pub struct DirConfig {
    /// Settings of logs that are not given others.
    pub log: LogConfig,
    /// Threads that open and recover logs; 2 (`num.recovery.threads.per.data.dir`).
    pub recovery_threads: usize,
    /// How often the recovery points are written; one minute (`log.flush.offset.checkpoint.interval.ms`).
    pub checkpoint_interval: Duration,
    /// How often retention is enforced; 5 minutes (`log.retention.check.interval.ms`).
    pub retention_interval: Duration,
    /// Where the time comes from; the machine's clock.
    pub clock: Arc<dyn Clock>,
    /// Where the files are; the operating system's disk.
    pub disk: Arc<dyn Disk>,
}

/// What a round of [`LogDir::maintain`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Maintained {
    /// Segments taken out of their logs.
    pub retired_segments: usize,
    /// Logs that were synced.
    pub synced_logs: usize,
    /// Whether the checkpoints were written.
    pub checkpointed: bool,
}

#[derive(Debug)]
pub(crate) struct Shared {
    folder: Folder,
    config: DirConfig,
    /// Without a handle on this, so that it can end when the last handle is dropped.
    logs: RwLock<BTreeMap<TopicPartition, Arc<Inner>>>,
    marker: Arc<CleanMarker>,
    state: Mutex<State>,
    lock: Mutex<Option<HeldLock>>,
    removed: AtomicUsize,
}

struct HeldLock(#[allow(dead_code)] Box<dyn Send + Sync>);

/// What the folder's checkpoints hold, and when rounds were last made.
#[derive(Debug, Default)]
struct State {
    /// Whether all logs were opened. A folder that could not be opened is left as it is.
    loaded: bool,
    recovery_points: OffsetCheckpoint,
    start_offsets: OffsetCheckpoint,
    committed: OffsetCheckpoint,
    checkpointed: Option<Timestamp>,
    retained: Option<Timestamp>,
    /// Folders of removed logs, and when their files go.
    removals: Vec<(Timestamp, String)>,
}

/// The marker of a clean stop.
#[derive(Debug)]
struct CleanMarker {
    folder: Folder,
    /// Whether the marker is gone, so that writing is allowed.
    dirty: AtomicBool,
    lock: Mutex<()>,
}

/// What a log knows of its folder.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    marker: Arc<CleanMarker>,
    shared: Weak<Shared>,
}

impl Default for DirConfig {
    fn default() -> DirConfig {
        DirConfig {
            log: LogConfig::default(),
            recovery_threads: 2,
            checkpoint_interval: Duration::from_secs(60),
            retention_interval: Duration::from_secs(300),
            clock: Arc::new(SystemClock),
            disk: Arc::new(OsDisk),
        }
    }
}

impl LogDir {
    /// Opens the folder at `path`, which is created when it is not there, with default settings.
    ///
    /// # Errors
    /// [`OpenError::Locked`] when another process has it open, [`OpenError`] otherwise.
    pub fn open(path: impl AsRef<Path>) -> Result<LogDir, OpenError> {
        LogDir::open_with(path, DirConfig::default())
    }

    /// Opens the folder at `path` with these settings. After an unclean stop all logs are recovered, in parallel.
    ///
    /// # Errors
    /// As [`LogDir::open`].
    pub fn open_with(path: impl AsRef<Path>, config: DirConfig) -> Result<LogDir, OpenError> {
        config.log.validate()?;
        let folder = Folder::new(Arc::clone(&config.disk), path.as_ref().to_owned());
        folder.create()?;
        let held = folder.lock(LOCK)?.ok_or_else(|| OpenError::Locked { path: folder.path().to_owned() })?;
        let clean = folder.stat(CLEAN_SHUTDOWN)?.is_some();
        let state = State {
            recovery_points: read_checkpoint(&folder, RECOVERY_POINTS)?,
            start_offsets: read_checkpoint(&folder, START_OFFSETS)?,
            committed: read_checkpoint(&folder, COMMITTED)?,
            ..State::default()
        };
        let marker =
            CleanMarker { folder: folder.clone(), dirty: AtomicBool::new(!clean), lock: Mutex::new(()) };
        let shared = Arc::new(Shared {
            folder,
            config,
            logs: RwLock::default(),
            marker: Arc::new(marker),
            state: Mutex::new(state),
            lock: Mutex::new(Some(HeldLock(held))),
            removed: AtomicUsize::new(0),
        });
        shared.load_all(clean)?;
        shared.state.lock().loaded = true;
        Ok(LogDir { shared })
    }

    /// The log of partition `partition` of `topic`; it is created when it is not there.
    ///
    /// # Errors
    /// [`OpenError::Name`] for a name that cannot be one, [`OpenError`] when it cannot be created.
    pub fn log(&self, topic: &str, partition: u32) -> Result<Log, OpenError> {
        let name = TopicName::new(topic)?;
        let wrong = || klamm_types::NameError::NotAPartition { got: format!("{topic}-{partition}") };
        let partition = TopicPartition::new(name, partition).ok_or_else(wrong)?;
        self.create(&partition, self.shared.config.log.clone(), None)
    }

    /// The log of `partition`; when it is not there it is created with these settings and, if given, its topic's id.
    ///
    /// # Errors
    /// [`OpenError`] when it cannot be created.
    pub fn create(
        &self,
        partition: &TopicPartition,
        config: LogConfig,
        topic_id: Option<TopicId>,
    ) -> Result<Log, OpenError> {
        if let Some(log) = self.get(partition) {
            return Ok(log);
        }
        config.validate()?;
        let mut logs = self.shared.logs.write();
        if self.shared.lock.lock().is_none() {
            return Err(OpenError::Closed);
        }
        if let Some(log) = logs.get(partition) {
            return Ok(self.handle(log));
        }
        let log = Arc::new(self.shared.create(partition, config, topic_id)?);
        logs.insert(partition.clone(), Arc::clone(&log));
        Ok(self.handle(&log))
    }

    /// The log of `partition`, if it is there.
    #[must_use]
    pub fn get(&self, partition: &TopicPartition) -> Option<Log> {
        self.shared.logs.read().get(partition).map(|log| self.handle(log))
    }

    /// All logs, by name.
    #[must_use]
    pub fn logs(&self) -> Vec<Log> {
        self.shared.logs.read().values().map(|log| self.handle(log)).collect()
    }

    /// The id of a log's topic, where its folder says one.
    ///
    /// # Errors
    /// [`OpenError`] when `partition.metadata` cannot be read.
    pub fn topic_id(&self, partition: &TopicPartition) -> Result<Option<TopicId>, OpenError> {
        let folder = self.shared.folder.join(&partition.to_string());
        let Some(bytes) = folder.read(PARTITION_METADATA, CHECKPOINT_LIMIT)? else { return Ok(None) };
        let parsed = PartitionMetadata::parse(&String::from_utf8_lossy(&bytes));
        let metadata = parsed.map_err(|error| format_error(&folder, PARTITION_METADATA, error))?;
        Ok(Some(metadata.topic_id))
    }

    /// Removes a log: at once it is no longer there, its files go `file.delete.delay.ms` later. Says whether it was there.
    ///
    /// # Errors
    /// [`LogError`] when its folder cannot be renamed.
    pub fn remove(&self, partition: &TopicPartition) -> Result<bool, LogError> {
        // Held until the folder has its other name, so that nobody opens it meanwhile.
        let mut logs = self.shared.logs.write();
        let Some(log) = logs.get(partition).cloned() else { return Ok(false) };
        self.shared.remove(&log)?;
        logs.remove(partition);
        Ok(true)
    }

    /// Does what is due at `now`: retention, syncs that `flush.messages` and `flush.ms` ask for, checkpoints, removals.
    /// [`Background`](crate::Background) calls it from a thread; a program that has a loop of its own can do so itself.
    ///
    /// # Errors
    /// The first [`LogError`]; the other logs are seen to all the same.
    pub fn maintain(&self, now: Timestamp) -> Result<Maintained, LogError> {
        self.shared.maintain(&self.logs(), now)
    }

    /// Syncs all logs, writes the checkpoints and the marker of a clean stop, and gives the folder free. Logs that are
    /// still in someone's hands can be read but take no more writes.
    ///
    /// # Errors
    /// [`LogError`] when something could not be made durable; the next opening then recovers.
    pub fn close(&self) -> Result<(), LogError> {
        self.shared.close()
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.shared.folder.path()
    }

    fn handle(&self, inner: &Arc<Inner>) -> Log {
        Log { inner: Arc::clone(inner), _dir: Arc::clone(&self.shared) }
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.shared.config.clock)
    }
}

impl Shared {
    fn load_all(self: &Arc<Self>, clean: bool) -> Result<(), OpenError> {
        let partitions = self.find_partitions()?;
        let next = AtomicUsize::new(0);
        let load_some = || -> Result<Vec<Inner>, OpenError> {
            let claim = || partitions.get(next.fetch_add(1, Ordering::Relaxed));
            std::iter::from_fn(claim).map(|partition| self.load_one(partition, clean)).collect()
        };
        let threads = self.config.recovery_threads.clamp(1, partitions.len().max(1));
        let loaded: Vec<_> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(load_some)).collect();
            let own = load_some();
            let joined = others.into_iter().map(|thread| thread.join().expect("loading does not panic"));
            joined.chain([own]).collect()
        });
        let mut logs = self.logs.write();
        for log in loaded.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
            logs.insert(log.partition.clone(), Arc::new(log));
        }
        Ok(())
    }

    /// The partitions that have a folder; folders of removed logs are cleared away.
    fn find_partitions(&self) -> Result<Vec<TopicPartition>, FileError> {
        let mut partitions = Vec::new();
        for name in self.folder.names()? {
            if name.ends_with("-delete") {
                self.folder.remove_folder(&name)?;
            } else if let Ok(partition) = name.parse::<TopicPartition>() {
                let is_dir = self.folder.stat(&name)?.is_some_and(|stat| stat.is_dir);
                if is_dir && name != METADATA_LOG {
                    partitions.push(partition);
                }
            }
        }
        Ok(partitions)
    }

    fn load_one(self: &Arc<Self>, partition: &TopicPartition, clean: bool) -> Result<Inner, OpenError> {
        let (point, start) = {
            let state = self.state.lock();
            let of = |checkpoint: &OffsetCheckpoint| checkpoint.offsets.get(partition).copied();
            (of(&state.recovery_points), of(&state.start_offsets))
        };
        let trust = if clean { Trust::Clean } else { Trust::From(point.unwrap_or_default()) };
        self.open_log(partition, self.config.log.clone(), trust, start)
    }

    fn open_log(
        self: &Arc<Self>,
        partition: &TopicPartition,
        config: LogConfig,
        trust: Trust,
        start: Option<Offset>,
    ) -> Result<Inner, OpenError> {
        let folder = self.folder.join(&partition.to_string());
        let loaded = load(&folder, &config, trust, start)?;
        let owner = Owner { marker: Arc::clone(&self.marker), shared: Arc::downgrade(self) };
        Ok(Inner::new(partition.clone(), folder, config, Arc::clone(&self.config.clock), owner, &loaded))
    }

    fn create(
        self: &Arc<Self>,
        partition: &TopicPartition,
        config: LogConfig,
        topic_id: Option<TopicId>,
    ) -> Result<Inner, OpenError> {
        self.marker.mark_dirty()?;
        let folder = self.folder.join(&partition.to_string());
        folder.create()?;
        if let Some(topic_id) = topic_id {
            folder.replace(PARTITION_METADATA, PartitionMetadata { topic_id }.to_text().as_bytes())?;
        }
        // Its folder can be there from before when it is one that opening passes over.
        let log = self.open_log(partition, config, Trust::From(Offset::ZERO), None)?;
        folder.sync()?;
        self.folder.sync()?;
        Ok(log)
    }

    /// The checkpoints forget the log first: its start must not become that of another log of the same name.
    fn remove(&self, log: &Inner) -> Result<(), LogError> {
        self.marker.mark_dirty()?;
        log.close();
        self.change_checkpoints(|checkpoint| checkpoint.offsets.remove(&log.partition).is_some())?;
        let number = self.removed.fetch_add(1, Ordering::Relaxed);
        let now = self.config.clock.now();
        let name = removed_name(&log.partition, now, number);
        self.folder.rename(&log.partition.to_string(), &name)?;
        self.folder.sync()?;
        let due = now.saturating_add(log.appender.lock().config.file_delete_delay);
        self.state.lock().removals.push((due, name));
        Ok(())
    }

    /// Changes recovery points and start offsets, on the disk before in memory.
    fn change_checkpoints(&self, change: impl Fn(&mut OffsetCheckpoint) -> bool) -> Result<(), FileError> {
        let mut state = self.state.lock();
        let (mut points, mut starts) = (state.recovery_points.clone(), state.start_offsets.clone());
        if change(&mut points) {
            self.folder.replace(RECOVERY_POINTS, points.to_text().as_bytes())?;
            state.recovery_points = points;
        }
        if change(&mut starts) {
            self.folder.replace(START_OFFSETS, starts.to_text().as_bytes())?;
            state.start_offsets = starts;
        }
        Ok(())
    }

    fn maintain(&self, logs: &[Log], now: Timestamp) -> Result<Maintained, LogError> {
        let mut done = Maintained::default();
        let mut first_error = None;
        let retain = self.is_due(now, self.config.retention_interval, |state| &mut state.retained);
        for log in logs {
            let round = log.inner.flush_if_due(now).map(|synced| done.synced_logs += usize::from(synced));
            let round = round.and_then(|()| if retain { log.enforce_retention(now) } else { Ok(0) });
            match round {
                Ok(retired) => done.retired_segments += retired,
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        self.remove_due(now)?;
        if self.is_due(now, self.config.checkpoint_interval, |state| &mut state.checkpointed)
            && self.marker.is_dirty()
        {
            let logs: Vec<_> = self.logs.read().values().cloned().collect();
            let held = self.lock.lock();
            if held.is_some() {
                self.write_checkpoints(&logs)?;
                done.checkpointed = true;
            }
        }
        first_error.map_or(Ok(done), Err)
    }

    fn is_due(
        &self,
        now: Timestamp,
        every: Duration,
        last: impl Fn(&mut State) -> &mut Option<Timestamp>,
    ) -> bool {
        let mut state = self.state.lock();
        let last = last(&mut state);
        let due = last.is_none_or(|last| now.since(last) >= every);
        if due {
            *last = Some(now);
        }
        due
    }

    fn remove_due(&self, now: Timestamp) -> Result<(), FileError> {
        let mut state = self.state.lock();
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.removals).into_iter().partition(|r| r.0 <= now);
        state.removals = later;
        drop(state);
        due.iter().try_for_each(|(_, name)| self.folder.remove_folder(name))
    }

    fn write_checkpoints(&self, logs: &[Arc<Inner>]) -> Result<(), FileError> {
        let mut state = self.state.lock();
        for log in logs {
            let (partition, published) = (&log.partition, log.published.read().clone());
            let (bounds, first) = (published.bounds, published.segments.first().base());
            state.recovery_points.offsets.insert(partition.clone(), log.group.synced());
            state.committed.offsets.insert(partition.clone(), bounds.committed());
            if bounds.start() > first {
                state.start_offsets.offsets.insert(partition.clone(), bounds.start());
            } else {
                state.start_offsets.offsets.remove(partition);
            }
        }
        let State { recovery_points, start_offsets, committed, .. } = &*state;
        for (name, checkpoint) in
            [(RECOVERY_POINTS, recovery_points), (START_OFFSETS, start_offsets), (COMMITTED, committed)]
        {
            self.folder.replace(name, checkpoint.to_text().as_bytes())?;
        }
        Ok(())
    }

    fn close(&self) -> Result<(), LogError> {
        // Both are held until the end: no log is created, no checkpoint written, and nobody opens the folder meanwhile.
        let logs = self.logs.write();
        let mut held = self.lock.lock();
        if held.is_none() {
            return Ok(());
        }
        let all: Vec<_> = logs.values().cloned().collect();
        // Before the marker: no append is let in any more.
        all.iter().for_each(|log| log.close());
        let written = self.marker.is_dirty() && self.state.lock().loaded;
        let closed = if written { self.close_written(&all) } else { Ok(()) };
        held.take();
        closed
    }

    fn close_written(&self, logs: &[Arc<Inner>]) -> Result<(), LogError> {
        let results: Vec<_> = logs.iter().map(|log| log.sync_for_close()).collect();
        self.write_checkpoints(logs)?;
        results.into_iter().collect::<Result<(), _>>()?;
        self.folder.replace(CLEAN_SHUTDOWN, CLEAN_TEXT.as_bytes())?;
        Ok(())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

impl CleanMarker {
    #[inline]
    fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Acquire)
    }

    #[inline]
    fn mark_dirty(&self) -> Result<(), FileError> {
        if self.is_dirty() { Ok(()) } else { self.take_away() }
    }

    #[cold]
    fn take_away(&self) -> Result<(), FileError> {
        let _one = self.lock.lock();
        if !self.is_dirty() {
            self.folder.remove(CLEAN_SHUTDOWN)?;
            self.folder.sync()?;
            self.dirty.store(true, Ordering::Release);
        }
        Ok(())
    }
}

impl Owner {
    /// Must come before each write: takes the marker of a clean stop away.
    #[inline]
    pub(crate) fn mark_dirty(&self) -> Result<(), FileError> {
        self.marker.mark_dirty()
    }

    /// Before a log is truncated neither its recovery point nor its start may lie beyond what will be left.
    pub(crate) fn lower_checkpoints(&self, partition: &TopicPartition, to: Offset) -> Result<(), FileError> {
        let Some(shared) = self.shared.upgrade() else { return Ok(()) };
        shared.change_checkpoints(|checkpoint| {
            let beyond = checkpoint.offsets.get_mut(partition).filter(|offset| **offset > to);
            beyond.map(|offset| *offset = to).is_some()
        })
    }
}

impl std::fmt::Debug for HeldLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeldLock")
    }
}

/// `topic-0.<32 hex digits>-delete`; a long topic name is cut so that the whole has at most 255 bytes.
fn removed_name(partition: &TopicPartition, now: Timestamp, number: usize) -> String {
    let tail = format!(".{:016x}{number:016x}-delete", now.as_millis());
    let name = partition.to_string();
    let (topic, digits) = name.rsplit_once('-').unwrap_or((&name, "0"));
    let most = 255 - tail.len() - digits.len() - 1;
    format!("{}-{digits}{tail}", &topic[..topic.len().min(most)])
}

fn read_checkpoint(folder: &Folder, name: &str) -> Result<OffsetCheckpoint, OpenError> {
    let Some(bytes) = folder.read(name, CHECKPOINT_LIMIT)? else { return Ok(OffsetCheckpoint::default()) };
    let parsed = OffsetCheckpoint::parse(&String::from_utf8_lossy(&bytes));
    parsed.map_err(|error| format_error(folder, name, error))
}

const LOCK: &str = ".lock";
const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
/// What Kafka writes there, without an epoch of a broker.
const CLEAN_TEXT: &str = "{\"version\":0,\"brokerEpoch\":-1}";
const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
const START_OFFSETS: &str = "log-start-offset-checkpoint";
const COMMITTED: &str = "replication-offset-checkpoint";
/// The metadata quorum's log lives in the same folder but is nobody's to expire: it is opened only when asked for.
const METADATA_LOG: &str = "__cluster_metadata-0";
