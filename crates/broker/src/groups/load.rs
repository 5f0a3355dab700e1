//! Reading a partition of `__consumer_offsets` from its start: the groups are what was logged.

use std::collections::HashMap;

use bytes::Bytes;
use klamm_coordinator::{ForeignRecord, GroupConfig, GroupId, GroupRecord, GroupReplay, RecordError, Topic};
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

/// What it is of which a group says how far it has read.
type Committed = (GroupId, Topic, i32);

/// The groups so far, and what transactions have written that have not ended.
struct Loading {
    replay: GroupReplay,
    open: HashMap<ProducerId, Vec<(Offset, GroupRecord)>>,
    /// Where something was said of a partition while transactions are open.
    said: HashMap<Committed, Offset>,
    limit: usize,
}

pub(super) fn load(log: &Log, config: GroupConfig) -> Result<GroupReplay, LoadError> {
    let limit = log.config().max_decompressed_bytes;
    let mut loading = Loading::new(config, limit);
    let (mut next, end) = (log.bounds().start(), log.bounds().end());
    while next < end {
        let begun = next;
        let slice = match log.read(next, ReadLimit { max_bytes: CHUNK, visibility: Visibility::All }) {
            // Retention has gone on meanwhile.
            Err(ReadError::OutOfRange { start, .. }) if start > next => {
                next = start;
                continue;
            }
            slice => slice?,
        };
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
    fn new(config: GroupConfig, limit: usize) -> Loading {
        Loading { replay: GroupReplay::new(config), open: HashMap::new(), said: HashMap::new(), limit }
    }

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
            let transaction = producer.filter(|_| header.is_transactional());
            if let Err(error) = self.keyed(record.offset, &key, value.as_ref(), transaction) {
                tracing::warn!(offset = %record.offset, %error, "a record of a group is passed over");
            }
        }
        Ok(())
    }

    fn keyed(
        &mut self,
        offset: Offset,
        key: &Bytes,
        value: Option<&Bytes>,
        transaction: Option<ProducerId>,
    ) -> Result<(), RecordError> {
        match GroupRecord::decode(key, value) {
            Ok(read) => self.record(offset, read, transaction),
            // Of another protocol, or of a later version.
            Err(RecordError::Unknown { .. }) => {
                let foreign = ForeignRecord::decode(key, value)?;
                foreign.into_iter().for_each(|record| self.replay.apply_foreign(record));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// What is written in a transaction counts when that is committed, unless something later was
    /// said of the same partition by then.
    fn record(&mut self, offset: Offset, record: GroupRecord, transaction: Option<ProducerId>) {
        match transaction {
            Some(producer) => self.open.entry(producer).or_default().push((offset, record)),
            None => self.apply(offset, &record),
        }
    }

    fn apply(&mut self, offset: Offset, record: &GroupRecord) {
        if let Some(of) = of(record).filter(|_| !self.open.is_empty()) {
            self.said.insert(of, offset);
        }
        self.replay.apply(record);
    }

    fn end(&mut self, producer: ProducerId, outcome: Outcome) {
        let written = self.open.remove(&producer).unwrap_or_default();
        if outcome == Outcome::Commit {
            for (offset, record) in &written {
                let said = of(record).and_then(|of| self.said.get(&of));
                if said.is_none_or(|said| said < offset) {
                    self.apply(*offset, record);
                }
            }
        }
        if self.open.is_empty() {
            self.said.clear();
        }
    }
}

fn of(record: &GroupRecord) -> Option<Committed> {
    let GroupRecord::Offset { group, topic, partition, .. } = record else { return None };
    Some((group.clone(), topic.clone(), *partition))
}

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use klamm_coordinator::{Commit, CommittedOffset, GroupError, Moment, Present, Timestamp};

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

    fn offsets(loading: Loading) -> Vec<(String, i64)> {
        let present = Present { moment: Moment::default(), time: Timestamp::from_millis(0), topics: &() };
        let groups = loading.replay.finish(present);
        let group = GroupId::new("g");
        let committed = groups.all_committed(&group);
        let mut found: Vec<_> = committed.map(|(t, _, c)| (t.to_string(), c.offset.get())).collect();
        found.sort();
        found
    }

    /// As Kafka has it: what a group has committed, or taken back, since a transaction wrote is not
    /// undone when that ends.
    #[test]
    fn what_is_said_after_a_transaction_has_written_stays() {
        let mut loading = Loading::new(GroupConfig::default(), 0);
        let transaction = ProducerId::new(7).unwrap();
        for (at, topic) in [(0, "later"), (1, "deleted"), (2, "written")] {
            loading.record(Offset::from(at), committed(topic, Some(5)), Some(transaction));
        }
        loading.record(Offset::from(3), committed("later", Some(9)), None);
        loading.record(Offset::from(4), committed("deleted", None), None);
        loading.end(transaction, Outcome::Commit);
        assert_eq!(offsets(loading), [("later".to_owned(), 9), ("written".to_owned(), 5)]);
    }

    /// Of two that are open, what was written later stays, whichever ends first.
    #[test]
    fn of_two_transactions_the_later_record_stays() {
        let mut loading = Loading::new(GroupConfig::default(), 0);
        let [one, other] = [7, 8].map(|id| ProducerId::new(id).unwrap());
        loading.record(Offset::from(0), committed("t", Some(5)), Some(one));
        loading.record(Offset::from(1), committed("t", Some(9)), Some(other));
        loading.end(other, Outcome::Commit);
        loading.end(one, Outcome::Commit);
        assert_eq!(offsets(loading), [("t".to_owned(), 9)]);
    }

    /// A share group, as Kafka logs it: its name is taken, and records of other kinds and none are
    /// passed over.
    #[test]
    fn names_of_groups_of_other_protocols_are_remembered() {
        let mut loading = Loading::new(GroupConfig::default(), 0);
        let key = |kind: u8| Bytes::from([&[0, kind, 0, 1], &b"g"[..]].concat());
        let value = Bytes::from_static(b"\0\0");
        for kind in [11, 99] {
            loading.keyed(Offset::from(0), &key(kind), Some(&value), None).unwrap();
        }
        let damaged = loading.keyed(Offset::from(1), &key(11).slice(..4), None, None);
        assert_eq!(damaged, Err(RecordError::NoGroup { kind: 11 }));
        let present = Present { moment: Moment::default(), time: Timestamp::from_millis(0), topics: &() };
        let commit = Commit {
            group: "g".into(),
            member: None,
            instance: None,
            generation: None,
            knows_epochs: false,
            retention: None,
            offsets: Vec::new(),
        };
        let refused = loading.replay.finish(present).commit(&commit, present).err();
        assert_eq!(refused, Some(GroupError::ForeignGroup));
    }

    /// Retention moves the start of the log beyond what is read next.
    #[test]
    fn what_is_deleted_while_groups_are_loaded_is_passed_over() {
        let (folder, disk) = (tempfile::tempdir().unwrap(), klamm_sim::HookDisk::default());
        let config = klamm_log::DirConfig {
            disk: std::sync::Arc::new(disk.clone()),
            ..klamm_log::DirConfig::default()
        };
        let dir = klamm_log::LogDir::open_with(folder.path(), config).unwrap();
        let log = dir.log("__consumer_offsets", 0).unwrap();
        for topic in ["a", "b", "c"] {
            let (key, value) = committed(topic, Some(5)).encode().unwrap();
            let value = value.unwrap();
            let record = klamm_log::NewRecord::new(&value).key(&key);
            log.append(&record, klamm_log::Durability::Synced).unwrap();
            log.roll().unwrap();
        }
        let (deleted, is_first) = (log.clone(), std::sync::atomic::AtomicBool::new(true));
        disk.set(move |operation, _| {
            if operation == "read" && is_first.swap(false, std::sync::atomic::Ordering::Relaxed) {
                deleted.advance_start(Offset::from(2)).unwrap();
            }
            Ok(())
        });
        let replay = load(&log, GroupConfig::default()).unwrap();
        let loading = Loading { replay, ..Loading::new(GroupConfig::default(), 0) };
        let found: Vec<_> = offsets(loading).into_iter().map(|(topic, _)| topic).collect();
        assert!(found.ends_with(&["c".to_owned()]), "{found:?}");
    }
}
