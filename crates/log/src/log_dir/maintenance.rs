//! Rounds of maintenance, checkpoints, removing a log, closing the folder.

use std::sync::Arc;
use std::time::Duration;

use klamm_types::{Offset, Timestamp, TopicPartition};

use super::checkpoints::{CLEANED, COMMITTED, RECOVERY_POINTS, START_OFFSETS};
use super::marker::CLEAN_SHUTDOWN;
use super::shared::{Shared, State, in_parallel};
use super::{Maintained, OnDamage};
use parking_lot::MutexGuard;

use crate::event::Watch;
use crate::format::OffsetCheckpoint;
use crate::log::Inner;
use crate::retention::remove_each;
use crate::{FileError, Log, LogError, Task};

impl Shared {
    /// Changes recovery points, start offsets and up to where logs are cleaned, on the disk before
    /// in memory.
    pub(super) fn change_checkpoints(
        &self,
        change: impl Fn(&mut OffsetCheckpoint) -> bool,
    ) -> Result<(), FileError> {
        let mut state = self.state.lock();
        state.changes += 1;
        let State { recovery_points, start_offsets, cleaned, .. } = &mut *state;
        let all = [(RECOVERY_POINTS, recovery_points), (START_OFFSETS, start_offsets), (CLEANED, cleaned)];
        all.into_iter().try_for_each(|(name, checkpoint)| self.change_checkpoint(name, checkpoint, &change))
    }

    fn change_checkpoint(
        &self,
        name: &str,
        checkpoint: &mut OffsetCheckpoint,
        change: impl Fn(&mut OffsetCheckpoint) -> bool,
    ) -> Result<(), FileError> {
        let mut changed = checkpoint.clone();
        if change(&mut changed) {
            self.folder.replace(name, changed.to_text().as_bytes())?;
            *checkpoint = changed;
        }
        Ok(())
    }

    /// Notes on the disk that all of a log before `to` is durable.
    pub(super) fn raise_recovery_point(
        &self,
        partition: &TopicPartition,
        to: Offset,
    ) -> Result<(), FileError> {
        let mut state = self.state.lock();
        state.changes += 1;
        self.change_checkpoint(RECOVERY_POINTS, &mut state.recovery_points, |points| {
            let point = points.offsets.entry(partition.clone()).or_default();
            let rises = *point < to;
            *point = to.max(*point);
            rises
        })
    }

    /// Notes up to where a log has been cleaned.
    pub(super) fn note_cleaned(&self, partition: &TopicPartition, to: Offset) -> Result<(), FileError> {
        let mut state = self.state.lock();
        self.change_checkpoint(CLEANED, &mut state.cleaned, |cleaned| {
            cleaned.offsets.insert(partition.clone(), to) != Some(to)
        })
    }

    /// Notes on the disk where logs start. Their appenders are held, so that none is truncated or
    /// closed meanwhile: in the order of their names, since this is the only place that holds
    /// several. A closed log is passed over: it may be removed, and then another log may have its
    /// name.
    pub(crate) fn note_starts(&self, mut logs: Vec<Arc<Inner>>) -> Result<(), FileError> {
        logs.sort_by(|a, b| a.partition.cmp(&b.partition));
        logs.dedup_by(|a, b| Arc::ptr_eq(a, b));
        let _held: Vec<_> = logs.iter().map(|log| log.appender.lock()).collect();
        let mut state = self.state.lock();
        state.changes += 1;
        self.change_checkpoint(START_OFFSETS, &mut state.start_offsets, |starts| {
            let mut changed = false;
            for log in logs.iter().filter(|log| !log.is_closed()) {
                changed |= log.note_start(starts);
            }
            changed
        })
    }

    /// Neither recovery point nor start of a log, nor its clean part, lie beyond `to` any more.
    pub(super) fn lower_checkpoints(&self, partition: &TopicPartition, to: Offset) -> Result<(), FileError> {
        self.change_checkpoints(|checkpoint| {
            let beyond = checkpoint.offsets.get_mut(partition).filter(|offset| **offset > to);
            beyond.map(|offset| *offset = to).is_some()
        })
    }

    pub(super) fn maintain(&self, logs: &[Log], now: Timestamp) -> Result<Maintained, LogError> {
        let mut round = Round { done: Maintained::default(), first_error: None, watch: &self.watch };
        let retain = self.is_due(self.config.retention_interval, |state| &mut state.retained);
        // One that is closed is being removed.
        for log in logs.iter().filter(|log| !log.inner.is_closed()) {
            self.maintain_log(log, retain.then_some(now), &mut round);
        }
        round.note(Task::OpenFiles, None, self.folder.tidy_files().map_err(LogError::from));
        round.note(Task::Removal, None, self.remove_due().map_err(LogError::from));
        if self.is_due(self.config.checkpoint_interval, |state| &mut state.checkpointed)
            && self.marker.is_dirty()
        {
            let written = round.note(Task::Checkpoints, None, self.checkpoint().map_err(LogError::from));
            round.done.checkpointed = written.unwrap_or(false);
        }
        round.first_error.map_or(Ok(round.done), Err)
    }

    /// Syncs a log if that is due, and enforces retention if there is a time for it.
    fn maintain_log(&self, log: &Log, retain: Option<Timestamp>, round: &mut Round<'_>) {
        let inner = &log.inner;
        let synced = inner.sync_rolled().and_then(|rolled| Ok(inner.flush_if_due()? || rolled));
        let synced = round.note(Task::Sync, Some(log), synced);
        round.done.synced_logs += usize::from(synced.unwrap_or(false));
        if let Some(now) = retain {
            log.expire_producers();
            let retired = round.note(Task::Retention, Some(log), log.enforce_retention(now));
            round.done.retired_segments += retired.unwrap_or(0);
        }
    }

    /// Writes the checkpoints, unless the folder is closed; says whether it did.
    fn checkpoint(&self) -> Result<bool, FileError> {
        let logs: Vec<_> = self.logs.read().values().cloned().collect();
        let held = self.lock.lock();
        if held.is_none() {
            return Ok(false);
        }
        // One that is being removed is closed first; its line must not come back.
        self.write_checkpoints(&logs, |log| !log.is_closed())?;
        Ok(true)
    }

    fn is_due(&self, every: Duration, last: impl Fn(&mut State) -> &mut Option<Duration>) -> bool {
        let now = self.config.clock.elapsed();
        let mut state = self.state.lock();
        let last = last(&mut state);
        let due = last.is_none_or(|last| now.saturating_sub(last) >= every);
        if due {
            *last = Some(now);
        }
        due
    }

    fn remove_due(&self) -> Result<(), FileError> {
        let now = self.config.clock.elapsed();
        let mut state = self.state.lock();
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.removals).into_iter().partition(|r| r.0 <= now);
        state.removals = later;
        drop(state);
        let (failed, removed) = remove_each(due, |name| self.folder.remove_folder(name));
        self.state.lock().removals.extend(failed);
        removed
    }

    fn write_checkpoints(
        &self,
        logs: &[Arc<Inner>],
        is_there: impl Fn(&Inner) -> bool,
    ) -> Result<(), FileError> {
        let (mut state, points) = self.durable_points(logs);
        for (log, point) in logs.iter().zip(points).filter(|(log, _)| is_there(log)) {
            let (partition, committed) = (&log.partition, log.published.read().bounds.committed());
            state.recovery_points.offsets.insert(partition.clone(), point);
            state.committed.offsets.insert(partition.clone(), committed);
            log.note_start(&mut state.start_offsets);
        }
        let State { recovery_points, start_offsets, committed, .. } = &*state;
        for (name, checkpoint) in
            [(RECOVERY_POINTS, recovery_points), (START_OFFSETS, start_offsets), (COMMITTED, committed)]
        {
            self.folder.replace(name, checkpoint.to_text().as_bytes())?;
        }
        Ok(())
    }

    /// Up to where the logs are durable. This is found out before the state is locked, for a
    /// truncation holds its appender while it waits for that; so it is found out again when a
    /// checkpoint was changed meanwhile.
    fn durable_points(&self, logs: &[Arc<Inner>]) -> (MutexGuard<'_, State>, Vec<Offset>) {
        loop {
            let changes = self.state.lock().changes;
            let points = logs.iter().map(|log| log.durable_to()).collect();
            let state = self.state.lock();
            if state.changes == changes {
                return (state, points);
            }
        }
    }

    pub(super) fn close(&self) -> Result<(), LogError> {
        // Both are held until the end: no log is created, no checkpoint written, and nobody opens
        // the folder meanwhile.
        let _turn = self.changing.lock();
        let mut held = self.lock.lock();
        if held.is_none() {
            return Ok(());
        }
        let all: Vec<_> = self.logs.read().values().cloned().collect();
        // Before the marker: no append is let in any more.
        all.iter().for_each(|log| log.close());
        let written = self.marker.is_dirty() && self.state.lock().loaded;
        let closed = if written { self.close_written(&all) } else { Ok(()) };
        held.take();
        closed
    }

    fn close_written(&self, logs: &[Arc<Inner>]) -> Result<(), LogError> {
        let results = in_parallel(self.config.recovery_threads, logs, |log| log.sync_for_close());
        self.write_checkpoints(logs, |_| true)?;
        results.into_iter().collect::<Result<(), _>>()?;
        // A repair changes logs that had been closed cleanly, and so does who writes to one and
        // releases it.
        let is_unchanged = self.config.on_damage == OnDamage::Refuse && !self.unopened.has_modified();
        if self.was_clean && is_unchanged || self.unopened.is_empty() {
            self.folder.replace(CLEAN_SHUTDOWN, self.marker.text())?;
        }
        Ok(())
    }
}

impl Inner {
    /// Notes where the log starts, unless it does so at its first segment; whether that is new.
    /// What was noted once stays noted: after a power loss the segments before it may be back.
    fn note_start(&self, starts: &mut OffsetCheckpoint) -> bool {
        let published = self.published.read().clone();
        let start = published.bounds.start();
        let is_noted = starts.offsets.contains_key(&self.partition);
        if !is_noted && start <= published.segments.first().base() {
            return false;
        }
        starts.offsets.insert(self.partition.clone(), start) != Some(start)
    }
}

/// A round of maintenance: what it did, and what went wrong.
struct Round<'a> {
    done: Maintained,
    first_error: Option<LogError>,
    watch: &'a Watch,
}

impl Round<'_> {
    /// Notes how a task has ended, and returns what it did.
    fn note<T>(&mut self, task: Task, log: Option<&Log>, done: Result<T, LogError>) -> Option<T> {
        match log {
            Some(log) => self.watch.note_log(task, &log.inner, &done),
            None => self.watch.note(task, None, &done),
        }
        match done {
            Ok(done) => Some(done),
            // A log that was removed meanwhile is no failure.
            Err(_) if log.is_some_and(|log| log.inner.is_closed()) => None,
            Err(error) => {
                self.first_error.get_or_insert(error);
                None
            }
        }
    }
}

/// `topic-0.<32 hex digits>-delete`; a long topic name is cut so that the whole has at most 255
/// bytes.
pub(super) fn removed_name(partition: &TopicPartition, now: Timestamp, number: usize) -> String {
    let tail = format!(".{:016x}{number:016x}-delete", now.as_millis());
    let name = partition.to_string();
    let (topic, digits) = name.rsplit_once('-').unwrap_or((&name, "0"));
    let most = 255 - tail.len() - digits.len() - 1;
    format!("{}-{digits}{tail}", &topic[..topic.len().min(most)])
}
