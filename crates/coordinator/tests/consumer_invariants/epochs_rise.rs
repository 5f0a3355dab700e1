//! Epochs that are logged never go back: that of the group, and of each member while it is one. A
//! static member goes and comes.

use std::collections::BTreeMap;

use klamm_coordinator::{ConsumerRecord, GroupRecord, MemberId};

use crate::support::consumers::ConsumerWorld;

#[derive(Default)]
pub struct Epochs {
    looked_at: usize,
    group: i32,
    target: i32,
    members: BTreeMap<MemberId, i32>,
}

impl Epochs {
    /// The log is another: what it says is known.
    pub fn begin_anew(&mut self, world: &ConsumerWorld) {
        self.looked_at = world.log.len();
    }

    /// Looks at what has been logged since.
    pub fn check(&mut self, world: &ConsumerWorld) -> Result<(), String> {
        for record in &world.log[self.looked_at..] {
            if let GroupRecord::Consumer { record, .. } = record {
                self.check_one(record)?;
            }
        }
        self.looked_at = world.log.len();
        Ok(())
    }

    fn check_one(&mut self, record: &ConsumerRecord) -> Result<(), String> {
        match record {
            ConsumerRecord::Group(None) => (self.group, self.target) = (0, 0),
            ConsumerRecord::Group(Some(value)) => rise("the group", &mut self.group, value.epoch)?,
            ConsumerRecord::TargetEpoch(Some(value)) => {
                rise("the assignment", &mut self.target, value.epoch)?;
                // The first epoch of a group is not logged.
                if value.epoch > self.group.max(1) {
                    return Err(format!("{} is assigned, the group is at {}", value.epoch, self.group));
                }
            }
            ConsumerRecord::Current(id, None) => drop(self.members.remove(id)),
            ConsumerRecord::Current(id, Some(current)) if current.epoch <= 0 => drop(self.members.remove(id)),
            ConsumerRecord::Current(id, Some(current)) => {
                rise(id.as_str(), self.members.entry(id.clone()).or_default(), current.epoch)?;
            }
            _ => {}
        }
        Ok(())
    }
}

fn rise(who: &str, known: &mut i32, epoch: i32) -> Result<(), String> {
    if epoch < *known {
        return Err(format!("{who} goes from epoch {known} to {epoch}"));
    }
    *known = epoch;
    Ok(())
}
