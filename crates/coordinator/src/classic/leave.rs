//! LeaveGroup: members go, by themselves or because an administrator says so.

use super::Turn;
use super::member::Member;
use super::state::ClassicState;
use crate::timers::Timer;
use crate::{Departure, GroupError, GroupId, InstanceId, MemberId, News};

/// Members leave.
#[derive(Clone, Debug)]
pub struct LeaveGroup {
    /// Which group.
    pub group: GroupId,
    /// Who.
    pub members: Vec<Leaving>,
}

/// Who leaves: a member by its id, a static one by what it calls itself, or both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leaving {
    /// Its id.
    pub member: Option<MemberId>,
    /// What it calls itself for good.
    pub instance: Option<InstanceId>,
}

impl Turn<'_> {
    /// Says of each whether it was there. The others assign anew when all have left.
    pub(crate) fn leave(&mut self, leave: &LeaveGroup) -> Vec<Result<(), GroupError>> {
        let before = self.group.members().len();
        let outcomes: Vec<_> = leave.members.iter().map(|leaving| self.leave_one(leaving)).collect();
        if self.group.members().len() < before {
            self.rebalance_or_complete();
        } else if outcomes.iter().any(Result::is_ok) {
            self.go_on_without_pending();
        }
        outcomes
    }

    fn leave_one(&mut self, leaving: &Leaving) -> Result<(), GroupError> {
        let known =
            leaving.instance.as_ref().and_then(|instance| self.group.static_member(instance)).cloned();
        let id = leaving.member.clone().or(known).ok_or(GroupError::UnknownMemberId)?;
        if self.group.pending.contains_key(&id) {
            self.take_pending(&id);
            return Ok(());
        }
        self.group.check_member(&id, leaving.instance.as_ref())?;
        self.send_away(&id, Departure::Left);
        Ok(())
    }

    pub(super) fn forget_pending(&mut self, id: &MemberId) {
        self.take_pending(id);
        self.go_on_without_pending();
    }

    fn go_on_without_pending(&mut self) {
        if self.group.state() == ClassicState::PreparingRebalance {
            self.maybe_complete_joins();
        }
    }

    /// One that was given an id has come with it, or does not come any more.
    pub(super) fn take_pending(&mut self, id: &MemberId) {
        if let Some(until) = self.group.pending.remove(id) {
            self.timers.cancel(until, Timer::Pending(self.group.id.clone(), id.clone()));
        }
    }

    /// A member that is none any more needs no timer.
    pub(super) fn take_out(&mut self, id: &MemberId) -> Option<Member> {
        let member = self.group.remove(id)?;
        self.timers.cancel(member.armed, Timer::Session(self.group.id.clone(), id.clone()));
        Some(member)
    }

    /// One that is none any more, for this reason.
    pub(super) fn drop_member(&mut self, id: &MemberId, why: Departure) -> Option<Member> {
        let member = self.take_out(id)?;
        self.out.tell(&self.group.id, News::Gone(id.clone(), why));
        Some(member)
    }

    /// Takes a member out; the others assign anew.
    pub(super) fn remove_member(&mut self, id: &MemberId, why: Departure) {
        if self.send_away(id, why) {
            self.rebalance_or_complete();
        }
    }

    /// Who goes is told, where it waits; whether it was there.
    fn send_away(&mut self, id: &MemberId, why: Departure) -> bool {
        let Some(member) = self.drop_member(id, why) else { return false };
        if let Some(waiter) = member.joining {
            self.out.refuse_join(waiter, GroupError::UnknownMemberId, None);
        }
        if let Some(waiter) = member.syncing {
            self.out.refuse_sync(waiter, GroupError::UnknownMemberId);
        }
        true
    }
}
