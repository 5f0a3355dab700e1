//! The time and the topics that a decision is made with.

use std::fmt;
use std::sync::Arc;

use klamm_protocol::Uuid;
use klamm_types::Timestamp;

use crate::consumer::{Catalog, CatalogTopic};
use crate::{Moment, Topic};

/// When something is decided, and the topics that there are then.
#[derive(Clone, Copy)]
pub struct Present<'a> {
    /// By the clock that never goes back: timers go by it.
    pub moment: Moment,
    /// By the clock on the wall: what is logged bears it, and what counts across restarts goes by
    /// it, such as when offsets expire and how often a group is assigned anew
    /// ([`ConsumerTimes::assignment_interval`](crate::ConsumerTimes)).
    pub time: Timestamp,
    /// The topics; `&()` has none, which is enough for classic groups.
    pub topics: &'a dyn Catalog,
}

impl fmt::Debug for Present<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Present { moment, time, topics } = self;
        write!(f, "Present {{ moment: {moment:?}, time: {time:?}, topics: version {} }}", topics.version())
    }
}

/// No topics.
impl Catalog for () {
    fn version(&self) -> u64 {
        0
    }

    fn find(&self, _: &Topic) -> Option<CatalogTopic> {
        None
    }

    fn name(&self, _: Uuid) -> Option<Topic> {
        None
    }

    fn names(&self) -> Vec<Topic> {
        Vec::new()
    }

    fn racks(&self, _: Uuid, _: i32) -> Vec<Arc<str>> {
        Vec::new()
    }
}
