//! The generations that are logged never go back.

use klamm_coordinator::{GroupRecord, RecordError};

use crate::support::World;

pub fn check(world: &World) -> Result<(), String> {
    let mut latest = 0;
    for record in logged(world) {
        let GroupRecord::ClassicGroup { value, .. } = record.unwrap() else { continue };
        let Some(value) = value else {
            latest = 0;
            continue;
        };
        if value.generation < latest {
            return Err(format!("generation {} is logged after {latest}", value.generation));
        }
        latest = value.generation;
    }
    Ok(())
}

pub fn logged(world: &World) -> impl Iterator<Item = Result<GroupRecord, RecordError>> {
    world.log.iter().map(|(key, value)| GroupRecord::decode(key, value.as_ref()))
}
