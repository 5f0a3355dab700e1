//! The image: the state that the records of the metadata log make.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use klamm_protocol::Uuid;
use klamm_types::{LeaderEpoch, TopicId, TopicName, TopicPartition};

use super::record::MetadataRecord;
use super::shared_map::SharedMap;
use crate::quotas::QuotaLimits;

/// What topics there are: the state that the records of the metadata log make. Versions of it share
/// what did not change.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct MetadataImage {
    topics: SharedMap<TopicName, Arc<Topic>>,
    /// Invariant: an entry for each topic, and none else.
    names: SharedMap<Uuid, TopicName>,
    /// Ids of topics that were removed: their logs, where a crash left some, can go.
    removed: SharedMap<Uuid, ()>,
    /// Settings that were changed while the broker ran, by its id, or by an empty name for those of
    /// all brokers.
    brokers: BTreeMap<String, BTreeMap<String, String>>,
    /// Settings of groups, whether they are there or not. No group is here without any.
    groups: SharedMap<String, BTreeMap<String, String>>,
    /// Subscriptions to clients' metrics by their names. None is here without settings.
    client_metrics: SharedMap<String, BTreeMap<String, String>>,
    quotas: QuotaLimits,
    /// The levels that Kafka's features have in this cluster.
    features: BTreeMap<String, i16>,
    /// Producer ids below this one have been given out, or lie in a block that was.
    next_producer_id: i64,
    /// The names of topics that have a `.` or a `_`, by the name with `_` for each `.`: Kafka names
    /// metrics so, and therefore has no two topics that come to the same. Invariant: as in
    /// `topics`.
    similar: SharedMap<String, BTreeSet<TopicName>>,
    /// Rises when topics come, go or grow.
    topics_version: u64,
}

/// A topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Topic {
    pub(crate) name: TopicName,
    pub(crate) id: TopicId,
    pub(crate) states: Vec<PartitionState>,
    /// Its own settings, as texts.
    pub(crate) configs: BTreeMap<String, String>,
}

/// What the metadata says of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct PartitionState {
    /// The folder it is in, by its id; zero where the metadata does not say.
    pub(crate) home: Uuid,
    /// Rises with each change of leader. It stays at zero here, but a folder may come from a broker
    /// that stopped and started.
    pub(crate) leader_epoch: LeaderEpoch,
}

impl PartitionState {
    pub(crate) fn new(home: Uuid) -> PartitionState {
        PartitionState { home, leader_epoch: LeaderEpoch::ZERO }
    }

    fn change(&mut self, new_leader: bool, home: Option<Uuid>) {
        self.home = home.unwrap_or(self.home);
        if new_leader {
            self.leader_epoch =
                LeaderEpoch::new(self.leader_epoch.get().saturating_add(1)).unwrap_or_default();
        }
    }
}

impl Topic {
    /// How many partitions it has, numbered from 0.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.states.len()).unwrap_or(u32::MAX)
    }

    /// The epoch of a partition's leader.
    pub(crate) fn leader_epoch(&self, partition: i32) -> LeaderEpoch {
        let state = usize::try_from(partition).ok().and_then(|number| self.states.get(number));
        state.map_or(LeaderEpoch::ZERO, |state| state.leader_epoch)
    }

    /// Whether the brokers write it themselves.
    pub(crate) fn is_internal(&self) -> bool {
        use super::internal_topics::{OFFSETS, SHARE_GROUPS, TRANSACTIONS};
        matches!(self.name.as_str(), OFFSETS | TRANSACTIONS | SHARE_GROUPS)
    }

    pub(crate) fn partitions(&self) -> impl Iterator<Item = TopicPartition> + use<'_> {
        (0..self.count()).filter_map(|number| TopicPartition::new(self.name.clone(), number))
    }
}

impl MetadataImage {
    pub(crate) fn topic(&self, name: &str) -> Option<&Topic> {
        self.shared_topic(name).map(Arc::as_ref)
    }

    /// The topic of this name, to be kept beyond the image.
    pub(crate) fn shared_topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(&TopicName::new(name).ok()?)
    }

    pub(crate) fn topic_by_id(&self, id: Uuid) -> Option<&Topic> {
        self.shared_topic_by_id(id).map(Arc::as_ref)
    }

    /// The topic with this id, to be kept beyond the image.
    pub(crate) fn shared_topic_by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.topics.get(self.names.get(&id)?)
    }

    pub(crate) fn is_removed(&self, id: TopicId) -> bool {
        self.removed.contains_key(&Uuid::from(id))
    }

    /// A topic whose name differs from `name` only in `.` and `_`.
    pub(crate) fn similar_topic(&self, name: &str) -> Option<&TopicName> {
        self.similar.get(&normalized(name)?)?.iter().find(|other| other.as_str() != name)
    }

    /// Rises when topics come, go or grow.
    pub(crate) fn topics_version(&self) -> u64 {
        self.topics_version
    }

    pub(crate) fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// Settings that a broker was given while it ran; those of all brokers have an empty name.
    pub(crate) fn broker_configs(&self, broker: &str) -> &BTreeMap<String, String> {
        const NONE: &BTreeMap<String, String> = &BTreeMap::new();
        self.brokers.get(broker).unwrap_or(NONE)
    }

    /// The settings of a group that are its own.
    pub(crate) fn group_configs(&self, group: &str) -> &BTreeMap<String, String> {
        const NONE: &BTreeMap<String, String> = &BTreeMap::new();
        self.groups.get(group).unwrap_or(NONE)
    }

    /// All groups that have settings of their own.
    pub(crate) fn configured_groups(&self) -> impl Iterator<Item = (&String, &BTreeMap<String, String>)> {
        self.groups.iter()
    }

    /// The settings of a subscription to clients' metrics.
    pub(crate) fn client_metrics(&self, subscription: &str) -> &BTreeMap<String, String> {
        const NONE: &BTreeMap<String, String> = &BTreeMap::new();
        self.client_metrics.get(subscription).unwrap_or(NONE)
    }

    /// The names of all subscriptions to clients' metrics.
    pub(crate) fn client_metrics_subscriptions(&self) -> impl Iterator<Item = &String> {
        self.client_metrics.iter().map(|(name, _)| name)
    }

    /// Level of one of Kafka's features, if one was ever decided.
    pub(crate) fn feature(&self, name: &str) -> Option<i16> {
        self.features.get(name).copied()
    }

    pub(crate) fn quotas(&self) -> &QuotaLimits {
        &self.quotas
    }

    pub(crate) fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.shared_topics().map(Arc::as_ref)
    }

    /// All topics, to be kept beyond the image.
    pub(crate) fn shared_topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics.iter().map(|(_, topic)| topic)
    }

    /// Shows a topic as it was before it came or grew, or not at all: its new logs are not open
    /// yet.
    pub(super) fn hide(&mut self, topic: &Topic, before: Option<&Arc<Topic>>) {
        match before {
            Some(before) => drop(self.topics.insert(topic.name.clone(), Arc::clone(before))),
            None => {
                self.topics.remove(&topic.name);
                self.names.remove(&Uuid::from(topic.id));
            }
        }
    }

    /// Has those who keep what topics there are look again.
    pub(super) fn note_topics_changed(&mut self) {
        self.topics_version += 1;
    }

    /// The one place in which the image changes. A record that does not fit (a partition of a topic
    /// that is not there) changes nothing.
    pub(crate) fn apply(&mut self, record: &MetadataRecord) {
        self.topics_version += u64::from(record.changes_topics());
        match record {
            MetadataRecord::Topic { name, id } => {
                self.names.insert((*id).into(), name.clone());
                if let Some(key) = normalized(name.as_str()) {
                    let mut names = self.similar.get(&key).cloned().unwrap_or_default();
                    names.insert(name.clone());
                    self.similar.insert(key, names);
                }
                let topic =
                    Topic { name: name.clone(), id: *id, states: Vec::new(), configs: BTreeMap::new() };
                self.topics.insert(name.clone(), Arc::new(topic));
            }
            MetadataRecord::Partition { topic, number, state } => {
                let next = self.by_id_mut(*topic).filter(|topic| topic.count() == *number);
                if let Some(topic) = next {
                    topic.states.push(*state);
                }
            }
            MetadataRecord::PartitionChange { topic, number, new_leader, home } => {
                let index = usize::try_from(*number).unwrap_or(usize::MAX);
                let state = self.by_id_mut(*topic).and_then(|topic| topic.states.get_mut(index));
                if let Some(state) = state {
                    state.change(*new_leader, *home);
                }
            }
            MetadataRecord::TopicConfig { topic, key, value } => {
                let Some(topic) = self.topics.get_mut(topic) else { return };
                set(&mut Arc::make_mut(topic).configs, key, value.as_ref());
            }
            MetadataRecord::BrokerConfig { broker, key, value } => {
                set(self.brokers.entry(broker.clone()).or_default(), key, value.as_ref());
            }
            MetadataRecord::GroupConfig { group, key, value } => {
                let mut own = self.group_configs(group).clone();
                set(&mut own, key, value.as_ref());
                match own.is_empty() {
                    true => drop(self.groups.remove(group)),
                    false => drop(self.groups.insert(group.clone(), own)),
                }
            }
            MetadataRecord::ClientMetricsConfig { subscription, key, value } => {
                let mut own = self.client_metrics(subscription).clone();
                set(&mut own, key, value.as_ref());
                match own.is_empty() {
                    true => drop(self.client_metrics.remove(subscription)),
                    false => drop(self.client_metrics.insert(subscription.clone(), own)),
                }
            }
            MetadataRecord::Quota { entity, key, value } => {
                // What cannot be is as if it were not there: another version may have written it.
                let value = value.filter(|value| QuotaLimits::check(entity, key, Some(*value)).is_ok());
                self.quotas.set(entity, key, value);
            }
            MetadataRecord::RemoveTopic { id } => {
                self.removed.insert((*id).into(), ());
                if let Some(name) = self.names.remove(&Uuid::from(*id)) {
                    self.topics.remove(&name);
                    self.forget_similar(&name);
                }
            }
            MetadataRecord::ProducerIds { next } => {
                self.next_producer_id = self.next_producer_id.max(*next);
            }
            MetadataRecord::Feature { name, level } => drop(self.features.insert(name.clone(), *level)),
            MetadataRecord::BeginTransaction
            | MetadataRecord::EndTransaction
            | MetadataRecord::AbortTransaction
            | MetadataRecord::Other { .. } => {}
        }
    }

    fn forget_similar(&mut self, name: &TopicName) {
        let Some(key) = normalized(name.as_str()) else { return };
        let Some(names) = self.similar.get_mut(&key) else { return };
        names.remove(name);
        if names.is_empty() {
            self.similar.remove(&key);
        }
    }

    fn by_id_mut(&mut self, id: TopicId) -> Option<&mut Topic> {
        let name = self.names.get(&Uuid::from(id))?;
        self.topics.get_mut(name).map(Arc::make_mut)
    }
}

/// The name with `_` for each `.`; `None` for one that has neither.
fn normalized(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}

fn set(configs: &mut BTreeMap<String, String>, key: &str, value: Option<&String>) {
    match value {
        Some(value) => drop(configs.insert(key.to_owned(), value.clone())),
        None => drop(configs.remove(key)),
    }
}
