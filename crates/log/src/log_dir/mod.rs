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
//! The marker of a clean stop is taken away, durably, before the first write after opening; so a
//! folder that is only read stays as it was, and a marker never stands over something half written.

mod checkpoints;
mod known;
mod maintenance;
mod many;
mod marker;
mod shared;
mod unopened;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use klamm_types::{Offset, Timestamp, TopicId, TopicName, TopicPartition};
use parking_lot::{Mutex, RwLock};

use crate::disk::{Disk, OsDisk};
use crate::event::Watch;
use crate::folder::Folder;
use crate::log::Inner;
use crate::{
    Cleaned, CleanerConfig, Cleaning, Clock, ConfigError, Cut, Dirtiness, Inconsistency, Log, LogConfig,
    LogError, NoObserver, Observer, OpenError, SystemClock, Task,
};

pub use many::NewLog;

use checkpoints::{CLEANED, COMMITTED, RECOVERY_POINTS, START_OFFSETS, read_checkpoint};
use marker::CleanMarker;
use shared::{HeldLock, State, read_topic_id};
use unopened::Unopened;

pub use known::{KnownLog, KnownLogs};
pub(crate) use marker::Owner;
pub(crate) use shared::Shared;
pub use unopened::OfflineLog;

/// A folder of logs. All logs in it are opened with it. A handle: clones share the folder. It is
/// closed when the last handle on it or on one of its logs is dropped; [`LogDir::close`] does so at
/// once and tells of errors.
#[derive(Clone, Debug)]
pub struct LogDir {
    shared: Arc<Shared>,
}

/// How a folder of logs behaves.
#[derive(Clone, Debug)]
pub struct DirConfig {
    /// Settings of logs that are not given others.
    pub log: LogConfig,
    /// Threads that open, recover and create logs, and sync them when the directory is closed; 2
    /// (`num.recovery.threads.per.data.dir`).
    pub recovery_threads: usize,
    /// How often the recovery points are written; one minute
    /// (`log.flush.offset.checkpoint.interval.ms`).
    pub checkpoint_interval: Duration,
    /// How often retention is enforced; 5 minutes (`log.retention.check.interval.ms`).
    pub retention_interval: Duration,
    /// How compacted logs are cleaned.
    pub cleaner: CleanerConfig,
    /// Log files that stay open, over all logs; 512 (`log.max.open.files`). Above it
    /// [`LogDir::maintain`] syncs and closes those that were not used since its last round. Files
    /// in use may be twice as many; beyond that whoever opens one syncs and closes another one
    /// first, which makes appending to so many logs in turn slow. Kafka keeps all files open.
    pub max_open_files: usize,
    /// What becomes of a log that is damaged, or has lost records, before its recovery point.
    pub on_damage: OnDamage,
    /// What is known of logs before they are opened; nothing. Batches that contradict it are
    /// damaged. Unless it is empty, offsets may be missing anywhere in a log that it does not name.
    pub known: Arc<KnownLogs>,
    /// Whether the log of the metadata quorum, `__cluster_metadata-0`, is opened with the others;
    /// no. [`LogDir::create`] opens it in either case.
    pub metadata_log: bool,
    /// Where the time comes from; the machine's clock.
    pub clock: Arc<dyn Clock>,
    /// Who is told what happens in the background; nobody.
    pub observer: Arc<dyn Observer>,
    /// Where the files are; the operating system's disk.
    pub disk: Arc<dyn Disk>,
}

/// What becomes of a log that is damaged before its recovery point, or ends before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnDamage {
    /// The log does not open; [`LogDir::offline`] says why. The other logs do.
    #[default]
    Refuse,
    /// Every log is checked from its start and cut at its first batch that is not valid;
    /// [`LogDir::cuts`] says what was dropped. The way to go on with what is left.
    Cut,
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

impl Default for DirConfig {
    fn default() -> DirConfig {
        DirConfig {
            log: LogConfig::default(),
            recovery_threads: 2,
            checkpoint_interval: Duration::from_secs(60),
            retention_interval: Duration::from_secs(300),
            cleaner: CleanerConfig::default(),
            max_open_files: 512,
            on_damage: OnDamage::Refuse,
            known: Arc::default(),
            metadata_log: false,
            clock: Arc::new(SystemClock),
            observer: Arc::new(NoObserver),
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

    /// Opens the folder at `path` with these settings. After an unclean stop all logs are
    /// recovered, in parallel. A log that cannot be opened is offline ([`LogDir::offline`]); the
    /// others are open.
    ///
    /// # Errors
    /// As [`LogDir::open`].
    pub fn open_with(path: impl AsRef<Path>, config: DirConfig) -> Result<LogDir, OpenError> {
        config.log.validate()?;
        config.cleaner.validate()?;
        let folder = Folder::new(Arc::clone(&config.disk), path.as_ref(), config.max_open_files);
        folder.create()?;
        let held = folder.lock(LOCK)?.ok_or_else(|| OpenError::Locked { path: folder.path().to_owned() })?;
        let marker = CleanMarker::find(folder.clone())?;
        let clean = !marker.is_dirty();
        let has_checkpoints = folder.stat(RECOVERY_POINTS)?.is_some();
        if !clean && !has_checkpoints {
            folder.sync_above()?;
        }
        let mut inconsistencies = Vec::new();
        let mut read = |name| read_checkpoint(&folder, name, &mut inconsistencies);
        let state = State {
            recovery_points: read(RECOVERY_POINTS)?,
            start_offsets: read(START_OFFSETS)?,
            committed: read(COMMITTED)?,
            cleaned: read(CLEANED)?,
            ..State::default()
        };
        let shared = Arc::new(Shared {
            folder,
            cleaner: RwLock::new(Arc::new(config.cleaner.clone())),
            watch: Watch::new(Arc::clone(&config.observer)),
            config,
            changing: Mutex::default(),
            logs: RwLock::default(),
            marker: Arc::new(marker),
            state: Mutex::new(state),
            lock: Mutex::new(Some(HeldLock(held))),
            cuts: Mutex::default(),
            removed: AtomicUsize::new(0),
            was_clean: clean,
            has_checkpoints,
            unopened: Unopened::default(),
            inconsistencies: Mutex::new(inconsistencies),
        });
        if shared.config.on_damage == OnDamage::Cut {
            shared.marker.mark_dirty()?;
        }
        shared.load_all()?;
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

    /// The log of `partition`; when it is not there it is created with these settings and, if
    /// given, its topic's id.
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
        let new = NewLog { partition: partition.clone(), config: Arc::new(config), topic_id };
        let turn = self.shared.changing.lock();
        let log = self.create_unsynced(&new)?;
        drop(turn);
        log.inner.make_names_durable()?;
        Ok(log)
    }

    /// The log of `partition`, if it is there.
    #[must_use]
    pub fn get(&self, partition: &TopicPartition) -> Option<Log> {
        self.shared.logs.read().get(partition).map(|log| self.handle(log))
    }

    /// How many logs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.logs.read().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All logs, by name.
    #[must_use]
    pub fn logs(&self) -> Vec<Log> {
        self.shared.logs.read().values().map(|log| self.handle(log)).collect()
    }

    /// What opening the logs has cut off: after an unclean stop from the first batch on that is not
    /// valid and was never synced; with [`OnDamage::Cut`] from the first damaged batch on, whether
    /// it was synced or not. [`Cut::kept`] names the files that keep valid batches of it.
    #[must_use]
    pub fn cuts(&self) -> Vec<Cut> {
        self.shared.cuts.lock().clone()
    }

    /// The logs that could not be opened, by name. [`LogDir::create`] tries again to open one, and
    /// returns the error when that fails too.
    #[must_use]
    pub fn offline(&self) -> Vec<OfflineLog> {
        self.shared.unopened.failed()
    }

    /// The checkpoints that opening could not believe, and what it used in their place; and
    /// segments that are missing or end too early. Opening does not read what was synced before:
    /// [`Log::verify`] does.
    #[must_use]
    pub fn inconsistencies(&self) -> Vec<Inconsistency> {
        self.shared.inconsistencies.lock().clone()
    }

    /// The logs that have a recovery point, but no directory: all their records before that point
    /// are lost.
    #[must_use]
    pub fn missing(&self) -> Vec<(TopicPartition, Offset)> {
        let points = self.shared.state.lock().recovery_points.offsets.clone();
        let stat = |partition: &TopicPartition| self.shared.folder.stat(&partition.to_string());
        let is_gone = |partition: &TopicPartition| stat(partition).is_ok_and(|stat| stat.is_none());
        let lost =
            |(partition, point): &(TopicPartition, Offset)| *point > Offset::ZERO && is_gone(partition);
        points.into_iter().filter(lost).collect()
    }

    /// Closes the log of a partition and leaves its files as they are, until [`LogDir::create`]
    /// opens it again.
    pub fn release(&self, partition: &TopicPartition) {
        let _turn = self.shared.changing.lock();
        let released = self.shared.logs.write().remove(partition);
        let Some(log) = released else { return };
        log.close();
        match log.owner.is_modified() {
            true => self.shared.unopened.release_modified(partition.clone()),
            false => self.shared.unopened.pass_over(partition.clone()),
        }
    }

    /// The id of a log's topic; `None` where `partition.metadata` is missing or empty.
    ///
    /// # Errors
    /// [`OpenError`] when `partition.metadata` cannot be read.
    pub fn topic_id(&self, partition: &TopicPartition) -> Result<Option<TopicId>, OpenError> {
        read_topic_id(&self.shared.folder.join(&partition.to_string()))
    }

    /// Removes a log, open or offline: at once it is no longer there, its files go
    /// `file.delete.delay.ms` later. Says whether it was there.
    ///
    /// # Errors
    /// [`LogError::Closed`] when the directory of logs is closed, [`LogError`] when its
    /// directory cannot be renamed.
    pub fn remove(&self, partition: &TopicPartition) -> Result<bool, LogError> {
        self.remove_many(std::slice::from_ref(partition))?.pop().unwrap_or(Ok(false))
    }

    /// Does what is due: retention, syncs that `flush.ms` asks for, checkpoints, removals. What is
    /// due is decided by [`Clock::elapsed`]; `now` is compared with the times of records, for
    /// retention by time. [`Background`](crate::Background) calls it from a thread; a program that
    /// has a loop of its own can do so itself.
    ///
    /// # Errors
    /// The first [`LogError`]; the other logs are seen to all the same.
    pub fn maintain(&self, now: Timestamp) -> Result<Maintained, LogError> {
        self.shared.maintain(&self.logs(), now)
    }

    /// Begins to clean the log that needs it most: of those whose settings ask for it at `now`, the
    /// one with the largest dirty part. `None` when there is none. What has to be done then is done
    /// by [`Cleaning::step`].
    ///
    /// # Errors
    /// [`LogError`] when a log cannot be looked at, and there is no other to clean. One that failed
    /// is passed over for a minute.
    pub fn start_cleaning(&self, now: Timestamp) -> Result<Option<Cleaning>, LogError> {
        let mut dirtiest: Option<(Log, Dirtiness)> = None;
        let mut failed = None;
        for log in self.logs().into_iter().filter(Log::is_cleanable) {
            let dirt = match log.dirtiness(now) {
                Ok(dirt) => dirt,
                Err(error) => {
                    let failure = Err::<(), _>(error);
                    self.shared.watch.note_log(Task::Cleaning, &log.inner, &failure);
                    let Err(error) = failure else { continue };
                    log.note_cleaning_failed(&error);
                    failed.get_or_insert(error);
                    continue;
                }
            };
            let is_more = dirtiest.as_ref().is_none_or(|(_, most)| dirt.ratio() > most.ratio());
            if dirt.is_due(&log.config()) && is_more {
                dirtiest = Some((log, dirt));
            }
        }
        match (dirtiest, failed) {
            (Some((log, dirt)), _) => log.begin_cleaning(dirt, now),
            (None, failed) => failed.map_or(Ok(None), Err),
        }
    }

    /// Cleans all logs whose settings ask for it at `now`, the dirtiest first, and tells what was
    /// done. [`Background`](crate::Background) does so by itself, and slower if
    /// `log.cleaner.io.max.bytes.per.second` says so.
    ///
    /// # Errors
    /// The first [`LogError`]; logs that come after wait for another call.
    pub fn clean(&self, now: Timestamp) -> Result<Vec<Cleaned>, LogError> {
        let mut done = Vec::new();
        while let Some(cleaning) = self.start_cleaning(now)? {
            done.push(cleaning.run()?);
        }
        Ok(done)
    }

    /// Syncs all logs, writes the checkpoints and the marker of a clean stop, and gives the folder
    /// free. Logs that are still in someone's hands can be read but take no more writes.
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

    /// Changes how compacted logs are cleaned from the next cleaning on; the bound on bytes a
    /// second from the next step.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting that cannot be.
    pub fn set_cleaner(&self, config: CleanerConfig) -> Result<(), ConfigError> {
        config.validate()?;
        *self.shared.cleaner.write() = Arc::new(config);
        Ok(())
    }

    pub(crate) fn cleaner(&self) -> Arc<CleanerConfig> {
        self.shared.cleaner()
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.shared.config.clock)
    }
}

const LOCK: &str = ".lock";
