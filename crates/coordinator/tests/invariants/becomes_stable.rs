//! When nothing goes wrong any more, every member soon has its part, and all partitions have an
//! owner.

use klamm_coordinator::{ClassicState, GroupId};

use crate::support::{GROUP, World};

pub fn check(world: &World, names: &[String], partitions: usize) -> Result<(), String> {
    let found = world.groups.describe(&GroupId::new(GROUP)).ok_or("there is no group")?;
    if found.state != ClassicState::Stable || found.members.len() != names.len() {
        return Err(format!("{} with {} members of {}", found.state, found.members.len(), names.len()));
    }
    let mut owned = Vec::new();
    for member in &found.members {
        let text = String::from_utf8_lossy(&member.assignment).into_owned();
        owned.extend(text.split(',').filter(|name| !name.is_empty()).map(str::to_owned));
    }
    owned.sort();
    let mut all: Vec<_> = (0..partitions).map(|number| number.to_string()).collect();
    all.sort();
    if owned == all { Ok(()) } else { Err(format!("{owned:?} have an owner")) }
}
