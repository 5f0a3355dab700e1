//! The metadata log: found or begun, replayed, appended to.

use std::sync::Arc;

use bytes::Bytes;
use klamm_log::{
    AppendError, Clock, Depth, Durability, LeaderEpoch, Log, LogConfig, LogDir, NewRecord, Offset, Timestamp,
    TopicPartition,
};
use klamm_record::{BatchBuilder, BatchOptions};
use klamm_types::TopicId;
use parking_lot::Mutex;

use super::batches::{Transaction, in_batches};
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
    /// Why the last change was not logged, or is not durable.
    refusing: Mutex<Option<String>>,
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
        let (end, least) =
            MetadataFiles::find(storage.disk(), log.path())?.ok_or_else(gone)?.end_of_snapshot();
        if log.bounds().end() < end {
            // What the snapshot has is what counts, and nothing comes before its end.
            log.restart_at(end).map_err(|error| error.to_string())?;
        }
        // It was opened, and has therefore no torn end any more.
        let replay = Replay::of_folder(storage.disk(), log.path(), node, Tail::IsWhole)?.ok_or_else(gone)?;
        let log = MetadataLog { log, node, clock: Arc::clone(clock), least, refusing: Mutex::default() };
        if replay.is_in_transaction() {
            let abort = log.encode(&[MetadataRecord::AbortTransaction], LATEST);
            let aborted = abort.and_then(|values| log.append(&[values])).and_then(|_| log.sync());
            aborted.map_err(|error| error.to_string())?;
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

    /// The batches for the records of a command; `ends` has the number of records before the end of
    /// each of its items.
    pub(super) fn batches(
        &self,
        records: &[MetadataRecord],
        ends: &[usize],
        level: i16,
    ) -> Result<Vec<Vec<Bytes>>, TopicError> {
        let mut around =
            self.encode(&[MetadataRecord::BeginTransaction, MetadataRecord::EndTransaction], level)?;
        let transaction = match (around.pop(), around.pop()) {
            (Some(end), Some(begin)) if level >= LEVEL_WITH_TRANSACTIONS => Some(Transaction { begin, end }),
            _ => None,
        };
        Ok(in_batches(self.encode(records, level)?, ends, transaction))
    }

    /// Logs the values of records in batches, and returns the offset behind them. They are durable
    /// after [`MetadataLog::sync`].
    pub(super) fn append(&self, batches: &[Vec<Bytes>]) -> Result<Offset, TopicError> {
        let now = self.clock.now();
        let mut bytes = Vec::new();
        for values in batches {
            bytes = in_one_batch(bytes, values, now)?;
        }
        // The only voter goes on in the leader epoch that it finds.
        let epoch = self.log.epochs().latest().map_or(self.least, |latest| latest.epoch.max(self.least));
        let appended = self.log.append_batches(&mut bytes, epoch, Depth::Header, Durability::Written);
        let appended = self.noted(appended, "a change of the metadata was not logged")?;
        Ok(appended.next_offset)
    }

    /// Makes durable what was logged. One sync serves all who wait for one.
    pub(super) fn sync(&self) -> Result<(), TopicError> {
        let synced = self.log.sync().map_err(AppendError::from);
        Ok(self.noted(synced, "a change of the metadata is not durable")?)
    }

    /// Logs an error, if nothing has failed before, and keeps it for [`MetadataLog::refusing`]
    /// until something succeeds.
    fn noted<T>(&self, done: Result<T, AppendError>, meaning: &str) -> Result<T, AppendError> {
        let refusing = done.as_ref().err().map(ToString::to_string);
        let was_refusing = std::mem::replace(&mut *self.refusing.lock(), refusing).is_some();
        done.inspect_err(|error| {
            if !was_refusing {
                tracing::error!(%error, "{meaning}");
            }
        })
    }

    /// Why the last change was not logged or is not durable.
    #[cfg(feature = "http")]
    pub(super) fn refusing(&self) -> Option<(TopicPartition, String)> {
        Some((self.log.partition().clone(), self.refusing.lock().clone()?))
    }
}

/// Appends a batch to `bytes`. All records in it bear one time: Kafka reads no others.
fn in_one_batch(bytes: Vec<u8>, values: &[Bytes], now: Timestamp) -> Result<Vec<u8>, AppendError> {
    let mut builder = BatchBuilder::new(bytes, BatchOptions::default());
    for value in values {
        builder.append(&NewRecord::new(value).at(now))?;
    }
    Ok(builder.finish()?.buffer)
}

/// It is in the first folder, unless another has it already. One is begun only where there is
/// nothing that it could tell of: with an empty one all topics would be gone.
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

/// The level of `metadata.version` (3.6-IV1) from which on there are transactions (KIP-868).
const LEVEL_WITH_TRANSACTIONS: i16 = 13;
pub(super) const METADATA_LOG: &str = "__cluster_metadata-0";
/// The id of its topic is the same everywhere.
const METADATA_ID: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
