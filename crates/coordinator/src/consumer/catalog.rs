//! The topics of the cluster, as consumer groups need them.

use std::sync::Arc;

use klamm_protocol::Uuid;

use crate::Topic;

/// The topics that there are, for a group whose broker assigns.
pub trait Catalog {
    /// Differs from what it was before whenever topics have come, gone or changed.
    fn version(&self) -> u64;

    /// A topic by its name.
    fn find(&self, name: &Topic) -> Option<CatalogTopic>;

    /// The name of a topic.
    fn name(&self, id: Uuid) -> Option<Topic>;

    /// All names.
    fn names(&self) -> Vec<Topic>;

    /// Where the replicas of a partition stand, as far as that is known, in order.
    fn racks(&self, id: Uuid, partition: i32) -> Vec<Arc<str>>;
}

/// A topic that there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CatalogTopic {
    /// Its id.
    pub id: Uuid,
    /// How many partitions it has.
    pub partitions: usize,
}
