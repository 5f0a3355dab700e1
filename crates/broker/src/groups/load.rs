//! Reading a partition of `__consumer_offsets` from its start: the groups are what was logged.

use std::collections::HashMap;

use bytes::Bytes;
use klamm_coordinator::{GroupConfig, GroupRecord, GroupReplay, RecordError};
use klamm_log::{Log, ReadError, ReadLimit, Visibility};
use klamm_record::{BatchError, Batches, ControlRecord, Outcome, RecordBatch};
use klamm_types::{Offset, ProducerId};
use thiserror::Error;

/// Why the groups of a partition were not loaded.
#[derive(Debug, Error)]
pub(super) enum LoadError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the batch at {offset}: {fault}")]
    Batch { offset: Offset, fault: BatchError },
}

/// The groups so far, and what transactions have written that have not ended.
struct Loading {
    replay: GroupReplay,
    open: HashMap<ProducerId, Vec<GroupRecord>>,
    limit: usize,
}

pub(super) fn load(log: &Log, config: GroupConfig) -> Result<GroupReplay, LoadError> {
    let limit = log.config().max_decompressed_bytes;
    let mut loading = Loading { replay: GroupReplay::new(config), open: HashMap::new(), limit };
    let (mut next, end) = (log.bounds().start(), log.bounds().end());
    while next < end {
        let begun = next;
        let slice = log.read(next, ReadLimit { max_bytes: CHUNK, visibility: Visibility::All })?;
        for batch in Batches::new(slice.read()?) {
            let batch = match batch {
                // The rest of it comes with the next stretch.
                Err(BatchError::Truncated { .. }) if next > begun => break,
                batch => batch.map_err(|fault| LoadError::Batch { offset: next, fault })?,
            };
            next = batch.header().next_offset();
            loading.batch(&batch).map_err(|fault| LoadError::Batch { offset: next, fault })?;
        }
        if slice.is_empty() {
            break;
        }
    }
    Ok(loading.replay)
}

impl Loading {
    fn batch(&mut self, batch: &RecordBatch) -> Result<(), BatchError> {
        let header = batch.header();
        let producer = header.producer().map(|producer| producer.id);
        for record in batch.records(self.limit)?.iter() {
            let record = record?;
            if header.is_control() {
                if let (Some(producer), Ok(ControlRecord::EndTransaction(end))) =
                    (producer, ControlRecord::parse(&record))
                {
                    self.end(producer, end.outcome);
                }
                continue;
            }
            let own = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
            let (key, value) = (record.key.map(own).unwrap_or_default(), record.value.map(own));
            match GroupRecord::decode(&key, value.as_ref()) {
                Ok(read) => self.record(read, producer.filter(|_| header.is_transactional())),
                // Of another protocol, or of a later version.
                Err(RecordError::Unknown { .. }) => {}
                Err(error) => {
                    tracing::warn!(offset = %record.offset, %error, "a record of a group is passed over");
                }
            }
        }
        Ok(())
    }

    /// What is written in a transaction counts when that is committed.
    fn record(&mut self, record: GroupRecord, transaction: Option<ProducerId>) {
        match transaction {
            Some(producer) => self.open.entry(producer).or_default().push(record),
            None => self.replay.apply(&record),
        }
    }

    fn end(&mut self, producer: ProducerId, outcome: Outcome) {
        let written = self.open.remove(&producer).unwrap_or_default();
        if outcome == Outcome::Commit {
            written.iter().for_each(|record| self.replay.apply(record));
        }
    }
}

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 20;
