//! Creating, growing and deleting topics, and making the logs there are fit the image.

use std::sync::Arc;

use klamm_log::{Log, LogConfig, LogDir, OfflineLog};
use klamm_protocol::Uuid;
use klamm_types::{Offset, TopicPartition};

use super::identity::random_id;
use super::log::METADATA_LOG;
use super::plan::{plan_creation, plan_deletion, plan_growth};
use super::record::MetadataRecord;
use super::{Metadata, NewTopic, Topic, TopicError, TopicRef};
use crate::config::row::WrongSetting;

impl Metadata {
    /// The log of a partition.
    pub(crate) fn log(&self, topic: &Topic, partition: i32) -> Result<Log, TopicError> {
        let number = u32::try_from(partition).ok().filter(|n| *n < topic.count());
        let partition = number.and_then(|number| TopicPartition::new(topic.name.clone(), number));
        let partition = partition.ok_or(TopicError::UnknownPartition)?;
        let log = self.storage.log(&partition);
        // A deletion is logged before the logs go: if the topic is there after the log was found, the log is its own, and not that
        // of a later topic of the same name.
        let is_there = self.image().topic(topic.name.as_str()).is_some_and(|now| now.id == topic.id);
        if is_there { log.ok_or(TopicError::Offline) } else { Err(TopicError::Gone) }
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
        // Before it is logged, for nothing takes partitions away again.
        topic.partitions().try_for_each(|partition| self.make_way(&partition, &topic))?;
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
        let config = self.settings_of_logs(topic);
        let mut partitions = topic.partitions().zip(&topic.states);
        partitions.try_for_each(|(partition, state)| self.open_log(topic, &partition, state.home, &config))
    }

    /// Opens the logs of a topic that was there before. A partition whose log cannot be opened is offline.
    pub(super) fn open_known_logs(&self, topic: &Topic) {
        let config = self.settings_of_logs(topic);
        for (partition, state) in topic.partitions().zip(&topic.states) {
            if let Err(error) = self.open_log(topic, &partition, state.home, &config) {
                self.storage.take_offline(&partition, &error);
            }
        }
    }

    /// The settings of the logs of a topic.
    fn settings_of_logs(&self, topic: &Topic) -> LogConfig {
        let (config, wrong) = self.fitting(topic);
        for WrongSetting { key, value, expected } in wrong {
            tracing::warn!(topic = %topic.name, key, value, "a setting of a topic is passed over, expected {expected}");
        }
        self.resolved.write().insert(topic.id, Arc::new(config.clone()));
        config.log
    }

    fn open_log(
        &self,
        topic: &Topic,
        partition: &TopicPartition,
        home: Uuid,
        config: &LogConfig,
    ) -> Result<(), TopicError> {
        self.make_way(partition, topic)?;
        match self.storage.create(partition, home, config.clone(), topic.id) {
            Some(log) => log?.set_config(config.clone()).map_err(klamm_log::OpenError::from)?,
            None => tracing::warn!(%partition, "the folder of a partition is not there: it is offline"),
        }
        Ok(())
    }

    /// Removes what there is of a topic's logs. One that cannot be removed now is at the next start.
    fn remove_logs(&self, topic: &Topic) {
        self.resolved.write().remove(&topic.id);
        for partition in topic.partitions() {
            self.storage.forget_offline(&partition);
            for dir in self.storage.dirs() {
                if dir.topic_id(&partition).is_ok_and(|id| id == Some(topic.id)) {
                    forget(dir, &partition);
                }
            }
        }
    }

    /// What a removal that a crash cut short has left.
    pub(super) fn remove_leftovers(&self) {
        let image = self.image();
        for dir in self.storage.dirs() {
            let logs = dir.logs().into_iter().filter(|log| log.partition().to_string() != METADATA_LOG);
            for log in logs {
                match dir.topic_id(log.partition()) {
                    Ok(Some(id)) if image.is_removed(id) => forget(dir, log.partition()),
                    Ok(Some(id)) if image.topic_by_id(id.into()).is_some() => {}
                    Ok(None) if is_begun(&log) => forget(dir, log.partition()),
                    _ => {
                        tracing::warn!(folder = %log.path().display(), "a log that belongs to no topic is left alone");
                    }
                }
            }
            for OfflineLog { partition, error } in dir.offline() {
                match dir.topic_id(&partition) {
                    Ok(Some(id)) if image.is_removed(id) => forget(dir, &partition),
                    _ => tracing::warn!(%partition, %error, "a log cannot be opened"),
                }
            }
        }
    }

    /// A log that is in the way: that of a removed topic goes, any other is not ours to touch.
    fn make_way(&self, partition: &TopicPartition, topic: &Topic) -> Result<(), TopicError> {
        let found = self.storage.dirs().find_map(|dir| Some((dir, dir.get(partition)?)));
        let Some((dir, log)) = found else { return Ok(()) };
        match dir.topic_id(partition)? {
            Some(id) if id == topic.id => {}
            Some(id) if self.image().is_removed(id) => forget(dir, partition),
            None if is_begun(&log) => forget(dir, partition),
            _ => return Err(TopicError::Stranger { folder: log.path().display().to_string() }),
        }
        Ok(())
    }
}

/// What a crash leaves that came while a log was being created: it has no id yet, and no records.
fn is_begun(log: &Log) -> bool {
    log.bounds().end() == Offset::ZERO
}

fn forget(dir: &LogDir, partition: &TopicPartition) {
    if let Err(error) = dir.remove(partition) {
        tracing::warn!(%partition, "cannot remove a log: {error}");
    }
}
