//! Making the logs that there are fit the image.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use klamm_log::{Log, LogConfig, LogDir, NewLog, OfflineLog, OpenError};
use klamm_protocol::{ErrorCode, Uuid};
use klamm_types::{Offset, TopicId, TopicPartition};

use super::delta::{Delta, Opened};
use super::log::METADATA_LOG;
use super::{Metadata, Topic, TopicError};
use crate::TopicConfig;
use crate::error_code::WireError;
use crate::storage::Wanted;

impl Metadata {
    /// The log of a partition.
    pub(crate) fn log(&self, topic: &Topic, partition: i32) -> Result<Log, TopicError> {
        let number = u32::try_from(partition).ok().filter(|n| *n < topic.count());
        let partition = number.and_then(|number| TopicPartition::new(topic.name.clone(), number));
        let partition = partition.ok_or(TopicError::UnknownPartition)?;
        let log = self.storage.log(&partition);
        // A topic is visible after its logs were opened, and until they are removed: if it is there
        // after the log was looked for, the log is its own, or it is offline.
        if self.is_there(topic) { log.ok_or(TopicError::Offline) } else { Err(TopicError::Gone) }
    }

    /// Whether a topic of an image that may be old has not been deleted since.
    pub(crate) fn is_there(&self, topic: &Topic) -> bool {
        self.image().topic(topic.name.as_str()).is_some_and(|now| now.id == topic.id)
    }

    /// The error of a request that failed on the files of a topic's partition. When the topic was
    /// deleted meanwhile, the files went with it, and the topic is not there.
    pub(crate) fn unless_gone(&self, topic: &Topic, error: ErrorCode) -> ErrorCode {
        if self.is_there(topic) { error } else { TopicError::Gone.wire() }
    }

    /// Whether a partition of a topic has its log. That of a topic which was deleted since had it.
    pub(crate) fn is_online(&self, topic: &Topic, partition: i32) -> bool {
        matches!(self.log(topic, partition), Ok(_) | Err(TopicError::Gone))
    }

    /// The partition of the metadata log and why the last change was not logged, while that is so.
    #[cfg(feature = "http")]
    pub(crate) fn refusing(&self) -> Option<(TopicPartition, String)> {
        self.log.refusing()
    }

    /// Opens the logs of new partitions and gives them their settings. A partition whose directory
    /// failed, or is not one of `log.dirs`, goes offline. Returns the topics of which a log could
    /// not be opened, and why.
    pub(super) fn open_logs(&self, opened: &[Opened]) -> BTreeMap<Uuid, TopicError> {
        let (mut failed, mut wanted) = (BTreeMap::new(), Vec::new());
        for one in opened {
            let config = Arc::new(self.resolve(&one.topic).log.clone());
            for (partition, home) in new_partitions(one) {
                match self.make_way(&partition, &one.topic, one.first > 0) {
                    Ok(()) => wanted.push(want(partition, home, &config, one.topic.id)),
                    Err(error) => self.note_failed(&mut failed, one.topic.id, &partition, error),
                }
            }
        }
        for (wanted, result) in wanted.iter().zip(self.storage.create_many(&wanted)) {
            let NewLog { partition, config, topic_id } = &wanted.log;
            match (result.map(|log| log.and_then(|log| configure(&log, config))), topic_id) {
                (Some(Err(error)), Some(topic)) => {
                    self.note_failed(&mut failed, *topic, partition, error.into());
                }
                (Some(_), _) => {}
                (None, _) => {
                    let missing = TopicError::NoDirectory { id: wanted.home };
                    self.storage.take_offline(&wanted.log.partition, &missing);
                }
            }
        }
        failed
    }

    /// Removes the logs of topics that went. One that cannot be removed now is at the next start.
    pub(super) fn remove_logs(&self, removed: &[Arc<Topic>]) {
        if removed.is_empty() {
            return;
        }
        let configuring = self.configuring.lock();
        removed.iter().for_each(|topic| drop(self.resolved.write().remove(&topic.id)));
        drop(configuring);
        let offline: BTreeSet<_> =
            self.storage.offline().into_iter().map(|(partition, _)| partition).collect();
        for dir in self.storage.dirs() {
            // An open log is the topic's own; what is offline can be another's.
            let is_own = |topic: &Topic, partition: &TopicPartition| {
                let has_id = || dir.topic_id(partition).is_ok_and(|id| id == Some(topic.id));
                !offline.contains(partition) || has_id()
            };
            let own = removed.iter().flat_map(|topic| topic.partitions().filter(|one| is_own(topic, one)));
            forget(dir, &own.collect::<Vec<_>>());
        }
        let all = removed.iter().flat_map(|topic| topic.partitions());
        all.filter(|partition| offline.contains(partition)).for_each(|one| self.storage.forget_offline(&one));
    }

    fn note_failed(
        &self,
        failed: &mut BTreeMap<Uuid, TopicError>,
        topic: TopicId,
        partition: &TopicPartition,
        error: TopicError,
    ) {
        self.storage.take_offline(partition, &error);
        failed.entry(topic.into()).or_insert(error);
    }

    /// Gives topics and their logs the settings that they have now; logs that were opened too, for
    /// which settings may have been changed since.
    pub(super) fn publish_settings(&self, delta: &Delta) {
        if delta.brokers {
            self.resolve_config();
            self.image().topics().for_each(|topic| self.configure_logs(topic.id));
        }
        let opened = delta.opened.iter().map(|opened| opened.topic.id);
        opened.chain(delta.configured.iter().map(|topic| topic.id)).for_each(|id| self.configure_logs(id));
    }

    /// Gives the logs of a topic the settings that the topic has now, if it is there. Others may do
    /// so at the same time: whoever finds afterwards that the settings have changed does it again.
    /// No lock is held meanwhile, for a log whose disk hangs takes no settings.
    fn configure_logs(&self, id: TopicId) {
        while let Some((topic, config)) = self.resolve_now(id) {
            self.configure_each(&topic, &Arc::new(config.log.clone()));
            if self.resolved.read().get(&id).is_none_or(|now| Arc::ptr_eq(now, &config)) {
                return;
            }
        }
    }

    /// A topic, and what its settings come to at this moment.
    fn resolve_now(&self, id: TopicId) -> Option<(Arc<Topic>, Arc<TopicConfig>)> {
        let _one = self.configuring.lock();
        let topic = Arc::clone(self.image().shared_topic_by_id(id.into())?);
        let config = self.resolve(&topic);
        Some((topic, config))
    }

    fn configure_each(&self, topic: &Topic, config: &Arc<LogConfig>) {
        let numbers = (0..topic.count()).filter_map(|number| i32::try_from(number).ok());
        for log in numbers.filter_map(|number| self.log(topic, number).ok()) {
            if let Err(error) = configure(&log, config) {
                tracing::error!(partition = %log.partition(), %error, "a log keeps its old settings");
            }
        }
    }

    /// What a removal that a crash cut short has left.
    pub(super) fn remove_leftovers(&self) {
        let image = self.image();
        for dir in self.storage.dirs() {
            let mut left = Vec::new();
            for log in dir.logs().into_iter().filter(|log| log.partition().to_string() != METADATA_LOG) {
                match id_of(dir, &log) {
                    Ok(Some(id)) if image.is_removed(id) => left.push(log.partition().clone()),
                    Ok(Some(id)) if is_partition_of(image.topic_by_id(id.into()), log.partition()) => {}
                    Ok(None) if is_begun(&log) => left.push(log.partition().clone()),
                    found => leave_alone(dir, &log, found.ok().flatten()),
                }
            }
            for OfflineLog { partition, error } in dir.offline() {
                match dir.topic_id(&partition) {
                    Ok(Some(id)) if image.is_removed(id) => left.push(partition),
                    _ => tracing::warn!(%partition, %error, "a log cannot be opened"),
                }
            }
            forget(dir, &left);
        }
    }

    /// Makes sure that no other log is where the log of a partition is to be. A log of a removed
    /// topic goes. Any other log stays, and is an error. `is_new` says that the partition never had
    /// a log: one that has the topic's id is a copy then.
    pub(super) fn make_way(
        &self,
        partition: &TopicPartition,
        topic: &Topic,
        is_new: bool,
    ) -> Result<(), TopicError> {
        self.storage.dirs().try_for_each(|dir| self.make_way_in(dir, partition, topic, is_new))
    }

    fn make_way_in(
        &self,
        dir: &LogDir,
        partition: &TopicPartition,
        topic: &Topic,
        is_new: bool,
    ) -> Result<(), TopicError> {
        let log = dir.get(partition);
        let id = match &log {
            Some(log) => id_of(dir, log)?,
            // Opening a log that is not open tells why it cannot be opened.
            None => match dir.topic_id(partition) {
                Ok(Some(id)) => Some(id),
                _ => return Ok(()),
            },
        };
        match id {
            Some(id) if id == topic.id && !is_new => return Ok(()),
            Some(id) if self.image().is_removed(id) => forget(dir, std::slice::from_ref(partition)),
            None if log.as_ref().is_some_and(is_begun) => forget(dir, std::slice::from_ref(partition)),
            _ => return Err(in_the_way(dir, partition)),
        }
        // A failing disk keeps it, and it must not become the new topic's.
        if dir.get(partition).is_some() { Err(in_the_way(dir, partition)) } else { Ok(()) }
    }
}

fn in_the_way(dir: &LogDir, partition: &TopicPartition) -> TopicError {
    TopicError::Stranger { folder: dir.path().join(partition.to_string()).display().to_string() }
}

/// The new partitions of a topic, and the ids of the directories that they are in.
fn new_partitions(opened: &Opened) -> impl Iterator<Item = (TopicPartition, Uuid)> {
    let first = usize::try_from(opened.first).unwrap_or(usize::MAX);
    let states = opened.topic.partitions().zip(&opened.topic.states);
    states.skip(first).map(|(partition, state)| (partition, state.home))
}

fn want(partition: TopicPartition, home: Uuid, config: &Arc<LogConfig>, topic: TopicId) -> Wanted {
    Wanted { home, log: NewLog { partition, config: Arc::clone(config), topic_id: Some(topic) } }
}

/// A log that was created with these settings has them.
fn configure(log: &Log, config: &Arc<LogConfig>) -> Result<(), OpenError> {
    if log.config() == *config { Ok(()) } else { Ok(log.set_config(LogConfig::clone(config))?) }
}

/// The id of a log's topic. One that a power failure has left without its metadata, and without
/// records, has none.
fn id_of(dir: &LogDir, log: &Log) -> Result<Option<TopicId>, OpenError> {
    match dir.topic_id(log.partition()) {
        Err(OpenError::Format { .. }) if is_begun(log) => Ok(None),
        found => found,
    }
}

/// Whether a crash came while the log was being created: it has no id yet and no records, and none
/// were cut off when it was opened.
fn is_begun(log: &Log) -> bool {
    log.bounds().end() == Offset::ZERO && log.kept().is_ok_and(|files| files.is_empty())
}

/// Whether a topic has this partition: a copy of a log keeps the topic's id under any name.
fn is_partition_of(topic: Option<&Topic>, partition: &TopicPartition) -> bool {
    topic.is_some_and(|topic| topic.name == *partition.topic() && partition.partition() < topic.count())
}

/// Logs that the files of a log are not used. A log with a topic's id is closed: the id says later
/// that it is in the way.
fn leave_alone(dir: &LogDir, log: &Log, id: Option<TopicId>) {
    tracing::warn!(directory = %log.path().display(), topic_id = ?id, "a log that is no partition of any topic is left alone");
    if id.is_some() {
        dir.release(log.partition());
    }
}

fn forget(dir: &LogDir, partitions: &[TopicPartition]) {
    match dir.remove_many(partitions) {
        Ok(removed) => {
            for (partition, error) in
                partitions.iter().zip(removed).filter_map(|(p, done)| Some((p, done.err()?)))
            {
                tracing::warn!(%partition, %error, "cannot remove a log");
            }
        }
        Err(error) => tracing::warn!(%error, "cannot remove logs"),
    }
}
