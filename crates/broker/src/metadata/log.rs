//! The metadata log: found or begun, replayed, appended to.

use std::sync::Arc;

use klamm_log::{
    AppendError, Clock, Depth, Durability, LeaderEpoch, Log, LogConfig, LogDir, NewRecord, TopicPartition,
};
use klamm_record::{BatchBuilder, BatchOptions};
use klamm_types::TopicId;

use super::files::Tail;
use super::record::MetadataRecord;
use super::replay::Replay;
use super::{MetadataImage, TopicError};
use crate::storage::Storage;

/// The metadata log, whose only writer this broker is.
#[derive(Debug)]
pub(super) struct MetadataLog {
    log: Log,
    node: i32,
    clock: Arc<dyn Clock>,
}

impl MetadataLog {
    /// Finds it, wherever in the folders it is, or begins it, and replays it.
    pub(super) fn open(
        storage: &Storage,
        node: i32,
        clock: &Arc<dyn Clock>,
    ) -> Result<(MetadataLog, MetadataImage), String> {
        let log = MetadataLog { log: find(storage)?, node, clock: Arc::clone(clock) };
        // It was opened, and has therefore no torn end any more.
        let replay = Replay::of_folder(log.log.path(), node, Tail::IsWhole)?;
        let replay = replay.ok_or_else(|| format!("{} is gone", log.log.path().display()))?;
        if replay.is_in_transaction() {
            log.append(&[MetadataRecord::AbortTransaction]).map_err(|error| error.to_string())?;
        }
        Ok((log, replay.into_image()))
    }

    /// Logs the records durably, as one batch.
    pub(super) fn append(&self, records: &[MetadataRecord]) -> Result<(), TopicError> {
        let mut builder = BatchBuilder::new(Vec::new(), BatchOptions::default());
        for record in records {
            let value = record
                .encode(self.node)
                .map_err(|error| TopicError::Assignment { reason: error.to_string() })?;
            builder.append(&NewRecord::new(&value).at(self.clock.now())).map_err(AppendError::from)?;
        }
        let mut batch = builder.finish().map_err(AppendError::from)?.buffer;
        // The only voter goes on in the reign that it finds.
        let epoch = self.log.epochs().latest().map_or(LeaderEpoch::ZERO, |latest| latest.epoch);
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
    let homes: Vec<&LogDir> = storage.homes_of(METADATA_LOG).collect();
    let open = |dir: &LogDir| {
        dir.create(&name, LogConfig::default(), TopicId::new(METADATA_ID)).map_err(|e| e.to_string())
    };
    match homes[..] {
        [home] => open(home),
        [a, b, ..] => Err(format!(
            "{METADATA_LOG} is in {} and in {}; move one away",
            a.path().display(),
            b.path().display()
        )),
        [] => begin(storage, open),
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
