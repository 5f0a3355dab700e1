//! The choices: from what is asked and what there is, which records to log. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use klamm_protocol::Uuid;
use klamm_types::{TopicId, TopicName};

use super::image::PartitionState;
use super::record::MetadataRecord;
use super::{MetadataImage, Topic, TopicError};
use crate::config::TopicConfig;

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

/// Partitions that someone wants a topic to have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Growth {
    pub(crate) name: String,
    /// How many there are to be, those that there are counted.
    pub(crate) count: i32,
    /// The replicas of each new partition, when the client assigns them itself.
    pub(crate) assignments: Option<Vec<Vec<i32>>>,
}

/// How a topic is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum TopicRef {
    Name(String),
    Id(Uuid),
}

/// What a plan depends on beside the image.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) node: i32,
    /// Partitions of a topic that does not say how many.
    pub(crate) partitions: i32,
    /// Settings of a topic that has none of its own.
    pub(crate) topic: &'a TopicConfig,
    /// The folders in which so many new partitions go.
    pub(crate) places: &'a dyn Fn(usize) -> Vec<Uuid>,
}

/// The broker's own: nobody makes, writes to or deletes it through a request.
const RESERVED: [&str; 1] = ["__cluster_metadata"];

/// Partitions that one request can create, at most, as in Kafka.
pub(crate) const MAX_PARTITIONS: usize = 10_000;

/// Checks that the topics of a request have no more than [`MAX_PARTITIONS`] together; `default` is
/// the number of a topic that does not say how many.
pub(crate) fn check_total(wanted: &[NewTopic], default: i32) -> Result<(), TopicError> {
    let count = |topic: &NewTopic| match (topic.assignments.len(), topic.partitions) {
        (0, -1) => usize::try_from(default).unwrap_or(0),
        (0, partitions) => usize::try_from(partitions).unwrap_or(0),
        (assigned, _) => assigned,
    };
    let total = wanted.iter().fold(0, |total: usize, topic| total.saturating_add(count(topic)));
    at_most(total, MAX_PARTITIONS).map(drop)
}

/// The records that make a topic, and the topic they make.
pub(crate) fn plan_creation(
    image: &MetadataImage,
    wanted: &NewTopic,
    id: TopicId,
    around: Surroundings<'_>,
) -> Result<(Vec<MetadataRecord>, Topic), TopicError> {
    let name = TopicName::new(&wanted.name)?;
    if RESERVED.contains(&name.as_str()) {
        return Err(TopicError::Reserved { name: wanted.name.clone() });
    }
    if image.topic(&wanted.name).is_some() {
        return Err(TopicError::Exists { name: wanted.name.clone() });
    }
    if let Some(other) = image.similar_topic(&wanted.name) {
        return Err(TopicError::Similar { name: wanted.name.clone(), other: other.to_string() });
    }
    if !matches!(wanted.replication, -1 | 1) {
        return Err(TopicError::Replication { got: wanted.replication });
    }
    around.topic.with(&wanted.configs)?;
    let states = placed(plan_partitions(wanted, around)?, around);
    let topic = Topic { name, id, states, configs: wanted.configs.clone() };
    Ok((records_of(&topic), topic))
}

fn placed(count: usize, around: Surroundings<'_>) -> Vec<PartitionState> {
    (around.places)(count).into_iter().map(PartitionState::new).collect()
}

fn plan_partitions(wanted: &NewTopic, around: Surroundings<'_>) -> Result<usize, TopicError> {
    if !wanted.assignments.is_empty() {
        return assigned_partitions(&wanted.assignments, around.node);
    }
    let got = if wanted.partitions == -1 { around.partitions } else { wanted.partitions };
    match usize::try_from(got) {
        Ok(count @ 1..) => at_most(count, MAX_PARTITIONS),
        _ => Err(TopicError::Partitions { got }),
    }
}

fn at_most(count: usize, max: usize) -> Result<usize, TopicError> {
    if count > max { Err(TopicError::TooMany { got: count, max }) } else { Ok(count) }
}

fn assigned_partitions(assignments: &[(i32, Vec<i32>)], node: i32) -> Result<usize, TopicError> {
    let mut numbers: Vec<i32> = assignments.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    check_replicas(assignments.iter().map(|(_, replicas)| replicas), node)?;
    let count = at_most(numbers.len(), MAX_PARTITIONS)?;
    if !numbers.iter().zip(0..).all(|(got, want)| *got == want) {
        return Err(TopicError::Assignment {
            reason: "partitions must be numbered from 0, each once".to_owned(),
        });
    }
    Ok(count)
}

fn check_replicas<'a>(
    mut assignments: impl Iterator<Item = &'a Vec<i32>>,
    node: i32,
) -> Result<(), TopicError> {
    if assignments.any(|replicas| *replicas != [node]) {
        let reason = format!("each partition must be assigned to broker {node}, the only one");
        return Err(TopicError::Assignment { reason });
    }
    Ok(())
}

/// The records that give a topic more partitions, and the topic as it is then.
pub(crate) fn plan_growth(
    image: &MetadataImage,
    wanted: &Growth,
    around: Surroundings<'_>,
) -> Result<(Vec<MetadataRecord>, Topic), TopicError> {
    let mut topic = image.topic(&wanted.name).ok_or(TopicError::Unknown)?.clone();
    let has = topic.states.len();
    let wrong = TopicError::NotMore { has: topic.count(), got: wanted.count };
    let count = usize::try_from(wanted.count).ok().filter(|count| *count > has).ok_or(wrong)?;
    let more = at_most(count - has, MAX_PARTITIONS)?;
    if let Some(assignments) = &wanted.assignments {
        check_replicas(assignments.iter(), around.node)?;
        if assignments.len() != more {
            let reason = format!("{} partitions are assigned, {more} are to be added", assignments.len());
            return Err(TopicError::Assignment { reason });
        }
    }
    topic.states.extend(placed(more, around));
    Ok((partition_records(&topic, has).collect(), topic))
}

fn records_of(topic: &Topic) -> Vec<MetadataRecord> {
    let own = MetadataRecord::Topic { name: topic.name.clone(), id: topic.id };
    let configs = topic.configs.iter().map(|(key, value)| MetadataRecord::TopicConfig {
        topic: topic.name.clone(),
        key: key.clone(),
        value: Some(value.clone()),
    });
    std::iter::once(own).chain(configs).chain(partition_records(topic, 0)).collect()
}

/// Those of the partitions from number `first` on.
fn partition_records(topic: &Topic, first: usize) -> impl Iterator<Item = MetadataRecord> {
    let states = topic.states.iter().zip(0..).skip(first);
    states.map(|(state, number)| MetadataRecord::Partition { topic: topic.id, number, state: *state })
}

/// The record that removes a topic, and the topic.
pub(crate) fn plan_deletion(
    image: &MetadataImage,
    topic: &TopicRef,
    enabled: bool,
) -> Result<(MetadataRecord, Arc<Topic>), TopicError> {
    let found = match topic {
        TopicRef::Name(name) => image.shared_topic(name).ok_or(TopicError::Unknown)?,
        TopicRef::Id(id) => image.shared_topic_by_id(*id).ok_or(TopicError::UnknownId)?,
    };
    if !enabled {
        return Err(TopicError::DeletionDisabled);
    }
    Ok((MetadataRecord::RemoveTopic { id: found.id }, Arc::clone(found)))
}

#[cfg(test)]
mod tests {
    use super::super::record::Dialect;
    use super::*;

    fn plan(wanted: &NewTopic) -> Result<u32, String> {
        let id = TopicId::from_random([7; 16]);
        let planned = plan_creation(&MetadataImage::default(), wanted, id, around(&TopicConfig::default()));
        planned.map(|(_, topic)| topic.count()).map_err(|error| error.to_string())
    }

    fn around(topic: &TopicConfig) -> Surroundings<'_> {
        Surroundings { node: 1, partitions: 3, topic, places: &|count| vec![Uuid([9; 16]); count] }
    }

    fn read(record: &MetadataRecord) -> MetadataRecord {
        let dialect = Dialect { node: 1, level: 30 };
        let frame = klamm_protocol::decode_metadata_record(record.encode(dialect).unwrap()).unwrap();
        MetadataRecord::decode(&frame).unwrap()
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
            (
                new(10_001, 1),
                Err("Excessively large number of partitions per request: 10001, expected at most 10000"),
            ),
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
        let defaults = TopicConfig::default();
        let configs = BTreeMap::from([("segment.ms".to_owned(), "5".to_owned())]);
        let wanted =
            NewTopic { name: "t".into(), partitions: 2, replication: 1, configs, ..NewTopic::default() };
        let mut image = MetadataImage::default();
        let (records, topic) =
            plan_creation(&image, &wanted, TopicId::from_random([7; 16]), around(&defaults)).unwrap();
        for record in records {
            let again = read(&record);
            assert_eq!(again, record);
            image.apply(&again);
        }
        assert_eq!(image.topic("t"), Some(&topic));
        let again = plan_creation(&image, &wanted, topic.id, around(&defaults));
        assert!(matches!(again, Err(TopicError::Exists { .. })));
        let by_id = TopicRef::Id(topic.id.into());
        assert!(matches!(plan_deletion(&image, &by_id, false), Err(TopicError::DeletionDisabled)));
        let (record, _) = plan_deletion(&image, &by_id, true).unwrap();
        image.apply(&read(&record));
        assert!(image.topic("t").is_none() && image.is_removed(topic.id));
    }
}
