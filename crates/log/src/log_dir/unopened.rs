//! Logs that have a directory and are not open.

use std::collections::BTreeMap;
use std::sync::Arc;

use klamm_types::TopicPartition;
use parking_lot::Mutex;

use crate::OpenError;

/// A log that could not be opened. The other logs of the directory are open all the same.
#[derive(Clone, Debug)]
pub struct OfflineLog {
    /// Its topic and partition.
    pub partition: TopicPartition,
    /// Why it could not be opened.
    pub error: Arc<OpenError>,
}

/// Logs that have a directory and are not open.
#[derive(Debug, Default)]
pub(super) struct Unopened(Mutex<BTreeMap<TopicPartition, Why>>);

/// Why a log is not open.
#[derive(Debug)]
enum Why {
    /// Nobody has asked for it, or it was released.
    PassedOver,
    /// It was released after it was written to: not all of it need be durable.
    Modified,
    Failed(Arc<OpenError>),
}

impl Unopened {
    /// Notes a log that is left as it is.
    pub(super) fn pass_over(&self, partition: TopicPartition) {
        self.0.lock().insert(partition, Why::PassedOver);
    }

    /// Notes a log that was written to and is left as it is.
    pub(super) fn release_modified(&self, partition: TopicPartition) {
        self.0.lock().insert(partition, Why::Modified);
    }

    pub(super) fn note_failed(&self, partition: TopicPartition, error: OpenError) {
        self.0.lock().insert(partition, Why::Failed(Arc::new(error)));
    }

    pub(super) fn contains(&self, partition: &TopicPartition) -> bool {
        self.0.lock().contains_key(partition)
    }

    /// Whether a log was released after it was written to.
    pub(super) fn is_modified(&self, partition: &TopicPartition) -> bool {
        matches!(self.0.lock().get(partition), Some(Why::Modified))
    }

    pub(super) fn has_modified(&self) -> bool {
        self.0.lock().values().any(|why| matches!(why, Why::Modified))
    }

    /// Notes that a log is open now, or gone.
    pub(super) fn forget(&self, partition: &TopicPartition) {
        self.0.lock().remove(partition);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Those that could not be opened, by name.
    pub(super) fn failed(&self) -> Vec<OfflineLog> {
        let failed = |(partition, why): (&TopicPartition, &Why)| match why {
            Why::Failed(error) => Some(OfflineLog { partition: partition.clone(), error: Arc::clone(error) }),
            Why::PassedOver | Why::Modified => None,
        };
        self.0.lock().iter().filter_map(failed).collect()
    }
}
