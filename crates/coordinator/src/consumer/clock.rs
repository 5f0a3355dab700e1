//! The timers of members: session and rebalance timeout.

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

    /// A whole session from now. A timer that is set for an earlier time looks then, and is set
    /// again: most sessions are renewed many times.
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

    /// From now on it has `time` for what this timer is about, or need not.
    pub(super) fn set(&mut self, timer: Timer, time: Option<Duration>, ticking: &mut Ticking<'_>) {
        if let Some(now) = ticking.now {
            self.set_from(now, timer, time, ticking.timers);
        }
    }

    fn set_from(&mut self, now: Moment, timer: Timer, time: Option<Duration>, timers: &mut Timers) {
        let Some(own) = self.own(&timer) else { return };
        if let Some(before) = own.take() {
            timers.cancel(before, timer.clone());
        }
        if let Some(time) = time {
            *own = Some(now + time);
            timers.arm(now + time, timer);
        }
    }

    fn own(&mut self, timer: &Timer) -> Option<&mut Option<Moment>> {
        match timer {
            Timer::Rebalance(..) => Some(&mut self.rebalance),
            Timer::MemberJoin(..) => Some(&mut self.join),
            Timer::MemberSync(..) => Some(&mut self.sync),
            Timer::Session(..) | Timer::Pending(..) | Timer::Join(_) | Timer::Sync(_) => None,
        }
    }

    pub(super) fn is_join_set(&self) -> bool {
        self.join.is_some()
    }

    /// Whether the time for this is up at `at`. Should what comes of that not be logged, it is
    /// looked at again.
    pub(super) fn is_due(&mut self, timer: &Timer, at: Moment, ticking: &mut Ticking<'_>) -> bool {
        let is_due = self.own(timer).is_some_and(|own| *own == Some(at));
        if is_due {
            let now = ticking.now.map_or(at, |now| now.max(at));
            self.set_from(now, timer.clone(), Some(AGAIN), ticking.timers);
        }
        is_due
    }

    /// It is no member any more.
    pub(super) fn stop(&mut self, group: &GroupId, member: &MemberId, timers: &mut Timers) {
        if let Some((_, armed)) = self.session.take() {
            timers.cancel(armed, session(group, member));
        }
        self.set_from(Moment::default(), Timer::Rebalance(group.clone(), member.clone()), None, timers);
        self.stop_rounds(group, member, timers);
    }

    /// It need not join or ask for its assignment: it does not speak the classic protocol any more.
    pub(super) fn stop_rounds(&mut self, group: &GroupId, member: &MemberId, timers: &mut Timers) {
        for timer in [Timer::MemberJoin, Timer::MemberSync] {
            self.set_from(Moment::default(), timer(group.clone(), member.clone()), None, timers);
        }
    }
}

fn session(group: &GroupId, member: &MemberId) -> Timer {
    Timer::Session(group.clone(), member.clone())
}

/// When a member that is dead is looked at again, should that not have been logged.
const AGAIN: Duration = Duration::from_secs(1);
