//! Creating and removing many logs at once: the directory is synced once, and checkpoints are
//! written once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use klamm_types::{TopicId, TopicPartition};

use super::LogDir;
use super::maintenance::removed_name;
use super::shared::{Shared, in_parallel};
use crate::log::Inner;
use crate::{FileError, Log, LogConfig, LogError, OpenError};

/// A log that [`LogDir::create_many`] creates.
#[derive(Clone, Debug)]
pub struct NewLog {
    /// The topic and the number of the partition.
    pub partition: TopicPartition,
    /// The settings of the log.
    pub config: Arc<LogConfig>,
    /// The id of the topic, which `partition.metadata` holds; none for a log without that file.
    pub topic_id: Option<TopicId>,
}

/// What there is of a log that is to be removed.
enum Found {
    Open(Arc<Inner>),
    /// It has a directory and is not open.
    Unopened,
    Nothing,
}

impl LogDir {
    /// Creates logs, and syncs the directory once for all of them. A log that exists already is
    /// returned as it is.
    ///
    /// The result has an entry for each of `logs`, in their order. The first append to a log makes
    /// the names in its directory durable: after a power failure a log that was never appended to
    /// may be missing, and can be created again.
    ///
    /// Other calls that create or remove logs go on in between.
    pub fn create_many(&self, logs: &[NewLog]) -> Vec<Result<Log, OpenError>> {
        let mut done = Vec::with_capacity(logs.len());
        for some in logs.chunks(AT_A_TIME) {
            let _turn = self.shared.changing.lock();
            done.extend(self.create_some(some));
        }
        self.sync_created(&done);
        done
    }

    /// Creates logs on as many threads as pay, and returns what came of each in their order. The
    /// caller holds `changing`.
    fn create_some(&self, logs: &[NewLog]) -> Vec<Result<Log, OpenError>> {
        let threads = self.shared.config.recovery_threads.min(logs.len() / A_THREAD);
        // One log is created by one thread: each partition counts once.
        let distinct: BTreeMap<_, _> = logs.iter().rev().map(|log| (&log.partition, log)).collect();
        let distinct: Vec<_> = distinct.into_values().collect();
        let created = in_parallel(threads, &distinct, |log| (&log.partition, self.create_unsynced(log)));
        let mut created: BTreeMap<_, _> = created.into_iter().collect();
        let result =
            |log: &NewLog| created.remove(&log.partition).unwrap_or_else(|| self.create_unsynced(log));
        logs.iter().map(result).collect()
    }

    /// Creates a log unless it is there. The caller holds `changing`.
    pub(super) fn create_unsynced(&self, new: &NewLog) -> Result<Log, OpenError> {
        if let Some(log) = self.get(&new.partition) {
            return Ok(log);
        }
        new.config.validate()?;
        if self.shared.lock.lock().is_none() {
            return Err(OpenError::Closed);
        }
        let log = Arc::new(self.shared.create(new)?);
        self.shared.logs.write().insert(new.partition.clone(), Arc::clone(&log));
        Ok(self.handle(&log))
    }

    /// Makes the names of the new directories durable. Where that fails, the first append to each
    /// log tries again, and tells.
    fn sync_created(&self, created: &[Result<Log, OpenError>]) {
        let new = || created.iter().flatten().filter(|log| !log.inner.names.are_durable());
        if new().next().is_some() && self.shared.folder.sync().is_ok() {
            new().for_each(|log| log.inner.names.note_directory());
        }
    }

    /// Removes logs: at once they are no longer there, their files go `file.delete.delay.ms` later.
    /// The checkpoints are written once for 2,048 logs, and the directory is synced once.
    ///
    /// The result has an entry for each of `partitions`, in their order, that says whether the log
    /// was there.
    ///
    /// # Errors
    /// [`LogError::Closed`] when the directory is closed. [`LogError`] when the checkpoints cannot
    /// be written: of 2,048 logs none is removed then, but all are closed; those before them are
    /// removed.
    pub fn remove_many(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Result<bool, LogError>>, LogError> {
        let mut done = Vec::with_capacity(partitions.len());
        let removed = partitions.chunks(REMOVED_AT_A_TIME).try_for_each(|some| {
            // Held until the directories have their other names, so that nobody opens one, creates
            // another log of its name, or closes the directory meanwhile.
            let _turn = self.shared.changing.lock();
            done.extend(self.remove_some(some)?);
            Ok(())
        });
        if done.iter().any(|removed| !matches!(removed, Ok(false))) {
            self.shared.folder.sync()?;
        }
        removed.map(|()| done)
    }

    /// Removes logs, and writes each checkpoint once. The caller holds `changing`.
    fn remove_some(&self, partitions: &[TopicPartition]) -> Result<Vec<Result<bool, LogError>>, LogError> {
        let found: Vec<_> = partitions.iter().map(|partition| self.found(partition)).collect();
        let Some(first) = found.iter().position(|found| !matches!(found, Found::Nothing)) else {
            return Ok(partitions.iter().map(|_| Ok(false)).collect());
        };
        if self.shared.lock.lock().is_none() {
            return Err(LogError::Closed { partition: partitions[first].to_string() });
        }
        self.shared.forget(partitions, &found)?;
        Ok(partitions.iter().zip(&found).map(|(partition, found)| self.put_away(partition, found)).collect())
    }

    fn found(&self, partition: &TopicPartition) -> Found {
        match self.shared.logs.read().get(partition) {
            Some(log) => Found::Open(Arc::clone(log)),
            None if self.shared.unopened.contains(partition) => Found::Unopened,
            None => Found::Nothing,
        }
    }

    /// Renames the directory of a log that is closed; says whether the log was still there.
    fn put_away(&self, partition: &TopicPartition, found: &Found) -> Result<bool, LogError> {
        match (found, self.found(partition)) {
            (Found::Open(log), Found::Open(now)) if Arc::ptr_eq(log, &now) => {
                log.published.read().segments.iter().for_each(|segment| segment.abandon());
                let delay = log.appender.lock().config.file_delete_delay;
                self.shared.rename_removed(partition, delay)?;
                self.shared.watch.forget(partition);
                self.shared.logs.write().remove(partition);
            }
            (Found::Unopened, Found::Unopened) => {
                self.shared.rename_removed(partition, self.shared.config.log.file_delete_delay)?;
                self.shared.unopened.forget(partition);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl Shared {
    /// Closes logs that are about to be removed, and takes them out of the checkpoints: the start
    /// of one must not become that of another log of the same name.
    fn forget(&self, partitions: &[TopicPartition], found: &[Found]) -> Result<(), FileError> {
        self.marker.mark_dirty()?;
        for found in found {
            if let Found::Open(log) = found {
                log.close();
            }
        }
        let is_there = |found: &Found| !matches!(found, Found::Nothing);
        let there = || partitions.iter().zip(found).filter(|(_, found)| is_there(found));
        self.change_checkpoints(|checkpoint| {
            let offsets = &mut checkpoint.offsets;
            let before = offsets.len();
            there().for_each(|(partition, _)| _ = offsets.remove(partition));
            offsets.len() < before
        })
    }

    /// Gives the directory of a removed log the name under which its files wait for their end.
    fn rename_removed(&self, partition: &TopicPartition, delay: Duration) -> Result<(), FileError> {
        let number = self.removed.fetch_add(1, Ordering::Relaxed);
        let clock = &self.config.clock;
        let name = removed_name(partition, clock.now(), number);
        self.folder.rename(&partition.to_string(), &name)?;
        self.state.lock().removals.push((clock.elapsed().saturating_add(delay), name));
        Ok(())
    }
}

/// Logs that are created before others have their turn.
const AT_A_TIME: usize = 256;
/// Logs that are removed before others have their turn. The checkpoints are written once for them.
const REMOVED_AT_A_TIME: usize = 2048;
/// Logs to create for which a thread pays.
const A_THREAD: usize = 32;
