//! The choices about settings: which records change them. Pure.

use std::collections::BTreeMap;
use std::fmt;

use super::record::MetadataRecord;
use super::{MetadataImage, TopicError};
use crate::config::client_metrics::ClientMetricsSettings;
use crate::config::consumer_group::GroupSettings;
use crate::config::row::{Kind, Row, WrongSetting, set_what_fits};
use crate::config::without_effect::WithoutEffect;
use crate::config::{BrokerConfig, TopicConfig};

/// What has settings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Resource {
    /// A topic, by its name.
    Topic(String),
    /// A broker, by its id; all brokers, by an empty name.
    Broker(String),
    /// A group, by its id. It need not be there.
    Group(String),
    /// A subscription to clients' metrics, by its name. It is there while it has settings.
    ClientMetrics(String),
}

/// What is to be done to a setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    Set(String),
    Delete,
    /// Adds these values to a list.
    Append(String),
    /// Takes these values out of a list.
    Subtract(String),
}

/// Changes of the settings of a resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ConfigChange {
    pub(crate) resource: Resource,
    pub(crate) changes: Vec<(String, Change)>,
    /// Whether settings that are not named go back to their defaults.
    pub(crate) replace: bool,
}

/// The settings of brokers, below those of topics and groups.
#[derive(Debug)]
pub(crate) struct Defaults<'a> {
    started_with: &'a BrokerConfig,
    /// With those of all brokers over what the broker was started with.
    all: BrokerConfig,
    /// With this broker's own over those.
    own: BrokerConfig,
}

impl<'a> Defaults<'a> {
    pub(crate) fn of(image: &MetadataImage, started_with: &'a BrokerConfig) -> Defaults<'a> {
        let (all, _) = set_what_fits(started_with.clone(), image.broker_configs(""), BrokerConfig::with);
        let node = started_with.node_id.to_string();
        let (own, _) = set_what_fits(all.clone(), image.broker_configs(&node), BrokerConfig::with);
        Defaults { started_with, all, own }
    }
}

type Configs = BTreeMap<String, String>;

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resource::Topic(name) => write!(f, "topic {name}"),
            Resource::Broker(name) if name.is_empty() => f.write_str("all brokers"),
            Resource::Broker(name) => write!(f, "broker {name}"),
            // Any text can be a group's name.
            Resource::Group(name) => write!(f, "group {}", name.escape_debug()),
            Resource::ClientMetrics(name) => write!(f, "client metrics {}", name.escape_debug()),
        }
    }
}

/// The records that change the settings of a resource.
pub(crate) fn plan_changes(
    image: &MetadataImage,
    defaults: &Defaults<'_>,
    change: &ConfigChange,
) -> Result<Vec<MetadataRecord>, TopicError> {
    let Defaults { started_with, all, own } = defaults;
    let ConfigChange { resource, changes, replace } = change;
    let replace = *replace;
    match resource {
        Resource::Topic(name) => {
            let topic = image.topic(name).ok_or_else(|| TopicError::missing(name))?;
            let defaults = &own.topic;
            let has = &topic.configs;
            let (shown, misfits) = set_what_fits(defaults.clone(), has, TopicConfig::with);
            let wanted = changed(has, changes, replace, |key| topic_row(key, &shown))?;
            defaults.with(&without(&wanted, has, &misfits))?;
            let record = |key, value| MetadataRecord::TopicConfig { topic: topic.name.clone(), key, value };
            Ok(differences(has, &wanted, record))
        }
        Resource::Group(name) if name.is_empty() => Err(TopicError::NoGroupName),
        Resource::Group(name) => {
            let defaults = GroupSettings::of(own);
            let has = image.group_configs(name);
            let wanted = changed(has, changes, replace, group_row)?;
            defaults.with(&known(&wanted, has))?;
            let record = |key, value| MetadataRecord::GroupConfig { group: name.clone(), key, value };
            Ok(differences(has, &wanted, record))
        }
        Resource::ClientMetrics(name) if name.is_empty() => Err(TopicError::NoSubscriptionName),
        Resource::ClientMetrics(name) => {
            let has = image.client_metrics(name);
            let (shown, misfits) =
                set_what_fits(ClientMetricsSettings::default(), has, ClientMetricsSettings::with);
            let wanted = changed(has, changes, replace, |key| subscription_row(key, &shown))?;
            ClientMetricsSettings::default().with(&without(&wanted, has, &misfits))?;
            let record =
                |key, value| MetadataRecord::ClientMetricsConfig { subscription: name.clone(), key, value };
            Ok(differences(has, &wanted, record))
        }
        Resource::Broker(name) => {
            let node = started_with.node_id;
            if !name.is_empty() && *name != node.to_string() {
                return Err(TopicError::UnknownBroker { got: name.clone(), node });
            }
            let (has, below) =
                (image.broker_configs(name), if name.is_empty() { *started_with } else { all });
            let (shown, misfits) = set_what_fits(below.clone(), has, BrokerConfig::with);
            let for_all = name.is_empty();
            let wanted = changed(has, changes, replace, |key| broker_row(key, &shown, for_all))?;
            let now = below.with(&without(&wanted, has, &misfits))?;
            let above = Some(image.broker_configs(&node.to_string())).filter(|_| name.is_empty());
            let now = above.map_or(Ok(now.clone()), |above| over(&shown, &now, above, BrokerConfig::with))?;
            let before = above
                .map_or(shown.clone(), |above| set_what_fits(shown.clone(), above, BrokerConfig::with).0);
            check_threads(&before, &now)?;
            // What topics have of their own must go with it.
            image.topics().try_for_each(|topic| {
                over(&shown.topic, &now.topic, &topic.configs, TopicConfig::with).map(drop)
            })?;
            let record = |key, value| MetadataRecord::BrokerConfig { broker: name.clone(), key, value };
            Ok(differences(has, &wanted, record))
        }
    }
}

/// The wanted settings but for those of groups of a kind that this broker has not, which Kafka has
/// written and are left as they are.
fn known(wanted: &Configs, has: &Configs) -> Configs {
    let is_foreign = |key: &String, value| GroupSettings::row(key).is_none() && has.get(key) == Some(value);
    let known = wanted.iter().filter(|(key, value)| !is_foreign(key, value));
    known.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Threads are added and taken away step by step, as in Kafka.
fn check_threads(before: &BrokerConfig, now: &BrokerConfig) -> Result<(), TopicError> {
    for (key, before, now) in [
        ("num.io.threads", before.io_threads, now.io_threads),
        ("num.network.threads", before.network_threads, now.network_threads),
        ("num.recovery.threads.per.data.dir", before.recovery_threads, now.recovery_threads),
        ("log.cleaner.threads", before.cleaner.threads, now.cleaner.threads),
    ] {
        if now < before / 2 || now > before * 2 {
            return Err(TopicError::Threads { key, before, now });
        }
    }
    Ok(())
}

fn topic_row(key: &str, config: &TopicConfig) -> Result<(Kind, String), TopicError> {
    let row = TopicConfig::row(key).ok_or_else(|| unknown(key))?;
    Ok((row.kind, (row.get)(config)))
}

fn subscription_row(key: &str, settings: &ClientMetricsSettings) -> Result<(Kind, String), TopicError> {
    let row = ClientMetricsSettings::row(key).ok_or_else(|| unknown(key))?;
    Ok((row.kind, (row.get)(settings)))
}

fn group_row(key: &str) -> Result<(Kind, String), TopicError> {
    // None is a list, so that what it is now does not count.
    GroupSettings::row(key).map(|row| (row.kind, String::new())).ok_or_else(|| unknown(key))
}

fn broker_row(key: &str, config: &BrokerConfig, for_all: bool) -> Result<(Kind, String), TopicError> {
    if let Some(row) = WithoutEffect::named(key) {
        return without_effect(row, config, for_all);
    }
    let row: &Row<BrokerConfig> = BrokerConfig::row(key).ok_or_else(|| unknown(key))?;
    if !row.is_dynamic {
        return Err(TopicError::ReadOnly { key: key.to_owned() });
    }
    Ok((row.kind, (row.get)(config)))
}

/// Settings of Kafka that have no effect here are stored where Kafka would store them.
fn without_effect(
    row: &WithoutEffect,
    config: &BrokerConfig,
    for_all: bool,
) -> Result<(Kind, String), TopicError> {
    let key = row.key.to_owned();
    match (row.is_dynamic(for_all), row.is_dynamic(false)) {
        (true, _) => {
            let given = config.without_effect.get(row.key);
            Ok((row.kind, given.map_or(row.default, String::as_str).to_owned()))
        }
        (false, true) => Err(TopicError::OneBroker { key }),
        (false, false) => Err(TopicError::ReadOnly { key }),
    }
}

/// The wanted settings but for those that did not fit before and are left as they are: Kafka, or
/// another version, wrote them.
fn without(wanted: &Configs, has: &Configs, misfits: &[WrongSetting]) -> Configs {
    let is_old =
        |key: &String, value| misfits.iter().any(|misfit| misfit.key == *key) && has.get(key) == Some(value);
    let fitting = wanted.iter().filter(|(key, value)| !is_old(key, value));
    fitting.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Puts `own` over `now`; what did not fit over `before` need not do so now.
fn over<C: Clone>(
    before: &C,
    now: &C,
    own: &Configs,
    with: impl Fn(&C, &Configs) -> Result<C, WrongSetting>,
) -> Result<C, WrongSetting> {
    let (_, misfits) = set_what_fits(before.clone(), own, &with);
    with(now, &without(own, own, &misfits))
}

fn unknown(key: &str) -> TopicError {
    TopicError::NotASetting { key: key.to_owned() }
}

/// The settings after the changes. `look_up` tells a setting's kind, and its value now.
fn changed(
    has: &Configs,
    changes: &[(String, Change)],
    replace: bool,
    look_up: impl Fn(&str) -> Result<(Kind, String), TopicError>,
) -> Result<Configs, TopicError> {
    let mut wanted = if replace { Configs::new() } else { has.clone() };
    for (key, change) in changes {
        if *change == Change::Delete {
            // Also one that this version does not know.
            wanted.remove(key);
            continue;
        }
        let (kind, now) = look_up(key)?;
        let value = match change {
            Change::Set(value) => value.clone(),
            Change::Append(more) if kind == Kind::List => appended(&now, more),
            Change::Subtract(less) if kind == Kind::List => subtracted(&now, less),
            _ => return Err(TopicError::NotAList { key: key.clone() }),
        };
        wanted.insert(key.clone(), value);
    }
    Ok(wanted)
}

fn appended(list: &str, more: &str) -> String {
    let mut values: Vec<&str> = list.split(',').filter(|value| !value.is_empty()).collect();
    for value in more.split(',').map(str::trim) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values.join(",")
}

fn subtracted(list: &str, less: &str) -> String {
    let gone: Vec<&str> = less.split(',').map(str::trim).collect();
    list.split(',').filter(|value| !gone.contains(value)).collect::<Vec<_>>().join(",")
}

fn differences(
    has: &Configs,
    wanted: &Configs,
    record: impl Fn(String, Option<String>) -> MetadataRecord,
) -> Vec<MetadataRecord> {
    let set = wanted.iter().filter(|(key, value)| has.get(*key) != Some(value));
    let gone = has.keys().filter(|key| !wanted.contains_key(*key));
    let set = set.map(|(key, value)| record(key.clone(), Some(value.clone())));
    set.chain(gone.map(|key| record(key.clone(), None))).collect()
}

#[cfg(test)]
mod tests {
    use klamm_types::{TopicId, TopicName};

    use super::*;

    fn image() -> MetadataImage {
        let mut image = MetadataImage::default();
        let (name, id) = (TopicName::new("t").unwrap(), TopicId::from_random([7; 16]));
        image.apply(&MetadataRecord::Topic { name: name.clone(), id });
        let value = Some("5000".to_owned());
        image.apply(&MetadataRecord::TopicConfig { topic: name.clone(), key: "retention.ms".into(), value });
        // Kafka has settings that this broker has not; they are left as they are.
        let (key, value) = ("leader.replication.throttled.replicas".into(), Some("*".into()));
        image.apply(&MetadataRecord::TopicConfig { topic: name, key, value });
        for broker in ["", "1"] {
            let (key, value) = ("background.threads".into(), Some("4".into()));
            image.apply(&MetadataRecord::BrokerConfig { broker: broker.into(), key, value });
        }
        image
    }

    fn plan(resource: &Resource, key: &str, change: Change, replace: bool) -> Result<String, String> {
        let (image, config) = (image(), BrokerConfig::default());
        let (resource, changes) = (resource.clone(), vec![(key.to_owned(), change)]);
        let change = ConfigChange { resource, changes, replace };
        let planned = plan_changes(&image, &Defaults::of(&image, &config), &change);
        let words = |record: &MetadataRecord| match record {
            MetadataRecord::TopicConfig { key, value, .. }
            | MetadataRecord::BrokerConfig { key, value, .. } => {
                format!("{key}={}", value.as_deref().unwrap_or("gone"))
            }
            other => format!("{other:?}"),
        };
        planned
            .map(|records| records.iter().map(words).collect::<Vec<_>>().join(" "))
            .map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_changed() {
        use Change::{Append, Delete, Set, Subtract};
        let topic = Resource::Topic("t".into());
        let (all, this, other) =
            (Resource::Broker("".into()), Resource::Broker("1".into()), Resource::Broker("2".into()));
        let set = |value: &str| Set(value.to_owned());
        for (resource, key, change, replace, want) in [
            (&topic, "retention.ms", set("6000"), false, Ok("retention.ms=6000")),
            (&topic, "retention.ms", set("5000"), false, Ok("")),
            (&topic, "retention.ms", Delete, false, Ok("retention.ms=gone")),
            (&topic, "segment.ms", set("1"), false, Ok("segment.ms=1")),
            (
                &topic,
                "segment.ms",
                set("1"),
                true,
                Ok("segment.ms=1 leader.replication.throttled.replicas=gone retention.ms=gone"),
            ),
            (
                &topic,
                "leader.replication.throttled.replicas",
                Delete,
                false,
                Ok("leader.replication.throttled.replicas=gone"),
            ),
            (&all, "background.threads", Delete, false, Ok("background.threads=gone")),
            (&all, "background.threads", set("12"), false, Ok("background.threads=12")),
            (
                &all,
                "background.threads",
                set("x"),
                false,
                Err("background.threads is \"x\", expected a number from -2,147,483,648 to 2,147,483,647"),
            ),
            (&this, "ssl.keystore.type", set("PEM"), false, Ok("ssl.keystore.type=PEM")),
            (
                &all,
                "ssl.keystore.type",
                set("PEM"),
                false,
                Err("ssl.keystore.type can be changed for one broker, not for all brokers"),
            ),
            (
                &this,
                "replica.fetch.max.bytes",
                set("1"),
                false,
                Err("replica.fetch.max.bytes cannot be changed while the broker runs"),
            ),
            (&this, "ssl.cipher.suites", Append("A".into()), false, Ok("ssl.cipher.suites=A")),
            (&topic, "segment.ms", Delete, false, Ok("")),
            (&topic, "cleanup.policy", Append("compact".into()), false, Ok("cleanup.policy=delete,compact")),
            (&topic, "cleanup.policy", Subtract("delete".into()), false, Ok("cleanup.policy=")),
            (
                &topic,
                "segment.ms",
                Append("1".into()),
                false,
                Err("segment.ms has one value; APPEND and SUBTRACT are for lists"),
            ),
            (
                &topic,
                "segment.ms",
                set("x"),
                false,
                Err("segment.ms is \"x\", expected a number of milliseconds, at least 1"),
            ),
            (
                &topic,
                "segmentms",
                set("1"),
                false,
                Err("\"segmentms\" is not a setting that this broker has"),
            ),
            (&Resource::Topic("u".into()), "segment.ms", set("1"), false, Err("there is no such topic")),
            (&all, "log.retention.ms", set("9"), false, Ok("log.retention.ms=9")),
            (&this, "max.connections", set("9"), false, Ok("max.connections=9")),
            (&this, "num.io.threads", set("16"), false, Ok("num.io.threads=16")),
            (
                &this,
                "num.io.threads",
                set("17"),
                false,
                Err("num.io.threads is 8 and can be 4 to 16 next, not 17: threads change step by step"),
            ),
            (
                &all,
                "num.network.threads",
                set("0"),
                false,
                Err("num.network.threads is \"0\", expected a number from 1 to 1,024"),
            ),
            (&this, "log.cleaner.backoff.ms", set("9"), false, Ok("log.cleaner.backoff.ms=9")),
            (
                &this,
                "log.cleaner.io.buffer.load.factor",
                set("2"),
                false,
                Err("log.cleaner.io.buffer.load.factor is \"2\", expected a number above 0, at most 1"),
            ),
            (&this, "log.dirs", set("/x"), false, Err("log.dirs cannot be changed while the broker runs")),
            (
                &this,
                "log.segment.bytes",
                set("1"),
                false,
                Err("log.segment.bytes is \"1\", expected a number of bytes from 1,048,576 to 2,147,483,647"),
            ),
            (&other, "max.connections", set("9"), false, Err("there is no broker \"2\"; this is broker 1")),
        ] {
            let got = plan(resource, key, change.clone(), replace);
            assert_eq!(got, want.map(str::to_owned).map_err(str::to_owned), "{resource} {key} {change:?}");
        }
    }
}
