//! Creating, growing and deleting topics: one command for all topics of a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use klamm_protocol::Uuid;
use klamm_types::TopicPartition;

use super::commit::{Plan, Touches};
use super::identity::random_id;
use super::plan::{Surroundings, plan_creation, plan_deletion, plan_growth};
use super::record::MetadataRecord;
use super::{Growth, MAX_PARTITIONS, Metadata, MetadataImage, NewTopic, Topic, TopicError, TopicRef};

/// What became of each item of a command.
type Done<T> = Vec<Result<T, TopicError>>;

impl Metadata {
    /// Creates topics, and opens their logs. A topic whose logs cannot be opened is taken back.
    pub(crate) fn create_topics(&self, wanted: &[NewTopic]) -> Done<Arc<Topic>> {
        let touches = Touches::topics(wanted.iter().map(|topic| topic.name.as_str()));
        let (planned, committed) = self.submit(&touches, |plan| self.plan_creations(plan, wanted));
        let committed = match committed {
            Ok(committed) => committed,
            Err(error) => return not_logged(planned, error),
        };
        let failed = self.publish(&committed.delta);
        self.take_back(&failed);
        let done = finish(planned, failed);
        note("created", done.iter().flatten());
        done
    }

    /// Creates one topic.
    pub(crate) fn create_topic(&self, wanted: &NewTopic) -> Result<Arc<Topic>, TopicError> {
        self.create_topics(std::slice::from_ref(wanted)).pop().unwrap_or(Err(TopicError::Unknown))
    }

    /// What [`Metadata::create_topics`] would make of it, for a request that is only to be checked.
    pub(crate) fn check_topics(&self, wanted: &[NewTopic]) -> Done<Arc<Topic>> {
        self.only_plan(|plan| self.plan_creations(plan, wanted))
    }

    fn plan_creations(&self, plan: &mut Plan, wanted: &[NewTopic]) -> Done<Arc<Topic>> {
        let image = plan.image.clone();
        self.plan_with(&image, |around| wanted.iter().map(|topic| create(plan, topic, around)).collect())
    }

    fn take_back(&self, failed: &BTreeMap<Uuid, TopicError>) {
        if failed.is_empty() {
            return;
        }
        // The topics are still this command's, so that there is nobody to wait for.
        let ((), committed) = self.submit(&Touches::nothing(), |plan| {
            let ids: Vec<_> =
                failed.keys().filter_map(|id| plan.image.topic_by_id(*id)).map(|t| t.id).collect();
            plan.add(ids.into_iter().map(|id| MetadataRecord::RemoveTopic { id }));
        });
        match committed {
            Ok(mut committed) => {
                committed.leave_busy();
                self.publish(&committed.delta);
            }
            Err(error) => tracing::error!(%error, "topics whose logs cannot be opened are still there"),
        }
    }

    /// Gives topics more partitions, and opens their logs.
    pub(crate) fn grow_topics(&self, wanted: &[Growth]) -> Done<()> {
        let touches = Touches::topics(wanted.iter().map(|topic| topic.name.as_str()));
        let (planned, committed) = self.submit(&touches, |plan| self.plan_growths(plan, wanted));
        let done = match committed {
            Ok(committed) => {
                let failed = self.publish(&committed.delta);
                finish(planned, failed)
            }
            Err(error) => not_logged(planned, error),
        };
        note("gave more partitions to", done.iter().flatten());
        done.into_iter().map(|done| done.map(drop)).collect()
    }

    /// What [`Metadata::grow_topics`] would make of it.
    pub(crate) fn check_growths(&self, wanted: &[Growth]) -> Done<()> {
        let done = self.only_plan(|plan| self.plan_growths(plan, wanted));
        done.into_iter().map(|done| done.map(drop)).collect()
    }

    fn plan_growths(&self, plan: &mut Plan, wanted: &[Growth]) -> Done<Arc<Topic>> {
        let (mut left, image) = (MAX_PARTITIONS, plan.image.clone());
        self.plan_with(&image, |around| {
            wanted.iter().map(|growth| self.grow(plan, growth, around, &mut left)).collect()
        })
    }

    fn grow(
        &self,
        plan: &mut Plan,
        wanted: &Growth,
        around: Surroundings<'_>,
        left: &mut usize,
    ) -> Result<Arc<Topic>, TopicError> {
        let (records, topic) = plan_growth(&plan.image, wanted, around)?;
        let more = records.len();
        *left = left.checked_sub(more).ok_or(TopicError::TooMany { got: more, max: *left })?;
        // Before it is logged, for nothing takes partitions away again.
        let first = topic.count().saturating_sub(u32::try_from(more).unwrap_or(u32::MAX));
        let is_new = |partition: &TopicPartition| partition.partition() >= first;
        topic.partitions().filter(is_new).try_for_each(|new| self.make_way(&new, &topic, true))?;
        plan.add(records);
        Ok(Arc::new(topic))
    }

    /// Deletes topics, and removes their logs.
    pub(crate) fn delete_topics(&self, topics: &[TopicRef]) -> Done<Arc<Topic>> {
        let (image, enabled) = (self.image(), self.started_with.delete_topics);
        let touches = Touches::topics(topics.iter().filter_map(|topic| name_of(topic, &image)));
        let (planned, committed) = self.submit(&touches, |plan| {
            let delete = |topic| {
                let (record, topic) = plan_deletion(&plan.image, topic, enabled)?;
                plan.add([record]);
                Ok(topic)
            };
            topics.iter().map(delete).collect::<Done<_>>()
        });
        match committed {
            Ok(committed) => drop(self.publish(&committed.delta)),
            Err(error) => return not_logged(planned, error),
        }
        note("deleted", planned.iter().flatten());
        planned
    }
}

fn name_of<'a>(topic: &'a TopicRef, image: &'a MetadataImage) -> Option<&'a str> {
    match topic {
        TopicRef::Name(name) => Some(name),
        TopicRef::Id(id) => image.topic_by_id(*id).map(|topic| topic.name.as_str()),
    }
}

fn create(plan: &mut Plan, wanted: &NewTopic, around: Surroundings<'_>) -> Result<Arc<Topic>, TopicError> {
    let id = random_id().map_err(|reason| TopicError::Assignment { reason })?;
    let (records, topic) = plan_creation(&plan.image, wanted, id, around)?;
    plan.add(records);
    Ok(Arc::new(topic))
}

/// Items of a command that could not be made durable, each with the error. What was planned may
/// stand on changes of other commands that are not durable either, so that it says nothing.
pub(super) fn not_logged<T>(planned: Done<T>, error: TopicError) -> Done<T> {
    let error = Arc::new(error);
    planned.into_iter().map(|_| Err(TopicError::Shared(Arc::clone(&error)))).collect()
}

/// Items that were planned, but for those whose logs could not be opened.
fn finish(planned: Done<Arc<Topic>>, mut failed: BTreeMap<Uuid, TopicError>) -> Done<Arc<Topic>> {
    let mut open = |topic: Arc<Topic>| failed.remove(&Uuid::from(topic.id)).map_or(Ok(topic), Err);
    planned.into_iter().map(|item| item.and_then(&mut open)).collect()
}

/// Tells of a few topics by name, and of many by number.
fn note<'a>(what: &str, topics: impl Iterator<Item = &'a Arc<Topic>>) {
    let topics: Vec<_> = topics.collect();
    if topics.len() > NAMED {
        let partitions: u64 = topics.iter().map(|topic| u64::from(topic.count())).sum();
        tracing::info!(topics = topics.len(), partitions, "{what} topics");
        return;
    }
    for topic in topics {
        tracing::info!(topic = %topic.name, partitions = topic.count(), "{what} a topic");
    }
}

/// Topics of a command that the log names, at most.
const NAMED: usize = 10;
