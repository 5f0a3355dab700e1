//! Where fetches wait for more to read. A produce wakes those that wait for its partitions, and no others.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use klamm_types::TopicPartition;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Fetches that wait, by the partitions they wait for.
#[derive(Debug, Default)]
pub(crate) struct Purgatory {
    waiting: Mutex<HashMap<TopicPartition, Vec<Weak<Notify>>>>,
}

impl Purgatory {
    /// Has `waiter` notified once when one of the partitions grows. It must look again after registering, since a
    /// partition may have grown just before.
    pub(crate) fn watch(&self, partitions: &[TopicPartition], waiter: &Arc<Notify>) {
        let mut waiting = self.waiting.lock();
        for partition in partitions {
            let waiters = waiting.entry(partition.clone()).or_default();
            waiters.retain(|known| known.strong_count() > 0);
            waiters.push(Arc::downgrade(waiter));
        }
    }

    /// Takes `waiter` off the partitions again.
    pub(crate) fn forget(&self, partitions: &[TopicPartition], waiter: &Arc<Notify>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_wakes_its_own_and_leaves_nothing_behind() {
        let (purgatory, waiter, other) =
            (Purgatory::default(), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let parts: Vec<TopicPartition> = ["a-0", "a-1"].iter().map(|p| p.parse().unwrap()).collect();
        purgatory.watch(&parts, &waiter);
        purgatory.watch(&parts[1..], &other);
        purgatory.forget(&parts[1..], &other);
        drop(other);
        purgatory.grown(&parts[1]);
        purgatory.forget(&parts, &waiter);
        assert!(purgatory.waiting.lock().is_empty());
    }
}
