//! Heartbeat: a member is alive, and hears whether it has to join again; and what becomes of one
//! that is not.

use std::time::Duration;

use super::Turn;
use super::state::ClassicState;
use crate::timers::Timer;
use crate::{Departure, GroupError, GroupId, InstanceId, MemberId, Moment};

/// A member is alive.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Which group.
    pub group: GroupId,
    /// Which member.
    pub member: MemberId,
    /// What it calls itself for good.
    pub instance: Option<InstanceId>,
    /// The generation that it was told.
    pub generation: i32,
}

impl Turn<'_> {
    pub(crate) fn heartbeat(&mut self, beat: &Heartbeat) -> Result<(), GroupError> {
        self.group.check_member(&beat.member, beat.instance.as_ref())?;
        if beat.generation != self.group.generation {
            return Err(GroupError::IllegalGeneration);
        }
        match self.group.state() {
            ClassicState::Empty => Err(GroupError::UnknownMemberId),
            ClassicState::PreparingRebalance => {
                self.keep_alive(&beat.member);
                Err(GroupError::RebalanceInProgress)
            }
            ClassicState::CompletingRebalance | ClassicState::Stable => {
                self.keep_alive(&beat.member);
                Ok(())
            }
        }
    }

    /// It has a whole session again.
    pub(crate) fn keep_alive(&mut self, id: &MemberId) {
        let Some(member) = self.group.member(id) else { return };
        let time = member.session_timeout;
        self.keep(id, time);
    }

    /// A timer stays where it is armed as long as that is not too late: heartbeats move a number,
    /// and nothing else.
    pub(super) fn keep(&mut self, id: &MemberId, time: Duration) {
        let at = self.now + time;
        let Some(member) = self.group.member_mut(id) else { return };
        member.deadline = at;
        if member.armed > at || member.armed <= self.now {
            let before = std::mem::replace(&mut member.armed, at);
            self.timers.cancel(before, Timer::Session(self.group.id.clone(), id.clone()));
            self.timers.arm(at, Timer::Session(self.group.id.clone(), id.clone()));
        }
    }

    /// One that has been put there in another's place has no timer yet.
    pub(crate) fn arm_session(&mut self, id: &MemberId) {
        if let Some(member) = self.group.member_mut(id) {
            member.armed = Moment::default();
        }
        self.keep_alive(id);
    }

    pub(crate) fn on_session_timer(&mut self, at: Moment, id: &MemberId) {
        let Some(member) = self.group.member_mut(id).filter(|member| member.armed == at) else { return };
        if member.deadline > self.now {
            member.armed = member.deadline;
            self.timers.arm(member.armed, Timer::Session(self.group.id.clone(), id.clone()));
        } else if member.waits() && !member.is_new {
            // It cannot send heartbeats while it waits.
            let time = member.session_timeout;
            member.armed = Moment::default();
            self.keep(id, time);
        } else {
            self.remove_member(id, Departure::SessionOver);
        }
    }

    /// Whoever was given an id and did not come back.
    pub(crate) fn on_pending_timer(&mut self, at: Moment, id: &MemberId) {
        if self.group.pending.get(id) == Some(&at) {
            self.forget_pending(id);
        }
    }
}
