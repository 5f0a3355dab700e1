//! A partition is given to nobody before who had it has given it up, or is no member any more: of
//! all clients that the coordinator takes for members at most one reads it. One whose session has
//! ended may not know yet, and read on what it had then, even when it is a member again.

use std::collections::BTreeMap;

use klamm_coordinator::{ConsumerGroupDescription, GroupId, MemberId, Partitions};

use crate::support::consumers::{ConsumerWorld, GROUP};

#[derive(Default)]
pub struct Readers {
    /// What clients had when they were no members.
    expired: BTreeMap<String, Partitions>,
}

impl Readers {
    pub fn check(&mut self, world: &ConsumerWorld) -> Result<(), String> {
        let Some(found) = world.groups.describe_consumer(&GroupId::new(GROUP)) else { return Ok(()) };
        let mut readers: BTreeMap<_, &str> = BTreeMap::new();
        for consumer in world.consumers.values() {
            let expired = self.expired.entry(consumer.name.clone()).or_default();
            if !is_member(&found, &MemberId::new(&consumer.member)) {
                expired.clone_from(&consumer.owned);
                continue;
            }
            *expired = expired
                .iter()
                .filter(|(topic, partition)| consumer.owned.contains(*topic, *partition))
                .collect();
            for partition in
                consumer.owned.iter().filter(|(topic, partition)| !expired.contains(*topic, *partition))
            {
                if let Some(other) = readers.insert(partition, &consumer.name) {
                    let partition = world.list(&[partition].into_iter().collect());
                    return Err(format!("{partition} is read by {other} and by {}", consumer.name));
                }
            }
        }
        Ok(())
    }
}

/// One without an epoch is on its way out: its end was logged as the coordinator crashed, but not
/// all of it, and it is fenced when it comes.
fn is_member(group: &ConsumerGroupDescription, id: &MemberId) -> bool {
    group.members.iter().any(|member| member.id == *id && member.epoch != 0)
}
