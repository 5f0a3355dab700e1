//! A classic group becomes one whose broker assigns when the first member comes that speaks the
//! newer protocol, and becomes classic again when the last of those has gone: what members have
//! goes with them.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;

use super::catalog::Catalog;
use super::group::{ConsumerGroup, Member, Ticking};
use super::record::{
    ClassicMember, ConsumerRecord, Current, GroupEpoch, MemberState, Subscribed, TargetEpoch,
};
use super::{Held, Partitions, metadata};
use crate::assignor::TopicPartition;
use crate::classic::{self, ClassicGroup, ClassicGroupRecord, JoinGroup, LoggedMember};
use crate::consumer_protocol::{Subscription, decode_assignment, encode_assignment, has_user_data};
use crate::protocols::{self, CONSUMER, counted, most_wanted};
use crate::timers::Timers;
use crate::{GroupConfig, GroupError, MemberId, ProtocolName};

/// A classic group on its way to the newer protocol.
pub(crate) struct Conversion<'a> {
    pub(crate) group: &'a ClassicGroup,
    pub(crate) config: &'a GroupConfig,
    pub(crate) catalog: &'a dyn Catalog,
}

impl Conversion<'_> {
    /// The records of the group as it is, in the newer protocol.
    ///
    /// # Errors
    /// [`GroupError::CannotUpgrade`] when it cannot be.
    pub(crate) fn records(&self) -> Result<Vec<ConsumerRecord>, GroupError> {
        self.check()?;
        let generation = self.group.generation();
        let members: Vec<_> =
            self.group.members().map(|member| self.member(member)).collect::<Result<_, _>>()?;
        if !is_disjoint(&members) {
            return Err(GroupError::CannotUpgrade("because two members have the same partition."));
        }
        let wanted = members.iter().flat_map(|(_, said, _)| &said.topics).collect();
        let group = GroupEpoch { epoch: generation, metadata_hash: metadata::hash(&wanted, self.catalog) };
        let said = members
            .iter()
            .map(|(id, said, _)| ConsumerRecord::Member(id.clone(), Some(Box::new(said.clone()))));
        let mut records = vec![ConsumerRecord::Group(Some(group))];
        records.extend(said);
        records
            .extend(members.iter().map(|(id, _, own)| ConsumerRecord::Target(id.clone(), Some(own.clone()))));
        records.push(ConsumerRecord::TargetEpoch(Some(TargetEpoch { epoch: generation, at: None })));
        let current = |(id, _, own): &(MemberId, Subscribed, Partitions)| {
            let assigned: Held =
                own.iter().map(|(topic, partition)| (topic, partition, generation)).collect();
            let (state, pending) = (MemberState::Stable, Held::default());
            let current = Current { epoch: generation, previous: generation, state, assigned, pending };
            ConsumerRecord::Current(id.clone(), Some(Box::new(current)))
        };
        records.extend(members.iter().map(current));
        Ok(records)
    }

    fn check(&self) -> Result<(), GroupError> {
        let config = &self.config.consumer;
        let is_consumers = self.group.protocol_type.as_ref().is_some_and(|name| name.as_str() == CONSUMER);
        let checks = [
            (!config.migration.upgrades(), "because online upgrade is disabled."),
            (!is_consumers, "because the group does not use the consumer embedded protocol."),
            (
                self.group.members().len() > config.max_size,
                "because the group size exceeds the consumer group maximum size.",
            ),
        ];
        let wrong = checks.iter().find(|(is_wrong, _)| *is_wrong);
        wrong.map_or(Ok(()), |(_, why)| Err(GroupError::CannotUpgrade(why)))
    }

    fn member(&self, member: &classic::Member) -> Result<(MemberId, Subscribed, Partitions), GroupError> {
        let protocol = self.group.protocol.clone().or_else(|| self.group.select_protocol());
        let metadata = protocol.map(|name| member.metadata(&name)).unwrap_or_default();
        let wants = Subscription::decode(&metadata).map_err(|_| MALFORMED)?;
        let has = match member.assignment.is_empty() {
            true => Vec::new(),
            false if has_user_data(&member.assignment) => {
                return Err(GroupError::CannotUpgrade(CUSTOM_ASSIGNOR));
            }
            false => decode_assignment(&member.assignment).map_err(|_| MALFORMED)?,
        };
        let id = |own: TopicPartition| Some((self.catalog.find(&own.topic)?.id, own.partition));
        let said = Subscribed {
            instance: member.instance.clone(),
            rack: wants.rack.filter(|rack| !rack.is_empty()),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            topics: wants.topics.into_iter().collect(),
            regex: "".into(),
            rebalance_timeout: member.rebalance_timeout,
            assignor: None,
            classic: Some(ClassicMember {
                session_timeout: member.session_timeout,
                protocols: member.protocols.clone(),
            }),
        };
        Ok((member.id.clone(), said, has.into_iter().filter_map(id).collect()))
    }
}

/// Whether no two have the same partition, as some assignors of the user's own would have it.
fn is_disjoint(members: &[(MemberId, Subscribed, Partitions)]) -> bool {
    let mut seen = BTreeSet::new();
    members.iter().flat_map(|(_, _, own)| own.iter()).all(|partition| seen.insert(partition))
}

/// The records that take a whole group away.
pub(crate) fn removal_of_group(group: &ConsumerGroup) -> Vec<ConsumerRecord> {
    let ids = || group.members().map(|member| member.id.clone());
    let mut records: Vec<_> = ids().map(|id| ConsumerRecord::Current(id, None)).collect();
    records.extend(group.targets().map(|(id, _)| ConsumerRecord::Target(id.clone(), None)));
    records.push(ConsumerRecord::TargetEpoch(None));
    records.extend(ids().map(|id| ConsumerRecord::Member(id, None)));
    records.extend(group.regexes.keys().map(|regex| ConsumerRecord::Regex(regex.clone(), None)));
    records.extend([ConsumerRecord::OldMetadata(false), ConsumerRecord::Group(None)]);
    records
}

impl ConsumerGroup {
    /// Whether all that stay speak the classic protocol.
    pub(crate) fn becomes_classic(&self, gone: &[MemberId], config: &GroupConfig) -> bool {
        let is_modern = |id: &&MemberId| self.member(id).is_some_and(|member| member.said.classic.is_none());
        let modern = gone.iter().filter(is_modern).count();
        let stay = self.members().len() - gone.iter().filter(|id| self.member(id).is_some()).count();
        config.consumer.migration.downgrades()
            && modern == self.modern_members()
            && (1..=config.max_size).contains(&stay)
    }

    /// Whether it is classic once this member has joined: when it takes the place of the last that
    /// spoke the newer protocol.
    pub(crate) fn becomes_classic_by(&self, join: &JoinGroup, config: &GroupConfig) -> bool {
        let replaced = join.instance.as_ref().and_then(|instance| self.static_member(instance));
        config.consumer.migration.downgrades()
            && replaced.is_some_and(|member| {
                member.said.classic.is_none() && join.member.as_ref() != Some(&member.id)
            })
            && self.modern_members() == 1
            && self.members().len() <= config.max_size
    }

    /// The group as it is once these are logged, to look at.
    pub(crate) fn after(&self, records: &[ConsumerRecord]) -> ConsumerGroup {
        let (mut after, mut timers) = (self.clone(), Timers::default());
        for record in records {
            after.apply(record, Ticking { now: None, timers: &mut timers, session_timeout: Duration::ZERO });
        }
        after
    }

    /// The classic group of those that stay, with what they have until they have joined anew.
    /// (Kafka notes what they were to have, and so gives it to others should the group change back
    /// before.)
    pub(crate) fn as_classic(&self, gone: &[MemberId], catalog: &dyn Catalog) -> ClassicGroupRecord {
        let gone: BTreeSet<&MemberId> = gone.iter().collect();
        let stay: Vec<&Member> = self.members().filter(|member| !gone.contains(&member.id)).collect();
        let protocol = common_protocol(&stay);
        let member = |member: &&Member| {
            let classic = member.said.classic.clone().unwrap_or_default();
            let subscription = metadata_of(&classic, protocol.as_ref());
            let held = member.current.assigned.iter().chain(member.current.pending.iter());
            let has: Partitions = held.map(|(topic, partition, _)| (topic, partition)).collect();
            LoggedMember {
                id: member.id.clone(),
                instance: member.said.instance.clone(),
                client_id: member.said.client_id.clone(),
                client_host: member.said.client_host.clone(),
                rebalance_timeout: member.said.rebalance_timeout,
                session_timeout: classic.session_timeout,
                assignment: assignment(&has, &subscription, catalog),
                subscription,
            }
        };
        ClassicGroupRecord {
            protocol_type: Some(ProtocolName::new(CONSUMER)),
            generation: self.epoch,
            leader: stay.first().map(|member| member.id.clone()),
            // Unlike a generation that has its assignment: who reads this begins a round of joins.
            since: None,
            members: stay.iter().map(member).collect(),
            protocol,
        }
    }
}

/// The protocol that most like best of those that all can do.
fn common_protocol(members: &[&Member]) -> Option<ProtocolName> {
    let of = |member: &'_ &Member| {
        member.said.classic.clone().map(|classic| classic.protocols).unwrap_or_default()
    };
    let all: Vec<Vec<(ProtocolName, Bytes)>> = members.iter().map(of).collect();
    let counted = counted(all.iter().map(Vec::as_slice));
    let is_common = |name: &ProtocolName| counted.get(name) == Some(&all.len());
    most_wanted(all.iter().filter_map(|own| own.iter().map(|(name, _)| name).find(|name| is_common(name))))
}

/// What a member wants by a protocol.
pub(super) fn metadata_of(classic: &ClassicMember, protocol: Option<&ProtocolName>) -> Bytes {
    protocol.map(|name| protocols::metadata(&classic.protocols, name)).unwrap_or_default()
}

/// Partitions as a classic consumer reads them, in the version in which it has written
/// `subscription`.
pub(super) fn assignment(partitions: &Partitions, subscription: &Bytes, catalog: &dyn Catalog) -> Bytes {
    let name = |(topic, partition)| Some(TopicPartition { topic: catalog.name(topic)?, partition });
    let named: Vec<_> = partitions.iter().filter_map(name).collect();
    let mut bytes = encode_assignment(&named).map(|bytes| bytes.to_vec()).unwrap_or_default();
    // All versions are alike but for their number.
    if let (Some(own), Some(version)) = (bytes.get_mut(..2), subscription.get(..2)) {
        let latest = [own[0], own[1]];
        own.copy_from_slice(if version < latest.as_slice() { version } else { &latest });
    }
    bytes.into()
}

const CUSTOM_ASSIGNOR: &str = "because an unsupported custom assignor is in use. Please refer to the documentation or \
                               switch to a default assignor before re-attempting the upgrade.";
const MALFORMED: GroupError =
    GroupError::CannotUpgrade("because the embedded consumer protocol is malformed.");
