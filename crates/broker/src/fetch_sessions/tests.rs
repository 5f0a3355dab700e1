//! Fetch sessions: beginning, going on, ending, and their bounds.

use std::task::Poll;

use klamm_protocol::messages::fetch_request::{FetchTopic, ForgottenTopic};

use super::*;
use crate::BrokerConfig;
use crate::work::{Counters, Place};

const MANY: Bounds = Bounds { sessions: 10, partitions: 100 };

/// Runs what fits into one slice.
fn at_once<T>(run: impl AsyncFnOnce(&Work) -> T) -> T {
    let work = Work::new(&BrokerConfig::default(), &Arc::new(Counters::new(0)), Place::Worker);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(run(&work)).poll(&mut context) {
        Poll::Ready(done) => done,
        Poll::Pending => unreachable!("less than a slice"),
    }
}

fn request(id: i32, epoch: i32, add: &[i32], forget: &[i32]) -> FetchRequest {
    let partitions = |numbers: &[i32]| {
        numbers.iter().map(|n| FetchPartition { partition: *n, ..FetchPartition::default() }).collect()
    };
    let topics = vec![FetchTopic { topic: "t".into(), partitions: partitions(add), ..Default::default() }];
    let forgotten = ForgottenTopic { topic: "t".into(), partitions: forget.to_vec(), ..Default::default() };
    FetchRequest {
        session_id: id,
        session_epoch: epoch,
        topics: if add.is_empty() { Vec::new() } else { topics },
        forgotten_topics_data: vec![forgotten],
        ..FetchRequest::default()
    }
}

/// Answers a fetch whose partitions have these ends; one with a negative end has records too. The
/// session's id, and the partitions that are told.
fn fetch(
    sessions: &FetchSessions,
    request: &FetchRequest,
    ends: &[i64],
    now: u64,
) -> Result<(i32, Vec<i32>), ErrorCode> {
    let context = at_once(async |work| sessions.context(request, false, work).await)?;
    let found = context.partitions.iter().map(|partition| {
        let end = ends[usize::try_from(partition.asked.partition).unwrap()];
        let records = if end < 0 { &b"records"[..] } else { b"" };
        PartitionData {
            partition_index: partition.asked.partition,
            high_watermark: end.abs(),
            records: Some(Records::Bytes(records.into())),
            ..PartitionData::default()
        }
    });
    let found = found.collect();
    let now = Duration::from_millis(now);
    let (id, told) = at_once(async |work| sessions.answer(context, found, now, work).await);
    Ok((id, told.iter().map(|(_, data)| data.partition_index).collect()))
}

#[test]
fn a_session_tells_what_is_new_and_lets_all_come_first_in_turn() {
    let sessions = FetchSessions::new(MANY);
    let (id, told) = fetch(&sessions, &request(0, 0, &[0, 1, 2], &[]), &[5, 5, 5, 5], 0).unwrap();
    assert!(id > 0);
    assert_eq!(told, [0, 1, 2], "all at first");
    for (epoch, add, forget, ends, want) in [
        (1, &[][..], &[][..], [5, 5, 5, 5], &[][..]),
        (2, &[], &[], [5, 6, 5, 5], &[1]),
        (3, &[], &[], [-6, 6, 5, 5], &[0]),
        (4, &[], &[], [-6, 6, -6, 5], &[2, 0]),
        (5, &[3], &[], [6, 6, 6, 5], &[3]),
        (6, &[], &[0, 1], [9, 9, 9, 9], &[2, 3]),
    ] {
        let (same, told) = fetch(&sessions, &request(id, epoch, add, forget), &ends, 0).unwrap();
        assert_eq!((same, &told[..]), (id, want), "epoch {epoch}");
    }
    assert_eq!(
        fetch(&sessions, &request(id, 6, &[], &[]), &[0; 4], 0),
        Err(ErrorCode::InvalidFetchSessionEpoch)
    );
    assert_eq!(
        fetch(&sessions, &request(id + 1, 7, &[], &[]), &[0; 4], 0),
        Err(ErrorCode::FetchSessionIdNotFound)
    );
    let last = request(id, 7, &[], &[]);
    let by_id = at_once(async |work| sessions.context(&last, true, work).await);
    assert_eq!(by_id.unwrap_err(), ErrorCode::FetchSessionTopicIdError);
    let (none, _) = fetch(&sessions, &request(id, 7, &[], &[2, 3]), &[9; 4], 0).unwrap();
    assert_eq!((none, sessions.len()), (0, 0), "nothing is left of it");
}

#[test]
fn asking_again_before_the_answer_changes_nothing() {
    let sessions = FetchSessions::new(MANY);
    let (id, _) = fetch(&sessions, &request(0, 0, &[0], &[]), &[5], 0).unwrap();
    let next = request(id, 1, &[1], &[]);
    for _ in 0..3 {
        let context = at_once(async |work| sessions.context(&next, false, work).await);
        assert_eq!(context.unwrap().partitions.len(), 2);
    }
    assert_eq!(fetch(&sessions, &next, &[5, 5], 0), Ok((id, vec![1])));
}

#[test]
fn sessions_are_bounded_and_the_silent_ones_go() {
    let sessions = FetchSessions::new(Bounds { sessions: 2, ..MANY });
    let begin = |now| fetch(&sessions, &request(0, 0, &[0], &[]), &[5], now).unwrap().0;
    let (first, second) = (begin(0), begin(100_000));
    assert!(first > 0 && second > 0);
    assert_eq!(begin(110_000), 0, "no room, and nobody was silent for long");
    assert!(begin(121_000) > 0, "the first was");
    assert_eq!(
        fetch(&sessions, &request(first, 1, &[], &[]), &[5], 0),
        Err(ErrorCode::FetchSessionIdNotFound)
    );
    assert_eq!(fetch(&sessions, &request(second, 1, &[], &[]), &[5], 0), Ok((second, vec![])));
    assert_eq!(fetch(&sessions, &request(second, -1, &[0], &[]), &[5], 0), Ok((0, vec![0])), "the end of it");
    assert_eq!(sessions.len(), 1);
}

#[test]
fn the_partitions_of_all_sessions_are_bounded() {
    let sessions = FetchSessions::new(Bounds { partitions: 3, ..MANY });
    let (first, _) = fetch(&sessions, &request(0, 0, &[0, 1], &[]), &[5; 4], 0).unwrap();
    assert!(first > 0);
    assert_eq!(fetch(&sessions, &request(0, 0, &[0, 1], &[]), &[5; 4], 0), Ok((0, vec![0, 1])), "no session");
    let (second, _) = fetch(&sessions, &request(0, 0, &[0], &[]), &[5; 4], 0).unwrap();
    assert!(second > 0, "has room");
    assert_eq!(sessions.remembered(&request(first, 1, &[], &[])), 2);
    let grown = fetch(&sessions, &request(first, 1, &[2], &[]), &[5; 4], 0);
    assert_eq!(grown, Ok((0, vec![2])), "a session that grows beyond the bound ends");
    assert_eq!(sessions.len(), 1);
}

/// A fetch that comes late, of a session that another connection has gone on with.
#[test]
fn a_late_fetch_does_not_end_the_session_of_another() {
    let mut sessions =
        HashMap::from([(7, Session { epoch: 5, used: Duration::ZERO, partitions: Vec::new() })]);
    assert_eq!(go_on(&mut sessions, MANY, (7, 4), Vec::new(), Duration::ZERO), 0);
    assert!(sessions.contains_key(&7));
    assert_eq!(go_on(&mut sessions, MANY, (7, 5), Vec::new(), Duration::ZERO), 0);
    assert!(sessions.is_empty(), "its own, without partitions, ends");
}
