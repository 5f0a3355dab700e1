//! What all handles on a folder share: its logs, its lock, its checkpoints; and opening and creating logs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use klamm_record::BatchError;
use klamm_types::{Offset, Timestamp, TopicId, TopicPartition};
use parking_lot::{Mutex, RwLock};

use super::marker::{CleanMarker, Owner};
use super::{DirConfig, OnDamage};
use crate::folder::Folder;
use crate::format::{OffsetCheckpoint, PARTITION_METADATA, PartitionMetadata};
use crate::load::{Trust, load};
use crate::log::Inner;
use crate::{CleanerConfig, Cut, FileError, LogConfig, OpenError};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) folder: Folder,
    pub(super) config: DirConfig,
    pub(super) cleaner: RwLock<Arc<CleanerConfig>>,
    /// Held while a log is created or removed, and while the folder is closed; readers of `logs` do not wait for the disk work of that.
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
    /// Whether there is a log that was passed over and has not been recovered: the folder is then no cleaner than it was.
    pub(super) is_one_left: AtomicBool,
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
    pub(super) checkpointed: Option<Timestamp>,
    pub(super) retained: Option<Timestamp>,
    /// Folders of removed logs, and when their files go.
    pub(super) removals: Vec<(Timestamp, String)>,
}

impl Shared {
    pub(crate) fn cleaner(&self) -> Arc<CleanerConfig> {
        Arc::clone(&self.cleaner.read())
    }

    pub(super) fn load_all(self: &Arc<Self>) -> Result<(), OpenError> {
        let partitions = self.find_partitions()?;
        let load = |partition: &TopicPartition| self.load_one(partition, self.config.log.clone());
        let loaded = in_parallel(self.config.recovery_threads, &partitions, load);
        let mut logs = self.logs.write();
        for log in loaded.into_iter().collect::<Result<Vec<_>, _>>()? {
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
                if is_dir && name == METADATA_LOG {
                    self.is_one_left.store(true, Ordering::Relaxed);
                } else if is_dir {
                    partitions.push(partition);
                }
            }
        }
        Ok(partitions)
    }

    /// Opens a log that was there when the folder was opened.
    fn load_one(self: &Arc<Self>, partition: &TopicPartition, config: LogConfig) -> Result<Inner, OpenError> {
        let (point, start, cleaned) = {
            let state = self.state.lock();
            let of = |checkpoint: &OffsetCheckpoint| checkpoint.offsets.get(partition).copied();
            (of(&state.recovery_points), of(&state.start_offsets), of(&state.cleaned))
        };
        let (synced, cleaned) = (point.unwrap_or_default(), cleaned.unwrap_or_default());
        let trust = match self.config.on_damage {
            OnDamage::Cut => Trust::Repair { gaps_before: synced.max(cleaned) },
            OnDamage::Refuse if self.was_clean => Trust::Clean,
            OnDamage::Refuse => Trust::From { synced, cleaned },
        };
        let log = self.open_log(partition, config, trust, start)?;
        self.check_not_lost(partition, log.published.read().bounds.end(), synced)?;
        Ok(log)
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
                    cuts.push(Cut { path, position: 0, offset: end, bytes: 0, fault });
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
        start: Option<Offset>,
    ) -> Result<Inner, OpenError> {
        let folder = self.folder.join(&partition.to_string());
        let mut loaded = load(&folder, &config, trust, start)?;
        self.cuts.lock().extend(loaded.cut.take());
        let owner = Owner { marker: Arc::clone(&self.marker), shared: Arc::downgrade(self) };
        Ok(Inner::new(partition.clone(), folder, config, Arc::clone(&self.config.clock), owner, loaded))
    }

    pub(super) fn create(
        self: &Arc<Self>,
        partition: &TopicPartition,
        config: LogConfig,
        topic_id: Option<TopicId>,
    ) -> Result<Inner, OpenError> {
        self.marker.mark_dirty()?;
        let folder = self.folder.join(&partition.to_string());
        // One that opening passes over.
        let is_there = self.folder.stat(&partition.to_string())?.is_some();
        if !is_there {
            let synced = self.state.lock().recovery_points.offsets.get(partition).copied();
            self.check_not_lost(partition, Offset::ZERO, synced.unwrap_or_default())?;
        }
        folder.create()?;
        if let Some(topic_id) = topic_id {
            folder.replace(PARTITION_METADATA, PartitionMetadata { topic_id }.to_text().as_bytes())?;
        }
        let log = match is_there {
            true => self.load_one(partition, config)?,
            false => self.open_log(partition, config, Trust::NOTHING, None)?,
        };
        if partition.to_string() == METADATA_LOG {
            self.is_one_left.store(false, Ordering::Relaxed);
        }
        folder.sync()?;
        self.folder.sync()?;
        Ok(log)
    }
}

/// Does the work for each item, on at most so many threads, and returns what came of it, in any order.
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

/// The metadata quorum's log lives in the same folder but is nobody's to expire: it is opened only when asked for.
const METADATA_LOG: &str = "__cluster_metadata-0";
