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
    open: HashMap<ProducerId, Vec<(Offset, GroupRecord)>>,
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
                Ok(read) => self.record(record.offset, read, producer.filter(|_| header.is_transactional())),
                // Of another protocol, or of a later version.
                Err(RecordError::Unknown { .. }) => {}
                Err(error) => {
                    tracing::warn!(offset = %record.offset, %error, "a record of a group is passed over");
                }
            }
        }
        Ok(())
    }

    /// What is written in a transaction counts when that is committed, unless something later was said of the same partition by then.
    fn record(&mut self, offset: Offset, record: GroupRecord, transaction: Option<ProducerId>) {
        match transaction {
            Some(producer) => self.open.entry(producer).or_default().push((offset, record)),
            None => self.apply(offset, &record),
        }
    }

    fn apply(&mut self, offset: Offset, record: &GroupRecord) {
        let is_later =
            |(other, open): &(Offset, GroupRecord)| *other > offset || !is_of_the_same(open, record);
        self.open.values_mut().for_each(|open| open.retain(is_later));
        self.replay.apply(record);
    }

    fn end(&mut self, producer: ProducerId, outcome: Outcome) {
        let written = self.open.remove(&producer).unwrap_or_default();
        if outcome == Outcome::Commit {
            written.iter().for_each(|(offset, record)| self.apply(*offset, record));
        }
    }
}

/// Whether both say how far the same group has read of the same partition.
fn is_of_the_same(one: &GroupRecord, other: &GroupRecord) -> bool {
    match (one, other) {
        (
            GroupRecord::Offset { group, topic, partition, .. },
            GroupRecord::Offset { group: of, topic: in_topic, partition: at, .. },
        ) => (group, topic, partition) == (of, in_topic, at),
        _ => false,
    }
}

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use klamm_coordinator::{CommittedOffset, Moment, Present, Timestamp};

    use super::*;

    fn committed(topic: &str, offset: Option<i64>) -> GroupRecord {
        let committed = offset.map(|offset| CommittedOffset {
            offset: Offset::new(offset).unwrap(),
            leader_epoch: None,
            metadata: "".into(),
            committed_at: Timestamp::from_millis(0),
            expires_at: None,
            topic_id: None,
        });
        GroupRecord::Offset { group: "g".into(), topic: topic.into(), partition: 0, committed }
    }

    /// As Kafka has it: what a group has committed, or taken back, since a transaction wrote is not undone when that ends.
    #[test]
    fn what_is_said_after_a_transaction_has_written_stays() {
        let replay = GroupReplay::new(GroupConfig::default());
        let mut loading = Loading { replay, open: HashMap::new(), limit: 0 };
        let transaction = ProducerId::new(7).unwrap();
        for (at, topic) in [(0, "later"), (1, "deleted"), (2, "written")] {
            loading.record(Offset::from(at), committed(topic, Some(5)), Some(transaction));
        }
        loading.record(Offset::from(3), committed("later", Some(9)), None);
        loading.record(Offset::from(4), committed("deleted", None), None);
        loading.end(transaction, Outcome::Commit);
        let present = Present { moment: Moment::default(), time: Timestamp::from_millis(0), topics: &() };
        let groups = loading.replay.finish(present);
        let mut found: Vec<_> =
            groups.all_committed(&"g".into()).map(|(t, _, c)| (t.to_string(), c.offset.get())).collect();
        found.sort();
        assert_eq!(found, [("later".to_owned(), 9), ("written".to_owned(), 5)]);
    }
}
