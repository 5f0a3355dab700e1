//! SyncGroup: the leader brings the assignment, the others ask for theirs.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Turn;
use super::member::Member;
use super::state::ClassicState;
use crate::effects::{Answer, Waiter};
use crate::{GroupError, GroupId, GroupKind, InstanceId, MemberId, News, ProtocolName};

/// A member asks for its assignment; the leader's request has all of them.
#[derive(Clone, Debug)]
pub struct SyncGroup {
    /// Which group.
    pub group: GroupId,
    /// Who asks.
    pub member: MemberId,
    /// What it calls itself for good.
    pub instance: Option<InstanceId>,
    /// The generation that it was told.
    pub generation: i32,
    /// What the members are, if it says so (version 5).
    pub protocol_type: Option<ProtocolName>,
    /// By which partitions are assigned, if it says so (version 5).
    pub protocol: Option<ProtocolName>,
    /// From the leader: what each member is to have.
    pub assignments: Vec<(MemberId, Bytes)>,
}

impl Turn<'_> {
    /// Answers at once, or when the leader has come.
    pub(crate) fn sync(&mut self, sync: SyncGroup, waiter: Waiter) {
        if let Err(error) = self.try_sync(sync, waiter) {
            self.out.refuse_sync(waiter, error);
        }
    }

    fn try_sync(&mut self, sync: SyncGroup, waiter: Waiter) -> Result<(), GroupError> {
        let member = self.group.check_member(&sync.member, sync.instance.as_ref())?;
        let assignment = member.assignment.clone();
        if sync.generation != self.group.generation {
            return Err(GroupError::IllegalGeneration);
        }
        let differs = |said: Option<&ProtocolName>, own: Option<&ProtocolName>| said.is_some() && said != own;
        if differs(sync.protocol_type.as_ref(), self.group.protocol_type.as_ref())
            || differs(sync.protocol.as_ref(), self.group.protocol.as_ref())
        {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        let bytes: usize = sync.assignments.iter().map(|(_, assignment)| assignment.len()).sum();
        if bytes > self.config.max_bytes {
            return Err(GroupError::MetadataTooLarge);
        }
        match self.group.state() {
            ClassicState::Empty => return Err(GroupError::UnknownMemberId),
            ClassicState::PreparingRebalance => return Err(GroupError::RebalanceInProgress),
            ClassicState::CompletingRebalance => self.wait_for_the_leader(sync, waiter),
            ClassicState::Stable => {
                self.group.unsynced.remove(&sync.member);
                self.keep_alive(&sync.member);
                let synced = self.group.synced(assignment);
                self.out.answer(waiter, Answer::Sync(Ok(synced)));
            }
        }
        Ok(())
    }

    fn wait_for_the_leader(&mut self, sync: SyncGroup, waiter: Waiter) {
        self.group.unsynced.remove(&sync.member);
        if let Some(member) = self.group.member_mut(&sync.member)
            && let Some(before) = member.syncing.replace(waiter)
        {
            self.out.refuse_sync(before, GroupError::UnknownMemberId);
        }
        if self.group.leader.as_ref() == Some(&sync.member) {
            self.assign(&sync.assignments.into_iter().collect());
        }
    }

    /// The group is stable once this is logged.
    fn assign(&mut self, assignments: &BTreeMap<MemberId, Bytes>) {
        let of = |member: &Member| assignments.get(&member.id).cloned().unwrap_or_default();
        self.log_group(of);
        let ids: Vec<_> = self.group.members().map(|member| member.id.clone()).collect();
        self.out.tell(&self.group.id, News::Assigned(GroupKind::Classic, self.group.generation, ids.len()));
        for id in ids {
            let member = self.group.member_mut(&id);
            let Some(waiter) = member.and_then(|member| member.syncing.take()) else { continue };
            let synced = self.group.synced(assignments.get(&id).cloned().unwrap_or_default());
            self.out.answer(waiter, Answer::Sync(Ok(synced)));
            self.keep_alive(&id);
        }
    }
}
