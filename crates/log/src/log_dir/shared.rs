//! What all handles on a folder share: its logs, its lock, its checkpoints; and opening and
//! creating logs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use klamm_record::BatchError;
use klamm_types::{Offset, TopicId, TopicPartition};
use parking_lot::{Mutex, RwLock};

use super::checkpoints::{Noted, starts_of_nothing};
use super::marker::{CleanMarker, Owner};
use super::unopened::Unopened;
use super::{DirConfig, KnownLog, NewLog, OnDamage};
use crate::event::Watch;
use crate::folder::Folder;
use crate::format::{
    DirectoryName, DirectoryState, FileKind, OffsetCheckpoint, PARTITION_METADATA, PartitionMetadata,
    SegmentFileName, belongs_to_a_log,
};
use crate::gaps::Gaps;
use crate::load::{self, CHECKPOINT_LIMIT, Expected, Loaded, Trust, format_error};
use crate::log::Inner;
use crate::names::Names;
use crate::{CleanerConfig, Cut, FileError, Inconsistency, LogConfig, OpenError};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) folder: Folder,
    pub(super) config: DirConfig,
    pub(super) cleaner: RwLock<Arc<CleanerConfig>>,
    pub(crate) watch: Watch,
    /// Held while a log is created or removed, and while the folder is closed; readers of `logs` do
    /// not wait for the disk work of that.
    pub(super) changing: Mutex<()>,
    /// Without a handle on this, so that it can end when the last handle is dropped.
    pub(super) logs: RwLock<BTreeMap<TopicPartition, Arc<Inner>>>,
    pub(super) marker: Arc<CleanMarker>,
    pub(super) state: Mutex<State>,
    pub(super) lock: Mutex<Option<HeldLock>>,
    /// What opening logs has cut off.
    pub(super) cuts: Mutex<Vec<Cut>>,
    pub(super) removed: AtomicUsize,
    /// Whether the folder had been closed cleanly when it was opened.
    pub(super) was_clean: bool,
    /// Whether there were recovery points then: without them nobody knows whether a log was
    /// compacted.
    pub(super) has_checkpoints: bool,
    /// Logs that were not recovered: while there are any, the directory is no cleaner than it was.
    pub(super) unopened: Unopened,
    /// Small files that opening could not believe.
    pub(super) inconsistencies: Mutex<Vec<Inconsistency>>,
}

pub(super) struct HeldLock(#[allow(dead_code)] pub(super) Box<dyn Send + Sync>);

/// What the folder's checkpoints hold, and when rounds were last made.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Whether all logs were opened. A folder that could not be opened is left as it is.
    pub(super) loaded: bool,
    pub(super) recovery_points: OffsetCheckpoint,
    pub(super) start_offsets: OffsetCheckpoint,
    pub(super) committed: OffsetCheckpoint,
    /// Up to where logs have been compacted.
    pub(super) cleaned: OffsetCheckpoint,
    /// Counts changes of checkpoints that a log asked for.
    pub(super) changes: u64,
    /// When the checkpoints were last written, and retention enforced, by the clock's elapsed time.
    pub(super) checkpointed: Option<Duration>,
    pub(super) retained: Option<Duration>,
    /// Folders of removed logs, and when their files go.
    pub(super) removals: Vec<(Duration, String)>,
}

impl State {
    /// What the checkpoints say of a log.
    pub(super) fn noted(&self, partition: &TopicPartition) -> Noted {
        let of = |checkpoint: &OffsetCheckpoint| checkpoint.offsets.get(partition).copied();
        Noted {
            recovery_point: of(&self.recovery_points),
            start: of(&self.start_offsets),
            cleaned: of(&self.cleaned),
            committed: of(&self.committed),
        }
    }
}

impl Shared {
    pub(crate) fn cleaner(&self) -> Arc<CleanerConfig> {
        Arc::clone(&self.cleaner.read())
    }

    pub(super) fn load_all(self: &Arc<Self>) -> Result<(), OpenError> {
        let partitions = self.find_partitions()?;
        let has_directory =
            |partition: &TopicPartition| partitions.contains(partition) || self.unopened.contains(partition);
        let starts = self.state.lock().start_offsets.clone();
        self.inconsistencies.lock().extend(starts_of_nothing(&self.folder, &starts, has_directory));
        let load = |partition: &TopicPartition| {
            (partition.clone(), self.load_one(partition, self.config.log.clone()))
        };
        let mut logs = self.logs.write();
        for (partition, loaded) in in_parallel(self.config.recovery_threads, &partitions, load) {
            match loaded {
                Ok(log) => drop(logs.insert(partition, Arc::new(log))),
                Err(error) => self.unopened.note_failed(partition, error),
            }
        }
        Ok(())
    }

    /// The partitions that have a directory with a log; directories of removed logs are deleted.
    /// Everything else stays as it is.
    fn find_partitions(&self) -> Result<Vec<TopicPartition>, FileError> {
        let mut partitions = Vec::new();
        for name in self.folder.names()? {
            let Some(found) = DirectoryName::parse(&name) else { continue };
            if !self.folder.stat(&name)?.is_some_and(|stat| stat.is_dir) {
                continue;
            }
            match found.state {
                DirectoryState::Deleted => self.folder.remove_folder(&name)?,
                DirectoryState::Current if name == METADATA_LOG && !self.config.metadata_log => {
                    self.unopened.pass_over(found.partition);
                }
                DirectoryState::Current if self.is_log(&found.partition)? => partitions.push(found.partition),
                _ => {}
            }
        }
        Ok(partitions)
    }

    /// Whether the directory of this name holds a log: a file of a log, or a checkpoint says that
    /// it did.
    fn is_log(&self, partition: &TopicPartition) -> Result<bool, FileError> {
        let state = self.state.lock();
        let checkpoints = [&state.recovery_points, &state.start_offsets, &state.cleaned];
        if checkpoints.iter().any(|checkpoint| checkpoint.offsets.contains_key(partition)) {
            return Ok(true);
        }
        drop(state);
        let names = self.folder.join(&partition.to_string()).names()?;
        Ok(names.iter().any(|name| belongs_to_a_log(name)))
    }

    /// Whether there is a directory for a log. Fails for one that holds something else.
    fn has_directory(&self, partition: &TopicPartition) -> Result<bool, OpenError> {
        let name = partition.to_string();
        let Some(stat) = self.folder.stat(&name)? else { return Ok(false) };
        let found = match stat.is_dir {
            false => Some(name.clone()),
            true if self.is_log(partition)? => None,
            true => self.folder.join(&name).names()?.into_iter().next(),
        };
        found.map_or(Ok(true), |found| Err(OpenError::Foreign { path: self.folder.path_of(&name), found }))
    }

    /// Opens a log that was there when the folder was opened.
    fn load_one(self: &Arc<Self>, partition: &TopicPartition, config: LogConfig) -> Result<Inner, OpenError> {
        let noted = self.state.lock().noted(partition);
        let synced = noted.recovery_point.unwrap_or_default();
        let cleaned = noted.cleaned.unwrap_or_default();
        let trust = match self.config.on_damage {
            OnDamage::Cut => Trust::Repair { gaps_before: synced.max(cleaned) },
            OnDamage::Refuse if self.was_closed_cleanly(partition) => {
                Trust::Clean { end: noted.recovery_point }
            }
            OnDamage::Refuse => Trust::From { synced, cleaned },
        };
        let expected = self.expected(partition, &config, noted);
        let log = self.open_log(partition, config, trust, expected)?;
        if !matches!(trust, Trust::Clean { .. }) {
            log.owner.mark_modified();
        }
        let end = log.published.read().bounds.end();
        self.check_not_lost(partition, end, synced)?;
        self.note_contradictions(partition, noted, end);
        Ok(log)
    }

    /// Whether all of a log is durable and its batches end where the checkpoints say. A repair
    /// changes logs, and one that was released may have been written to since the folder was
    /// opened.
    fn was_closed_cleanly(&self, partition: &TopicPartition) -> bool {
        let is_as_it_was = !self.unopened.is_modified(partition);
        self.was_clean && self.config.on_damage == OnDamage::Refuse && is_as_it_was
    }

    /// What the batches of a log have to agree with.
    fn expected(&self, partition: &TopicPartition, config: &LogConfig, noted: Noted) -> Expected {
        let known = self.known(partition, config);
        let anywhere = known.is_none_or(|known| known.cleanup_policy.compacts());
        let anywhere = anywhere || config.cleanup_policy.compacts() || !self.has_checkpoints;
        let gaps = Gaps { anywhere, before: noted.cleaned.unwrap_or_default(), followed: None };
        Expected { start: noted.start, latest_epoch: known.and_then(|known| known.latest_epoch), gaps }
    }

    /// What the caller knows of a log; `None` when it knows logs, but not this one, or one of
    /// another topic.
    fn known(&self, partition: &TopicPartition, config: &LogConfig) -> Option<KnownLog> {
        if self.config.known.is_empty() {
            return Some(KnownLog { cleanup_policy: config.cleanup_policy, ..KnownLog::default() });
        }
        let known = *self.config.known.get(partition)?;
        let Some(topic_id) = known.topic_id else { return Some(known) };
        let found = read_topic_id(&self.folder.join(&partition.to_string()));
        found.is_ok_and(|found| found == Some(topic_id)).then_some(known)
    }

    fn note_contradictions(&self, partition: &TopicPartition, noted: Noted, end: Offset) {
        let is_clean = self.was_closed_cleanly(partition);
        let found = noted.contradictions(&self.folder, partition, end, is_clean);
        self.inconsistencies.lock().extend(found);
        if noted.cleaned.is_some_and(|cleaned| cleaned > end) {
            self.state.lock().cleaned.offsets.remove(partition);
        }
    }

    fn check_not_lost(
        &self,
        partition: &TopicPartition,
        end: Offset,
        synced: Offset,
    ) -> Result<(), OpenError> {
        let path = self.folder.path_of(&partition.to_string());
        match self.config.on_damage {
            _ if end >= synced => Ok(()),
            OnDamage::Refuse => Err(OpenError::Lost { path, end, synced }),
            OnDamage::Cut => {
                let expected = "that of the recovery point";
                let fault = BatchError::Field { field: "end offset", got: end.get(), expected };
                let mut cuts = self.cuts.lock();
                if !cuts.iter().any(|cut| cut.path.starts_with(&path)) {
                    cuts.push(Cut { path, position: 0, offset: end, bytes: 0, fault, kept: Vec::new() });
                }
                drop(cuts);
                // What was cut must not be missed again.
                Ok(self.lower_checkpoints(partition, end)?)
            }
        }
    }

    fn open_log(
        self: &Arc<Self>,
        partition: &TopicPartition,
        config: LogConfig,
        trust: Trust,
        expected: Expected,
    ) -> Result<Inner, OpenError> {
        let folder = self.folder.join(&partition.to_string());
        let mut loaded = load::load(&folder, &config, trust, expected)?;
        self.cuts.lock().extend(loaded.cut.take());
        self.inconsistencies.lock().append(&mut loaded.inconsistencies);
        Ok(self.inner(partition, folder, Arc::new(config), loaded, Names::new(true)))
    }

    fn inner(
        self: &Arc<Self>,
        partition: &TopicPartition,
        folder: Folder,
        config: Arc<LogConfig>,
        loaded: Loaded,
        names: Names,
    ) -> Inner {
        let owner = Owner::new(&self.marker, self);
        Inner::new(partition.clone(), folder, config, Arc::clone(&self.config.clock), owner, loaded, names)
    }

    /// Creates a log, whose names are not durable then, or opens one that opening the directory has
    /// passed over.
    pub(super) fn create(self: &Arc<Self>, new: &NewLog) -> Result<Inner, OpenError> {
        let is_there = self.has_directory(&new.partition)?;
        self.marker.mark_dirty()?;
        let NewLog { partition, config, topic_id } = new;
        if is_there {
            self.open_passed_over(partition, LogConfig::clone(config), *topic_id)
        } else {
            self.create_new(new)
        }
    }

    fn create_new(self: &Arc<Self>, new: &NewLog) -> Result<Inner, OpenError> {
        let NewLog { partition, config, topic_id } = new;
        let synced = self.state.lock().recovery_points.offsets.get(partition).copied();
        self.check_not_lost(partition, Offset::ZERO, synced.unwrap_or_default())?;
        let folder = self.folder.join(&partition.to_string());
        folder.create()?;
        if let Some(topic_id) = *topic_id {
            folder.write(PARTITION_METADATA, PartitionMetadata { topic_id }.to_text().as_bytes())?;
        }
        let loaded = load::create(&folder, config)?;
        Ok(self.inner(partition, folder, Arc::clone(config), loaded, Names::new(false)))
    }

    fn open_passed_over(
        self: &Arc<Self>,
        partition: &TopicPartition,
        config: LogConfig,
        topic_id: Option<TopicId>,
    ) -> Result<Inner, OpenError> {
        let folder = self.folder.join(&partition.to_string());
        folder.create()?;
        if let Some(topic_id) = topic_id {
            claim(&folder, topic_id)?;
        }
        let log = self.load_one(partition, config)?;
        self.unopened.forget(partition);
        folder.sync()?;
        self.folder.sync()?;
        Ok(log)
    }
}

/// Notes that the log in `folder` is of the topic with this id. Records stay with the topic that
/// they were sent to: where there are some, the directory must bear the id already.
fn claim(folder: &Folder, topic_id: TopicId) -> Result<(), OpenError> {
    match read_topic_id(folder)? {
        Some(found) if found == topic_id => Ok(()),
        None if !has_batches(folder)? => {
            Ok(folder.replace(PARTITION_METADATA, PartitionMetadata { topic_id }.to_text().as_bytes())?)
        }
        found => {
            Err(OpenError::Topic { path: folder.path_of(PARTITION_METADATA), expected: topic_id, got: found })
        }
    }
}

/// The topic id that `partition.metadata` says; `None` when the file is missing or empty, as a
/// crash can leave it.
pub(super) fn read_topic_id(folder: &Folder) -> Result<Option<TopicId>, OpenError> {
    let bytes = folder.read(PARTITION_METADATA, CHECKPOINT_LIMIT)?.unwrap_or_default();
    if bytes.is_empty() {
        return Ok(None);
    }
    let parsed = PartitionMetadata::parse(&String::from_utf8_lossy(&bytes));
    let metadata = parsed.map_err(|error| format_error(folder, PARTITION_METADATA, error))?;
    Ok(Some(metadata.topic_id))
}

fn has_batches(folder: &Folder) -> Result<bool, FileError> {
    for name in folder.names()? {
        let is_segment = SegmentFileName::parse(&name).is_some_and(|name| name.kind == FileKind::Log);
        if is_segment && folder.stat(&name)?.is_some_and(|stat| stat.length > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Does the work for each item, on at most so many threads, and returns what came of it, in any
/// order.
pub(super) fn in_parallel<T: Sync, R: Send>(
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let claim = || items.get(next.fetch_add(1, Ordering::Relaxed));
    let run = || std::iter::from_fn(claim).map(&work).collect::<Vec<R>>();
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(items.len())).map(|_| scope.spawn(run)).collect();
        let mut done = run();
        for thread in others {
            done.extend(thread.join().expect("DIR-1: the work does not panic"));
        }
        done
    })
}

impl Drop for Shared {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

impl std::fmt::Debug for HeldLock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeldLock")
    }
}

/// The metadata quorum's log lives in the same folder but is nobody's to expire: it is opened only
/// when asked for.
const METADATA_LOG: &str = "__cluster_metadata-0";
