//! An offset that was acknowledged is there until a later one is, and none is taken from who has
//! been fenced.

use std::collections::BTreeMap;

use klamm_coordinator::{GroupId, MemberId};

use crate::support::consumers::{ConsumerWorld, GROUP};

/// By partition: what was acknowledged, and what had no answer since.
#[derive(Default)]
pub struct Acknowledged(BTreeMap<(String, i32), (Option<i64>, Vec<i64>)>);

impl Acknowledged {
    pub fn note(&mut self, topic: &str, partition: i32, offset: i64) {
        self.0.insert((topic.to_owned(), partition), (Some(offset), Vec::new()));
    }

    /// Nobody was told: it is there, or not.
    pub fn note_open(&mut self, topic: &str, partition: i32, offset: i64) {
        self.0.entry((topic.to_owned(), partition)).or_default().1.push(offset);
    }

    pub fn check(&self, world: &ConsumerWorld) -> Result<(), String> {
        for ((topic, partition), (latest, open)) in &self.0 {
            let found = world.committed(topic, *partition);
            if found != *latest && !found.is_some_and(|found| open.contains(&found)) {
                return Err(format!(
                    "{found:?} is committed of {topic}-{partition}, {latest:?} was acknowledged"
                ));
            }
        }
        Ok(())
    }
}

/// Whether a commit that was taken came from a member.
pub fn check_member(world: &ConsumerWorld, id: &str) -> Result<(), String> {
    let group = GroupId::new(GROUP);
    let (id, found) = (MemberId::new(id), world.groups.describe_consumer(&group));
    let is_member = match found {
        Some(found) => found.members.iter().any(|member| member.id == id),
        None => world
            .groups
            .describe(&group)
            .is_some_and(|found| found.members.iter().any(|member| member.id == id)),
    };
    if is_member { Ok(()) } else { Err(format!("{id} is no member and has committed")) }
}
