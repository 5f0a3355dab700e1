//! A static member that comes back, under a new id, before its session has ended (KIP-345).

use super::Turn;
use super::join::JoinGroup;
use super::state::ClassicState;
use crate::effects::{Answer, Waiter};
use crate::{Departure, GroupError, MemberId, News};

impl Turn<'_> {
    pub(super) fn replace_static(&mut self, old: &MemberId, id: &MemberId, join: &JoinGroup, waiter: Waiter) {
        let led = self.group.leader.as_ref() == Some(old);
        let Some(mut member) = self.drop_member(old, Departure::Replaced) else { return };
        if let Some(before) = member.joining.take() {
            self.out.refuse_join(before, GroupError::FencedInstanceId, Some(old.clone()));
        }
        if let Some(before) = member.syncing.take() {
            self.out.refuse_sync(before, GroupError::FencedInstanceId);
        }
        let is_stable = self.group.state() == ClassicState::Stable;
        member.id = id.clone();
        // It has been here before.
        member.is_new = false;
        join.update(&mut member, (!is_stable).then_some(waiter));
        if led {
            // The one that is added next leads.
            self.group.leader = None;
        }
        self.group.add(member);
        self.out.tell(&self.group.id, News::Joined(id.clone()));
        self.arm_session(id);
        if is_stable && self.group.select_protocol() == self.group.protocol {
            return self.tell_replaced(old, id, led, join, waiter);
        }
        self.group.change(id, |member| member.joining = Some(waiter));
        self.rebalance_or_complete();
    }

    /// Nothing changes but the id: the generation goes on. A leader that cannot be told to leave
    /// the assignment as it is must not take itself for one.
    fn tell_replaced(&mut self, old: &MemberId, id: &MemberId, led: bool, join: &JoinGroup, waiter: Waiter) {
        self.group.note_subscriptions();
        let mut joined = self.group.joined(id);
        joined.skips_assignment = led && join.can_skip;
        if !joined.skips_assignment {
            joined.members.clear();
        }
        if led && !join.can_skip {
            joined.leader = Some(old.clone());
        }
        self.log_group(|member| member.assignment.clone());
        self.out.answer(waiter, Answer::Join(Ok(joined)));
    }
}
