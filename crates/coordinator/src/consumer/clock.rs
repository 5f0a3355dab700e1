use std::time::Duration;

use super::group::Ticking;
use crate::timers::{Timer, Timers};
use crate::{GroupId, MemberId, Moment};

/// When a member is looked at.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Clock {
    /// When it is taken for dead, and when its timer looks: then or before.
    session: Option<(Moment, Moment)>,
    /// Until when it may take to give up partitions, join again, or ask for its assignment.
    rebalance: Option<Moment>,
    join: Option<Moment>,
    sync: Option<Moment>,
}

impl Clock {
    pub(super) fn is_unset(&self) -> bool {
        self.session.is_none()
    }

    /// A whole session from now. A timer that is set for an earlier time looks then, and is set again: most sessions are renewed many times.
    pub(super) fn set_session(
        &mut self,
        group: &GroupId,
        member: &MemberId,
        time: Duration,
        ticking: &mut Ticking<'_>,
    ) {
        let Some(now) = ticking.now else { return };
        let deadline = now + time;
        let armed = match self.session {
            Some((_, armed)) if armed <= deadline => armed,
            before => {
                if let Some((_, armed)) = before {
                    ticking.timers.cancel(armed, session(group, member));
                }
                ticking.timers.arm(deadline, session(group, member));
                deadline
            }
        };
        self.session = Some((deadline, armed));
    }

    /// The session timer looks: whether the member is dead. Otherwise it looks again.
    pub(super) fn is_session_over(
        &mut self,
        group: &GroupId,
        member: &MemberId,
        at: Moment,
        ticking: &mut Ticking<'_>,
    ) -> bool {
        let Some((deadline, _)) = self.session.filter(|(_, armed)| *armed == at) else { return false };
        let is_over = deadline <= at;
        // Should its end not be logged, it is looked at again.
        let next = if is_over { ticking.now.map_or(at, |now| now.max(at)) + AGAIN } else { deadline };
        ticking.timers.arm(next, session(group, member));
        self.session = Some((deadline, next));
        is_over
    }

    /// From now on it has `time`, or need not.
    pub(super) fn set_rebalance(
        &mut self,
        group: &GroupId,
        member: &MemberId,
        time: Option<Duration>,
        ticking: &mut Ticking<'_>,
    ) {
        let Some(now) = ticking.now else { return };
        set(&mut self.rebalance, now, time, rebalance(group, member), ticking.timers);
    }

    pub(super) fn set_join(
        &mut self,
        group: &GroupId,
        member: &MemberId,
        time: Option<Duration>,
        ticking: &mut Ticking<'_>,
    ) {
        let Some(now) = ticking.now else { return };
        set(&mut self.join, now, time, Timer::MemberJoin(group.clone(), member.clone()), ticking.timers);
    }

    pub(super) fn is_join_set(&self) -> bool {
        self.join.is_some()
    }

    pub(super) fn set_sync(
        &mut self,
        group: &GroupId,
        member: &MemberId,
        time: Option<Duration>,
        ticking: &mut Ticking<'_>,
    ) {
        let Some(now) = ticking.now else { return };
        set(&mut self.sync, now, time, Timer::MemberSync(group.clone(), member.clone()), ticking.timers);
    }

    /// Whether the time for this is up at `at`.
    pub(super) fn is_due(&mut self, timer: &Timer, at: Moment, ticking: &mut Ticking<'_>) -> bool {
        let own = match timer {
            Timer::Rebalance(..) => &mut self.rebalance,
            Timer::MemberJoin(..) => &mut self.join,
            Timer::MemberSync(..) => &mut self.sync,
            _ => return false,
        };
        let is_due = *own == Some(at);
        if is_due {
            let now = ticking.now.map_or(at, |now| now.max(at));
            set(own, now, Some(AGAIN), timer.clone(), ticking.timers);
        }
        is_due
    }

    /// It is no member any more.
    pub(super) fn stop(&mut self, group: &GroupId, member: &MemberId, timers: &mut Timers) {
        if let Some((_, armed)) = self.session.take() {
            timers.cancel(armed, session(group, member));
        }
        let now = Moment::default();
        set(&mut self.rebalance, now, None, rebalance(group, member), timers);
        set(&mut self.join, now, None, Timer::MemberJoin(group.clone(), member.clone()), timers);
        set(&mut self.sync, now, None, Timer::MemberSync(group.clone(), member.clone()), timers);
    }
}

fn set(own: &mut Option<Moment>, now: Moment, time: Option<Duration>, timer: Timer, timers: &mut Timers) {
    if let Some(before) = own.take() {
        timers.cancel(before, timer.clone());
    }
    if let Some(time) = time {
        *own = Some(now + time);
        timers.arm(now + time, timer);
    }
}

fn session(group: &GroupId, member: &MemberId) -> Timer {
    Timer::Session(group.clone(), member.clone())
}

fn rebalance(group: &GroupId, member: &MemberId) -> Timer {
    Timer::Rebalance(group.clone(), member.clone())
}

/// When a member that is dead is looked at again, should that not have been logged.
const AGAIN: Duration = Duration::from_secs(1);
