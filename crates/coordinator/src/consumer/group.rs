//! A group of the consumer protocol (KIP-848), as its records say.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use klamm_protocol::Uuid;
use klamm_types::Timestamp;

use super::catalog::Catalog;
use super::clock::Clock;
use super::heartbeat::IS_AWAY;
use super::record::{ConsumerRecord, Current, GroupEpoch, MemberState, Resolved, Subscribed, TargetEpoch};
use super::wanted::Wanted;
use super::{Held, Partitions};
use crate::timers::{Timer, Timers};
use crate::{GroupError, GroupId, GroupState, InstanceId, MemberId, Moment, Topic};

/// A group whose broker assigns: what its records say. Nothing else changes it, but for when its
/// members are to be looked at.
#[derive(Clone, Debug)]
pub(crate) struct ConsumerGroup {
    pub(crate) id: GroupId,
    /// Rises when members, what they want, or the topics change.
    pub(crate) epoch: i32,
    pub(super) metadata_hash: i64,
    /// Up to which epoch is assigned, and when that was done.
    pub(crate) target_epoch: i32,
    pub(super) assigned_at: Option<Timestamp>,
    members: BTreeMap<MemberId, Box<Member>>,
    statics: BTreeMap<InstanceId, MemberId>,
    /// What each member is to have.
    targets: BTreeMap<MemberId, Partitions>,
    /// The epoch of the member that has a partition, or has yet to give it up.
    owners: HashMap<(Uuid, i32), i32>,
    pub(super) regexes: BTreeMap<Arc<str>, Resolved>,
    /// Whether a broker before Kafka 4.1 has noted topics.
    pub(super) has_old_metadata: bool,
    /// What members want, counted.
    pub(super) wanted: Wanted,
    /// How many members speak the classic protocol.
    classics: usize,
    /// The version of the topics that the hash, and what expressions match, are known to be of. Not
    /// logged.
    pub(super) looked_at: Option<u64>,
    /// A classic member that is a member once that is logged. Not logged.
    pub(super) joining: Option<MemberId>,
}

/// A member of such a group.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Member {
    pub(crate) id: MemberId,
    pub(crate) said: Subscribed,
    pub(crate) current: Current,
    /// When it is looked at. Not logged.
    pub(super) clock: Clock,
}

/// When it is now, while something is decided; `None` while what was logged before is read.
pub(crate) struct Ticking<'a> {
    pub(crate) now: Option<Moment>,
    pub(crate) timers: &'a mut Timers,
    pub(crate) session_timeout: Duration,
}

impl ConsumerGroup {
    pub(crate) fn new(id: GroupId) -> ConsumerGroup {
        ConsumerGroup {
            id,
            epoch: FIRST_EPOCH,
            metadata_hash: 0,
            target_epoch: FIRST_EPOCH,
            assigned_at: None,
            members: BTreeMap::new(),
            statics: BTreeMap::new(),
            targets: BTreeMap::new(),
            owners: HashMap::new(),
            regexes: BTreeMap::new(),
            has_old_metadata: false,
            wanted: Wanted::default(),
            classics: 0,
            looked_at: None,
            joining: None,
        }
    }

    /// Whether there is nothing to be kept of it.
    pub(crate) fn is_nothing(&self) -> bool {
        let is_empty = self.members.is_empty() && self.targets.is_empty() && self.regexes.is_empty();
        let is_at_first =
            self.epoch == FIRST_EPOCH && self.target_epoch == FIRST_EPOCH && self.metadata_hash == 0;
        is_empty && is_at_first && self.assigned_at.is_none() && !self.has_old_metadata
    }

    pub(crate) fn members(&self) -> impl ExactSizeIterator<Item = &Member> {
        self.members.values().map(|member| &**member)
    }

    pub(crate) fn member(&self, id: &MemberId) -> Option<&Member> {
        self.members.get(id).map(|member| &**member)
    }

    pub(super) fn member_mut(&mut self, id: &MemberId) -> Option<&mut Member> {
        self.members.get_mut(id).map(|member| &mut **member)
    }

    pub(crate) fn static_member(&self, instance: &InstanceId) -> Option<&Member> {
        self.member(self.statics.get(instance)?)
    }

    /// How many members speak the newer protocol.
    pub(super) fn modern_members(&self) -> usize {
        self.members.len() - self.classics
    }

    /// Whether any of them is there: a static one may be away.
    pub(super) fn is_any_modern_here(&self) -> bool {
        self.members().any(|member| member.said.classic.is_none() && member.current.epoch != IS_AWAY)
    }

    pub(crate) fn target(&self, id: &MemberId) -> Option<&Partitions> {
        self.targets.get(id)
    }

    pub(super) fn targets(&self) -> impl Iterator<Item = (&MemberId, &Partitions)> {
        self.targets.iter()
    }

    /// The epoch of the member that has a partition; `None` when it is free.
    pub(super) fn owner_epoch(&self, topic: Uuid, partition: i32) -> Option<i32> {
        self.owners.get(&(topic, partition)).copied()
    }

    /// Where it stands.
    pub(crate) fn state(&self) -> GroupState {
        let is_settled = |member: &Member| {
            member.current.state == MemberState::Stable && member.current.epoch == self.target_epoch
        };
        match () {
            () if self.members.is_empty() => GroupState::Empty,
            () if self.epoch > self.target_epoch => GroupState::Assigning,
            () if !self.members().all(is_settled) => GroupState::Reconciling,
            () => GroupState::Stable,
        }
    }

    /// Whether some member wants `topic`.
    pub(crate) fn is_subscribed_to(&self, topic: &Topic) -> bool {
        self.wanted.count(topic) > 0 || self.regexes.values().any(|resolved| resolved.topics.contains(topic))
    }

    /// The member that a request is from.
    pub(super) fn find(&self, id: &MemberId, instance: Option<&InstanceId>) -> Result<&Member, GroupError> {
        match instance {
            None => self.member(id).ok_or(GroupError::UnknownMemberId),
            Some(instance) => {
                let member = self.static_member(instance).ok_or(GroupError::UnknownMemberId)?;
                if member.id == *id { Ok(member) } else { Err(GroupError::FencedInstanceId) }
            }
        }
    }

    /// The one place in which it changes.
    pub(crate) fn apply(&mut self, record: &ConsumerRecord, mut ticking: Ticking<'_>) {
        match record {
            ConsumerRecord::Group(value) => {
                let GroupEpoch { epoch, metadata_hash } =
                    value.unwrap_or(GroupEpoch { epoch: FIRST_EPOCH, metadata_hash: 0 });
                (self.epoch, self.metadata_hash) = (epoch, metadata_hash);
            }
            ConsumerRecord::OldMetadata(is_there) => self.has_old_metadata = *is_there,
            ConsumerRecord::Member(id, Some(said)) => self.set_said(id, said, &mut ticking),
            ConsumerRecord::Member(id, None) => self.remove(id, &mut ticking),
            ConsumerRecord::TargetEpoch(value) => {
                let TargetEpoch { epoch, at } = value.unwrap_or(TargetEpoch { epoch: FIRST_EPOCH, at: None });
                (self.target_epoch, self.assigned_at) = (epoch, at);
            }
            ConsumerRecord::Target(id, Some(target)) => drop(self.targets.insert(id.clone(), target.clone())),
            ConsumerRecord::Target(id, None) => drop(self.targets.remove(id)),
            ConsumerRecord::Current(id, Some(current)) => self.set_current(id, current, &mut ticking),
            // What comes after is the end of the member.
            ConsumerRecord::Current(id, None) => self.release(id),
            ConsumerRecord::Regex(regex, Some(resolved)) => {
                drop(self.regexes.insert(regex.clone(), resolved.clone()));
            }
            ConsumerRecord::Regex(regex, None) => drop(self.regexes.remove(regex)),
        }
    }

    fn set_said(&mut self, id: &MemberId, said: &Subscribed, ticking: &mut Ticking<'_>) {
        let member = self.members.entry(id.clone()).or_insert_with(|| Box::new(Member::new(id.clone())));
        self.classics -= usize::from(member.said.classic.is_some());
        self.classics += usize::from(said.classic.is_some());
        if let Some(before) =
            member.said.instance.as_ref().filter(|before| said.instance.as_ref() != Some(*before))
            && self.statics.get(before) == Some(id)
        {
            self.statics.remove(before);
        }
        if let Some(instance) = &said.instance {
            self.statics.insert(instance.clone(), id.clone());
        }
        self.wanted.take(&member.said);
        self.wanted.add(said);
        member.said = said.clone();
        if said.classic.is_none() {
            member.clock.stop_rounds(&self.id, id, ticking.timers);
        }
        if member.clock.is_unset() {
            self.keep_alive(id, ticking);
        }
        if self.joining.take_if(|joining| joining == id).is_some() {
            self.has_joined(id, ticking);
        }
    }

    fn remove(&mut self, id: &MemberId, ticking: &mut Ticking<'_>) {
        self.release(id);
        let Some(mut member) = self.members.remove(id) else { return };
        member.clock.stop(&self.id, id, ticking.timers);
        self.wanted.take(&member.said);
        self.classics -= usize::from(member.said.classic.is_some());
        if let Some(instance) = &member.said.instance
            && self.statics.get(instance) == Some(id)
        {
            self.statics.remove(instance);
        }
    }

    fn set_current(&mut self, id: &MemberId, current: &Current, ticking: &mut Ticking<'_>) {
        self.release(id);
        // In a log that was compacted this may come before what the member says of itself.
        let member = self.members.entry(id.clone()).or_insert_with(|| Box::new(Member::new(id.clone())));
        let held = current.assigned.iter().chain(current.pending.iter());
        self.owners.extend(held.map(|(topic, partition, _)| ((topic, partition), current.epoch)));
        member.current = current.clone();
        let time = member.time_to_give_up();
        member.clock.set(Timer::Rebalance(self.id.clone(), id.clone()), time, ticking);
    }

    /// What a member has is free.
    fn release(&mut self, id: &MemberId) {
        let Some(member) = self.members.get_mut(id) else { return };
        let epoch = member.current.epoch;
        let current = std::mem::take(&mut member.current);
        for (topic, partition, _) in current.assigned.iter().chain(current.pending.iter()) {
            if self.owners.get(&(topic, partition)) == Some(&epoch) {
                self.owners.remove(&(topic, partition));
            }
        }
    }

    /// A member has a whole session again.
    pub(crate) fn keep_alive(&mut self, id: &MemberId, ticking: &mut Ticking<'_>) {
        let Some(member) = self.members.get_mut(id) else { return };
        let own = member.said.classic.as_ref().map(|classic| classic.session_timeout);
        member.clock.set_session(&self.id, id, own.unwrap_or(ticking.session_timeout), ticking);
    }

    /// All that was logged has been read: members have a whole session to show that they are alive,
    /// and to give up what they have to.
    pub(crate) fn begin(&mut self, mut ticking: Ticking<'_>) {
        let session_timeout = ticking.session_timeout;
        for (id, member) in &mut self.members {
            member.clock.set_session(&self.id, id, session_timeout, &mut ticking);
            let time = member.time_to_give_up();
            member.clock.set(Timer::Rebalance(self.id.clone(), id.clone()), time, &mut ticking);
        }
    }

    /// The topics are known to be as they are now.
    pub(crate) fn has_looked_at(&mut self, catalog: &dyn Catalog) {
        self.looked_at = Some(catalog.version());
    }

    /// What was decided is not so.
    pub(crate) fn on_not_logged(&mut self) {
        (self.looked_at, self.joining) = (None, None);
    }

    /// Whether a member has to go, for its timer has come.
    pub(crate) fn is_time_up(
        &mut self,
        id: &MemberId,
        timer: &Timer,
        at: Moment,
        ticking: &mut Ticking<'_>,
    ) -> bool {
        let Some(member) = self.members.get_mut(id) else { return false };
        match timer {
            Timer::Session(..) => member.clock.is_session_over(&self.id, id, at, ticking),
            timer => member.clock.is_due(timer, at, ticking),
        }
    }

    /// Partitions are not assigned anew more often than in an interval (KIP-1263). A clock that was
    /// set back is not waited for.
    pub(crate) fn may_assign(&self, interval: Duration, time: Timestamp) -> bool {
        let is_time = |at: Timestamp| time >= at.saturating_add(interval) || time < at;
        interval.is_zero() || self.assigned_at.is_none_or(is_time)
    }

    /// The epoch after this one. At the end of the numbers, where only a log of somebody else's
    /// could bring it, it stays.
    pub(super) fn next_epoch(&self) -> i32 {
        self.epoch.saturating_add(1)
    }
}

impl Member {
    pub(super) fn new(id: MemberId) -> Member {
        Member { id, said: Subscribed::default(), current: Current::default(), clock: Clock::default() }
    }

    /// How long it may take to give up what it has to. Classic members are asked to join again, and
    /// have a timer for that.
    fn time_to_give_up(&self) -> Option<Duration> {
        let gives_up = self.current.state == MemberState::UnrevokedPartitions
            && self.said.classic.is_none()
            && self.current.epoch != IS_AWAY;
        gives_up.then_some(self.said.rebalance_timeout)
    }

    /// The epoch in which a partition was assigned to it that it has, or has yet to give up.
    pub(super) fn assignment_epoch(&self, topic: Uuid, partition: i32) -> Option<i32> {
        let of = |held: &Held| held.epoch(topic, partition);
        of(&self.current.assigned).or_else(|| of(&self.current.pending))
    }
}

/// The epoch of a group, and of its targets, to which nothing has happened.
const FIRST_EPOCH: i32 = 1;
