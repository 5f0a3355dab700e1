//! Descriptions of consumer groups (ConsumerGroupDescribe).

use super::group::{ConsumerGroup, Member};
use super::record::Subscribed;
use super::{Partitions, target};
use crate::{Assignors, GroupState, MemberId, ProtocolName};

/// A group whose broker assigns, with its members.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsumerGroupDescription {
    /// Where it stands.
    pub state: GroupState,
    /// Its epoch.
    pub epoch: i32,
    /// Up to which epoch is assigned.
    pub target_epoch: i32,
    /// By what.
    pub assignor: ProtocolName,
    /// Its members.
    pub members: Vec<ConsumerMemberDescription>,
}

/// A member of such a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsumerMemberDescription {
    /// Its id.
    pub id: MemberId,
    /// What it says of itself.
    pub said: Subscribed,
    /// Its epoch.
    pub epoch: i32,
    /// What it has, and has yet to give up.
    pub has: Partitions,
    /// What it is to have.
    pub target: Partitions,
}

impl ConsumerGroup {
    pub(crate) fn describe(&self, assignors: &Assignors) -> ConsumerGroupDescription {
        let member = |member: &Member| ConsumerMemberDescription {
            id: member.id.clone(),
            said: member.said.clone(),
            epoch: member.current.epoch,
            has: {
                let held = member.current.assigned.iter().chain(member.current.pending.iter());
                held.map(|(topic, partition, _)| (topic, partition)).collect()
            },
            target: self.target(&member.id).cloned().unwrap_or_default(),
        };
        ConsumerGroupDescription {
            state: self.state(),
            epoch: self.epoch,
            target_epoch: self.target_epoch,
            assignor: target::preferred(assignors, self.members().map(|member| &member.said)),
            members: self.members().map(member).collect(),
        }
    }
}
