//! Whether a leader may append what an idempotent producer sent (KIP-98, KIP-360).

use std::collections::BTreeMap;

use klamm_record::{BatchHeader, BatchProducer};
use klamm_types::{Offset, ProducerEpoch, ProducerId, Timestamp};
use thiserror::Error;

use super::entry::{ProducerEntry, sequence_after};
use super::states::ProducerStates;

/// Why a batch of an idempotent producer was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum ProducerError {
    /// A later incarnation of the producer has written: this one is fenced off.
    #[error("producer {id} has epoch {got}, expected {latest} or later")]
    FencedEpoch {
        /// The producer.
        id: ProducerId,
        /// The batch's epoch.
        got: ProducerEpoch,
        /// The latest that the log knows.
        latest: ProducerEpoch,
    },
    /// Batches before this one are missing, or it is older than those that are remembered.
    #[error("producer {id} sent sequence {got}, expected {expected}")]
    OutOfOrderSequence {
        /// The producer.
        id: ProducerId,
        /// The batch's first sequence number.
        got: u32,
        /// The one that should follow.
        expected: u32,
    },
    /// An idempotent producer's batch has no sequence number.
    #[error("producer {id} sent no sequence number")]
    NoSequence {
        /// The producer.
        id: ProducerId,
    },
    /// Of the batches of one call the log has some and not others.
    #[error("some batches of the call are in the log already, others are not")]
    PartlyKnown,
    /// A record outside of a transaction, while one is open.
    #[error("producer {id} has a transaction open and sent a batch that is not part of it")]
    InTransaction {
        /// The producer.
        id: ProducerId,
    },
}

/// A batch that is in the log already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Duplicate {
    pub(crate) base_offset: Offset,
    pub(crate) next_offset: Offset,
    pub(crate) max_timestamp: Option<Timestamp>,
}

/// Checks the batches of one call, each as if those before it were in the log; `Some` when the log
/// has them all already. An error says which batch it is about.
pub(crate) fn check(
    states: &ProducerStates,
    headers: &[BatchHeader],
) -> Result<Option<Duplicate>, (usize, ProducerError)> {
    let mut known_all: Option<Duplicate> = None;
    // Producers as the batches before have left them.
    let mut pending: BTreeMap<ProducerId, ProducerEntry> = BTreeMap::new();
    for (index, header) in headers.iter().enumerate() {
        let Some(producer) = header.producer() else {
            mixed(index, known_all, false)?;
            continue;
        };
        let known = pending.get(&producer.id).or_else(|| states.get(producer.id));
        let duplicate = check_one(known, producer, header).map_err(|error| (index, error))?;
        mixed(index, known_all, duplicate.is_some())?;
        if let Some(duplicate) = duplicate {
            known_all = Some(known_all.map_or(duplicate, |first| first.and(duplicate)));
            continue;
        }
        if index + 1 < headers.len() {
            let mut entry = known.cloned().unwrap_or_else(|| ProducerEntry::new(producer.epoch));
            entry.enter_epoch(producer.epoch);
            entry.on_batch(header);
            pending.insert(producer.id, entry);
        }
    }
    Ok(known_all)
}

/// A call is new or known as a whole: of one that is partly known nothing could be answered.
fn mixed(index: usize, before: Option<Duplicate>, is_known: bool) -> Result<(), (usize, ProducerError)> {
    let fits = index == 0 || before.is_some() == is_known;
    if fits { Ok(()) } else { Err((index, ProducerError::PartlyKnown)) }
}

impl Duplicate {
    fn and(self, next: Duplicate) -> Duplicate {
        let max_timestamp = self.max_timestamp.max(next.max_timestamp);
        Duplicate { next_offset: next.next_offset, max_timestamp, ..self }
    }
}

fn check_one(
    known: Option<&ProducerEntry>,
    producer: BatchProducer,
    header: &BatchHeader,
) -> Result<Option<Duplicate>, ProducerError> {
    let sequence = header.base_sequence().ok_or(ProducerError::NoSequence { id: producer.id })?;
    let Some(known) = known else { return Ok(None) };
    if let Some(batch) = known.repeated(header, sequence) {
        return Ok(Some(Duplicate {
            base_offset: batch.base_offset(),
            next_offset: batch.last_offset + 1,
            max_timestamp: Timestamp::from_raw(batch.time),
        }));
    }
    check_known(known, producer, sequence, header.is_transactional()).map(|()| None)
}

fn check_known(
    known: &ProducerEntry,
    BatchProducer { id, epoch }: BatchProducer,
    got: u32,
    transactional: bool,
) -> Result<(), ProducerError> {
    if epoch < known.epoch {
        return Err(ProducerError::FencedEpoch { id, got: epoch, latest: known.epoch });
    }
    let last = known.last_sequence().filter(|_| epoch == known.epoch);
    let expected = last.map_or(0, |last| sequence_after(last, 1));
    if got != expected {
        return Err(ProducerError::OutOfOrderSequence { id, got, expected });
    }
    if known.open_since.is_some() && !transactional {
        return Err(ProducerError::InTransaction { id });
    }
    Ok(())
}
