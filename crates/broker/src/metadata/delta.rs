//! What records have changed in an image: from it, and from nothing else, follow the effects of a
//! change.

use std::collections::BTreeSet;
use std::sync::Arc;

use klamm_protocol::Uuid;
use klamm_types::TopicName;

use super::record::MetadataRecord;
use super::{MetadataImage, Topic};

/// The difference between two images.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delta {
    /// Topics that came or grew: their new logs have to be opened.
    pub(crate) opened: Vec<Opened>,
    /// Topics that went, as they were.
    pub(crate) removed: Vec<Arc<Topic>>,
    /// Topics that were there before and have other settings.
    pub(crate) configured: Vec<Arc<Topic>>,
    /// Whether settings of brokers changed.
    pub(crate) brokers: bool,
    /// Whether settings of groups changed.
    pub(crate) groups: bool,
}

/// A topic with new partitions.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    /// The topic as it is now.
    pub(crate) topic: Arc<Topic>,
    /// The number of its first new partition; 0 for a topic that was not there before.
    pub(crate) first: u32,
}

impl Delta {
    /// What `records` have made of `before`, which is `after`.
    pub(crate) fn of(records: &[MetadataRecord], before: &MetadataImage, after: &MetadataImage) -> Delta {
        let mut changed = Changed::default();
        records.iter().for_each(|record| changed.note(record));
        let is_new = |topic: &Topic| before.topic_by_id(topic.id.into()).is_none();
        let opened = changed.partitions.iter().filter_map(|id| {
            let topic = Arc::clone(after.shared_topic_by_id(*id)?);
            Some(Opened { topic, first: before.topic_by_id(*id).map_or(0, Topic::count) })
        });
        let configured = changed.configs.iter().filter_map(|name| after.shared_topic(name.as_str()));
        Delta {
            opened: opened.collect(),
            removed: changed
                .removed
                .iter()
                .filter_map(|id| before.shared_topic_by_id(*id).cloned())
                .collect(),
            configured: configured.filter(|topic| !is_new(topic)).cloned().collect(),
            brokers: changed.brokers,
            groups: changed.groups,
        }
    }

    /// The topics of an image: what a broker that starts has to open. It has resolved the settings
    /// before.
    pub(crate) fn from_nothing(image: &MetadataImage) -> Delta {
        let opened = image.shared_topics().map(|topic| Opened { topic: Arc::clone(topic), first: 0 });
        Delta { opened: opened.collect(), ..Delta::default() }
    }

    /// Names of the topics whose logs come or go.
    pub(super) fn names(&self) -> impl Iterator<Item = TopicName> {
        let opened = self.opened.iter().map(|opened| &opened.topic);
        opened.chain(&self.removed).map(|topic| topic.name.clone())
    }
}

/// What the records concern.
#[derive(Default)]
struct Changed {
    partitions: BTreeSet<Uuid>,
    removed: Vec<Uuid>,
    configs: BTreeSet<TopicName>,
    brokers: bool,
    groups: bool,
}

impl Changed {
    fn note(&mut self, record: &MetadataRecord) {
        match record {
            MetadataRecord::Topic { id, .. } => drop(self.partitions.insert((*id).into())),
            MetadataRecord::Partition { topic, .. } => drop(self.partitions.insert((*topic).into())),
            MetadataRecord::RemoveTopic { id } => self.removed.push((*id).into()),
            MetadataRecord::TopicConfig { topic, .. } => drop(self.configs.insert(topic.clone())),
            MetadataRecord::BrokerConfig { .. } => self.brokers = true,
            MetadataRecord::GroupConfig { .. } => self.groups = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use klamm_types::TopicId;

    use super::super::image::PartitionState;
    use super::*;

    fn id(number: u8) -> TopicId {
        TopicId::from_random([number; 16])
    }

    fn topic(number: u8) -> MetadataRecord {
        MetadataRecord::Topic { name: name(number), id: id(number) }
    }

    fn name(number: u8) -> TopicName {
        TopicName::new(&format!("t{number}")).unwrap()
    }

    fn partition(topic: u8, number: u32) -> MetadataRecord {
        MetadataRecord::Partition { topic: id(topic), number, state: PartitionState::default() }
    }

    fn config(topic: u8) -> MetadataRecord {
        MetadataRecord::TopicConfig { topic: name(topic), key: "k".into(), value: Some("v".into()) }
    }

    #[test]
    fn the_delta_is_what_the_records_have_changed() {
        let mut before = MetadataImage::default();
        for record in [topic(1), partition(1, 0), topic(2), partition(2, 0), topic(3), partition(3, 0)] {
            before.apply(&record);
        }
        let records = [
            topic(4),
            partition(4, 0),
            config(4),
            partition(1, 1),
            config(2),
            MetadataRecord::RemoveTopic { id: id(3) },
            topic(5),
            MetadataRecord::RemoveTopic { id: id(5) },
        ];
        let mut after = before.clone();
        records.iter().for_each(|record| after.apply(record));
        let delta = Delta::of(&records, &before, &after);
        let opened: Vec<_> = delta.opened.iter().map(|o| (o.topic.name.to_string(), o.first)).collect();
        assert_eq!(opened, [("t1".to_owned(), 1), ("t4".to_owned(), 0)]);
        let names = |topics: &[Arc<Topic>]| topics.iter().map(|t| t.name.to_string()).collect::<Vec<_>>();
        assert_eq!((names(&delta.removed), names(&delta.configured)), (vec!["t3".into()], vec!["t2".into()]));
        assert!(!delta.brokers && !delta.groups);
    }
}
