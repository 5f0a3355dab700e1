//! A round of assignment: members join, then the leader assigns.

use std::time::Duration;

use super::Turn;
use super::member::Member;
use super::state::ClassicState;
use crate::effects::{Answer, Effects};
use crate::timers::Timer;
use crate::{Departure, GroupError, GroupKind, GroupRecord, MemberId, Moment, News};

impl Turn<'_> {
    /// Begins a round if none is under way; ends it if all have joined.
    pub(super) fn rebalance_or_complete(&mut self) {
        match self.group.state() {
            ClassicState::PreparingRebalance => self.maybe_complete_joins(),
            ClassicState::Empty | ClassicState::CompletingRebalance | ClassicState::Stable => {
                self.prepare_rebalance();
            }
        }
    }

    /// The group was the broker's to assign until now, or has more members than it may: all join
    /// again.
    pub(crate) fn begin_anew(&mut self, members: &[MemberId]) {
        members.iter().for_each(|id| self.arm_session(id));
        self.prepare_rebalance();
    }

    /// Asks all members to join again. An empty group waits a while for more of them to come.
    pub(super) fn prepare_rebalance(&mut self) {
        if self.group.state() == ClassicState::CompletingRebalance {
            self.refuse_syncs(GroupError::RebalanceInProgress);
        }
        self.group.unsynced.clear();
        self.cancel_sync();
        let is_first = self.group.state() == ClassicState::Empty;
        self.group.become_state(ClassicState::PreparingRebalance);
        self.out.tell(&self.group.id, News::Rebalances(GroupKind::Classic, self.group.generation));
        if is_first {
            let (delay, whole) = (self.config.initial_rebalance_delay, self.group.rebalance_timeout());
            self.group.has_grown = false;
            self.group.initial = Some(whole.saturating_sub(delay));
            self.arm_join(delay);
        } else {
            self.group.initial = None;
            self.arm_join(self.group.rebalance_timeout());
            self.maybe_complete_joins();
        }
    }

    fn arm_join(&mut self, time: Duration) {
        self.cancel_join();
        let at = self.now + time;
        self.group.join_timer = Some(at);
        self.timers.arm(at, Timer::Join(self.group.id.clone()));
    }

    fn cancel_join(&mut self) {
        if let Some(at) = self.group.join_timer.take() {
            self.timers.cancel(at, Timer::Join(self.group.id.clone()));
        }
    }

    fn cancel_sync(&mut self) {
        if let Some(at) = self.group.sync_timer.take() {
            self.timers.cancel(at, Timer::Sync(self.group.id.clone()));
        }
    }

    /// Unless more are to come in the first round, whatever there is now.
    pub(super) fn maybe_complete_joins(&mut self) {
        if self.group.initial.is_none() && self.group.have_all_joined() {
            self.complete_joins();
        }
    }

    /// The time of a round is up.
    pub(crate) fn on_join_timer(&mut self, at: Moment) {
        if self.group.join_timer != Some(at) || self.group.state() != ClassicState::PreparingRebalance {
            return;
        }
        match self.group.initial {
            Some(left) if self.group.has_grown && !left.is_zero() => {
                self.group.has_grown = false;
                let delay = self.config.initial_rebalance_delay.min(left);
                self.group.initial = Some(left.saturating_sub(delay));
                self.arm_join(delay);
            }
            _ => self.complete_joins(),
        }
    }

    /// Who has joined is the next generation. Who has not is no member any more; a static one may
    /// come back.
    fn complete_joins(&mut self) {
        let is_late = |member: &&Member| member.joining.is_none() && member.instance.is_none();
        let late: Vec<_> = self.group.members().filter(is_late).map(|member| member.id.clone()).collect();
        late.iter().for_each(|id| drop(self.drop_member(id, Departure::TooSlow)));
        if self.group.members().len() > 0 && !self.elect() {
            // All are static, and none is here: there is nobody to lead.
            return self.arm_join(self.group.rebalance_timeout().max(LEAST_WAIT));
        }
        self.cancel_join();
        self.group.initial = None;
        self.group.generation = self.group.generation.checked_add(1).unwrap_or(0);
        self.group.protocol = self.group.select_protocol();
        if self.group.members().len() == 0 {
            self.group.become_state(ClassicState::Empty);
            self.group.note_subscriptions();
            // Whether or not it can be logged: its offsets are kept from now on.
            self.group.since = Some(self.time);
            return self.log_group(|member| member.assignment.clone());
        }
        self.group.become_state(ClassicState::CompletingRebalance);
        self.group.note_subscriptions();
        self.tell_joined();
        let at = self.now + self.group.rebalance_timeout();
        self.group.sync_timer = Some(at);
        self.timers.arm(at, Timer::Sync(self.group.id.clone()));
    }

    /// Whether there is a leader who has joined.
    fn elect(&mut self) -> bool {
        let has_joined = |id: &MemberId| self.group.member(id).is_some_and(|member| member.joining.is_some());
        if self.group.leader.as_ref().is_some_and(has_joined) {
            return true;
        }
        let next =
            self.group.members().find(|member| member.joining.is_some()).map(|member| member.id.clone());
        let found = next.is_some();
        if found {
            self.group.leader = next;
        }
        found
    }

    fn tell_joined(&mut self) {
        let ids: Vec<_> = self.group.members().map(|member| member.id.clone()).collect();
        for id in ids {
            let mut waiter = None;
            self.group.change(&id, |member| {
                waiter = member.joining.take();
                member.is_new = false;
            });
            if let Some(waiter) = waiter {
                let joined = self.group.joined(&id);
                self.out.answer(waiter, Answer::Join(Ok(joined)));
            }
            self.keep_alive(&id);
            self.group.unsynced.insert(id);
        }
    }

    /// Some members have their generation and have never asked for their assignment: they are gone.
    pub(crate) fn on_sync_timer(&mut self, at: Moment) {
        if self.group.sync_timer != Some(at) {
            return;
        }
        self.group.sync_timer = None;
        let silent = std::mem::take(&mut self.group.unsynced);
        if silent.is_empty() {
            return;
        }
        silent.iter().for_each(|id| drop(self.drop_member(id, Departure::TooSlow)));
        self.prepare_rebalance();
    }

    pub(super) fn refuse_syncs(&mut self, error: GroupError) {
        let ids: Vec<_> = self.group.members().map(|member| member.id.clone()).collect();
        for id in ids {
            let Some(member) = self.group.member_mut(&id) else { continue };
            // What it was given before is not its own in this generation.
            member.assignment = bytes::Bytes::new();
            let waiter = member.syncing.take();
            waiter.into_iter().for_each(|waiter| self.out.refuse_sync(waiter, error));
        }
    }

    pub(super) fn log_group(&mut self, assignment: impl Fn(&Member) -> bytes::Bytes) {
        let value = Some(self.group.record(self.time, assignment));
        self.out.records.push(GroupRecord::ClassicGroup { group: self.group.id.clone(), value });
    }

    /// What was decided could not be logged: whoever waits is told, and the round begins anew.
    pub(crate) fn on_not_logged(&mut self, failed: &mut Effects, error: GroupError) {
        for (_, answer) in &mut failed.answers {
            *answer = answer.clone().failed(error);
        }
        if self.group.state() == ClassicState::CompletingRebalance {
            self.refuse_syncs(error);
            self.prepare_rebalance();
        }
    }
}

/// For how long static members are waited for at least that say they need no time.
const LEAST_WAIT: Duration = Duration::from_secs(1);
