//! Requests of the classic protocol, to groups of either kind.

use super::consumer::become_classic;
use super::{Group, GroupCoordinator, Kind, Outcomes};
use crate::classic::{ClassicGroup, ClassicGroupRecord, Heartbeat, JoinGroup, LeaveGroup, SyncGroup};
use crate::consumer::Draft;
use crate::effects::{Answer, Effects, Waiter};
use crate::{Departure, GroupError, GroupId, GroupKind, GroupRecord, MemberId, Moment, News, Present};

impl GroupCoordinator {
    /// A member joins. `waiter` is answered at once, or when the round of joins ends.
    pub fn join(&mut self, join: &JoinGroup, waiter: Waiter, present: Present<'_>) -> Effects {
        self.now = present.moment;
        let mut out = Effects::default();
        if let Err(error) = self.check_join(join) {
            // Kafka does not repeat the member id where another kind of group has the name.
            let member = join.member.clone().filter(|_| error != GroupError::InconsistentGroupProtocol);
            out.refuse_join(waiter, error, member);
            return out;
        }
        if let Some(removal) = self.removal_if_empty(&join.group) {
            // Nobody is there to mind: it is classic from here on.
            out.records = removal;
            self.begin_classic(&join.group);
        } else if matches!(self.groups.get(&join.group), Some(Group { kind: Kind::Consumer(_), .. })) {
            return self.join_consumers(join, waiter, present);
        }
        if !self.groups.contains_key(&join.group) || !out.records.is_empty() {
            let group = self.groups.entry(join.group.clone());
            group.or_insert_with(|| Group::new(&join.group));
            // What is logged first is only that there is a group.
            let value = Some(ClassicGroupRecord { since: Some(present.time), ..Default::default() });
            out.records.push(GroupRecord::ClassicGroup { group: join.group.clone(), value });
        }
        self.turn(&join.group, present, &mut out, |turn| turn.join(join, waiter));
        out
    }

    fn begin_classic(&mut self, id: &GroupId) {
        let Some(group) = self.groups.get_mut(id) else { return };
        if let Kind::Consumer(before) = std::mem::replace(&mut group.kind, Kind::classic(id)) {
            group.before = Some(before);
        }
    }

    fn check_join(&self, join: &JoinGroup) -> Result<(), GroupError> {
        let (least, most) = (self.config.min_session_timeout, self.config.max_session_timeout);
        if join.group.as_str().is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        if !(least..=most).contains(&join.session_timeout) {
            return Err(GroupError::InvalidSessionTimeout);
        }
        if join.bytes() > self.config.max_member_bytes {
            return Err(GroupError::MetadataTooLarge);
        }
        if self.foreign.contains(&join.group) {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        // Only one that has no id yet begins a group.
        let begins = !self.groups.contains_key(&join.group) || self.removal_if_empty(&join.group).is_some();
        if join.member.is_some() && begins {
            return Err(GroupError::UnknownMemberId);
        }
        Ok(())
    }

    /// A classic member joins a group whose broker assigns.
    fn join_consumers(&mut self, join: &JoinGroup, waiter: Waiter, present: Present<'_>) -> Effects {
        let mut out = Effects::default();
        let Some(Group { kind: Kind::Consumer(group), .. }) = self.groups.get(&join.group) else {
            return out;
        };
        match Draft::new(group, &self.config, present.topics, present.time).join(join) {
            Err(GroupError::MemberIdRequired) => {
                out.refuse_join(waiter, GroupError::MemberIdRequired, Some(join.new_id()));
            }
            Err(error) => out.refuse_join(waiter, error, None),
            Ok((records, mut joined)) if group.becomes_classic_by(join, &self.config) => {
                out.notices = group.notices(&records, Departure::Replaced);
                out.tell(&join.group, News::Becomes(GroupKind::Classic));
                let group = group.after(&records);
                out.tell(&join.group, News::Rebalances(GroupKind::Classic, group.epoch));
                // It is to join again, in the round of joins that begins.
                joined.generation = group.epoch;
                out.records = wrap(&join.group, records);
                out.records.extend(become_classic(&group, &[], present));
                out.answer(waiter, Answer::Join(Ok(joined)));
            }
            Ok((records, joined)) => {
                out.notices = group.notices(&records, Departure::Replaced);
                out.records = wrap(&join.group, records);
                if let Some((group, mut ticking)) = self.consumer_group(&join.group) {
                    group.has_joined(&joined.member, &mut ticking);
                    group.has_looked_at(present.topics);
                }
                out.answer(waiter, Answer::Join(Ok(joined)));
            }
        }
        out
    }

    /// A member asks for its assignment. `waiter` is answered at once, or when the leader has
    /// brought it.
    pub fn sync(&mut self, sync: SyncGroup, waiter: Waiter, present: Present<'_>) -> Effects {
        self.now = present.moment;
        let mut out = Effects::default();
        let group = sync.group.clone();
        if let Err(error) = self.find(&group, GroupError::UnknownMemberId) {
            out.refuse_sync(waiter, error);
        } else if let Some((group, mut ticking)) = self.consumer_group(&group) {
            let synced = group.sync(&sync, present.topics, &mut ticking);
            out.answer(waiter, Answer::Sync(synced));
        } else {
            self.turn(&group, present, &mut out, |turn| turn.sync(sync, waiter));
        }
        out
    }

    /// A member is alive.
    ///
    /// # Errors
    /// [`GroupError::RebalanceInProgress`] asks it to join again; others say that it is no member,
    /// or not of this generation.
    pub fn heartbeat(&mut self, beat: &Heartbeat, present: Present<'_>) -> Result<(), GroupError> {
        self.now = present.moment;
        self.find(&beat.group, GroupError::UnknownMemberId)?;
        let interval = self.config.consumer.times_of(&beat.group).assignment_interval;
        if let Some((group, mut ticking)) = self.consumer_group(&beat.group) {
            let may_assign = group.may_assign(interval, present.time);
            return group.classic_heartbeat(beat, may_assign, &mut ticking);
        }
        let mut out = Effects::default();
        self.turn(&beat.group, present, &mut out, |turn| turn.heartbeat(beat))
    }

    /// Members leave; says of each whether it was there.
    ///
    /// # Errors
    /// When the group is not there.
    pub fn leave(
        &mut self,
        leave: &LeaveGroup,
        present: Present<'_>,
    ) -> Result<(Effects, Outcomes), GroupError> {
        self.now = present.moment;
        self.find(&leave.group, GroupError::UnknownMemberId)?;
        if let Some((group, _)) = self.consumer_group(&leave.group) {
            let leavers = group.leavers(leave);
            let mut gone: Vec<MemberId> = leavers.iter().flatten().cloned().collect();
            gone.sort_unstable();
            gone.dedup();
            let outcomes = leavers.into_iter().map(|left| left.map(drop)).collect();
            let done = self.remove_consumers(&leave.group, &gone, Departure::Left, present);
            return Ok((done, outcomes));
        }
        let mut out = Effects::default();
        let left = self.turn(&leave.group, present, &mut out, |turn| turn.leave(leave));
        Ok((out, left))
    }

    /// A group whose broker assigned is classic from here on. Its members join again.
    pub(super) fn become_classic(&mut self, id: &GroupId, value: &ClassicGroupRecord, now: Option<Moment>) {
        let group = ClassicGroup::of(id.clone(), value);
        let members: Vec<_> = group.members().map(|member| member.id.clone()).collect();
        if let Some(known) = self.groups.get_mut(id) {
            known.kind = Kind::Classic(Box::new(group));
        }
        let Some(moment) = now.filter(|_| !members.is_empty()) else { return };
        let time = value.since.unwrap_or(klamm_types::Timestamp::from_millis(0));
        // Nobody waits, so that there is nothing to answer, and nothing to log before they have
        // come.
        let mut out = Effects::default();
        self.turn(id, Present { moment, time, topics: &() }, &mut out, |turn| turn.begin_anew(&members));
    }
}

/// Records of a group.
pub(super) fn wrap(group: &GroupId, records: Vec<crate::ConsumerRecord>) -> Vec<GroupRecord> {
    let wrapped = records.into_iter().map(|record| GroupRecord::Consumer { group: group.clone(), record });
    wrapped.collect()
}
