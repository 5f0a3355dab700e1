//! What follows from a change that was logged, in a fixed order: logs are opened and removed,
//! topics become visible, settings take effect, then those who have subscribed are told. It follows
//! from the records alone: a replay has the same effects.
//!
//! ```text
//! logged --> applied, hidden --> logs are open --> visible       topics that come or grow
//! logged --> applied, gone   --> logs are removed                topics that go
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use klamm_protocol::Uuid;
use klamm_types::Offset;

use super::delta::{Delta, Opened};
use super::record::MetadataRecord;
use super::{Metadata, MetadataImage, Topic, TopicError};

/// Someone who acts on changes of the metadata.
pub(crate) trait Publisher: Send + Sync + std::fmt::Debug {
    /// Acts on a change. When this is called, `image` is what clients see.
    fn publish(&self, delta: &Delta, image: &MetadataImage);
}

/// Records that were logged and are not yet known to be durable.
#[derive(Debug)]
pub(super) struct Logged {
    /// The offset behind them.
    pub(super) end: Offset,
    pub(super) records: Vec<MetadataRecord>,
    /// Topics that they make or grow.
    pub(super) opened: Vec<Uuid>,
}

/// From logged records to the image that clients see.
#[derive(Debug, Default)]
pub(super) struct Publishing {
    /// What the records that are durable make.
    applied: MetadataImage,
    /// Topics of which logs are being opened, and how clients see them until they are.
    hidden: BTreeMap<Uuid, Option<Arc<Topic>>>,
    /// In the order of the log.
    logged: VecDeque<Logged>,
}

impl Publishing {
    pub(super) fn new(applied: MetadataImage) -> Publishing {
        Publishing { applied, ..Publishing::default() }
    }

    pub(super) fn push(&mut self, logged: Logged) {
        self.logged.push_back(logged);
    }

    /// What all logged records make, if all are applied.
    pub(super) fn settled(&self) -> Option<MetadataImage> {
        self.logged.is_empty().then(|| self.applied.clone())
    }

    /// The offset behind the last record that is logged and not applied.
    pub(super) fn logged_to(&self) -> Option<Offset> {
        self.logged.back().map(|logged| logged.end)
    }

    /// Applies what was logged before `end`, which is durable.
    pub(super) fn apply_to(&mut self, end: Offset) {
        while self.logged.front().is_some_and(|logged| logged.end <= end) {
            let Some(logged) = self.logged.pop_front() else { break };
            for id in logged.opened {
                let before = self.applied.shared_topic_by_id(id).cloned();
                self.hidden.entry(id).or_insert(before);
            }
            logged.records.iter().for_each(|record| self.applied.apply(record));
        }
        let applied = &self.applied;
        self.hidden.retain(|id, _| applied.topic_by_id(*id).is_some());
    }

    /// Shows topics whose logs are open.
    pub(super) fn reveal<'a>(&mut self, topics: impl Iterator<Item = &'a Topic>) {
        let shown = topics.filter(|topic| self.hidden.remove(&Uuid::from(topic.id)).is_some()).count();
        if shown > 0 {
            self.applied.note_topics_changed();
        }
    }

    /// What clients see.
    pub(super) fn visible(&self) -> MetadataImage {
        let mut visible = self.applied.clone();
        for (id, before) in &self.hidden {
            if let Some(topic) = self.applied.topic_by_id(*id) {
                visible.hide(topic, before.as_ref());
            }
        }
        visible
    }
}

impl Metadata {
    /// Applies what is durable before `end`, and lets clients see it, but for topics whose logs are
    /// not open yet.
    pub(super) fn apply_to(&self, end: Offset) {
        let mut publishing = self.publishing.lock();
        publishing.apply_to(end);
        *self.image.write() = Arc::new(publishing.visible());
    }

    /// Has the effects of a change, which was applied. Returns topics that are new and stay hidden,
    /// for their logs could not be opened, and why.
    pub(super) fn publish(&self, delta: &Delta) -> BTreeMap<Uuid, TopicError> {
        let failed = self.open_logs(&delta.opened);
        self.reveal(&delta.opened, &failed);
        self.remove_logs(&delta.removed);
        self.publish_settings(delta);
        let image = self.image();
        let publishers = self.publishers.get().into_iter().flatten();
        publishers
            .filter_map(std::sync::Weak::upgrade)
            .for_each(|publisher| publisher.publish(delta, &image));
        failed
    }

    fn reveal(&self, opened: &[Opened], failed: &BTreeMap<Uuid, TopicError>) {
        let stays_hidden = |one: &&Opened| one.first == 0 && failed.contains_key(&Uuid::from(one.topic.id));
        let shown: Vec<_> = opened.iter().filter(|one| !stays_hidden(one)).collect();
        if !shown.is_empty() {
            let mut publishing = self.publishing.lock();
            publishing.reveal(shown.iter().map(|one| &*one.topic));
            *self.image.write() = Arc::new(publishing.visible());
        }
    }
}
