//! Heartbeats of the newer protocol (KIP-848), to groups of either kind.

use super::classic::wrap;
use super::{Group, GroupCoordinator, Kind};
use crate::classic::ClassicGroup;
use crate::consumer::{
    Catalog, ConsumerGroup, ConsumerHeartbeat, ConsumerHeartbeatAnswer, Conversion, Draft, Leaver,
    removal_of_group,
};
use crate::effects::Effects;
use crate::timers::Timer;
use crate::{
    ClassicState, Departure, GroupError, GroupId, GroupKind, GroupRecord, MemberId, Moment, News, Notice,
    Present,
};

impl GroupCoordinator {
    /// A member of a group whose broker assigns is alive: it joins, says what it wants and has,
    /// hears what it is to have, or leaves.
    ///
    /// # Errors
    /// When it is not heard; nothing has changed then.
    pub fn consumer_heartbeat(
        &mut self,
        beat: &ConsumerHeartbeat,
        present: Present<'_>,
    ) -> Result<(Effects, ConsumerHeartbeatAnswer), GroupError> {
        beat.check(|name| self.config.consumer.assignors.find(name).is_some())?;
        if beat.bytes() > self.config.max_member_bytes {
            return Err(GroupError::MetadataTooLarge);
        }
        if self.foreign.contains(&beat.group) {
            return Err(GroupError::ForeignGroup);
        }
        self.now = present.moment;
        if beat.leaves() {
            return self.leave_consumers(beat, present);
        }
        let draft = |group| Draft::new(group, &self.config, present.topics, present.time);
        let (mut records, mut answers) = (Vec::new(), Vec::new());
        let mut notices = Vec::new();
        let (decided, answer) = match self.groups.get(&beat.group).map(|group| &group.kind) {
            Some(Kind::Consumer(group)) => {
                let (decided, answer) = draft(group).heartbeat(beat)?;
                notices = group.notices(&decided, Departure::Replaced);
                (decided, answer)
            }
            _ if beat.joins() => {
                let (begun, converted) = self.convert(&beat.group, present.topics)?;
                let (decided, answer) = draft(&begun).of_converted().heartbeat(beat)?;
                if begun.members().len() > 0 {
                    notices.push(notice(&beat.group, News::Becomes(GroupKind::Consumer)));
                }
                notices.extend(begun.notices(&decided, Departure::Replaced));
                records = converted;
                answers = self.waiting(&beat.group);
                (decided, answer)
            }
            _ => return Err(GroupError::GroupIdNotFound),
        };
        records.extend(wrap(&beat.group, decided));
        if let Some((group, mut ticking)) = self.consumer_group(&beat.group) {
            group.keep_alive(&answer.member, &mut ticking);
            group.has_looked_at(present.topics);
        }
        Ok((Effects { records, answers, notices }, answer))
    }

    /// A group to begin with, and the records that make one of a classic group.
    fn convert(
        &self,
        id: &GroupId,
        catalog: &dyn Catalog,
    ) -> Result<(ConsumerGroup, Vec<GroupRecord>), GroupError> {
        let begun = ConsumerGroup::new(id.clone());
        let Some(Group { kind: Kind::Classic(classic), .. }) = self.groups.get(id) else {
            return Ok((begun, Vec::new()));
        };
        let mut records = Vec::new();
        if classic.since.is_some() || !classic.is_nothing() {
            records.push(GroupRecord::ClassicGroup { group: id.clone(), value: None });
        }
        if classic.state() == ClassicState::Empty {
            return Ok((begun, records));
        }
        let converted = Conversion { group: classic, config: &self.config, catalog }.records()?;
        let begun = begun.after(&converted);
        records.extend(wrap(id, converted));
        Ok((begun, records))
    }

    /// Who waits for a classic group is to come again.
    fn waiting(&self, id: &GroupId) -> Vec<(crate::Waiter, crate::Answer)> {
        match self.groups.get(id).map(|group| &group.kind) {
            Some(Kind::Classic(group)) => ClassicGroup::refusals(group, GroupError::RebalanceInProgress),
            _ => Vec::new(),
        }
    }

    fn leave_consumers(
        &mut self,
        beat: &ConsumerHeartbeat,
        present: Present<'_>,
    ) -> Result<(Effects, ConsumerHeartbeatAnswer), GroupError> {
        let Some((group, _)) = self.consumer_group(&beat.group) else {
            return Err(GroupError::GroupIdNotFound);
        };
        let leaver = group.leaver(beat)?;
        let (Leaver::ForGood(member) | Leaver::ForAWhile(member)) = &leaver;
        let answer = ConsumerHeartbeatAnswer {
            member: member.clone(),
            epoch: beat.epoch,
            interval: std::time::Duration::ZERO,
            assignment: None,
        };
        let effects = match &leaver {
            Leaver::ForGood(id) => {
                self.remove_consumers(&beat.group, std::slice::from_ref(id), Departure::Left, present)
            }
            Leaver::ForAWhile(id) => Effects::of(wrap(&beat.group, group.go_away(id))),
        };
        Ok((effects, answer))
    }

    /// Members are taken out. When none is left that speaks the newer protocol, the group becomes
    /// classic.
    pub(super) fn remove_consumers(
        &mut self,
        id: &GroupId,
        gone: &[MemberId],
        why: Departure,
        present: Present<'_>,
    ) -> Effects {
        let Some(Group { kind: Kind::Consumer(group), .. }) = self.groups.get(id) else {
            return Effects::default();
        };
        if gone.is_empty() {
            return Effects::default();
        }
        if !group.becomes_classic(gone, &self.config) {
            let records = group.remove_members(gone, present.topics);
            let notices = group.notices(&records, why);
            return Effects { notices, ..Effects::of(wrap(id, records)) };
        }
        let mut out = Effects::of(become_classic(group, gone, present));
        gone.iter().for_each(|member| out.tell(id, News::Gone(member.clone(), why)));
        out.tell(id, News::Becomes(GroupKind::Classic));
        out.tell(id, News::Rebalances(GroupKind::Classic, group.epoch));
        out
    }

    /// The records that take a group away whose broker assigned and that has no members.
    pub(super) fn removal_if_empty(&self, id: &GroupId) -> Option<Vec<GroupRecord>> {
        match &self.groups.get(id)?.kind {
            Kind::Consumer(group) if group.members().len() == 0 => Some(wrap(id, removal_of_group(group))),
            _ => None,
        }
    }

    /// A member's time is up, perhaps.
    pub(super) fn on_consumer_timer(&mut self, at: Moment, timer: &Timer, present: Present<'_>) -> Effects {
        let (id, Some(member)) = (timer.group(), timer.member()) else { return Effects::default() };
        let Some((group, mut ticking)) = self.consumer_group(id) else { return Effects::default() };
        if !group.is_time_up(member, timer, at, &mut ticking) {
            return Effects::default();
        }
        let why = if let Timer::Session(..) = timer { Departure::SessionOver } else { Departure::TooSlow };
        self.remove_consumers(id, std::slice::from_ref(member), why, present)
    }
}

fn notice(group: &GroupId, news: News) -> Notice {
    Notice { group: group.clone(), news }
}

/// The records that make a group classic: those that are gone are not in it.
pub(super) fn become_classic(
    group: &ConsumerGroup,
    gone: &[MemberId],
    present: Present<'_>,
) -> Vec<GroupRecord> {
    let mut records = wrap(&group.id, removal_of_group(group));
    let value = Some(group.as_classic(gone, present.topics));
    records.push(GroupRecord::ClassicGroup { group: group.id.clone(), value });
    records
}
