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

/// Logs that have a directory and are not open, each with the error when opening it was tried.
#[derive(Debug, Default)]
pub(super) struct Unopened(Mutex<BTreeMap<TopicPartition, Option<Arc<OpenError>>>>);

impl Unopened {
    /// Notes a log that is left as it is.
    pub(super) fn pass_over(&self, partition: TopicPartition) {
        self.0.lock().insert(partition, None);
    }

    pub(super) fn note_failed(&self, partition: TopicPartition, error: OpenError) {
        self.0.lock().insert(partition, Some(Arc::new(error)));
    }

    pub(super) fn contains(&self, partition: &TopicPartition) -> bool {
        self.0.lock().contains_key(partition)
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
        let failed = |(partition, error): (&TopicPartition, &Option<Arc<OpenError>>)| {
            let error = Arc::clone(error.as_ref()?);
            Some(OfflineLog { partition: partition.clone(), error })
        };
        self.0.lock().iter().filter_map(failed).collect()
    }
}
