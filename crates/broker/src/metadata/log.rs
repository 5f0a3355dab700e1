//! The metadata log: found or begun, replayed, appended to.

use std::sync::Arc;

use bytes::Bytes;
use klamm_log::{
    AppendError, Clock, Depth, Durability, LeaderEpoch, Log, LogConfig, LogDir, NewRecord, TopicPartition,
};
use klamm_record::{BatchBuilder, BatchOptions};
use klamm_types::TopicId;

use super::features::LATEST;
use super::files::{MetadataFiles, Tail};
use super::record::{Dialect, MetadataRecord};
use super::replay::Replay;
use super::{MetadataImage, TopicError};
use crate::storage::Storage;

/// The metadata log, whose only writer this broker is.
#[derive(Debug)]
pub(super) struct MetadataLog {
    log: Log,
    node: i32,
    clock: Arc<dyn Clock>,
    /// The reign in which the snapshot was made: what comes now is not of an earlier one.
    least: LeaderEpoch,
}

impl MetadataLog {
    /// Finds it, wherever in the folders it is, or begins it, and replays it.
    pub(super) fn open(
        storage: &Storage,
        node: i32,
        clock: &Arc<dyn Clock>,
    ) -> Result<(MetadataLog, MetadataImage), String> {
        let log = find(storage)?;
        let gone = || format!("{} is gone", log.path().display());
        let (end, least) = MetadataFiles::find(log.path())?.ok_or_else(gone)?.end_of_snapshot();
        if log.bounds().end() < end {
            // What the snapshot has is what counts, and nothing comes before its end.
            log.restart_at(end).map_err(|error| error.to_string())?;
        }
        // It was opened, and has therefore no torn end any more.
        let replay = Replay::of_folder(log.path(), node, Tail::IsWhole)?.ok_or_else(gone)?;
        let log = MetadataLog { log, node, clock: Arc::clone(clock), least };
        if replay.is_in_transaction() {
            let abort = log.encode(&[MetadataRecord::AbortTransaction], LATEST);
            abort.and_then(|values| log.append(&values)).map_err(|error| error.to_string())?;
        }
        Ok((log, replay.into_image()))
    }

    /// The values of records, where `metadata.version` has this level.
    pub(super) fn encode(&self, records: &[MetadataRecord], level: i16) -> Result<Vec<Bytes>, TopicError> {
        let dialect = Dialect { node: self.node, level };
        let values = records.iter().map(|record| record.encode(dialect));
        let values: Result<Vec<_>, _> = values.collect();
        values.map_err(|error| TopicError::Assignment { reason: error.to_string() })
    }

    /// Logs records durably, as one batch. All bear one time: Kafka reads no others.
    pub(super) fn append(&self, values: &[Bytes]) -> Result<(), TopicError> {
        let (mut builder, now) = (BatchBuilder::new(Vec::new(), BatchOptions::default()), self.clock.now());
        for value in values {
            builder.append(&NewRecord::new(value).at(now)).map_err(AppendError::from)?;
        }
        let mut batch = builder.finish().map_err(AppendError::from)?.buffer;
        // The only voter goes on in the reign that it finds.
        let epoch = self.log.epochs().latest().map_or(self.least, |latest| latest.epoch.max(self.least));
        self.log
            .append_batches(&mut batch, epoch, Depth::Header, Durability::Synced)
            .inspect_err(|error| tracing::error!(%error, "a change of the metadata was not logged"))?;
        Ok(())
    }
}

/// It is in the first folder, unless another has it already. One is begun only where there is nothing that it could tell of: with
/// an empty one all topics would be gone.
fn find(storage: &Storage) -> Result<Log, String> {
    let name: TopicPartition = METADATA_LOG.parse().map_err(|e| format!("{e}"))?;
    let open = |dir: &LogDir, topic_id| {
        dir.create(&name, LogConfig::default(), topic_id).map_err(|error| error.to_string())
    };
    // The survey has seen to it that there is no second one.
    match storage.homes_of(METADATA_LOG).next() {
        // Whatever its `partition.metadata` says: the name belongs to no other topic.
        Some(home) => open(home, None),
        None => begin(storage, |dir| open(dir, TopicId::new(METADATA_ID))),
    }
}

fn begin(storage: &Storage, open: impl FnOnce(&LogDir) -> Result<Log, String>) -> Result<Log, String> {
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

pub(super) const METADATA_LOG: &str = "__cluster_metadata-0";
/// The id of its topic is the same everywhere.
const METADATA_ID: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
