//! Creating, growing and deleting topics, and making the logs there are fit the image.

use klamm_log::Log;
use klamm_types::TopicPartition;

use super::controller::METADATA_LOG;
use super::identity::random_id;
use super::plan::{plan_creation, plan_deletion, plan_growth};
use super::record::MetadataRecord;
use super::{Metadata, NewTopic, Topic, TopicError, TopicRef};

impl Metadata {
    /// The log of a partition.
    pub(crate) fn log(&self, topic: &Topic, partition: i32) -> Result<Log, TopicError> {
        let number = u32::try_from(partition).ok().filter(|n| *n < topic.count());
        let partition = number.and_then(|number| TopicPartition::new(topic.name.clone(), number));
        let partition = partition.ok_or(TopicError::UnknownPartition)?;
        self.storage.log(&partition).ok_or(TopicError::Offline)
    }

    /// Creates a topic, or only checks that it could be.
    pub(crate) fn create_topic(&self, wanted: &NewTopic, check_only: bool) -> Result<Topic, TopicError> {
        let turn = self.turn();
        let id = random_id().map_err(|reason| TopicError::Assignment { reason })?;
        let planned = self.plan_with(|around| plan_creation(&self.image(), wanted, id, around));
        let (records, topic) = planned?;
        if check_only {
            return Ok(topic);
        }
        self.commit(&turn, &records)?;
        if let Err(error) = self.open_logs(&topic) {
            tracing::error!(topic = %topic.name, %error, "a topic's logs were not opened");
            self.commit(&turn, &[MetadataRecord::RemoveTopic { id: topic.id }])?;
            self.remove_logs(&topic);
            return Err(error);
        }
        tracing::info!(topic = %topic.name, partitions = topic.count(), "created a topic");
        Ok(topic)
    }

    /// Gives a topic `count` partitions in all, or only checks that it could have them.
    pub(crate) fn grow_topic(
        &self,
        name: &str,
        count: i32,
        assignments: Option<&[Vec<i32>]>,
        check_only: bool,
    ) -> Result<(), TopicError> {
        let turn = self.turn();
        let planned = self.plan_with(|around| plan_growth(&self.image(), name, count, assignments, around));
        let (records, topic) = planned?;
        if check_only {
            return Ok(());
        }
        self.commit(&turn, &records)?;
        tracing::info!(topic = %topic.name, partitions = topic.count(), "a topic grew");
        self.open_logs(&topic)
    }

    /// Deletes a topic and its logs.
    pub(crate) fn delete_topic(&self, topic: &TopicRef) -> Result<Topic, TopicError> {
        let turn = self.turn();
        let (record, topic) = plan_deletion(&self.image(), topic, self.started_with.delete_topics)?;
        self.commit(&turn, &[record])?;
        self.remove_logs(&topic);
        tracing::info!(topic = %topic.name, "deleted a topic");
        Ok(topic)
    }

    /// Opens the logs of a topic, and gives them its settings. Those of a folder that failed stay away.
    pub(super) fn open_logs(&self, topic: &Topic) -> Result<(), TopicError> {
        let config = self.topic_config(topic)?.log;
        for (partition, home) in topic.partitions().zip(&topic.homes) {
            self.make_way(&partition, topic)?;
            match self.storage.create(&partition, *home, config.clone(), topic.id) {
                Some(log) => log?.set_config(config.clone()).map_err(klamm_log::OpenError::from)?,
                None => tracing::warn!(%partition, "the folder of a partition is not there: it is offline"),
            }
        }
        Ok(())
    }

    /// Removes what there is of a topic's logs. One that cannot be removed now is at the next start.
    fn remove_logs(&self, topic: &Topic) {
        for partition in topic.partitions() {
            let is_its_own = self.storage.topic_id(&partition).is_ok_and(|id| id == Some(topic.id));
            if is_its_own {
                self.forget(&partition);
            }
        }
    }

    /// What a removal that a crash cut short has left.
    pub(super) fn remove_leftovers(&self) -> Result<(), TopicError> {
        let image = self.image();
        let logs = self.storage.logs().filter(|log| log.partition().to_string() != METADATA_LOG);
        for log in logs {
            let id = self.storage.topic_id(log.partition())?;
            match id {
                Some(id) if image.is_removed(id) => self.forget(log.partition()),
                Some(id) if image.topic_by_id(id.into()).is_some() => {}
                _ => {
                    tracing::warn!(partition = %log.partition(), "a log that belongs to no topic is left alone");
                }
            }
        }
        Ok(())
    }

    fn forget(&self, partition: &TopicPartition) {
        if let Err(error) = self.storage.remove(partition) {
            tracing::warn!(%partition, "cannot remove a log: {error}");
        }
    }

    /// A log that is in the way: that of a removed topic goes, any other is not ours to touch.
    fn make_way(&self, partition: &TopicPartition, topic: &Topic) -> Result<(), TopicError> {
        if self.storage.log(partition).is_none() {
            return Ok(());
        }
        match self.storage.topic_id(partition)? {
            Some(id) if id == topic.id => {}
            Some(id) if self.image().is_removed(id) => self.forget(partition),
            _ => return Err(TopicError::Stranger { partition: partition.to_string() }),
        }
        Ok(())
    }
}
