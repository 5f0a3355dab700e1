//! The choices: from what is asked and what there is, which records to log. Pure.

use std::collections::BTreeMap;

use klamm_log::LogConfig;
use klamm_protocol::Uuid;
use klamm_types::{TopicId, TopicName};

use super::record::MetadataRecord;
use super::{MetadataImage, Topic, TopicConfig, TopicError};

/// A topic that someone wants.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct NewTopic {
    pub(crate) name: String,
    /// -1 for the broker's default.
    pub(crate) partitions: i32,
    /// -1 for the broker's default.
    pub(crate) replication: i16,
    /// Partition and replicas, when the asker assigns them itself.
    pub(crate) assignments: Vec<(i32, Vec<i32>)>,
    pub(crate) configs: BTreeMap<String, String>,
}

/// How a topic is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum TopicRef {
    Name(String),
    Id(Uuid),
}

/// What a plan depends on beside the image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults<'a> {
    pub(crate) node: i32,
    pub(crate) partitions: i32,
    pub(crate) log: &'a LogConfig,
}

/// The broker's own: nobody makes, writes to or deletes it through a request.
const RESERVED: [&str; 1] = ["__cluster_metadata"];

/// Kafka's bound on the partitions of one request.
const MAX_PARTITIONS: i64 = 10_000;

/// The records that make a topic, and the topic they make.
pub(crate) fn plan_creation(
    image: &MetadataImage,
    wanted: &NewTopic,
    id: TopicId,
    defaults: Defaults<'_>,
) -> Result<(Vec<MetadataRecord>, Topic), TopicError> {
    let name = TopicName::new(&wanted.name)?;
    if RESERVED.contains(&name.as_str()) {
        return Err(TopicError::Reserved { name: wanted.name.clone() });
    }
    if image.topic(&wanted.name).is_some() {
        return Err(TopicError::Exists { name: wanted.name.clone() });
    }
    if !matches!(wanted.replication, -1 | 1) {
        return Err(TopicError::Replication { got: wanted.replication });
    }
    TopicConfig::resolve(defaults.log, &wanted.configs)?;
    let partitions = plan_partitions(wanted, defaults)?;
    let topic = Topic { name, id, partitions, configs: wanted.configs.clone() };
    Ok((records_of(&topic), topic))
}

fn plan_partitions(wanted: &NewTopic, defaults: Defaults<'_>) -> Result<u32, TopicError> {
    if !wanted.assignments.is_empty() {
        return assigned_partitions(&wanted.assignments, defaults.node);
    }
    let got = if wanted.partitions == -1 { defaults.partitions } else { wanted.partitions };
    match u32::try_from(got) {
        Ok(1..) if i64::from(got) > MAX_PARTITIONS => {
            Err(TopicError::TooMany { got: got.into(), max: MAX_PARTITIONS })
        }
        Ok(count @ 1..) => Ok(count),
        _ => Err(TopicError::Partitions { got }),
    }
}

fn assigned_partitions(assignments: &[(i32, Vec<i32>)], node: i32) -> Result<u32, TopicError> {
    let mut numbers: Vec<i32> = assignments.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    if assignments.iter().any(|(_, replicas)| *replicas != [node]) {
        let reason = format!("each partition must be assigned to broker {node}, the only one");
        return Err(TopicError::Assignment { reason });
    }
    let count = i64::try_from(numbers.len()).unwrap_or(i64::MAX);
    if count > MAX_PARTITIONS {
        return Err(TopicError::TooMany { got: count, max: MAX_PARTITIONS });
    }
    if !numbers.iter().zip(0..).all(|(got, want)| *got == want) {
        return Err(TopicError::Assignment {
            reason: "partitions must be numbered from 0, each once".to_owned(),
        });
    }
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

fn records_of(topic: &Topic) -> Vec<MetadataRecord> {
    let own = MetadataRecord::Topic { name: topic.name.clone(), id: topic.id };
    let partitions =
        (0..topic.partitions).map(|number| MetadataRecord::Partition { topic: topic.id, number });
    let configs = topic.configs.iter().map(|(key, value)| MetadataRecord::TopicConfig {
        topic: topic.name.clone(),
        key: key.clone(),
        value: Some(value.clone()),
    });
    std::iter::once(own).chain(configs).chain(partitions).collect()
}

/// The record that removes a topic, and the topic.
pub(crate) fn plan_deletion(
    image: &MetadataImage,
    topic: &TopicRef,
    enabled: bool,
) -> Result<(MetadataRecord, Topic), TopicError> {
    let found = match topic {
        TopicRef::Name(name) => image.topic(name).ok_or(TopicError::Unknown)?,
        TopicRef::Id(id) => image.topic_by_id(*id).ok_or(TopicError::UnknownId)?,
    };
    if !enabled {
        return Err(TopicError::DeletionDisabled);
    }
    Ok((MetadataRecord::RemoveTopic { id: found.id }, found.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(wanted: &NewTopic) -> Result<u32, String> {
        let log = LogConfig::default();
        let defaults = Defaults { node: 1, partitions: 3, log: &log };
        let planned =
            plan_creation(&MetadataImage::default(), wanted, TopicId::from_random([7; 16]), defaults);
        planned.map(|(_, topic)| topic.partitions).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_asked_for_is_checked() {
        let new = |partitions, replication| NewTopic {
            name: "t".into(),
            partitions,
            replication,
            ..NewTopic::default()
        };
        let assigned = |list: &[(i32, i32)]| {
            let assignments = list.iter().map(|(number, node)| (*number, vec![*node])).collect();
            NewTopic { assignments, ..new(-1, -1) }
        };
        let configured = |key: &str, value: &str| NewTopic {
            configs: BTreeMap::from([(key.to_owned(), value.to_owned())]),
            ..new(1, 1)
        };
        for (wanted, want) in [
            (new(-1, -1), Ok(3)),
            (new(7, 1), Ok(7)),
            (new(0, 1), Err("a topic needs 1 partition or more, got 0")),
            (new(10_001, 1), Err("a topic can have at most 10000 partitions, got 10001")),
            (new(1, 3), Err("replication factor is 3, expected 1 or -1: there is one broker")),
            (assigned(&[(1, 1), (0, 1)]), Ok(2)),
            (
                NewTopic { name: "__cluster_metadata".into(), ..new(1, 1) },
                Err("\"__cluster_metadata\" is the broker's own and cannot be a topic"),
            ),
            (assigned(&[(0, 2)]), Err("each partition must be assigned to broker 1, the only one")),
            (assigned(&[(0, 1), (2, 1)]), Err("partitions must be numbered from 0, each once")),
            (configured("retention.ms", "-1"), Ok(1)),
            (
                configured("retention.ms", "x"),
                Err("retention.ms is \"x\", expected a number, or -1 for none"),
            ),
            (
                configured("retention", "1"),
                Err("retention is \"1\", expected a setting that this broker has"),
            ),
            (
                NewTopic { name: "../x".into(), ..new(1, 1) },
                Err("topic name has '/' at 2, expected only a-z A-Z 0-9 . _ -"),
            ),
        ] {
            assert_eq!(plan(&wanted), want.map_err(str::to_owned), "{wanted:?}");
        }
    }

    #[test]
    fn the_records_of_a_plan_make_the_topic_and_remove_it() {
        let log = LogConfig::default();
        let defaults = Defaults { node: 1, partitions: 1, log: &log };
        let configs = BTreeMap::from([("segment.ms".to_owned(), "5".to_owned())]);
        let wanted =
            NewTopic { name: "t".into(), partitions: 2, replication: 1, configs, ..NewTopic::default() };
        let mut image = MetadataImage::default();
        let (records, topic) =
            plan_creation(&image, &wanted, TopicId::from_random([7; 16]), defaults).unwrap();
        for record in records {
            let again = MetadataRecord::decode(record.encode(1).unwrap()).unwrap();
            assert_eq!(again, record);
            image.apply(&again);
        }
        assert_eq!(image.topic("t"), Some(&topic));
        assert!(matches!(plan_creation(&image, &wanted, topic.id, defaults), Err(TopicError::Exists { .. })));
        let by_id = TopicRef::Id(topic.id.into());
        assert!(matches!(plan_deletion(&image, &by_id, false), Err(TopicError::DeletionDisabled)));
        let (record, _) = plan_deletion(&image, &by_id, true).unwrap();
        image.apply(&MetadataRecord::decode(record.encode(1).unwrap()).unwrap());
        assert!(image.topic("t").is_none() && image.is_removed(topic.id));
    }
}
