//! An offset that was acknowledged is there until a later one is, and none is taken from who is not
//! in the generation.

use klamm_coordinator::{GroupId, MemberId};

use crate::support::{GROUP, World};

#[derive(Default)]
pub struct Acknowledged {
    latest: Option<i64>,
    /// Those that were not since: one of them is there, or none.
    open: Vec<i64>,
}

impl Acknowledged {
    /// A commit was acknowledged.
    pub fn note(&mut self, offset: i64) {
        *self = Acknowledged { latest: Some(offset), open: Vec::new() };
    }

    /// A commit had no answer.
    pub fn note_open(&mut self, offset: i64) {
        self.open.push(offset);
    }

    pub fn check(&self, world: &World) -> Result<(), String> {
        let found = world.committed("t");
        let is_kept = found == self.latest || found.is_some_and(|found| self.open.contains(&found));
        match is_kept {
            true => Ok(()),
            false => Err(format!("{found:?} is committed, {:?} was acknowledged", self.latest)),
        }
    }
}

/// Whether a commit that was taken came from a member of the generation.
pub fn check_member(world: &World, member: &MemberId, generation: i32) -> Result<(), String> {
    let found = world.groups.describe(&GroupId::new(GROUP)).ok_or("there is no group")?;
    let is_member = found.members.iter().any(|there| there.id == *member);
    match is_member && found.generation == generation {
        true => Ok(()),
        false => Err(format!("{member} of generation {generation} committed in {}", found.generation)),
    }
}
