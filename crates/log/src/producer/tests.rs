//! The table of what a leader answers to what an idempotent producer sends, and a model of what it
//! remembers.

use std::time::Duration;

use klamm_record::{
    BatchBuilder, BatchHeader, BatchOptions, BatchProducer, EndTransaction, NewRecord, Outcome,
};
use klamm_types::{Offset, ProducerEpoch, ProducerId, Timestamp};
use proptest::prelude::*;

use super::{ProducerError, ProducerStates, check, marker};
use crate::format::ProducerSnapshot;

/// A batch of `count` records from producer 7.
fn sent(epoch: i16, sequence: u32, count: usize, transactional: bool) -> Vec<u8> {
    built(epoch, Some(sequence), count, BatchOptions { transactional, ..BatchOptions::default() })
}

fn built(epoch: i16, base_sequence: Option<u32>, count: usize, options: BatchOptions) -> Vec<u8> {
    let producer =
        BatchProducer { id: ProducerId::new(7).unwrap(), epoch: ProducerEpoch::new(epoch).unwrap() };
    let options = BatchOptions { producer: Some(producer), base_sequence, ..options };
    let mut builder = BatchBuilder::new(Vec::new(), options);
    for _ in 0..count {
        builder.append(&NewRecord::new("v").at(Timestamp::from_millis(1000))).unwrap();
    }
    builder.finish().unwrap().buffer
}

fn ended(epoch: i16, outcome: Outcome) -> Vec<u8> {
    let end = EndTransaction { outcome, coordinator_epoch: 3 };
    let producer =
        BatchProducer { id: ProducerId::new(7).unwrap(), epoch: ProducerEpoch::new(epoch).unwrap() };
    let options = BatchOptions {
        producer: Some(producer),
        transactional: true,
        control: true,
        ..BatchOptions::default()
    };
    let mut builder = BatchBuilder::new(Vec::new(), options);
    builder.append(&NewRecord::new(&end.value()).key(&end.key())).unwrap();
    builder.finish().unwrap().buffer
}

/// A log's producers, and where its end is.
#[derive(Default)]
struct Log {
    states: ProducerStates,
    end: Offset,
}

impl Log {
    /// What a leader does: the answer in a word, and the base offset.
    fn offer(&mut self, batch: &[u8]) -> (&'static str, i64) {
        let header = BatchHeader::parse(batch).unwrap();
        match check(&self.states, &[header]) {
            Ok(Some(duplicate)) => ("duplicate", duplicate.base_offset.get()),
            Ok(None) => ("appended", self.append(batch)),
            Err((_, ProducerError::FencedEpoch { .. })) => ("fenced", -1),
            Err((_, ProducerError::OutOfOrderSequence { .. })) => ("gap", -1),
            Err((_, ProducerError::InTransaction { .. })) => ("in transaction", -1),
            Err((_, ProducerError::NoSequence { .. })) => ("no sequence", -1),
            Err((_, ProducerError::PartlyKnown)) => ("partly known", -1),
        }
    }

    fn append(&mut self, batch: &[u8]) -> i64 {
        let base = self.end;
        let header =
            BatchHeader::parse(batch).unwrap().assigned(base, klamm_types::LeaderEpoch::ZERO).unwrap();
        self.states.apply(&header, marker(&header, batch));
        self.end = header.next_offset();
        base.get()
    }
}

#[test]
fn what_a_producer_sends_is_stored_once_and_in_order() {
    let last = u32::MAX >> 1;
    for (name, before, batch, want) in [
        ("the first", vec![], sent(0, 0, 3, false), ("appended", 0)),
        ("an unknown producer may begin anywhere", vec![], sent(0, 9, 3, false), ("appended", 0)),
        ("the next", vec![sent(0, 0, 3, false)], sent(0, 3, 1, false), ("appended", 3)),
        ("the same again", vec![sent(0, 0, 3, false)], sent(0, 0, 3, false), ("duplicate", 0)),
        ("a gap", vec![sent(0, 0, 3, false)], sent(0, 4, 1, false), ("gap", -1)),
        ("part of one that is there", vec![sent(0, 0, 3, false)], sent(0, 1, 2, false), ("gap", -1)),
        ("the fifth from the end again", fives(5), sent(0, 0, 1, false), ("duplicate", 0)),
        ("the sixth from the end again", fives(6), sent(0, 0, 1, false), ("gap", -1)),
        ("a later epoch begins at 0", vec![sent(0, 0, 3, false)], sent(1, 0, 1, false), ("appended", 3)),
        ("and nowhere else", vec![sent(0, 0, 3, false)], sent(1, 3, 1, false), ("gap", -1)),
        ("an old epoch", vec![sent(1, 0, 3, false)], sent(0, 3, 1, false), ("fenced", -1)),
        ("sequences begin again", vec![sent(0, last - 1, 2, false)], sent(0, 0, 1, false), ("appended", 2)),
        ("in a batch too", vec![sent(0, last, 3, false)], sent(0, 2, 1, false), ("appended", 3)),
        ("which is known again", vec![sent(0, last, 3, false)], sent(0, last, 3, false), ("duplicate", 0)),
        ("no sequence", vec![], built(0, None, 1, BatchOptions::default()), ("no sequence", -1)),
        ("in a transaction", vec![sent(0, 0, 1, true)], sent(0, 1, 1, true), ("appended", 1)),
        ("outside of an open one", vec![sent(0, 0, 1, true)], sent(0, 1, 1, false), ("in transaction", -1)),
        (
            "after its end",
            vec![sent(0, 0, 1, true), ended(0, Outcome::Commit)],
            sent(0, 1, 1, false),
            ("appended", 2),
        ),
        (
            "a marker fences",
            vec![sent(0, 0, 1, true), ended(1, Outcome::Abort)],
            sent(0, 1, 1, true),
            ("fenced", -1),
        ),
        (
            "and begins anew",
            vec![sent(0, 0, 1, true), ended(1, Outcome::Abort)],
            sent(1, 0, 1, true),
            ("appended", 2),
        ),
    ] {
        let mut log = Log::default();
        for batch in &before {
            log.append(batch);
        }
        assert_eq!(log.offer(&batch), want, "{name}");
    }
}

fn fives(count: u32) -> Vec<Vec<u8>> {
    (0..count).map(|n| sent(0, n, 1, false)).collect()
}

#[test]
fn batches_of_one_call_follow_each_other() {
    let headers = |list: &[Vec<u8>]| list.iter().map(|b| BatchHeader::parse(b).unwrap()).collect::<Vec<_>>();
    let states = ProducerStates::default();
    assert_eq!(check(&states, &headers(&[sent(0, 0, 2, false), sent(0, 2, 1, false)])), Ok(None));
    let (index, fault) = check(&states, &headers(&[sent(0, 0, 2, false), sent(0, 5, 1, false)])).unwrap_err();
    assert_eq!((index, fault.to_string().as_str()), (1, "producer 7 sent sequence 5, expected 2"));
}

#[test]
fn a_call_is_known_as_a_whole_or_not_at_all() {
    let mut log = Log::default();
    for n in 0..2 {
        log.append(&sent(0, n, 1, false));
    }
    let headers = |list: &[u32]| {
        let batch = |n: &u32| BatchHeader::parse(&sent(0, *n, 1, false)).unwrap();
        list.iter().map(batch).collect::<Vec<_>>()
    };
    let both = check(&log.states, &headers(&[0, 1])).unwrap().unwrap();
    assert_eq!((both.base_offset.get(), both.next_offset.get()), (0, 2));
    assert_eq!(check(&log.states, &headers(&[1, 2])), Err((1, ProducerError::PartlyKnown)));
    assert_eq!(check(&log.states, &headers(&[2, 1])).unwrap_err().0, 1);
}

#[test]
fn what_is_undecided_or_not_committed_is_unstable() {
    let mut log = Log::default();
    let at = Offset::from;
    log.append(&sent(0, 0, 5, false));
    assert_eq!(log.states.first_unstable(at(5)), None);
    log.append(&sent(0, 5, 5, true));
    assert_eq!(log.states.first_unstable(at(5)), Some(at(5)));
    log.append(&ended(0, Outcome::Abort));
    assert_eq!(log.states.first_unstable(at(10)), Some(at(5)), "the marker at 10 is not committed");
    assert_eq!(log.states.first_unstable(at(11)), None);
}

#[test]
fn silent_producers_are_forgotten_unless_a_transaction_is_open() {
    let day = Duration::from_secs(86_400);
    let later = Duration::from_millis(2000) + day;
    for (transactional, left) in [(false, 0), (true, 1)] {
        let mut log = Log::default();
        log.append(&sent(0, 0, 1, transactional));
        log.states.expire(Duration::from_millis(2000), day);
        assert_eq!(log.states.to_snapshot().entries.len(), 1);
        log.states.expire(Duration::from_millis(1500) + day, day);
        assert_eq!(log.states.to_snapshot().entries.len(), 1, "not a day since it was first looked at");
        log.states.expire(later, day);
        assert_eq!(log.states.to_snapshot().entries.len(), left);
    }
}

proptest! {
    /// However often and in whatever order batches are sent: each is stored once, in order, as a
    /// list says that numbers them.
    #[test]
    fn a_list_of_sequences_says_the_same(sends in prop::collection::vec((0u32..20, 1usize..4), 1..60)) {
        let (mut log, mut stored) = (Log::default(), Vec::<(u32, usize, i64)>::new());
        for (sequence, count) in sends {
            let next = stored.last().map_or(0, |(sequence, count, _)| sequence + *count as u32);
            let recent = &stored[stored.len().saturating_sub(5)..];
            let known = recent.iter().find(|(s, c, _)| (*s, *c) == (sequence, count));
            let want = match known {
                Some((.., base)) => ("duplicate", *base),
                None if sequence == next || stored.is_empty() => ("appended", log.end.get()),
                None => ("gap", -1),
            };
            let got = log.offer(&sent(0, sequence, count, false));
            prop_assert_eq!(got, want);
            if got.0 == "appended" {
                stored.push((sequence, count, got.1));
            }
            let snapshot = log.states.to_snapshot();
            let bytes = ProducerSnapshot::parse(&snapshot.to_bytes()).unwrap();
            prop_assert_eq!(&bytes, &snapshot);
            let again = ProducerStates::from_snapshot(&bytes, log.end).unwrap();
            prop_assert_eq!(again.to_snapshot(), snapshot);
        }
    }
}

#[test]
fn a_log_remembers_at_most_so_many_producers_and_forgets_the_oldest() {
    let most = 80;
    let mut states = ProducerStates::default();
    let batch = sent(0, 0, 1, false);
    let append = |states: &mut ProducerStates, id: i64, offset: i64| {
        let mut batch = batch.clone();
        batch[..8].copy_from_slice(&offset.to_be_bytes());
        batch[43..51].copy_from_slice(&id.to_be_bytes());
        states.apply(&BatchHeader::parse(&batch).unwrap(), None);
        states.limit(most);
    };
    for number in 0..1000 {
        append(&mut states, number, 2 * number);
        // The first goes on sending, and is remembered.
        append(&mut states, 0, 2 * number + 1);
        assert!(states.last_batches().len() <= most, "after {number}");
    }
    let known = states.last_batches();
    assert!(known.len() >= most - most / 8 - 1, "{}", known.len());
    assert!(known.contains_key(&ProducerId::new(0).unwrap()), "the busiest is remembered");
    assert!(known.contains_key(&ProducerId::new(999).unwrap()), "the newest is remembered");
    assert!(!known.contains_key(&ProducerId::new(1).unwrap()), "the oldest is forgotten");
}
