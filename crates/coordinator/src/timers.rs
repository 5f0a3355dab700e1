//! What is due when. Kept as values; the driver asks for the next and says when it has come.

use std::collections::BTreeSet;

use crate::{GroupId, MemberId, Moment};

/// Something that is to be looked at.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Timer {
    /// Whether a member is still alive.
    Session(GroupId, MemberId),
    /// Whether one that was given an id has come again with it.
    Pending(GroupId, MemberId),
    /// Whether all have joined.
    Join(GroupId),
    /// Whether all have asked for their assignment.
    Sync(GroupId),
    /// Whether a member has given up what it was to give up.
    Rebalance(GroupId, MemberId),
    /// Whether a classic member among others has joined again.
    MemberJoin(GroupId, MemberId),
    /// Whether a classic member among others has asked for its assignment.
    MemberSync(GroupId, MemberId),
}

impl Timer {
    /// The group that it is about.
    pub(crate) fn group(&self) -> &GroupId {
        match self {
            Timer::Join(group) | Timer::Sync(group) => group,
            Timer::Session(group, _)
            | Timer::Pending(group, _)
            | Timer::Rebalance(group, _)
            | Timer::MemberJoin(group, _)
            | Timer::MemberSync(group, _) => group,
        }
    }

    /// The member that it is about.
    pub(crate) fn member(&self) -> Option<&MemberId> {
        match self {
            Timer::Join(_) | Timer::Sync(_) => None,
            Timer::Session(_, member)
            | Timer::Pending(_, member)
            | Timer::Rebalance(_, member)
            | Timer::MemberJoin(_, member)
            | Timer::MemberSync(_, member) => Some(member),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Moment, Timer)>);

impl Timers {
    pub(crate) fn arm(&mut self, at: Moment, timer: Timer) {
        self.0.insert((at, timer));
    }

    /// It is not to be looked at then.
    pub(crate) fn cancel(&mut self, at: Moment, timer: Timer) {
        self.0.remove(&(at, timer));
    }

    pub(crate) fn next(&self) -> Option<Moment> {
        self.0.first().map(|(at, _)| *at)
    }

    /// The next that is due.
    pub(crate) fn pop(&mut self, now: Moment) -> Option<(Moment, Timer)> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop_first()
    }
}
