//! Partitions that take no writes, told to the operator once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use klamm_log::AppendError;
use klamm_types::TopicPartition;
use parking_lot::Mutex;

/// Partitions that cannot be written to. The operator is told once, and again when it goes on: a
/// full disk has every produce refused.
#[derive(Debug, Default)]
pub(crate) struct Stuck {
    /// With the error that records were refused for.
    partitions: Mutex<BTreeMap<TopicPartition, String>>,
    /// How many they are: mostly none, which is seen without the lock.
    count: AtomicUsize,
}

impl Stuck {
    /// Records were not appended; whether that is news.
    pub(crate) fn note(&self, partition: &TopicPartition, error: &AppendError) -> bool {
        let mut partitions = self.partitions.lock();
        let is_new = partitions.insert(partition.clone(), error.to_string()).is_none();
        self.count.store(partitions.len(), Ordering::Relaxed);
        if is_new {
            tracing::error!(%partition, %error, "records are not appended, and so refused, until they can be");
        }
        is_new
    }

    /// Records were appended; whether that is news.
    pub(crate) fn goes_on(&self, partition: &TopicPartition) -> bool {
        if self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut partitions = self.partitions.lock();
        let was_stuck = partitions.remove(partition).is_some();
        self.count.store(partitions.len(), Ordering::Relaxed);
        if was_stuck {
            tracing::info!(%partition, "records are appended again");
        }
        was_stuck
    }

    /// The partitions that refuse records, and why. Those that are not there any more are
    /// forgotten.
    #[cfg(any(feature = "http", test))]
    pub(crate) fn refusing(
        &self,
        is_there: impl Fn(&TopicPartition) -> bool,
    ) -> Vec<(TopicPartition, String)> {
        let mut partitions = self.partitions.lock();
        partitions.retain(|partition, _| is_there(partition));
        self.count.store(partitions.len(), Ordering::Relaxed);
        partitions.iter().map(|(partition, error)| (partition.clone(), error.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_until_it_goes_on() {
        let stuck = Stuck::default();
        let [one, other]: [TopicPartition; 2] = ["t-0", "t-1"].map(|name| name.parse().unwrap());
        let error = AppendError::TooLarge { what: "batch", got: 2, max: 1, setting: "max.message.bytes" };
        assert!(!stuck.goes_on(&one));
        assert_eq!(
            [stuck.note(&one, &error), stuck.note(&one, &error), stuck.note(&other, &error)],
            [true, false, true]
        );
        assert_eq!([stuck.goes_on(&one), stuck.goes_on(&one)], [true, false]);
        assert!(stuck.note(&one, &error));
        let refusing: Vec<_> = stuck.refusing(|_| true).into_iter().map(|(partition, _)| partition).collect();
        assert_eq!(refusing, [one.clone(), other.clone()]);
        assert_eq!(stuck.refusing(|partition| *partition == other).len(), 1, "the other's topic was deleted");
    }
}
