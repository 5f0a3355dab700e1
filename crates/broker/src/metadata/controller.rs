//! The driver: logs what a plan says, and applies it.

use std::ops::Range;
use std::sync::Arc;

use klamm_log::{
    Clock, Depth, Durability, LeaderEpoch, Log, LogConfig, LogDir, NewRecord, Position, TopicPartition,
};
use klamm_record::{BatchBuilder, BatchOptions};
use klamm_types::ProducerId;
use parking_lot::{Mutex, MutexGuard, RwLock};

use super::plan::Surroundings;
use super::record::MetadataRecord;
use super::{Identity, MetadataImage, TopicError};
use crate::BrokerConfig;
use crate::storage::Storage;

/// The topics of this node, their logs, and the settings that can change.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) identity: Identity,
    pub(super) storage: Arc<Storage>,
    /// The settings that the broker was started with.
    pub(super) started_with: BrokerConfig,
    /// Those, and over them what was changed since.
    pub(super) config: RwLock<Arc<BrokerConfig>>,
    image: RwLock<Arc<MetadataImage>>,
    clock: Arc<dyn Clock>,
    /// Held while a command is decided, logged and applied.
    log: Mutex<Log>,
    /// Producer ids that are logged as given out and have not been.
    producer_ids: Mutex<Range<i64>>,
}

impl Metadata {
    /// Replays the metadata log, wherever in the folders it is, and opens the logs of all topics.
    pub(crate) fn open(
        storage: Arc<Storage>,
        identity: Identity,
        config: &BrokerConfig,
        clock: &Arc<dyn Clock>,
    ) -> Result<Metadata, String> {
        let log = open_log(&storage)?;
        let image = replay(&log)?;
        let metadata = Metadata {
            identity,
            storage,
            started_with: config.clone(),
            clock: Arc::clone(clock),
            config: RwLock::new(Arc::new(config.clone())),
            image: RwLock::new(Arc::new(image)),
            log: Mutex::new(log),
            producer_ids: Mutex::new(0..0),
        };
        metadata.resolve_config();
        metadata.remove_leftovers().map_err(|e| e.to_string())?;
        let image = metadata.image();
        image.topics().try_for_each(|topic| metadata.open_logs(topic)).map_err(|e| e.to_string())?;
        Ok(metadata)
    }

    /// What there is now.
    pub(crate) fn image(&self) -> Arc<MetadataImage> {
        Arc::clone(&self.image.read())
    }

    /// The folders of the logs.
    pub(crate) fn storage(&self) -> &Storage {
        &self.storage
    }

    /// A producer id that nobody has had. They are logged a block at a time; what is left of one at a stop is not used.
    pub(crate) fn allocate_producer_id(&self) -> Result<ProducerId, TopicError> {
        let mut block = self.producer_ids.lock();
        if block.is_empty() {
            let turn = self.turn();
            let first = self.image().next_producer_id();
            let next = first.checked_add(PRODUCER_IDS).ok_or(TopicError::NoProducerIds)?;
            self.commit(&turn, &[MetadataRecord::ProducerIds { next }])?;
            *block = first..next;
        }
        block.next().and_then(ProducerId::new).ok_or(TopicError::NoProducerIds)
    }

    /// Waits until nobody else decides; what is decided then is logged by [`Metadata::commit`].
    pub(super) fn turn(&self) -> MutexGuard<'_, Log> {
        self.log.lock()
    }

    /// Calls `plan` with what a plan depends on beside the image.
    pub(super) fn plan_with<T>(&self, plan: impl FnOnce(Surroundings<'_>) -> T) -> T {
        let (config, storage) = (self.config(), &self.storage);
        plan(Surroundings {
            node: config.node_id,
            partitions: config.num_partitions,
            topic: &config.topic,
            places: &|count| storage.places(count),
        })
    }

    /// Logs the records durably, then applies them.
    pub(super) fn commit(&self, turn: &Log, records: &[MetadataRecord]) -> Result<(), TopicError> {
        let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
        for record in records {
            let value = record
                .encode(self.started_with.node_id)
                .map_err(|error| TopicError::Assignment { reason: error.to_string() })?;
            builder
                .append(&NewRecord::new(&value).at(self.clock.now()))
                .map_err(klamm_log::AppendError::from)?;
        }
        let mut batch = builder.finish().map_err(klamm_log::AppendError::from)?.buffer;
        turn.append_batches(&mut batch, LeaderEpoch::ZERO, Depth::Header, Durability::Synced)
            .inspect_err(|error| tracing::error!(%error, "a change of the metadata was not logged"))?;
        let mut image = MetadataImage::clone(&self.image());
        records.iter().for_each(|record| image.apply(record));
        *self.image.write() = Arc::new(image);
        Ok(())
    }
}

/// The metadata log is in the first folder, unless another has it already. One is begun only where there is nothing that it could
/// tell of: with an empty one all topics would be gone.
fn open_log(storage: &Storage) -> Result<Log, String> {
    let name: TopicPartition = METADATA_LOG.parse().map_err(|e| format!("{e}"))?;
    let homes: Vec<&LogDir> = storage.homes_of(METADATA_LOG).collect();
    let open = |dir: &LogDir| dir.create(&name, LogConfig::default(), None).map_err(|e| e.to_string());
    match homes[..] {
        [home] => open(home),
        [a, b, ..] => Err(format!(
            "{METADATA_LOG} is in {} and in {}; move one away",
            a.path().display(),
            b.path().display()
        )),
        [] => begin_log(storage, open),
    }
}

fn begin_log(storage: &Storage, open: impl FnOnce(&LogDir) -> Result<Log, String>) -> Result<Log, String> {
    if let Some(failed) = storage.folders().iter().find(|folder| folder.logs().is_none()) {
        return Err(format!(
            "{METADATA_LOG} is in none of the folders, and {} failed",
            failed.path.display()
        ));
    }
    if let Some(log) = storage.dirs().flat_map(LogDir::logs).next() {
        let there = log.path().display();
        return Err(format!(
            "{METADATA_LOG} is in none of the folders, but there is {there}; is a folder missing?"
        ));
    }
    open(storage.dirs().next().ok_or("there is no folder for the metadata")?)
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
pub(super) const METADATA_LOG: &str = "__cluster_metadata-0";
