//! The settings that can be asked for and changed while the broker runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use klamm_coordinator::{ConsumerTimes, GroupId};

use super::commit::{Plan, Touches};
use super::plan_configs::{ConfigChange, Defaults, Resource, plan_changes};
use super::topics::not_logged;
use super::{Metadata, MetadataImage, Topic, TopicError};
use crate::config::client_metrics::ClientMetricsSettings;
use crate::config::consumer_group::GroupSettings;
use crate::config::row::{Kind, Row, WrongSetting, set_all, set_what_fits};
use crate::config::without_effect::{self, WithoutEffect};
use crate::config::{BrokerConfig, TopicConfig};

/// A setting as it is now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ConfigEntry {
    pub(crate) key: &'static str,
    pub(crate) kind: Kind,
    pub(crate) meaning: &'static str,
    pub(crate) is_read_only: bool,
    /// Whether the value is a secret, which is never returned.
    pub(crate) is_sensitive: bool,
    pub(crate) value: String,
    /// Where a value for it is given, what wins first.
    pub(crate) given: Vec<Given>,
}

/// A value of a setting, and who gave it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Given {
    pub(crate) key: &'static str,
    pub(crate) value: String,
    pub(crate) by: Source,
}

/// Who gave a value, by the number that clients know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub(crate) enum Source {
    Topic = 1,
    Broker = 2,
    AllBrokers = 3,
    Start = 4,
    Default = 5,
    ClientMetrics = 7,
    Group = 8,
}

impl ConfigEntry {
    pub(crate) fn source(&self) -> Source {
        self.given.first().map_or(Source::Default, |given| given.by)
    }
}

impl Metadata {
    /// The broker's settings as they are now.
    pub(crate) fn config(&self) -> Arc<BrokerConfig> {
        Arc::clone(&self.config.read())
    }

    /// The settings of a topic, and those of its own that cannot be: another version may have
    /// written them.
    fn fitting(&self, topic: &Topic) -> (TopicConfig, Vec<WrongSetting>) {
        set_what_fits(self.config().topic.clone(), &topic.configs, TopicConfig::with)
    }

    /// The settings of a topic.
    pub(crate) fn topic_config(&self, topic: &Topic) -> Arc<TopicConfig> {
        let known = self.resolved.read().get(&topic.id).cloned();
        known.unwrap_or_else(|| Arc::new(self.fitting(topic).0))
    }

    /// Notes what the settings of a topic come to.
    pub(super) fn resolve(&self, topic: &Topic) -> Arc<TopicConfig> {
        let (config, wrong) = self.fitting(topic);
        let mut resolved = self.resolved.write();
        if let Some(known) = resolved.get(&topic.id).filter(|known| ***known == config) {
            return Arc::clone(known);
        }
        let config = Arc::new(config);
        resolved.insert(topic.id, Arc::clone(&config));
        drop(resolved);
        for WrongSetting { key, value, expected } in wrong {
            tracing::warn!(topic = %topic.name, key, value, "a setting of a topic is passed over, expected {expected}");
        }
        config
    }

    /// Changes settings: one command for all resources of a request.
    pub(crate) fn change_configs(&self, changes: &[ConfigChange]) -> Vec<Result<(), TopicError>> {
        let (planned, committed) = self.submit(&touched(changes), |plan| self.plan_configs(plan, changes));
        match committed {
            Ok(committed) => drop(self.publish(&committed.delta)),
            Err(error) => return not_logged(planned, error),
        }
        note(changes.iter().zip(&planned).filter_map(|(change, done)| done.is_ok().then_some(change)));
        planned
    }

    /// What [`Metadata::change_configs`] would make of it.
    pub(crate) fn check_configs(&self, changes: &[ConfigChange]) -> Vec<Result<(), TopicError>> {
        self.only_plan(|plan| self.plan_configs(plan, changes))
    }

    fn plan_configs(&self, plan: &mut Plan, changes: &[ConfigChange]) -> Vec<Result<(), TopicError>> {
        let mut defaults = Defaults::of(&plan.image, &self.started_with);
        let mut planned = |change: &ConfigChange| {
            plan.add(plan_changes(&plan.image, &defaults, change)?);
            if matches!(change.resource, Resource::Broker(_)) {
                defaults = Defaults::of(&plan.image, &self.started_with);
            }
            Ok(())
        };
        changes.iter().map(&mut planned).collect()
    }

    /// All settings of a topic, a group or this broker; for those of all brokers, what was given.
    pub(crate) fn describe_configs(&self, resource: &Resource) -> Result<Vec<ConfigEntry>, TopicError> {
        let node = self.started_with.node_id;
        match resource {
            Resource::Topic(name) => {
                let image = self.image();
                self.describe_topic(image.topic(name).ok_or_else(|| TopicError::missing(name))?)
            }
            Resource::Group(name) if name.is_empty() => Err(TopicError::NoGroupName),
            Resource::Group(name) => Ok(self.describe_group(name)),
            Resource::ClientMetrics(name) if name.is_empty() => Err(TopicError::NoSubscriptionName),
            Resource::ClientMetrics(name) => Ok(self.describe_subscription(name)),
            Resource::Broker(name) if name.is_empty() => {
                let entries = BrokerConfig::TABLE.iter().map(|row| self.broker_entry(row));
                let entries = entries.chain(self.entries_without_effect());
                Ok(entries.filter_map(ConfigEntry::of_all_brokers).collect())
            }
            Resource::Broker(name) if *name == node.to_string() => {
                let entries = BrokerConfig::TABLE.iter().map(|row| self.broker_entry(row));
                Ok(entries.chain(self.entries_without_effect()).collect())
            }
            Resource::Broker(name) => Err(TopicError::UnknownBroker { got: name.clone(), node }),
        }
    }

    /// All settings of a topic.
    pub(crate) fn describe_topic(&self, topic: &Topic) -> Result<Vec<ConfigEntry>, TopicError> {
        let config = self.topic_config(topic);
        Ok(TopicConfig::TABLE
            .iter()
            .filter(|row| !row.is_internal)
            .map(|row| self.entry(row, &topic.configs, Source::Topic, &config))
            .collect())
    }

    /// All settings of a group. Its own are told as they were given.
    fn describe_group(&self, name: &str) -> Vec<ConfigEntry> {
        let (image, settings) = (self.image(), GroupSettings::of(&self.config()));
        let own = image.group_configs(name);
        let (settings, _) = set_what_fits(settings, own, |settings, own| {
            let mut settings = settings.clone();
            set_all(&mut settings, own, GroupSettings::TABLE).map(|()| settings)
        });
        GroupSettings::TABLE.iter().map(|row| self.entry(row, own, Source::Group, &settings)).collect()
    }

    /// All settings of a subscription to clients' metrics.
    fn describe_subscription(&self, name: &str) -> Vec<ConfigEntry> {
        let (image, default) = (self.image(), ClientMetricsSettings::default());
        let own = image.client_metrics(name);
        let (settings, _) = set_what_fits(default, own, ClientMetricsSettings::with);
        let rows = ClientMetricsSettings::TABLE.iter();
        rows.map(|row| self.entry(row, own, Source::ClientMetrics, &settings)).collect()
    }

    /// The settings of groups that have their own.
    pub(crate) fn consumer_times(&self) -> BTreeMap<GroupId, ConsumerTimes> {
        let settings = GroupSettings::of(&self.config());
        let own = |(name, own): (&String, &_)| (GroupId::new(name), settings.within_bounds(own).times);
        self.image().configured_groups().map(own).collect()
    }

    /// A setting of `config` that takes what it has not of its own from the broker.
    fn entry<C>(&self, row: &Row<C>, own: &BTreeMap<String, String>, by: Source, config: &C) -> ConfigEntry {
        let own = own.get(row.key).map(|value| Given { key: row.key, value: value.clone(), by });
        let rows = row.inherits.iter().filter_map(|key| BrokerConfig::row(key));
        let inherited = rows.flat_map(|row| self.changed(row));
        let started = row.inherits.first().and_then(|key| BrokerConfig::row(key)).map(|r| self.started(r));
        let given = own.into_iter().chain(inherited).chain(started.into_iter().flatten()).collect();
        let (key, kind, meaning) = (row.key, row.kind, row.meaning);
        let (value, is_sensitive) = ((row.get)(config), false);
        ConfigEntry { key, kind, meaning, is_read_only: false, is_sensitive, value, given }
    }

    fn broker_entry(&self, row: &'static Row<BrokerConfig>) -> ConfigEntry {
        let value = (row.get)(&self.config());
        let given = self.changed(row).chain(self.started(row)).collect();
        let (key, kind, meaning) = (row.key, row.kind, row.meaning);
        let (is_read_only, is_sensitive) = (!row.is_dynamic, false);
        ConfigEntry { key, kind, meaning, is_read_only, is_sensitive, value, given }
    }

    /// The settings of Kafka that were given and have no effect on this broker.
    fn entries_without_effect(&self) -> Vec<ConfigEntry> {
        let config = self.config();
        let given = config.without_effect.keys().filter_map(|key| WithoutEffect::named(key));
        given.map(|row| self.entry_without_effect(row)).collect()
    }

    fn entry_without_effect(&self, row: &'static WithoutEffect) -> ConfigEntry {
        let at_start = self.started_with.without_effect.get(row.key);
        let at_start = at_start.map(|value| Given { key: row.key, value: value.clone(), by: Source::Start });
        let default = Given { key: row.key, value: row.default.to_owned(), by: Source::Default };
        let given: Vec<_> = self.changed_key(row.key).chain(at_start).chain([default]).collect();
        ConfigEntry {
            key: row.key,
            kind: row.kind,
            meaning: without_effect::MEANING,
            is_read_only: !row.is_dynamic(false),
            is_sensitive: row.is_sensitive(),
            value: given.first().map(|given| given.value.clone()).unwrap_or_default(),
            given,
        }
    }

    /// What a setting of the broker was changed to.
    fn changed(&self, row: &'static Row<BrokerConfig>) -> impl Iterator<Item = Given> + use<> {
        self.changed_key(row.key)
    }

    fn changed_key(&self, key: &'static str) -> impl Iterator<Item = Given> + use<> {
        let (image, node) = (self.image(), self.started_with.node_id.to_string());
        let by = move |broker: &str, by| {
            let value = image.broker_configs(broker).get(key)?.clone();
            Some(Given { key, value, by })
        };
        [by(&node, Source::Broker), by("", Source::AllBrokers)].into_iter().flatten()
    }

    /// What it was at the start, and what it is by default.
    fn started(&self, row: &'static Row<BrokerConfig>) -> impl Iterator<Item = Given> + use<> {
        let (started, default) = ((row.get)(&self.started_with), (row.get)(&BrokerConfig::default()));
        let at_start = Given { key: row.key, value: started, by: Source::Start };
        let at_start = Some(at_start).filter(|given| given.value != default);
        at_start.into_iter().chain([Given { key: row.key, value: default, by: Source::Default }])
    }

    /// Puts what was changed over what the broker was started with; what cannot be is passed over,
    /// and told.
    pub(super) fn resolve_config(&self) {
        let _one = self.configuring.lock();
        let image = self.image();
        let (config, wrong) = changed_config(&image, &self.started_with);
        for WrongSetting { key, value, expected } in wrong {
            tracing::warn!(key, value, "a setting in the metadata log is passed over, expected {expected}");
        }
        self.storage.set_cleaner(&config.cleaner);
        let settings = GroupSettings::of(&config);
        for (group, own) in image.configured_groups() {
            if let Err(WrongSetting { key, value, expected }) = settings.with(own) {
                tracing::warn!(
                    ?group,
                    key,
                    value,
                    "a group's setting does not fit and is cut or passed over, expected {expected}"
                );
            }
        }
        *self.config.write() = Arc::new(config);
    }
}

/// The settings that the broker was started with, with those over them that were changed while it
/// ran; and those of them that cannot be.
pub(super) fn changed_config(
    image: &MetadataImage,
    started_with: &BrokerConfig,
) -> (BrokerConfig, Vec<WrongSetting>) {
    let node = started_with.node_id.to_string();
    let (config, mut wrong) =
        set_what_fits(started_with.clone(), image.broker_configs(""), BrokerConfig::with);
    let (config, more) = set_what_fits(config, image.broker_configs(&node), BrokerConfig::with);
    wrong.extend(more);
    (config, wrong)
}

/// The topics of which a command changes the settings.
fn touched(changes: &[ConfigChange]) -> Touches {
    if changes.iter().any(|change| matches!(change.resource, Resource::Broker(_))) {
        return Touches::All;
    }
    Touches::topics(changes.iter().filter_map(|change| match &change.resource {
        Resource::Topic(name) => Some(name.as_str()),
        _ => None,
    }))
}

/// Tells of a few resources by name, and of many by number.
fn note<'a>(changes: impl Iterator<Item = &'a ConfigChange>) {
    let changes: Vec<_> = changes.collect();
    if changes.len() > NAMED {
        tracing::info!(resources = changes.len(), "settings were changed");
        return;
    }
    for ConfigChange { resource, changes, .. } in changes {
        let keys: Vec<_> = changes.iter().map(|(key, _)| key.as_str()).collect();
        tracing::info!(%resource, ?keys, "settings were changed");
    }
}

/// Resources of a command that the log names, at most.
const NAMED: usize = 10;

impl ConfigEntry {
    /// As a setting of all brokers; `None` when it was not given as one.
    fn of_all_brokers(self) -> Option<ConfigEntry> {
        let given: Vec<_> = self.given.into_iter().filter(|given| given.by == Source::AllBrokers).collect();
        Some(ConfigEntry { value: given.first()?.value.clone(), given, ..self })
    }
}
