//! Where fetches wait for more to read. A produce wakes those that wait for its partitions, and no
//! others.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use klamm_types::TopicPartition;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::metadata::{Delta, MetadataImage, Publisher};

/// Fetches that wait, by the partitions they wait for.
#[derive(Debug, Default)]
pub(crate) struct Purgatory {
    waiting: Mutex<HashMap<TopicPartition, Vec<Weak<Notify>>>>,
}

/// A waiter on its partitions, until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    purgatory: &'a Purgatory,
    partitions: &'a [TopicPartition],
    waiter: &'a Arc<Notify>,
}

impl Purgatory {
    /// Has `waiter` notified once when one of the partitions grows, as long as the watch is held.
    /// It must look again after registering, since a partition may have grown just before.
    pub(crate) fn watch<'a>(
        &'a self,
        partitions: &'a [TopicPartition],
        waiter: &'a Arc<Notify>,
    ) -> Watch<'a> {
        let mut waiting = self.waiting.lock();
        for partition in partitions {
            let waiters = waiting.entry(partition.clone()).or_default();
            waiters.retain(|known| known.strong_count() > 0);
            waiters.push(Arc::downgrade(waiter));
        }
        Watch { purgatory: self, partitions, waiter }
    }

    /// Takes `waiter` off the partitions again.
    fn forget(&self, partitions: &[TopicPartition], waiter: &Arc<Notify>) {
        let mut waiting = self.waiting.lock();
        for partition in partitions {
            if let Some(waiters) = waiting.get_mut(partition) {
                waiters.retain(|known| {
                    !std::ptr::eq(known.as_ptr(), Arc::as_ptr(waiter)) && known.strong_count() > 0
                });
                if waiters.is_empty() {
                    waiting.remove(partition);
                }
            }
        }
    }

    /// Tells those who wait for `partition` that it has grown.
    pub(crate) fn grown(&self, partition: &TopicPartition) {
        let waiters = self.waiting.lock().remove(partition).unwrap_or_default();
        waiters.iter().filter_map(Weak::upgrade).for_each(|waiter| waiter.notify_one());
    }
}

impl Publisher for Purgatory {
    /// Who waits for the records of a topic that went waits for nothing.
    fn publish(&self, delta: &Delta, _: &MetadataImage) {
        let partitions = delta.removed.iter().flat_map(|topic| topic.partitions());
        partitions.for_each(|partition| self.grown(&partition));
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.purgatory.forget(self.partitions, self.waiter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_wakes_its_own_and_leaves_nothing_behind() {
        let (purgatory, waiter, other) =
            (Purgatory::default(), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let parts: Vec<TopicPartition> = ["a-0", "a-1"].iter().map(|p| p.parse().unwrap()).collect();
        let watch = purgatory.watch(&parts, &waiter);
        drop(purgatory.watch(&parts[1..], &other));
        assert_eq!(Arc::weak_count(&other), 0);
        purgatory.grown(&parts[1]);
        drop(watch);
        assert!(purgatory.waiting.lock().is_empty());
    }
}
