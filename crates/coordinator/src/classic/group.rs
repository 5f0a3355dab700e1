//! A group of the classic protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use klamm_types::Timestamp;

use super::member::Member;
use super::record::{ClassicGroupRecord, LoggedMember};
use super::state::ClassicState;
use crate::consumer_protocol::Subscription;
use crate::effects::{Answer, Joined, JoinedMember, NotJoined, Synced, Waiter};
use crate::protocols::{CONSUMER, most_wanted};
use crate::{GroupError, GroupId, InstanceId, MemberId, Moment, ProtocolName, Topic};

/// A classic group: its members, and the round of assignment that it is in. What is logged of it is
/// its last generation; who is about to join is not, and joins again after a restart.
#[derive(Clone, Debug)]
pub(crate) struct ClassicGroup {
    pub(crate) id: GroupId,
    state: ClassicState,
    /// When it came into its state, as far as that is logged.
    pub(crate) since: Option<Timestamp>,
    pub(super) generation: i32,
    pub(crate) protocol_type: Option<ProtocolName>,
    pub(crate) protocol: Option<ProtocolName>,
    pub(crate) leader: Option<MemberId>,
    /// Boxed: a map's node has room for eleven, and most groups have few.
    members: BTreeMap<MemberId, Box<Member>>,
    statics: BTreeMap<InstanceId, MemberId>,
    /// Those that were given an id and have not come again with it, and until when they may.
    pub(super) pending: BTreeMap<MemberId, Moment>,
    /// For each protocol, how many members can do it.
    votes: BTreeMap<ProtocolName, usize>,
    /// How many members wait for the round of joins to end.
    waiting: usize,
    /// Bytes of the metadata of all members.
    bytes: usize,
    /// Members of the generation that have not asked for their assignment.
    pub(super) unsynced: BTreeSet<MemberId>,
    /// When the round of joins ends, and what is left of the first round's time.
    pub(super) join_timer: Option<Moment>,
    pub(super) initial: Option<Duration>,
    /// Whether somebody has come since the first round's time was last looked at.
    pub(super) has_grown: bool,
    pub(super) sync_timer: Option<Moment>,
    /// The topics that its members want; `None` when that cannot be told.
    subscribed: Option<BTreeSet<Topic>>,
}

impl ClassicGroup {
    pub(crate) fn new(id: GroupId) -> ClassicGroup {
        ClassicGroup {
            id,
            state: ClassicState::Empty,
            since: None,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            statics: BTreeMap::new(),
            pending: BTreeMap::new(),
            votes: BTreeMap::new(),
            waiting: 0,
            bytes: 0,
            unsynced: BTreeSet::new(),
            join_timer: None,
            initial: None,
            has_grown: false,
            sync_timer: None,
            subscribed: None,
        }
    }

    /// The group as it was logged.
    pub(crate) fn of(id: GroupId, record: &ClassicGroupRecord) -> ClassicGroup {
        let mut group = ClassicGroup::new(id);
        group.since = record.since;
        group.generation = record.generation;
        group.protocol_type = record.protocol_type.clone();
        group.protocol = record.protocol.clone();
        group.leader = record.leader.clone();
        group.state = if record.members.is_empty() { ClassicState::Empty } else { ClassicState::Stable };
        record.members.iter().for_each(|member| group.add(Member::of(member, record.protocol.as_ref())));
        group.note_subscriptions();
        group
    }

    /// What was decided is logged: members have their assignment.
    pub(crate) fn confirm(&mut self, record: &ClassicGroupRecord) {
        self.since = record.since;
        for LoggedMember { id, assignment, .. } in &record.members {
            self.members.entry(id.clone()).and_modify(|member| member.assignment = assignment.clone());
        }
        let is_assigned = !record.members.is_empty() && record.generation == self.generation;
        if is_assigned && self.state == ClassicState::CompletingRebalance {
            self.become_state(ClassicState::Stable);
        }
    }

    /// What is to be logged of it, with an assignment for each member.
    pub(super) fn record(
        &self,
        time: Timestamp,
        assignment: impl Fn(&Member) -> bytes::Bytes,
    ) -> ClassicGroupRecord {
        let subscription = |member: &Member| self.protocol.as_ref().map(|name| member.metadata(name));
        let logged = |member: &Member| LoggedMember {
            id: member.id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout: member.rebalance_timeout,
            session_timeout: member.session_timeout,
            subscription: subscription(member).unwrap_or_default(),
            assignment: assignment(member),
        };
        ClassicGroupRecord {
            protocol_type: self.protocol_type.clone(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            since: Some(time),
            members: self.members().map(logged).collect(),
        }
    }

    pub(super) fn become_state(&mut self, next: ClassicState) {
        assert!(self.state.may_become(next), "GROUP-2: a group goes from {} to {next}", self.state);
        self.state = next;
    }

    /// Whether there is nothing to be kept of it.
    pub(crate) fn is_nothing(&self) -> bool {
        self.state == ClassicState::Empty && self.since.is_none() && self.pending.is_empty()
    }

    /// Whether a commit of a member, of the generation that it was told, is taken.
    pub(crate) fn check_commit(
        &self,
        member: Option<&MemberId>,
        instance: Option<&InstanceId>,
        generation: Option<i32>,
    ) -> Result<(), GroupError> {
        self.check_member(member.unwrap_or(&MemberId::default()), instance)?;
        if generation != Some(self.generation) {
            return Err(GroupError::IllegalGeneration);
        }
        // It has heard of the generation, and is to ask for its assignment first.
        match self.state {
            ClassicState::CompletingRebalance => Err(GroupError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    pub(crate) fn state(&self) -> ClassicState {
        self.state
    }

    pub(crate) fn generation(&self) -> i32 {
        self.generation
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

    pub(super) fn static_member(&self, instance: &InstanceId) -> Option<&MemberId> {
        self.statics.get(instance)
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Adds a member; the first one leads.
    pub(super) fn add(&mut self, member: Member) {
        self.count_votes(&member, true);
        self.waiting += usize::from(member.joining.is_some());
        if let Some(instance) = &member.instance {
            self.statics.insert(instance.clone(), member.id.clone());
        }
        if self.leader.is_none() {
            self.leader = Some(member.id.clone());
        }
        self.members.insert(member.id.clone(), Box::new(member));
    }

    pub(super) fn remove(&mut self, id: &MemberId) -> Option<Member> {
        let member = self.members.remove(id)?;
        self.count_votes(&member, false);
        self.waiting -= usize::from(member.joining.is_some());
        self.unsynced.remove(id);
        if let Some(instance) =
            member.instance.as_ref().filter(|instance| self.statics.get(*instance) == Some(id))
        {
            self.statics.remove(instance);
        }
        if self.leader.as_ref() == Some(id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(*member)
    }

    /// Changes a member, in whatever way.
    pub(super) fn change(&mut self, id: &MemberId, change: impl FnOnce(&mut Member)) {
        let Some(mut member) = self.members.remove(id) else { return };
        self.count_votes(&member, false);
        self.waiting -= usize::from(member.joining.is_some());
        change(&mut member);
        self.count_votes(&member, true);
        self.waiting += usize::from(member.joining.is_some());
        self.members.insert(id.clone(), member);
    }

    /// Bytes of the metadata of all members.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn count_votes(&mut self, member: &Member, comes: bool) {
        self.bytes = if comes { self.bytes + member.bytes() } else { self.bytes - member.bytes() };
        let names: BTreeSet<_> = member.protocols.iter().map(|(name, _)| name).collect();
        for name in names {
            let count = self.votes.entry(name.clone()).or_default();
            *count = if comes { *count + 1 } else { *count - 1 };
            if *count == 0 {
                self.votes.remove(name);
            }
        }
    }

    /// Whether one that can do these protocols can be a member.
    pub(super) fn supports<'a>(
        &self,
        protocol_type: &ProtocolName,
        mut protocols: impl Iterator<Item = &'a ProtocolName>,
    ) -> bool {
        if self.members.is_empty() {
            return !protocol_type.as_str().is_empty() && protocols.next().is_some();
        }
        self.protocol_type.as_ref() == Some(protocol_type) && protocols.any(|name| self.is_common(name))
    }

    fn is_common(&self, protocol: &ProtocolName) -> bool {
        self.votes.get(protocol) == Some(&self.members.len())
    }

    /// The protocol that most members like best of those that all can do. Of equals the first by
    /// name.
    pub(crate) fn select_protocol(&self) -> Option<ProtocolName> {
        most_wanted(self.members.values().filter_map(|member| member.vote(|name| self.is_common(name))))
    }

    /// For how long members may take to join again: as long as the slowest may.
    pub(super) fn rebalance_timeout(&self) -> Duration {
        self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or_default()
    }

    pub(super) fn have_all_joined(&self) -> bool {
        self.waiting == self.members.len() && self.pending.is_empty()
    }

    /// Notes which topics the members want. A group of other things than consumers, or whose
    /// members speak a dialect of their own, has none that can be told.
    pub(super) fn note_subscriptions(&mut self) {
        let is_consumer = self.protocol_type.as_ref().is_some_and(|name| name.as_str() == CONSUMER);
        let topics = |protocol: &ProtocolName| {
            let each = self.members.values().map(|member| topics_of(&member.metadata(protocol)));
            each.collect::<Option<Vec<_>>>().map(|topics| topics.into_iter().flatten().collect())
        };
        self.subscribed = self.protocol.as_ref().filter(|_| is_consumer).and_then(topics);
    }

    /// Refusals for all who wait.
    pub(crate) fn refusals(&self, error: GroupError) -> Vec<(Waiter, Answer)> {
        let joining = |member: &Member| {
            let refused = NotJoined { error, member: Some(member.id.clone()) };
            member.joining.map(|waiter| (waiter, Answer::Join(Err(refused))))
        };
        let syncing = |member: &Member| member.syncing.map(|waiter| (waiter, Answer::Sync(Err(error))));
        self.members().flat_map(|member| joining(member).into_iter().chain(syncing(member))).collect()
    }

    /// Whether its members want `topic`, or may.
    pub(crate) fn is_subscribed_to(&self, topic: &Topic) -> bool {
        !self.members.is_empty() && self.subscribed.as_ref().is_none_or(|topics| topics.contains(topic))
    }

    /// Whether its members want topics, and nothing else.
    pub(crate) fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_ref().is_some_and(|name| name.as_str() == CONSUMER)
    }

    /// The member that a request is from.
    pub(super) fn check_member(
        &self,
        id: &MemberId,
        instance: Option<&InstanceId>,
    ) -> Result<&Member, GroupError> {
        if let Some(instance) = instance {
            match self.statics.get(instance) {
                None => return Err(GroupError::UnknownMemberId),
                Some(known) if known != id => return Err(GroupError::FencedInstanceId),
                Some(_) => {}
            }
        }
        self.member(id).ok_or(GroupError::UnknownMemberId)
    }

    /// What a member is told of the generation that it is in.
    pub(super) fn joined(&self, id: &MemberId) -> Joined {
        let is_leader = self.leader.as_ref() == Some(id);
        let members = if is_leader { self.for_the_leader() } else { Vec::new() };
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            skips_assignment: false,
            member: id.clone(),
            members,
        }
    }

    pub(super) fn for_the_leader(&self) -> Vec<JoinedMember> {
        let joined = |member: &Member| JoinedMember {
            id: member.id.clone(),
            instance: member.instance.clone(),
            metadata: self.protocol.as_ref().map(|name| member.metadata(name)).unwrap_or_default(),
        };
        self.members().map(joined).collect()
    }

    pub(super) fn synced(&self, assignment: bytes::Bytes) -> Synced {
        Synced { protocol_type: self.protocol_type.clone(), protocol: self.protocol.clone(), assignment }
    }
}

/// The topics of a subscription; `None` when it is none.
fn topics_of(metadata: &bytes::Bytes) -> Option<Vec<Topic>> {
    Subscription::decode_topics(metadata).ok()
}
