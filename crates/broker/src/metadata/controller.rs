//! The driver: logs what a plan says, applies it, and makes the logs there are fit the image.

use std::ops::Range;
use std::sync::Arc;

use klamm_log::{
    Depth, Durability, LeaderEpoch, Log, LogConfig, LogDir, NewRecord, Position, TopicPartition,
};
use klamm_record::{BatchBuilder, BatchOptions};
use klamm_types::ProducerId;
use parking_lot::{Mutex, RwLock};

use super::identity::random_id;
use super::plan::{Defaults, plan_creation, plan_deletion};
use super::record::MetadataRecord;
use super::{Identity, MetadataImage, NewTopic, Topic, TopicConfig, TopicError, TopicRef};
use crate::BrokerConfig;

/// The topics of this node and their logs.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) identity: Identity,
    dir: LogDir,
    config: BrokerConfig,
    image: RwLock<Arc<MetadataImage>>,
    /// Held while a command is decided, logged and applied.
    log: Mutex<Log>,
    /// Producer ids that are logged as given out and have not been.
    producer_ids: Mutex<Range<i64>>,
}

impl Metadata {
    /// Replays the metadata log of `dir` and opens the logs of all topics.
    pub(crate) fn open(dir: LogDir, config: &BrokerConfig) -> Result<Metadata, String> {
        let identity = Identity::load_or_create(dir.path(), config.node_id)?;
        let name: TopicPartition = METADATA_LOG.parse().map_err(|e| format!("{e}"))?;
        let log = dir.create(&name, LogConfig::default(), None).map_err(|e| e.to_string())?;
        let image = replay(&log)?;
        let metadata = Metadata {
            identity,
            dir,
            config: config.clone(),
            image: RwLock::new(Arc::new(image.clone())),
            log: Mutex::new(log),
            producer_ids: Mutex::new(0..0),
        };
        metadata.remove_leftovers().map_err(|e| e.to_string())?;
        image.topics().try_for_each(|topic| metadata.open_logs(topic)).map_err(|e| e.to_string())?;
        Ok(metadata)
    }

    /// What there is now.
    pub(crate) fn image(&self) -> Arc<MetadataImage> {
        Arc::clone(&self.image.read())
    }

    /// The log of a partition, if its topic has it.
    pub(crate) fn log(&self, topic: &Topic, partition: i32) -> Option<Log> {
        let number = u32::try_from(partition).ok().filter(|n| *n < topic.partitions)?;
        self.dir.get(&TopicPartition::new(topic.name.clone(), number)?)
    }

    /// The settings of a topic.
    pub(crate) fn topic_config(&self, topic: &Topic) -> Result<TopicConfig, TopicError> {
        TopicConfig::resolve(&self.config.log, &topic.configs)
    }

    /// Creates a topic, or only checks that it could be.
    pub(crate) fn create_topic(&self, wanted: &NewTopic, check_only: bool) -> Result<Topic, TopicError> {
        let log = self.log.lock();
        let id = random_id().map_err(|reason| TopicError::Assignment { reason })?;
        let defaults = Defaults {
            node: self.config.node_id,
            partitions: self.config.num_partitions,
            log: &self.config.log,
        };
        let (records, topic) = plan_creation(&self.image(), wanted, id, defaults)?;
        if check_only {
            return Ok(topic);
        }
        self.commit(&log, &records)?;
        if let Err(error) = self.open_logs(&topic) {
            tracing::error!(topic = %topic.name, %error, "a topic's logs were not opened");
            self.commit(&log, &[MetadataRecord::RemoveTopic { id: topic.id }])?;
            self.remove_logs(&topic);
            return Err(error);
        }
        tracing::info!(topic = %topic.name, partitions = topic.partitions, "created a topic");
        Ok(topic)
    }

    /// Deletes a topic and its logs.
    pub(crate) fn delete_topic(&self, topic: &TopicRef) -> Result<Topic, TopicError> {
        let log = self.log.lock();
        let (record, topic) = plan_deletion(&self.image(), topic, self.config.delete_topics)?;
        self.commit(&log, &[record])?;
        self.remove_logs(&topic);
        tracing::info!(topic = %topic.name, "deleted a topic");
        Ok(topic)
    }

    /// A producer id that nobody has had. They are logged a block at a time; what is left of one at a stop is not used.
    pub(crate) fn allocate_producer_id(&self) -> Result<ProducerId, TopicError> {
        let mut block = self.producer_ids.lock();
        if block.is_empty() {
            let log = self.log.lock();
            let first = self.image().next_producer_id();
            let next = first.checked_add(PRODUCER_IDS).ok_or(TopicError::NoProducerIds)?;
            self.commit(&log, &[MetadataRecord::ProducerIds { next }])?;
            *block = first..next;
        }
        block.next().and_then(ProducerId::new).ok_or(TopicError::NoProducerIds)
    }

    /// Logs the records durably, then applies them.
    fn commit(&self, log: &Log, records: &[MetadataRecord]) -> Result<(), TopicError> {
        let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
        for record in records {
            let value = record
                .encode(self.config.node_id)
                .map_err(|error| TopicError::Assignment { reason: error.to_string() })?;
            let now = klamm_log::Clock::now(&klamm_log::SystemClock);
            builder.append(&NewRecord::new(&value).at(now)).map_err(klamm_log::AppendError::from)?;
        }
        let mut batch = builder.finish().map_err(klamm_log::AppendError::from)?.buffer;
        log.append_batches(&mut batch, LeaderEpoch::ZERO, Depth::Header, Durability::Synced)
            .inspect_err(|error| tracing::error!(%error, "a change of the metadata was not logged"))?;
        let mut image = MetadataImage::clone(&self.image());
        records.iter().for_each(|record| image.apply(record));
        *self.image.write() = Arc::new(image);
        Ok(())
    }

    fn open_logs(&self, topic: &Topic) -> Result<(), TopicError> {
        let config = self.topic_config(topic)?.log;
        for partition in topic.partitions() {
            self.make_way(&partition, topic)?;
            let log = self.dir.create(&partition, config.clone(), Some(topic.id))?;
            log.set_config(config.clone()).map_err(klamm_log::OpenError::from)?;
        }
        Ok(())
    }

    /// Removes what there is of a topic's logs. One that cannot be removed now is at the next start.
    fn remove_logs(&self, topic: &Topic) {
        for partition in topic.partitions() {
            let is_its_own = self.dir.topic_id(&partition).is_ok_and(|id| id == Some(topic.id));
            if is_its_own {
                self.forget(&partition);
            }
        }
    }

    /// What a removal that a crash cut short has left.
    fn remove_leftovers(&self) -> Result<(), TopicError> {
        let image = self.image();
        let logs = self.dir.logs().into_iter().filter(|log| log.partition().to_string() != METADATA_LOG);
        for log in logs {
            let id = self.dir.topic_id(log.partition())?;
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
        if let Err(error) = self.dir.remove(partition) {
            tracing::warn!(%partition, "cannot remove a log: {error}");
        }
    }

    /// A log that is in the way: that of a removed topic goes, any other is not ours to touch.
    fn make_way(&self, partition: &TopicPartition, topic: &Topic) -> Result<(), TopicError> {
        if self.dir.get(partition).is_none() {
            return Ok(());
        }
        match self.dir.topic_id(partition)? {
            Some(id) if id == topic.id => {}
            Some(id) if self.image().is_removed(id) => self.forget(partition),
            _ => return Err(TopicError::Stranger { partition: partition.to_string() }),
        }
        Ok(())
    }
}

fn replay(log: &Log) -> Result<MetadataImage, String> {
    let mut image = MetadataImage::default();
    for record in log.records(Position::Start).map_err(|e| e.to_string())? {
        let record = record.map_err(|error| error.to_string())?;
        let Some(value) = record.value else { continue };
        let read = MetadataRecord::decode(value)
            .map_err(|e| format!("metadata log at offset {}: {e}", record.offset))?;
        image.apply(&read);
    }
    Ok(image)
}

/// Producer ids in a block, as in Kafka.
const PRODUCER_IDS: i64 = 1000;
const METADATA_LOG: &str = "__cluster_metadata-0";
