//! What stays of a batch: the rules, without bytes.

use std::collections::BTreeMap;
use std::time::Duration;

use klamm_record::BatchHeader;
use klamm_types::{Offset, ProducerId, Timestamp};

use super::offset_map::{KeyHash, OffsetMap};
use crate::producer::LastBatch;

/// What the rules depend on.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) now: Timestamp,
    pub(super) delete_retention: Duration,
    /// Where the cleaning ends.
    pub(super) end: Offset,
    /// The last that is known of each active producer.
    pub(super) producers: BTreeMap<ProducerId, LastBatch>,
}

/// What the rules look at of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Candidate {
    pub(super) offset: Offset,
    pub(super) key: Option<KeyHash>,
    /// A tombstone has none.
    pub(super) has_value: bool,
}

/// What becomes of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fate {
    pub(super) records: Records,
    /// Whether its header stays when no record does.
    pub(super) keeps_header: bool,
    /// Whether it is a marker that nothing needs any more: from now on its time runs.
    pub(super) is_spent_marker: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Records {
    /// None stays.
    None,
    /// Each that [`Rules::keeps`].
    Wanted,
    /// All.
    All,
}

impl Rules {
    /// `is_done` says that the batch was aborted, or is a marker that nothing needs any more.
    pub(super) fn fate(&self, header: &BatchHeader, is_done: bool) -> Fate {
        let goes = is_done && (!header.is_control() || self.is_past_horizon(header));
        let records = match (goes, header.is_control()) {
            (true, _) => Records::None,
            (false, true) => Records::All,
            (false, false) => Records::Wanted,
        };
        // The last batch shows up to where the cleaning went.
        let keeps_header = self.is_last_of_producer(header) || header.next_offset() == self.end;
        Fate { records, keeps_header, is_spent_marker: is_done && header.is_control() }
    }

    /// Whether a record stays: it is the last with its key, and if it is a tombstone, its time has
    /// not come.
    pub(super) fn keeps(&self, header: &BatchHeader, record: &Candidate, map: &OffsetMap) -> bool {
        if map.latest().is_none_or(|latest| record.offset > latest) {
            return true;
        }
        let Some(key) = record.key else { return false };
        let is_last = map.get(key).is_none_or(|last| record.offset >= last);
        is_last && (record.has_value || !self.is_past_horizon(header))
    }

    /// From when on tombstones and markers of a batch go that was looked at now for the first time.
    pub(super) fn horizon(&self) -> Timestamp {
        self.now.saturating_add(self.delete_retention)
    }

    fn is_past_horizon(&self, header: &BatchHeader) -> bool {
        header.delete_horizon().is_some_and(|horizon| horizon <= self.now)
    }

    /// Whether an active producer's last sequence number, or its epoch, is known from this batch.
    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        let Some(producer) = header.producer() else { return false };
        match self.producers.get(&producer.id) {
            Some(LastBatch { data: Some(last), .. }) => header.last_offset() == *last,
            Some(LastBatch { data: None, epoch }) => header.is_control() && producer.epoch == *epoch,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use klamm_record::{BatchBuilder, BatchOptions, BatchProducer, NewRecord};
    use klamm_types::ProducerEpoch;

    use super::*;

    fn header(control: bool, horizon: Option<i64>) -> BatchHeader {
        let producer =
            BatchProducer { id: ProducerId::new(7).unwrap(), epoch: ProducerEpoch::new(1).unwrap() };
        let options = BatchOptions {
            base_offset: Offset::from(10),
            producer: Some(producer),
            transactional: true,
            control,
            delete_horizon: horizon.map(Timestamp::from_millis),
            ..BatchOptions::default()
        };
        let mut builder = BatchBuilder::new(Vec::new(), options);
        builder.append(&NewRecord::new("v").key("k")).unwrap();
        builder.finish().unwrap().header
    }

    fn rules(end: u32, last: Option<LastBatch>) -> Rules {
        Rules {
            now: Timestamp::from_millis(1000),
            delete_retention: Duration::from_millis(50),
            end: Offset::from(end),
            producers: last.map(|last| (ProducerId::new(7).unwrap(), last)).into_iter().collect(),
        }
    }

    #[test]
    fn what_becomes_of_a_batch() {
        let epoch = |number| ProducerEpoch::new(number).unwrap();
        let data = |offset: u32| Some(LastBatch { data: Some(Offset::from(offset)), epoch: epoch(1) });
        let marked = |number| Some(LastBatch { data: None, epoch: epoch(number) });
        use Records::{All, None as Nothing, Wanted};
        for (name, header, done, rules, want) in [
            ("of records", header(false, None), false, rules(99, None), (Wanted, false, false)),
            ("aborted", header(false, None), true, rules(99, None), (Nothing, false, false)),
            (
                "the last of its producer",
                header(false, None),
                true,
                rules(99, data(10)),
                (Nothing, true, false),
            ),
            (
                "not the last of its producer",
                header(false, None),
                true,
                rules(99, data(12)),
                (Nothing, false, false),
            ),
            ("the last of the cleaning", header(false, None), false, rules(11, None), (Wanted, true, false)),
            ("a marker that is needed", header(true, None), false, rules(99, None), (All, false, false)),
            (
                "one that is not, for the first time",
                header(true, None),
                true,
                rules(99, None),
                (All, false, true),
            ),
            (
                "one whose time has not come",
                header(true, Some(1001)),
                true,
                rules(99, None),
                (All, false, true),
            ),
            (
                "one whose time has come",
                header(true, Some(1000)),
                true,
                rules(99, None),
                (Nothing, false, true),
            ),
            (
                "one that is needed again",
                header(true, Some(1000)),
                false,
                rules(99, None),
                (All, false, false),
            ),
            (
                "the last marker of its producer",
                header(true, Some(1)),
                true,
                rules(99, marked(1)),
                (Nothing, true, true),
            ),
            (
                "a marker of an older epoch",
                header(true, Some(1)),
                true,
                rules(99, marked(2)),
                (Nothing, false, true),
            ),
            (
                "a marker, and records came since",
                header(true, Some(1)),
                true,
                rules(99, data(20)),
                (Nothing, false, true),
            ),
        ] {
            let fate = rules.fate(&header, done);
            assert_eq!((fate.records, fate.keeps_header, fate.is_spent_marker), want, "{name}");
        }
    }

    #[test]
    fn what_becomes_of_a_record() {
        let mut map = OffsetMap::new(1 << 12, 9, 0.9, [0, 0]);
        map.put(map.hash(b"k"), Offset::from(20));
        map.put(map.hash(b"z"), Offset::from(30));
        let (value, key, other): (&[u8], &[u8], &[u8]) = (b"v", b"k", b"other");
        for (name, offset, key, value, horizon, want) in [
            ("the last of its key", 20, Some(key), Some(value), None, true),
            ("not the last", 19, Some(key), Some(value), None, false),
            ("a key that is clean and was not written since", 5, Some(other), Some(value), None, true),
            ("no key", 20, None, Some(value), None, false),
            ("behind what was looked at", 31, None, None, None, true),
            ("a tombstone, the first time", 20, Some(key), None, None, true),
            ("a tombstone whose time has not come", 20, Some(key), None, Some(1001), true),
            ("a tombstone whose time has come", 20, Some(key), None, Some(1000), false),
            ("a tombstone that is not the last", 19, Some(key), None, None, false),
            ("a value beside old tombstones", 20, Some(key), Some(value), Some(1), true),
        ] {
            let key = key.map(|key| map.hash(key));
            let record = Candidate { offset: Offset::from(offset), key, has_value: value.is_some() };
            assert_eq!(rules(99, None).keeps(&header(false, horizon), &record, &map), want, "{name}");
        }
    }
}
