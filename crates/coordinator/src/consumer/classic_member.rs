//! Members that speak the classic protocol in a group whose broker assigns: their requests are
//! answered as if there were rounds of joins, each of which is done at once.

use bytes::Bytes;

use super::Partitions;
use super::catalog::Catalog;
use super::convert::{assignment, metadata_of};
use super::draft::Draft;
use super::group::{ConsumerGroup, Member, Ticking};
use super::heartbeat::Who;
use super::record::{ClassicMember, ConsumerRecord, MemberState, Subscribed};
use crate::assignor::TopicPartition;
use crate::classic::{Heartbeat, JoinGroup, SyncGroup};
use crate::consumer_protocol::Subscription;
use crate::effects::{Joined, Synced};
use crate::protocols::{CONSUMER, counted};
use crate::timers::Timer;
use crate::{ConsumerGroupConfig, GroupError, MemberId, ProtocolName};

impl Draft<'_> {
    /// What a JoinGroup decides.
    pub(crate) fn join(mut self, join: &JoinGroup) -> Result<(Vec<ConsumerRecord>, Joined), GroupError> {
        let wants = self.group.check_join(join, &self.config.consumer)?;
        let who = self.group.who_joins(join)?;
        self.begin(who);
        let said = subscribed(join, &wants, self.said());
        if said != *self.said() {
            self.change(said);
        }
        let id = |own: &TopicPartition| Some((self.catalog.find(&own.topic)?.id, own.partition));
        let owned: Partitions = wants.owned.iter().filter_map(id).collect();
        self.settle(Some(&owned))?;
        let joined = Joined {
            generation: self.current().epoch,
            protocol_type: Some(ProtocolName::new(CONSUMER)),
            protocol: join.protocols.first().map(|(name, _)| name.clone()),
            // So that nobody takes itself for one.
            leader: None,
            skips_assignment: false,
            member: self.id.clone(),
            members: Vec::new(),
        };
        Ok((self.records, joined))
    }
}

impl ConsumerGroup {
    fn check_join(&self, join: &JoinGroup, config: &ConsumerGroupConfig) -> Result<Subscription, GroupError> {
        let is_known = join.member.as_ref().is_some_and(|id| self.member(id).is_some());
        if !is_known && self.members().len() >= config.max_size {
            return Err(GroupError::GroupMaxSizeReached);
        }
        let is_consumer = join.protocol_type.as_str() == CONSUMER && !join.protocols.is_empty();
        if !config.migration.is_any() || !is_consumer || !self.can_do_one_of(&join.protocols) {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        if join.member.is_none() && join.instance.is_none() && join.asks_twice {
            return Err(GroupError::MemberIdRequired);
        }
        let metadata = join.protocols.first().map(|(_, metadata)| metadata.clone()).unwrap_or_default();
        Subscription::decode(&metadata).map_err(|_| GroupError::InconsistentGroupProtocol)
    }

    /// Whether all classic members can do one of these, so that they could go on without the
    /// broker.
    fn can_do_one_of(&self, protocols: &[(ProtocolName, Bytes)]) -> bool {
        let classic = self.members().filter_map(|member| member.said.classic.as_ref());
        let all = self.members().len() - self.modern_members();
        let counted = counted(classic.map(|own| &*own.protocols));
        all == 0 || protocols.iter().any(|(name, _)| counted.get(name) == Some(&all))
    }

    fn who_joins(&self, join: &JoinGroup) -> Result<Who<'_>, GroupError> {
        let id = join.member.clone().unwrap_or_else(|| join.new_id());
        let there = join.instance.as_ref().and_then(|instance| self.static_member(instance));
        match (there, &join.member) {
            (Some(there), Some(id)) if there.id == *id => Ok(Who::Member(there)),
            (Some(_), Some(_)) => Err(GroupError::FencedInstanceId),
            (Some(there), None) => Ok(Who::InPlaceOf(there, id)),
            (None, Some(_)) if join.instance.is_some() => Err(GroupError::UnknownMemberId),
            (None, _) => Ok(self.member(&id).map_or(Who::New(id), Who::Member)),
        }
    }

    /// It has joined: it is to ask for its assignment next.
    pub(crate) fn has_joined(&mut self, id: &MemberId, ticking: &mut Ticking<'_>) {
        if self.member(id).is_none() {
            self.joining = Some(id.clone());
            return;
        }
        self.keep_alive(id, ticking);
        let group = self.id.clone();
        let Some(member) = self.member_mut(id) else { return };
        let time = member.said.rebalance_timeout;
        member.clock.set(Timer::MemberJoin(group.clone(), id.clone()), None, ticking);
        member.clock.set(Timer::MemberSync(group, id.clone()), Some(time), ticking);
    }

    /// A classic member asks for its assignment.
    pub(crate) fn sync(
        &mut self,
        sync: &SyncGroup,
        catalog: &dyn Catalog,
        ticking: &mut Ticking<'_>,
    ) -> Result<Synced, GroupError> {
        let member = self.find_classic(&sync.member, sync.instance.as_ref(), sync.generation)?;
        let (classic, current) = (member.said.classic.clone().unwrap_or_default(), &member.current);
        let protocol = classic.protocols.first().map(|(name, _)| name.clone());
        let is_other_type = sync.protocol_type.as_ref().is_some_and(|name| name.as_str() != CONSUMER);
        if is_other_type || (sync.protocol.is_some() && sync.protocol != protocol) {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        let is_behind =
            current.epoch < self.target_epoch && current.state != MemberState::UnrevokedPartitions;
        let assignment =
            assignment(&current.assigned.partitions(), &metadata_of(&classic, protocol.as_ref()), catalog);
        if is_behind {
            self.ask_to_join(&sync.member, ticking);
            return Err(GroupError::RebalanceInProgress);
        }
        self.keep_alive(&sync.member, ticking);
        let group = self.id.clone();
        if let Some(member) = self.member_mut(&sync.member) {
            member.clock.set(Timer::MemberSync(group, sync.member.clone()), None, ticking);
        }
        Ok(Synced { protocol_type: Some(ProtocolName::new(CONSUMER)), protocol, assignment })
    }

    /// A classic member is alive. When nobody else can have partitions assigned anew, it is to:
    /// only who joins can.
    pub(crate) fn classic_heartbeat(
        &mut self,
        beat: &Heartbeat,
        may_assign: bool,
        ticking: &mut Ticking<'_>,
    ) -> Result<(), GroupError> {
        let member = self.find_classic(&beat.member, beat.instance.as_ref(), beat.generation)?;
        let current = &member.current;
        let is_missing = |(topic, partition)| current.assigned.epoch(topic, partition).is_none();
        let is_released = || {
            let target = self.target(&beat.member);
            let mut missing = target.into_iter().flat_map(Partitions::iter).filter(|own| is_missing(*own));
            missing.all(|(topic, partition)| self.owner_epoch(topic, partition).is_none())
        };
        let is_due = may_assign && self.epoch > self.target_epoch && !self.is_any_modern_here();
        let has_to_join = is_due
            || current.epoch < self.target_epoch
            || current.state == MemberState::UnrevokedPartitions
            || (current.state == MemberState::UnreleasedPartitions && is_released());
        self.keep_alive(&beat.member, ticking);
        if !has_to_join {
            return Ok(());
        }
        self.ask_to_join(&beat.member, ticking);
        Err(GroupError::RebalanceInProgress)
    }

    fn find_classic(
        &self,
        id: &MemberId,
        instance: Option<&crate::InstanceId>,
        generation: i32,
    ) -> Result<&Member, GroupError> {
        let member = self.find(id, instance)?;
        if member.said.classic.is_none() {
            return Err(GroupError::UnknownMemberId);
        }
        if member.current.epoch == generation { Ok(member) } else { Err(GroupError::IllegalGeneration) }
    }

    /// It has a while to join again.
    fn ask_to_join(&mut self, id: &MemberId, ticking: &mut Ticking<'_>) {
        let group = self.id.clone();
        let Some(member) = self.member_mut(id).filter(|member| !member.clock.is_join_set()) else { return };
        let time = member.said.rebalance_timeout;
        member.clock.set(Timer::MemberJoin(group, id.clone()), Some(time), ticking);
    }

    /// The members that a LeaveGroup is about, one for each part of it.
    pub(crate) fn leavers(&self, leave: &crate::LeaveGroup) -> Vec<Result<MemberId, GroupError>> {
        let one = |leaving: &crate::Leaving| {
            let id = match (&leaving.instance, &leaving.member) {
                (Some(instance), None) => self.static_member(instance).map(|member| member.id.clone()),
                (_, id) => id.clone(),
            };
            let id = id.ok_or(GroupError::UnknownMemberId)?;
            self.find(&id, leaving.instance.as_ref()).map(|member| member.id.clone())
        };
        leave.members.iter().map(one).collect()
    }
}

/// What a member says by a JoinGroup.
fn subscribed(join: &JoinGroup, wants: &Subscription, before: &Subscribed) -> Subscribed {
    Subscribed {
        instance: join.instance.clone().or_else(|| before.instance.clone()),
        rack: wants.rack.clone().filter(|rack| !rack.is_empty()).or_else(|| before.rack.clone()),
        client_id: join.client_id.clone(),
        client_host: join.client_host.clone(),
        topics: wants.topics.iter().cloned().collect(),
        regex: "".into(),
        rebalance_timeout: join.rebalance_timeout,
        assignor: before.assignor.clone(),
        classic: Some(ClassicMember {
            session_timeout: join.session_timeout,
            protocols: join
                .protocols
                .iter()
                .map(|(name, metadata)| (name.clone(), Bytes::clone(metadata)))
                .collect(),
        }),
    }
}
