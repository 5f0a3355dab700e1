//! The groups of one partition of `__consumer_offsets`.

use std::collections::BTreeMap;

use klamm_types::Timestamp;

use crate::classic::{ClassicGroup, ClassicGroupRecord, GroupState, Heartbeat, Join, Leave, Sync, Turn};
use crate::describe::{GroupDescription, GroupListing};
use crate::effects::{Effects, Waiter};
use crate::offsets::{Commit, CommittedOffset, Offsets, expired, plan_deletion, removal};
use crate::timers::{Timer, Timers};
use crate::{GroupConfig, GroupError, GroupId, GroupRecord, Moment, Topic};

/// Decides for the groups of one partition of `__consumer_offsets`. It does no I/O: requests and the time go in, [`Effects`] come out, and
/// what is logged of them comes back in through [`GroupCoordinator::apply`].
#[derive(Clone, Debug, Default)]
pub struct GroupCoordinator {
    config: GroupConfig,
    groups: BTreeMap<GroupId, Group>,
    timers: Timers,
}

/// The members of a group, and its offsets.
#[derive(Clone, Debug)]
struct Group {
    classic: ClassicGroup,
    offsets: Offsets,
}

/// A coordinator in the making: what was logged before a restart, record by record.
#[derive(Clone, Debug, Default)]
pub struct GroupReplay(GroupCoordinator);

impl GroupReplay {
    /// One to which nothing has been applied.
    #[must_use]
    pub fn new(config: GroupConfig) -> GroupReplay {
        GroupReplay(GroupCoordinator::new(config))
    }

    /// The next record of the log.
    pub fn apply(&mut self, record: &GroupRecord) {
        self.0.apply_with(record, |group, value| *group = ClassicGroup::of(group.id.clone(), value));
    }

    /// That was all. Members have a whole session to show that they are alive.
    #[must_use]
    pub fn finish(self, now: Moment, time: Timestamp) -> GroupCoordinator {
        let mut groups = self.0;
        let ids: Vec<_> = groups.groups.keys().cloned().collect();
        for id in ids {
            let members: Vec<_> =
                groups.groups[&id].classic.members().map(|member| member.id.clone()).collect();
            let mut out = Effects::default();
            groups.turn(&id, now, time, &mut out, |turn| {
                members.iter().for_each(|member| turn.arm_session(member));
            });
        }
        groups
    }
}

/// What becomes of each part of a request, in its order.
pub type Outcomes = Vec<Result<(), GroupError>>;

impl Group {
    fn new(id: &GroupId) -> Group {
        Group { classic: ClassicGroup::new(id.clone()), offsets: Offsets::default() }
    }
}

impl GroupCoordinator {
    /// One without groups. [`GroupReplay`] makes one of what was logged.
    #[must_use]
    pub fn new(config: GroupConfig) -> GroupCoordinator {
        GroupCoordinator { config, ..GroupCoordinator::default() }
    }

    /// A member joins. `waiter` is answered at once, or when the round of joins ends.
    pub fn join(&mut self, join: &Join, waiter: Waiter, now: Moment, time: Timestamp) -> Effects {
        let mut out = Effects::default();
        if let Err(error) = self.check_join(join) {
            out.refuse_join(waiter, error, join.member.clone());
            return out;
        }
        if !self.groups.contains_key(&join.group) {
            let group = Group::new(&join.group);
            // What is logged first is only that there is a group.
            let value = Some(ClassicGroupRecord { since: Some(time), ..Default::default() });
            out.records.push(GroupRecord::ClassicGroup { group: join.group.clone(), value });
            self.groups.insert(join.group.clone(), group);
        }
        self.turn(&join.group, now, time, &mut out, |turn| turn.join(join, waiter));
        out
    }

    fn check_join(&self, join: &Join) -> Result<(), GroupError> {
        let (least, most) = (self.config.min_session_timeout, self.config.max_session_timeout);
        if join.group.as_str().is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        if !(least..=most).contains(&join.session_timeout) {
            return Err(GroupError::InvalidSessionTimeout);
        }
        // Only one that has no id yet begins a group.
        if join.member.is_some() && !self.groups.contains_key(&join.group) {
            return Err(GroupError::UnknownMemberId);
        }
        Ok(())
    }

    /// A member asks for its assignment. `waiter` is answered at once, or when the leader has brought it.
    pub fn sync(&mut self, sync: Sync, waiter: Waiter, now: Moment, time: Timestamp) -> Effects {
        let mut out = Effects::default();
        let group = sync.group.clone();
        if let Err(error) = self.find(&group, GroupError::UnknownMemberId) {
            out.refuse_sync(waiter, error);
            return out;
        }
        self.turn(&group, now, time, &mut out, |turn| turn.sync(sync, waiter));
        out
    }

    /// A member is alive.
    ///
    /// # Errors
    /// [`GroupError::RebalanceInProgress`] asks it to join again; others say that it is no member, or not of this generation.
    pub fn heartbeat(&mut self, beat: &Heartbeat, now: Moment, time: Timestamp) -> Result<(), GroupError> {
        self.find(&beat.group, GroupError::UnknownMemberId)?;
        let mut out = Effects::default();
        self.turn(&beat.group, now, time, &mut out, |turn| turn.heartbeat(beat))
    }

    /// Members leave; says of each whether it was there.
    ///
    /// # Errors
    /// When the group is not there.
    pub fn leave(
        &mut self,
        leave: &Leave,
        now: Moment,
        time: Timestamp,
    ) -> Result<(Effects, Outcomes), GroupError> {
        self.find(&leave.group, GroupError::UnknownMemberId)?;
        let mut out = Effects::default();
        let left = self.turn(&leave.group, now, time, &mut out, |turn| turn.leave(leave));
        Ok((out, left))
    }

    /// A group commits offsets; says of each whether it is taken, once the records are logged.
    ///
    /// # Errors
    /// When the group takes none from this member.
    pub fn commit(
        &mut self,
        commit: &Commit,
        now: Moment,
        time: Timestamp,
    ) -> Result<(Effects, Outcomes), GroupError> {
        if commit.group.as_str().is_empty() && commit.generation.is_some() {
            return Err(GroupError::InvalidGroupId);
        }
        match self.groups.get(&commit.group) {
            Some(group) => commit.check(&group.classic)?,
            None if commit.generation.is_some() => return Err(GroupError::GroupIdNotFound),
            None => {}
        }
        let mut out = Effects::default();
        if let Some(member) = commit.member.as_ref().filter(|_| self.groups.contains_key(&commit.group)) {
            self.turn(&commit.group, now, time, &mut out, |turn| turn.keep_alive(member));
        }
        let (records, outcomes) = commit.plan(&self.config, time);
        out.records = records;
        Ok((out, outcomes))
    }

    /// Offsets of a group are taken away; says of each whether that can be. One that is not there is gone already.
    ///
    /// # Errors
    /// When the group is not there.
    pub fn delete_offsets(
        &self,
        group: &GroupId,
        named: &[(Topic, i32)],
    ) -> Result<(Effects, Outcomes), GroupError> {
        let found = self.find(group, GroupError::GroupIdNotFound)?;
        if found.classic.members().len() > 0 && found.classic.subscribed().is_none() {
            return Err(GroupError::NonEmptyGroup);
        }
        let (records, outcomes) = plan_deletion(&found.classic, &found.offsets, named);
        Ok((Effects { records, answers: Vec::new() }, outcomes))
    }

    /// A group without members is taken away, with its offsets.
    ///
    /// # Errors
    /// When it is not there, or has members.
    pub fn delete_group(&self, group: &GroupId) -> Result<Effects, GroupError> {
        let found = self.groups.get(group).ok_or(GroupError::GroupIdNotFound)?;
        if found.classic.state() != GroupState::Empty {
            return Err(GroupError::NonEmptyGroup);
        }
        let offsets = found.offsets.iter().map(|(topic, partition, _)| removal(group, topic, partition));
        let gone = GroupRecord::ClassicGroup { group: group.clone(), value: None };
        Ok(Effects { records: offsets.chain([gone]).collect(), answers: Vec::new() })
    }

    /// The offsets of topics that are gone go with them.
    pub fn forget(&self, is_gone: impl Fn(&Topic, &CommittedOffset) -> bool) -> Effects {
        let of = |(id, group): (&GroupId, &Group)| -> Vec<GroupRecord> {
            let gone = group.offsets.iter().filter(|(topic, _, committed)| is_gone(topic, committed));
            gone.map(|(topic, partition, _)| removal(id, topic, partition)).collect()
        };
        Effects { records: self.groups.iter().flat_map(of).collect(), answers: Vec::new() }
    }

    /// What has expired at `time` goes: offsets, and groups that have neither members nor offsets.
    pub fn expire(&self, time: Timestamp) -> Effects {
        let of = |(id, group): (&GroupId, &Group)| {
            let mut records = expired(&group.classic, &group.offsets, self.config.offsets_retention, time);
            let is_left = group.offsets.iter().count() > records.len();
            if !is_left && group.classic.state() == GroupState::Empty {
                records.push(GroupRecord::ClassicGroup { group: id.clone(), value: None });
            }
            records
        };
        Effects { records: self.groups.iter().flat_map(of).collect(), answers: Vec::new() }
    }

    /// The offset that a group has committed for a partition.
    #[must_use]
    pub fn committed(&self, group: &GroupId, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.groups.get(group)?.offsets.get(topic, partition)
    }

    /// All offsets that a group has committed, in the order of topics and partitions.
    pub fn all_committed(&self, group: &GroupId) -> impl Iterator<Item = (&Topic, i32, &CommittedOffset)> {
        self.groups.get(group).into_iter().flat_map(|group| group.offsets.iter())
    }

    /// What there is of a group.
    #[must_use]
    pub fn describe(&self, group: &GroupId) -> Option<GroupDescription> {
        self.groups.get(group).map(|group| GroupDescription::of(&group.classic))
    }

    /// All groups.
    pub fn list(&self) -> impl Iterator<Item = GroupListing> {
        self.groups.values().map(|group| GroupListing::of(&group.classic))
    }

    /// When [`GroupCoordinator::on_time`] is to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        self.timers.next()
    }

    /// Does the next thing that is due at `now`; `None` when nothing is. To be called until then.
    pub fn on_time(&mut self, now: Moment, time: Timestamp) -> Option<Effects> {
        let (at, timer) = self.timers.pop(now)?;
        let mut out = Effects::default();
        let (Timer::Session(group, _) | Timer::Pending(group, _) | Timer::Join(group) | Timer::Sync(group)) =
            &timer;
        if self.groups.contains_key(group) {
            self.turn(group, now, time, &mut out, |turn| match &timer {
                Timer::Session(_, member) => turn.on_session_timer(at, member),
                Timer::Pending(_, member) => turn.on_pending_timer(at, member),
                Timer::Join(_) => turn.on_join_timer(at),
                Timer::Sync(_) => turn.on_sync_timer(at),
            });
        }
        Some(out)
    }

    /// What was decided is logged, and so from here on.
    pub fn apply(&mut self, record: &GroupRecord) {
        self.apply_with(record, ClassicGroup::confirm);
    }

    fn apply_with(
        &mut self,
        record: &GroupRecord,
        confirm: impl FnOnce(&mut ClassicGroup, &ClassicGroupRecord),
    ) {
        let id = record.group();
        let group = self.groups.entry(id.clone()).or_insert_with(|| Group::new(id));
        let is_gone = match record {
            GroupRecord::Offset { topic, partition, committed, .. } => {
                group.offsets.set(topic, *partition, committed.clone());
                committed.is_none()
            }
            GroupRecord::ClassicGroup { value: Some(value), .. } => {
                confirm(&mut group.classic, value);
                false
            }
            GroupRecord::ClassicGroup { value: None, .. } => {
                group.classic = ClassicGroup::new(id.clone());
                true
            }
        };
        if is_gone && group.offsets.is_empty() && group.classic.is_nothing() {
            self.groups.remove(id);
        }
    }

    /// The records could not be logged: what to answer instead, with this error.
    pub fn not_logged(
        &mut self,
        mut failed: Effects,
        error: GroupError,
        now: Moment,
        time: Timestamp,
    ) -> Effects {
        let mut out = Effects::default();
        for id in failed.groups() {
            if self.groups.contains_key(&id) {
                self.turn(&id, now, time, &mut out, |turn| turn.on_not_logged(&mut failed, error));
            }
        }
        out.answers.extend(failed.answers);
        out
    }

    fn find(&self, id: &GroupId, error: GroupError) -> Result<&Group, GroupError> {
        if id.as_str().is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        self.groups.get(id).ok_or(error)
    }

    fn turn<T>(
        &mut self,
        id: &GroupId,
        now: Moment,
        time: Timestamp,
        out: &mut Effects,
        event: impl FnOnce(&mut Turn<'_>) -> T,
    ) -> T {
        let group = self.groups.get_mut(id).expect("GROUP-3: a group is found before it is changed");
        event(&mut Turn {
            group: &mut group.classic,
            config: &self.config,
            now,
            time,
            timers: &mut self.timers,
            out,
        })
    }
}
