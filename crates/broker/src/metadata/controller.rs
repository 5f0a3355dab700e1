//! The driver: what there is, and what a command needs to change it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock, Weak};

use klamm_log::{Clock, LogDir};
use klamm_types::{LeaderEpoch, Offset, ProducerId, TopicId};
use parking_lot::{Condvar, Mutex, RwLock};

use super::bootstrap::bootstrap_of;
use super::commit::{Decided, Plan, Touches};
use super::configs::changed_config;
use super::delta::Delta;
use super::features::{FeatureUpdate, INITIAL, METADATA_VERSION, plan_features};
use super::log::{METADATA_LOG, MetadataLog};
use super::plan::Surroundings;
use super::publish::{Publisher, Publishing};
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
    /// What clients see: durable, and with all logs open.
    pub(super) image: RwLock<Arc<MetadataImage>>,
    /// Held while the settings of the broker or of a topic are resolved from the image of that
    /// moment, so that the last to be resolved are the latest. Logs are given them without it.
    pub(super) configuring: Mutex<()>,
    /// What the settings of each topic come to, with the broker's below its own.
    pub(super) resolved: RwLock<HashMap<TopicId, Arc<TopicConfig>>>,
    pub(super) log: MetadataLog,
    /// Held while a command is planned and written to the log, not while the disk syncs.
    pub(super) decided: Mutex<Decided>,
    /// Notified when topics are no longer busy.
    pub(super) settled: Condvar,
    /// Locked after `decided`, where both are.
    pub(super) publishing: Mutex<Publishing>,
    pub(super) publishers: OnceLock<Vec<Weak<dyn Publisher>>>,
    /// Producer ids that are logged as given out and have not been.
    producer_ids: Mutex<Range<i64>>,
}

impl Metadata {
    /// Replays the metadata log, wherever in the folders it is, and opens the logs of all topics. A
    /// partition whose log cannot be opened is offline.
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
            image: RwLock::new(Arc::new(image.clone())),
            configuring: Mutex::default(),
            resolved: RwLock::default(),
            log,
            decided: Mutex::new(Decided::new(image.clone())),
            settled: Condvar::new(),
            publishing: Mutex::new(Publishing::new(image)),
            publishers: OnceLock::new(),
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
        metadata.publish(&Delta::from_nothing(&metadata.image()));
        Ok(metadata)
    }

    /// A log that Kafka is to read must say which features the cluster has, before all else: those
    /// that the folder was formatted with, where it was.
    fn decide_features(&self) -> Result<(), String> {
        if self.image().feature(METADATA_VERSION).is_some() {
            return Ok(());
        }
        let folders = self.storage.folders().iter().map(|folder| &*folder.path);
        let Some(bootstrap) = bootstrap_of(self.storage.disk(), folders)? else {
            let decided = |(name, level): (&str, _)| MetadataRecord::Feature { name: name.to_owned(), level };
            let ((), committed) = self.submit(&Touches::nothing(), |plan| plan.add(INITIAL.map(decided)));
            return committed.map(drop).map_err(|error| error.to_string());
        };
        let written = self.log.append(&[bootstrap.values().to_vec()]).and_then(|_| self.log.sync());
        written.map_err(|error| error.to_string())?;
        let mut image = MetadataImage::clone(&self.image());
        bootstrap.records().for_each(|record| image.apply(&record));
        self.start_from(image);
        Ok(())
    }

    /// Goes on from this image.
    fn start_from(&self, image: MetadataImage) {
        *self.decided.lock() = Decided::new(image.clone());
        *self.publishing.lock() = Publishing::new(image.clone());
        *self.image.write() = Arc::new(image);
    }

    /// Tells who acts on changes from now on, in this order.
    pub(crate) fn set_publishers(&self, publishers: Vec<Weak<dyn Publisher>>) {
        let set = self.publishers.set(publishers);
        debug_assert!(set.is_ok(), "META-1: publishers are set once");
    }

    /// What clients see now.
    pub(crate) fn image(&self) -> Arc<MetadataImage> {
        Arc::clone(&self.image.read())
    }

    /// Changes the finalized levels of features, or only checks that they could be changed.
    pub(crate) fn update_features(
        &self,
        updates: &[FeatureUpdate],
        check_only: bool,
    ) -> Result<(), TopicError> {
        let plan = |plan: &mut Plan| {
            plan.add(plan_features(&plan.image, self.started_with.node_id, updates)?);
            Ok(())
        };
        if check_only {
            return self.only_plan(plan);
        }
        let (planned, committed) = self.submit(&Touches::nothing(), plan);
        planned?;
        self.publish(&committed?.delta);
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

    /// A producer id that nobody has had. They are logged a block at a time; what is left of one at
    /// a stop is not used.
    pub(crate) fn allocate_producer_id(&self) -> Result<ProducerId, TopicError> {
        let mut block = self.producer_ids.lock();
        if block.is_empty() {
            *block = self.next_block()?;
        }
        block.next().and_then(ProducerId::new).ok_or(TopicError::NoProducerIds)
    }

    fn next_block(&self) -> Result<Range<i64>, TopicError> {
        let (block, committed) = self.submit(&Touches::nothing(), |plan| {
            let first = plan.image.next_producer_id();
            let next = first.checked_add(PRODUCER_IDS)?;
            plan.add([MetadataRecord::ProducerIds { next }]);
            Some(first..next)
        });
        committed?;
        block.ok_or(TopicError::NoProducerIds)
    }

    /// Calls `plan` with what plans depend on beside the image; the settings are those of the image
    /// that is planned upon.
    pub(super) fn plan_with<T>(&self, image: &MetadataImage, plan: impl FnOnce(Surroundings<'_>) -> T) -> T {
        let (config, _) = changed_config(image, &self.started_with);
        let placer = RefCell::new(self.storage.placer());
        plan(Surroundings {
            node: config.node_id,
            partitions: config.num_partitions,
            topic: &config.topic,
            places: &|count| placer.borrow_mut().take(count),
        })
    }
}

/// Producer ids in a block, as in Kafka.
const PRODUCER_IDS: i64 = 1000;
