//! The groups of one partition of `__consumer_offsets`.

mod classic;
mod consumer;
mod offsets;
mod replay;

use std::collections::{BTreeMap, BTreeSet};

use crate::classic::{ClassicGroup, ClassicGroupRecord, Turn};
use crate::consumer::{ConsumerGroup, ConsumerGroupDescription, ConsumerRecord, Ticking};
use crate::describe::{GroupDescription, GroupListing};
use crate::effects::Effects;
use crate::offsets::Offsets;
use crate::timers::{Timer, Timers};
use crate::{GroupConfig, GroupError, GroupId, GroupRecord, GroupState, Moment, Present};

pub use replay::GroupReplay;

/// Decides for the groups of one partition of `__consumer_offsets`. It does no I/O: requests and
/// the present go in, [`Effects`] come out, and what is logged of them comes back in through
/// [`GroupCoordinator::apply`].
#[derive(Clone, Debug, Default)]
pub struct GroupCoordinator {
    config: GroupConfig,
    groups: BTreeMap<GroupId, Group>,
    /// Names of groups of other protocols: of those in `groups` they are that have offsets.
    foreign: BTreeSet<GroupId>,
    timers: Timers,
    /// When something was decided last: what is applied was decided then.
    now: Moment,
}

/// The members of a group, and its offsets.
#[derive(Clone, Debug)]
struct Group {
    kind: Kind,
    offsets: Offsets,
    /// What it was, until it is logged that it is classic.
    before: Option<Box<ConsumerGroup>>,
}

/// Who assigns.
#[derive(Clone, Debug)]
enum Kind {
    /// A member; or there are only offsets.
    Classic(Box<ClassicGroup>),
    /// The broker.
    Consumer(Box<ConsumerGroup>),
}

/// What becomes of each part of a request, in its order.
pub type Outcomes = Vec<Result<(), GroupError>>;

impl Group {
    fn new(id: &GroupId) -> Group {
        Group { kind: Kind::classic(id), offsets: Offsets::default(), before: None }
    }

    fn state(&self) -> GroupState {
        match &self.kind {
            Kind::Classic(group) => group.state().into(),
            Kind::Consumer(group) => group.state(),
        }
    }

    fn is_nothing(&self) -> bool {
        self.offsets.is_empty()
            && match &self.kind {
                Kind::Classic(group) => group.is_nothing(),
                Kind::Consumer(group) => group.is_nothing(),
            }
    }
}

impl Kind {
    fn classic(id: &GroupId) -> Kind {
        Kind::Classic(Box::new(ClassicGroup::new(id.clone())))
    }
}

impl GroupCoordinator {
    /// One without groups. [`GroupReplay`] makes one of what was logged.
    #[must_use]
    pub fn new(config: GroupConfig) -> GroupCoordinator {
        GroupCoordinator { config, ..GroupCoordinator::default() }
    }

    /// Other settings, from here on. What was armed by the ones before stays so until it is armed
    /// again.
    pub fn configure(&mut self, config: GroupConfig) {
        self.config = config;
    }

    /// The groups are another's from here on, or nobody's: what to answer those who wait. The
    /// coordinator is of no more use.
    pub fn unload(self) -> Effects {
        let refuse = |group: &Group| match &group.kind {
            Kind::Classic(group) => group.refusals(GroupError::NotCoordinator),
            // Nobody waits for what its broker decides.
            Kind::Consumer(_) => Vec::new(),
        };
        Effects { answers: self.groups.values().flat_map(refuse).collect(), ..Effects::default() }
    }

    /// What there is of a classic group; `None` when it is not there, or no such.
    #[must_use]
    pub fn describe(&self, group: &GroupId) -> Option<GroupDescription> {
        match &self.existing(group, GroupError::GroupIdNotFound).ok()?.kind {
            Kind::Classic(group) => Some(GroupDescription::of(group)),
            Kind::Consumer(_) => None,
        }
    }

    /// What there is of a group whose broker assigns; `None` when it is not there, or no such.
    #[must_use]
    pub fn describe_consumer(&self, group: &GroupId) -> Option<ConsumerGroupDescription> {
        match &self.groups.get(group)?.kind {
            Kind::Classic(_) => None,
            Kind::Consumer(group) => Some(group.describe(&self.config.consumer.assignors)),
        }
    }

    /// All groups but those of protocols that are not spoken here.
    pub fn list(&self) -> impl Iterator<Item = GroupListing> {
        self.own_groups().map(|(_, group)| match &group.kind {
            Kind::Classic(group) => GroupListing::of(group),
            Kind::Consumer(group) => GroupListing::of_consumer(group),
        })
    }

    /// When [`GroupCoordinator::on_time`] is to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        self.timers.next()
    }

    /// Does the next thing that is due; `None` when nothing is. To be called until then.
    pub fn on_time(&mut self, present: Present<'_>) -> Option<Effects> {
        self.now = present.moment;
        let (at, timer) = self.timers.pop(present.moment)?;
        let mut out = Effects::default();
        match self.groups.get(timer.group()).map(|group| &group.kind) {
            None => {}
            Some(Kind::Classic(_)) => self.on_classic_timer(at, &timer, present, &mut out),
            Some(Kind::Consumer(_)) => out = self.on_consumer_timer(at, &timer, present),
        }
        Some(out)
    }

    fn on_classic_timer(&mut self, at: Moment, timer: &Timer, present: Present<'_>, out: &mut Effects) {
        self.turn(timer.group(), present, out, |turn| match timer {
            Timer::Session(_, member) => turn.on_session_timer(at, member),
            Timer::Pending(_, member) => turn.on_pending_timer(at, member),
            Timer::Join(_) => turn.on_join_timer(at),
            Timer::Sync(_) => turn.on_sync_timer(at),
            // Of a time when the broker assigned.
            Timer::Rebalance(..) | Timer::MemberJoin(..) | Timer::MemberSync(..) => {}
        });
    }

    /// What was decided is logged, and so from here on.
    pub fn apply(&mut self, record: &GroupRecord) {
        let now = self.now;
        self.apply_with(record, Some(now), ClassicGroup::confirm);
    }

    /// Without `now` it is what was logged before.
    fn apply_with(
        &mut self,
        record: &GroupRecord,
        now: Option<Moment>,
        confirm: impl FnOnce(&mut ClassicGroup, &ClassicGroupRecord),
    ) {
        let id = record.group();
        let group = self.groups.entry(id.clone()).or_insert_with(|| Group::new(id));
        match record {
            GroupRecord::Offset { topic, partition, committed, .. } => {
                group.offsets.set(topic, *partition, committed.clone());
            }
            GroupRecord::ClassicGroup { value: Some(value), .. } => match &mut group.kind {
                Kind::Classic(group) if group.members().len() > 0 || value.members.is_empty() => {
                    confirm(group, value);
                }
                // Its members are another kind's, or were.
                Kind::Classic(_) | Kind::Consumer(_) => self.become_classic(id, value, now),
            },
            // It was classic already, but for what the log said.
            GroupRecord::Consumer { record: ConsumerRecord::Group(None), .. }
                if group.before.take().is_some() => {}
            GroupRecord::ClassicGroup { value: None, .. } => {
                if let Kind::Classic(_) = group.kind {
                    group.kind = Kind::classic(id);
                }
            }
            GroupRecord::Consumer { record, .. } => self.apply_consumer(id, record, now),
        }
        if record.takes_away() && self.groups.get(id).is_some_and(Group::is_nothing) {
            self.groups.remove(id);
        }
    }

    fn apply_consumer(&mut self, id: &GroupId, record: &ConsumerRecord, now: Option<Moment>) {
        let Some(group) = self.groups.get_mut(id) else { return };
        if let Kind::Classic(_) = group.kind {
            // What takes away was for a group that is classic since.
            if record.takes_away() {
                return;
            }
            group.kind = Kind::Consumer(Box::new(ConsumerGroup::new(id.clone())));
        }
        let Kind::Consumer(consumer) = &mut group.kind else { return };
        let session_timeout = self.config.consumer.times_of(id).session_timeout;
        consumer.apply(record, Ticking { now, timers: &mut self.timers, session_timeout });
        // There are only offsets left, if anything.
        if matches!(record, ConsumerRecord::Group(None)) {
            group.kind = Kind::classic(id);
        }
    }

    /// The records could not be logged: what to answer instead, with this error.
    pub fn not_logged(&mut self, mut failed: Effects, error: GroupError, present: Present<'_>) -> Effects {
        let mut out = Effects::default();
        for id in failed.groups() {
            self.restore(&id, error, &mut out);
            match self.groups.get_mut(&id).map(|group| &mut group.kind) {
                None => {}
                Some(Kind::Classic(_)) => {
                    self.turn(&id, present, &mut out, |turn| turn.on_not_logged(&mut failed, error));
                }
                Some(Kind::Consumer(group)) => group.on_not_logged(),
            }
        }
        for (_, answer) in &mut failed.answers {
            *answer = answer.clone().failed(error);
        }
        out.answers.extend(failed.answers);
        out
    }

    /// A group that was to be classic is not.
    fn restore(&mut self, id: &GroupId, error: GroupError, out: &mut Effects) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let Some(before) = group.before.take() else { return };
        if let Kind::Classic(classic) = &group.kind {
            out.answers.extend(classic.refusals(error));
        }
        group.kind = Kind::Consumer(before);
    }

    /// The groups that are looked after here.
    fn own_groups(&self) -> impl Iterator<Item = (&GroupId, &Group)> {
        self.groups.iter().filter(|(id, _)| !self.foreign.contains(*id))
    }

    /// The group, unless it is none that is looked after here.
    fn find(&self, id: &GroupId, error: GroupError) -> Result<&Group, GroupError> {
        if id.as_str().is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        self.existing(id, error)
    }

    /// Like [`GroupCoordinator::find`], but the group without a name, which can have offsets, is
    /// found too.
    fn existing(&self, id: &GroupId, error: GroupError) -> Result<&Group, GroupError> {
        if self.foreign.contains(id) {
            return Err(error);
        }
        self.groups.get(id).ok_or(error)
    }

    fn consumer_group(&mut self, id: &GroupId) -> Option<(&mut ConsumerGroup, Ticking<'_>)> {
        let Kind::Consumer(group) = &mut self.groups.get_mut(id)?.kind else { return None };
        let session_timeout = self.config.consumer.times_of(id).session_timeout;
        Some((group, Ticking { now: Some(self.now), timers: &mut self.timers, session_timeout }))
    }

    /// What happens to a classic group.
    fn turn<T>(
        &mut self,
        id: &GroupId,
        present: Present<'_>,
        out: &mut Effects,
        event: impl FnOnce(&mut Turn<'_>) -> T,
    ) -> T {
        let found = self.groups.get_mut(id).map(|group| &mut group.kind);
        let Some(Kind::Classic(group)) = found else {
            panic!("GROUP-3: a group is found before it is changed")
        };
        event(&mut Turn {
            group,
            config: &self.config,
            now: present.moment,
            time: present.time,
            timers: &mut self.timers,
            out,
        })
    }
}
