//! What a caller knows of logs before they are opened.

use std::collections::BTreeMap;

use klamm_types::{LeaderEpoch, TopicId, TopicPartition};

use crate::CleanupPolicy;

/// What a caller knows of a log before the log is opened, for example from the metadata of its
/// cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KnownLog {
    /// Id of its topic: a directory that bears another is of another log. `None` accepts any.
    pub topic_id: Option<TopicId>,
    /// What becomes of old records: only a log that is compacted may lack offsets.
    pub cleanup_policy: CleanupPolicy,
    /// The highest leader epoch that a batch can have; `None` where it is not known.
    pub latest_epoch: Option<LeaderEpoch>,
}

/// What a caller knows of the logs of a directory.
pub type KnownLogs = BTreeMap<TopicPartition, KnownLog>;
