//! The driver: logs what a plan says, and applies it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use klamm_log::{Clock, LogDir};
use klamm_types::{LeaderEpoch, Offset, ProducerId, TopicId};
use parking_lot::{Mutex, MutexGuard, RwLock};

use super::bootstrap::bootstrap_of;
use super::features::{FeatureUpdate, INITIAL, LATEST, METADATA_VERSION, plan_features};
use super::log::{METADATA_LOG, MetadataLog};
use super::plan::Surroundings;
use super::record::MetadataRecord;
use super::{Identity, MetadataImage, TopicError};
use crate::storage::Storage;
use crate::{BrokerConfig, TopicConfig};

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
    /// What the settings of each topic come to, with the broker's below its own.
    pub(super) resolved: RwLock<HashMap<TopicId, Arc<TopicConfig>>>,
    /// Held while a command is decided, logged and applied.
    log: Mutex<MetadataLog>,
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
        let (log, image) = MetadataLog::open(&storage, config.node_id, clock)?;
        let metadata = Metadata {
            identity,
            storage,
            started_with: config.clone(),
            config: RwLock::new(Arc::new(config.clone())),
            image: RwLock::new(Arc::new(image)),
            resolved: RwLock::default(),
            log: Mutex::new(log),
            producer_ids: Mutex::new(0..0),
        };
        // Of the metadata log too, which was opened last.
        let cuts = metadata.storage.dirs().flat_map(LogDir::cuts);
        cuts.for_each(|cut| tracing::warn!("after an unclean stop: {cut}"));
        let inconsistencies = metadata.storage.dirs().flat_map(LogDir::inconsistencies);
        inconsistencies.for_each(|found| tracing::warn!("a file is not believed: {found}"));
        metadata.decide_features()?;
        if let Some(features) = metadata.image().unsupported_features() {
            tracing::warn!(
                "the metadata log has finalized levels that this broker does not support: {features}"
            );
        }
        metadata.resolve_config();
        metadata.remove_leftovers();
        metadata.image().topics().for_each(|topic| metadata.open_known_logs(topic));
        Ok(metadata)
    }

    /// A log that Kafka is to read must say which features the cluster has, before all else: those that the folder was formatted
    /// with, where it was.
    fn decide_features(&self) -> Result<(), String> {
        let turn = self.turn();
        if self.image().feature(METADATA_VERSION).is_some() {
            return Ok(());
        }
        let folders = self.storage.folders().iter().map(|folder| &*folder.path);
        let Some(bootstrap) = bootstrap_of(folders)? else {
            let decided = |(name, level): (&str, _)| MetadataRecord::Feature { name: name.to_owned(), level };
            return self.commit(&turn, &INITIAL.map(decided)).map_err(|error| error.to_string());
        };
        turn.append(bootstrap.values()).map_err(|error| error.to_string())?;
        self.apply(&bootstrap.records().collect::<Vec<_>>());
        Ok(())
    }

    /// What there is now.
    pub(crate) fn image(&self) -> Arc<MetadataImage> {
        Arc::clone(&self.image.read())
    }

    /// Changes the finalized levels of features, or only checks that they could be changed.
    pub(crate) fn update_features(
        &self,
        updates: &[FeatureUpdate],
        check_only: bool,
    ) -> Result<(), TopicError> {
        let turn = self.turn();
        let records = plan_features(&self.image(), self.started_with.node_id, updates)?;
        if check_only || records.is_empty() {
            return Ok(());
        }
        self.commit(&turn, &records)?;
        tracing::info!(?updates, "changed the levels of features");
        Ok(())
    }

    /// The leader epoch and the end offset of the metadata log.
    pub(crate) fn position(&self) -> (LeaderEpoch, Offset) {
        let name = METADATA_LOG.parse().ok();
        let Some(log) = name.and_then(|name| self.storage.log(&name)) else {
            return (LeaderEpoch::ZERO, Offset::ZERO);
        };
        let epoch = log.epochs().latest().map_or(LeaderEpoch::ZERO, |latest| latest.epoch);
        (epoch, log.bounds().end())
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

    /// Waits until what is being decided is done.
    pub(crate) fn settle(&self) {
        drop(self.turn());
    }

    /// Waits until nobody else decides; what is decided then is logged by [`Metadata::commit`].
    pub(super) fn turn(&self) -> MutexGuard<'_, MetadataLog> {
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
    pub(super) fn commit(&self, turn: &MetadataLog, records: &[MetadataRecord]) -> Result<(), TopicError> {
        let level = self.image().feature(METADATA_VERSION).unwrap_or(LATEST);
        turn.append(&turn.encode(records, level)?)?;
        self.apply(records);
        Ok(())
    }

    /// What was logged is so from here on.
    fn apply(&self, records: &[MetadataRecord]) {
        let mut image = MetadataImage::clone(&self.image());
        records.iter().for_each(|record| image.apply(record));
        *self.image.write() = Arc::new(image);
    }
}

/// Producer ids in a block, as in Kafka.
const PRODUCER_IDS: i64 = 1000;
