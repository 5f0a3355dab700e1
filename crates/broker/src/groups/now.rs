//! The time and the topics at the moment of a decision.

use std::sync::Arc;

use klamm_coordinator::{Catalog, CatalogTopic, Moment, Present, Topic};
use klamm_protocol::Uuid;
use klamm_types::Timestamp;

use crate::metadata::MetadataImage;

/// When something is decided, and the topics that there are then.
#[derive(Debug)]
pub(crate) struct Now {
    /// For timers.
    pub(super) moment: Moment,
    /// For what is logged.
    pub(super) time: Timestamp,
    pub(super) topics: Topics,
}

/// The topics of the broker, as groups ask for them.
#[derive(Debug)]
pub(super) struct Topics {
    pub(super) image: Arc<MetadataImage>,
    /// Where the broker stands, and so all replicas.
    pub(super) rack: Option<Arc<str>>,
}

impl Now {
    pub(crate) fn present(&self) -> Present<'_> {
        Present { moment: self.moment, time: self.time, topics: &self.topics }
    }
}

impl Catalog for Topics {
    fn version(&self) -> u64 {
        self.image.topics_version()
    }

    fn find(&self, name: &Topic) -> Option<CatalogTopic> {
        let topic = self.image.topic(name.as_str())?;
        Some(CatalogTopic { id: topic.id.into(), partitions: topic.states.len() })
    }

    fn name(&self, id: Uuid) -> Option<Topic> {
        self.image.topic_by_id(id).map(|topic| Topic::new(topic.name.as_str()))
    }

    fn names(&self) -> Vec<Topic> {
        self.image.topics().map(|topic| Topic::new(topic.name.as_str())).collect()
    }

    fn racks(&self, _: Uuid, _: i32) -> Vec<Arc<str>> {
        self.rack.iter().cloned().collect()
    }
}
