//! A partition is given to nobody before who had it has given it up, or is no member any more: of all clients that the coordinator takes for
//! members at most one reads it.

use std::collections::BTreeMap;

use klamm_coordinator::{ConsumerGroupDescription, GroupId, MemberId};

use crate::support::consumers::{ConsumerWorld, GROUP};

pub fn check(world: &ConsumerWorld) -> Result<(), String> {
    let Some(found) = world.groups.describe_consumer(&GroupId::new(GROUP)) else { return Ok(()) };
    let mut readers: BTreeMap<_, &str> = BTreeMap::new();
    for consumer in world.consumers.values() {
        if !is_member(&found, &MemberId::new(&consumer.member)) {
            continue;
        }
        for partition in consumer.owned.iter() {
            if let Some(other) = readers.insert(partition, &consumer.name) {
                let partition = world.list(&[partition].into_iter().collect());
                return Err(format!("{partition} is read by {other} and by {}", consumer.name));
            }
        }
    }
    Ok(())
}

fn is_member(group: &ConsumerGroupDescription, id: &MemberId) -> bool {
    group.members.iter().any(|member| member.id == *id)
}
