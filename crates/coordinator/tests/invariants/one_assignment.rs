//! A generation has one assignment, in which each partition has one owner. A static member may come
//! under another id.

use std::collections::{BTreeMap, BTreeSet};

use klamm_coordinator::{GroupRecord, LoggedMember};

use super::generation_rises::logged;
use crate::support::World;

pub fn check(world: &World) -> Result<(), String> {
    let mut assigned: BTreeMap<i32, BTreeSet<(String, String)>> = BTreeMap::new();
    for record in logged(world) {
        let GroupRecord::ClassicGroup { value, .. } = record.unwrap() else { continue };
        let Some(value) = value else {
            assigned.clear();
            continue;
        };
        let partitions: Vec<_> = value.members.iter().flat_map(partitions).collect();
        let owners: BTreeSet<_> = partitions.iter().cloned().collect();
        if owners.len() < partitions.len() {
            return Err(format!("generation {} gives {partitions:?}", value.generation));
        }
        let owned: BTreeSet<_> = value.members.iter().map(owned).collect();
        let known = assigned.entry(value.generation).or_insert_with(|| owned.clone());
        if *known != owned {
            return Err(format!("generation {} is {known:?}, then {owned:?}", value.generation));
        }
    }
    Ok(())
}

fn partitions(member: &LoggedMember) -> Vec<String> {
    let text = String::from_utf8_lossy(&member.assignment).into_owned();
    text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn owned(member: &LoggedMember) -> (String, String) {
    let who = member.instance.as_ref().map_or_else(|| member.id.to_string(), ToString::to_string);
    (who, String::from_utf8_lossy(&member.assignment).into_owned())
}
