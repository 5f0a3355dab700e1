//! A coordinator that reads the log is as the one that wrote it.

use klamm_coordinator::{GroupCoordinator, GroupId};

use crate::support::consumers::GROUP;

pub fn check(before: &GroupCoordinator, after: &GroupCoordinator) -> Result<(), String> {
    let id = GroupId::new(GROUP);
    let (was, is) = (before.describe_consumer(&id), after.describe_consumer(&id));
    if was != is {
        return Err(format!("it was {was:#?}\nand is {is:#?}"));
    }
    let offsets = |groups: &GroupCoordinator| -> Vec<_> {
        groups
            .all_committed(&id)
            .map(|(topic, partition, found)| (topic.clone(), partition, found.clone()))
            .collect()
    };
    if offsets(before) == offsets(after) { Ok(()) } else { Err("the offsets are others".to_owned()) }
}
