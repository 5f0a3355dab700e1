//! What fails beside requests: the maintenance of the logs, and reads of damaged batches. Each
//! failure is logged when it begins and when it ends, counted, and shown by `/healthz` as long as
//! it lasts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use klamm_log::{LogEvent, Observer, ReadError, Task};
use klamm_types::{Offset, TopicPartition};
use parking_lot::Mutex;

/// The failures of a broker.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    tasks: Mutex<BTreeMap<(&'static str, Option<TopicPartition>), String>>,
    /// Partitions of which a batch could not be read: at which offset, and why.
    reads: Mutex<BTreeMap<TopicPartition, (Offset, String)>>,
    /// Entries of `reads`: mostly none, which is seen without the lock.
    read_count: AtomicUsize,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    deleted_segments: AtomicU64,
    deleted_bytes: AtomicU64,
}

/// What reads are called in metrics, beside the names of background tasks.
const READ: &str = "read";

impl Failures {
    /// A fetch could not read the batch at `offset`. An offset that is not there is the client's
    /// fault, and no failure.
    pub(crate) fn read_failed(&self, partition: &TopicPartition, offset: Offset, error: &ReadError) {
        if matches!(error, ReadError::OutOfRange { .. }) {
            return;
        }
        self.count(READ);
        let mut reads = self.reads.lock();
        let before = reads.insert(partition.clone(), (offset, error.to_string()));
        self.read_count.store(reads.len(), Ordering::Release);
        drop(reads);
        if before.is_none() {
            tracing::error!(%partition, %offset, %error, "records cannot be read");
        }
    }

    /// A fetch has read the batch at `offset`.
    pub(crate) fn read_succeeded(&self, partition: &TopicPartition, offset: Offset) {
        if self.read_count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut reads = self.reads.lock();
        if reads.get(partition).is_some_and(|(failed, _)| *failed == offset) {
            reads.remove(partition);
            self.read_count.store(reads.len(), Ordering::Release);
            tracing::info!(%partition, %offset, "records can be read again");
        }
    }

    /// What fails now, a line each, for `/healthz`. `start` is where a log starts, if it is there:
    /// what was deleted since is no failure any more.
    #[cfg(any(test, feature = "http"))]
    pub(crate) fn lines(&self, start: impl Fn(&TopicPartition) -> Option<Offset>) -> Vec<String> {
        let mut reads = self.reads.lock();
        reads.retain(|partition, (offset, _)| start(partition).is_some_and(|start| start <= *offset));
        self.read_count.store(reads.len(), Ordering::Release);
        let reads = reads.iter().map(|(log, (offset, error))| {
            format!("partition {log} cannot be read at offset {offset}: {error}\n")
        });
        let tasks = self.tasks.lock();
        let tasks = tasks.iter().map(|((task, log), error)| match log {
            Some(log) => format!("background task {task} of partition {log} fails: {error}\n"),
            None => format!("background task {task} fails: {error}\n"),
        });
        tasks.chain(reads).collect()
    }

    /// How often each task has failed.
    pub(crate) fn counts(&self) -> Vec<(&'static str, u64)> {
        let counts = self.counts.lock();
        let names = Task::ALL.into_iter().map(Task::name).chain([READ]);
        names.map(|name| (name, counts.get(name).copied().unwrap_or_default())).collect()
    }

    /// Segments that retention has deleted, and their bytes.
    pub(crate) fn deleted(&self) -> (u64, u64) {
        (self.deleted_segments.load(Ordering::Relaxed), self.deleted_bytes.load(Ordering::Relaxed))
    }

    fn count(&self, task: &'static str) {
        *self.counts.lock().entry(task).or_default() += 1;
    }
}

impl Observer for Failures {
    fn on_event(&self, event: &LogEvent<'_>) {
        match event {
            LogEvent::Failed { task, log, error } => {
                self.count(task.name());
                let key = (task.name(), log.cloned());
                if self.tasks.lock().insert(key, error.to_string()).is_none() {
                    tracing::error!(%task, partition = log.map(tracing::field::display), %error, "a background task failed");
                }
            }
            LogEvent::Recovered { task, log } => {
                self.tasks.lock().remove(&(task.name(), log.cloned()));
                tracing::info!(%task, partition = log.map(tracing::field::display), "a background task succeeds again");
            }
            LogEvent::SegmentDeleted { log, base_offset, next_offset, bytes } => {
                self.deleted_segments.fetch_add(1, Ordering::Relaxed);
                self.deleted_bytes.fetch_add(*bytes, Ordering::Relaxed);
                tracing::info!(partition = %log, %base_offset, %next_offset, bytes, "retention deleted a segment");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_failed_is_shown_until_it_succeeds_or_its_records_are_deleted() {
        let failures = Failures::default();
        let [t, u]: [TopicPartition; 2] = ["t-0", "u-0"].map(|name| name.parse().unwrap());
        let source = std::io::Error::from_raw_os_error(5);
        let error = ReadError::File(klamm_log::FileError { operation: "read", path: "x".into(), source });
        for offset in [7, 8] {
            failures.read_failed(&t, Offset::from(offset), &error);
        }
        failures.read_failed(&u, Offset::from(3), &error);
        let count = |start: u32| failures.lines(|_| Some(Offset::from(start))).len();
        assert_eq!((count(0), failures.counts().last()), (2, Some(&("read", 3))));
        assert_eq!(failures.counts()[0], ("sync", 0), "a task that has not failed is there");
        failures.read_succeeded(&t, Offset::from(7));
        assert_eq!(count(0), 2, "the batch that failed last was not read");
        failures.read_succeeded(&t, Offset::from(8));
        assert_eq!((count(3), count(4)), (1, 0), "u-0 starts behind it");
    }
}
