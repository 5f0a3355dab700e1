//! When nothing goes wrong any more, every client soon reads what it is to have, and all partitions
//! are read that anybody wants.

use klamm_coordinator::{GroupId, GroupState, MemberId};

use crate::support::consumers::{ConsumerWorld, GROUP};

pub fn check(world: &ConsumerWorld, names: &[String]) -> Result<(), String> {
    let found = world.groups.describe_consumer(&GroupId::new(GROUP)).ok_or("there is no group")?;
    if found.state != GroupState::Stable || found.members.len() != names.len() {
        return Err(format!("{} with {} members of {}", found.state, found.members.len(), names.len()));
    }
    for name in names {
        let consumer = &world.consumers[name];
        let id = MemberId::new(&consumer.member);
        let member =
            found.members.iter().find(|member| member.id == id).ok_or(format!("{name} is no member"))?;
        if consumer.owned != member.target || member.has != member.target {
            return Err(format!(
                "{name} reads {}, is to have {}",
                world.list(&consumer.owned),
                world.list(&member.target)
            ));
        }
    }
    Ok(())
}
