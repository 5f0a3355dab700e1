//! What happens in the background to a directory of logs, for whoever logs it, counts it, or shows
//! what is wrong.

use std::collections::BTreeSet;
use std::fmt::{self, Debug};
use std::sync::Arc;

use klamm_types::{Offset, TopicPartition};
use parking_lot::Mutex;

use crate::LogError;
use crate::log::Inner;

/// Is told what happens in the background. It is called on the thread that does the work, which may
/// hold a log's lock: it must return soon, and not call the log.
pub trait Observer: Send + Sync + Debug {
    /// Something has happened.
    fn on_event(&self, event: &LogEvent<'_>);
}

/// Ignores all events.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn on_event(&self, _: &LogEvent<'_>) {}
}

/// Something that has happened in the background.
#[derive(Debug)]
#[non_exhaustive]
pub enum LogEvent<'a> {
    /// A task has failed. It is tried again in a later round, but for the cleaning of a damaged
    /// log.
    Failed {
        /// The task.
        task: Task,
        /// The log that it was about; `None` when it was about the directory.
        log: Option<&'a TopicPartition>,
        /// Why.
        error: &'a LogError,
    },
    /// A task has succeeded that failed before, or its log was removed.
    Recovered {
        /// The task.
        task: Task,
        /// The log that it was about; `None` when it was about the directory.
        log: Option<&'a TopicPartition>,
    },
    /// Retention has deleted a segment.
    SegmentDeleted {
        /// The log.
        log: &'a TopicPartition,
        /// The segment's base offset.
        base_offset: Offset,
        /// The log's start from now on, unless it was later already.
        next_offset: Offset,
        /// Bytes of the segment's batches.
        bytes: u64,
    },
}

/// What is done in the background.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Task {
    /// Syncs that `flush.messages` and `flush.ms` ask for, and those of rolled segments.
    Sync,
    /// Retention by time and size.
    Retention,
    /// Compaction.
    Cleaning,
    /// Writing the checkpoints.
    Checkpoints,
    /// Removing the files of deleted logs.
    Removal,
    /// Syncing and closing files when too many are open.
    OpenFiles,
}

impl Task {
    /// All tasks.
    pub const ALL: [Task; 6] =
        [Task::Sync, Task::Retention, Task::Cleaning, Task::Checkpoints, Task::Removal, Task::OpenFiles];

    /// Its name in one word, for logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Task::Sync => "sync",
            Task::Retention => "retention",
            Task::Cleaning => "cleaning",
            Task::Checkpoints => "checkpoints",
            Task::Removal => "removal",
            Task::OpenFiles => "open-files",
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Tells an observer what happens, and remembers which tasks fail, so that it is told when they
/// succeed again.
#[derive(Debug)]
pub(crate) struct Watch {
    observer: Arc<dyn Observer>,
    failing: Mutex<BTreeSet<(Task, Option<TopicPartition>)>>,
}

impl Watch {
    pub(crate) fn new(observer: Arc<dyn Observer>) -> Watch {
        Watch { observer, failing: Mutex::default() }
    }

    pub(crate) fn tell(&self, event: &LogEvent<'_>) {
        self.observer.on_event(event);
    }

    /// Notes how a task of a log has ended. Failures of a log that is closed or removed are not
    /// kept: no later task of the log would say that it has recovered.
    pub(crate) fn note_log<T>(&self, task: Task, log: &Inner, done: &Result<T, LogError>) {
        if done.is_err() && log.is_closed() {
            return;
        }
        self.note(task, Some(&log.partition), done);
        if done.is_err() && log.is_closed() {
            self.forget(&log.partition);
        }
    }

    /// Notes how a task has ended. A failure is told before it is kept, so that whoever forgets it
    /// tells of that later.
    pub(crate) fn note<T>(&self, task: Task, log: Option<&TopicPartition>, done: &Result<T, LogError>) {
        match done {
            Err(error) => {
                self.tell(&LogEvent::Failed { task, log, error });
                self.failing.lock().insert((task, log.cloned()));
            }
            Ok(_) => {
                let mut failing = self.failing.lock();
                if !failing.is_empty() && failing.remove(&(task, log.cloned())) {
                    drop(failing);
                    self.tell(&LogEvent::Recovered { task, log });
                }
            }
        }
    }

    /// A log is gone, and so is what failed in it.
    pub(crate) fn forget(&self, log: &TopicPartition) {
        let mut failing = self.failing.lock();
        let of_it: Vec<Task> =
            failing.iter().filter(|(_, of)| of.as_ref() == Some(log)).map(|(task, _)| *task).collect();
        failing.retain(|(_, of)| of.as_ref() != Some(log));
        drop(failing);
        for task in of_it {
            self.tell(&LogEvent::Recovered { task, log: Some(log) });
        }
    }
}
