//! Fetch sessions (KIP-227): the broker remembers which partitions a client reads, so that a fetch names only what changed and
//! an answer tells only what is new.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest};
use klamm_protocol::messages::fetch_response::PartitionData;
use klamm_protocol::{ErrorCode, Records, Uuid};
use parking_lot::Mutex;

/// The sessions there are, as many as `max.incremental.fetch.session.cache.slots` says.
#[derive(Debug)]
pub(crate) struct FetchSessions {
    most: usize,
    sessions: Mutex<HashMap<i32, Session>>,
}

#[derive(Debug)]
struct Session {
    /// That of the fetch to come.
    epoch: i32,
    /// When it was last used, by [`Clock::elapsed`](klamm_log::Clock::elapsed).
    used: Duration,
    partitions: Vec<SessionPartition>,
}

/// A partition that a fetch is about.
#[derive(Clone, Debug)]
pub(crate) struct SessionPartition {
    pub(crate) topic: TopicKey,
    pub(crate) asked: FetchPartition,
    /// What the client knows: the end of what is committed and the log's start.
    told: Option<(i64, i64)>,
}

/// How a fetch names a topic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum TopicKey {
    Id(Uuid),
    Name(Arc<str>),
}

/// A fetch as it stands to its session: which partitions it is about, and who has to be told what.
#[derive(Debug)]
pub(crate) struct FetchContext {
    kind: Kind,
    /// The id of the session that the request names, or 0.
    session_id: i32,
    pub(crate) partitions: Vec<SessionPartition>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// All is asked and all is told, and nothing is remembered.
    Sessionless,
    /// All is asked and all is told, and a session begins, if there is room.
    First,
    /// What changed is asked, and what is new is told.
    Incremental { id: i32, epoch: i32 },
}

/// The epoch of a fetch that begins a session.
const FIRST: i32 = 0;
/// The epoch of a fetch that ends one, or wants none.
const LAST: i32 = -1;
/// How long a session must not have been used before another takes its place.
const UNUSED: Duration = Duration::from_secs(120);
/// Partitions of all sessions together: what they take is bounded, whatever clients ask.
const MOST_PARTITIONS: usize = 1_000_000;
const LONGEST_NAME: usize = 249;

impl FetchSessions {
    pub(crate) fn new(most: usize) -> FetchSessions {
        FetchSessions { most, sessions: Mutex::default() }
    }

    /// What `request` is about. No session changes before [`FetchSessions::answer`].
    pub(crate) fn context(&self, request: &FetchRequest, by_id: bool) -> Result<FetchContext, ErrorCode> {
        let (id, epoch) = (request.session_id, request.session_epoch);
        if matches!(epoch, FIRST | LAST) {
            let kind = if epoch == FIRST { Kind::First } else { Kind::Sessionless };
            return Ok(FetchContext { kind, session_id: id, partitions: partitions_of(request, by_id) });
        }
        // Others have fetches too: what takes long is not done under the lock.
        let known = {
            let sessions = self.sessions.lock();
            let session = sessions.get(&id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
            if session.epoch != epoch {
                return Err(ErrorCode::InvalidFetchSessionEpoch);
            }
            session.partitions.clone()
        };
        let named_otherwise = |known: &SessionPartition| matches!(known.topic, TopicKey::Id(_)) != by_id;
        if known.iter().any(named_otherwise) {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        let partitions = changed(known, request, by_id);
        Ok(FetchContext { kind: Kind::Incremental { id, epoch }, session_id: id, partitions })
    }

    /// What of `found`, the partitions' data in the order of the context's, has to be told; and the session's id.
    pub(crate) fn answer(
        &self,
        context: FetchContext,
        found: Vec<PartitionData>,
        now: Duration,
    ) -> (i32, Vec<(TopicKey, PartitionData)>) {
        let mut sessions = self.sessions.lock();
        if let Kind::First | Kind::Sessionless = context.kind {
            sessions.remove(&context.session_id);
        }
        let mut partitions = context.partitions;
        let told: Vec<bool> =
            partitions.iter_mut().zip(&found).map(|(partition, data)| partition.tell(data)).collect();
        let id = match context.kind {
            Kind::Sessionless => 0,
            Kind::First => begin(&mut sessions, self.most, &partitions, now),
            Kind::Incremental { id, epoch } => {
                let news = found.iter().map(has_records).collect::<Vec<_>>();
                go_on(&mut sessions, id, epoch, last_come_last(&partitions, &news), now)
            }
        };
        let is_incremental = matches!(context.kind, Kind::Incremental { .. });
        let all = partitions.into_iter().map(|partition| partition.topic).zip(found).zip(told);
        (id, all.filter(|(_, is_news)| *is_news || !is_incremental).map(|(data, _)| data).collect())
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.sessions.lock().len()
    }
}

impl SessionPartition {
    fn new(topic: TopicKey, asked: FetchPartition) -> SessionPartition {
        SessionPartition { topic, asked, told: None }
    }

    /// Notes what the client will know; says whether any of it is new.
    fn tell(&mut self, data: &PartitionData) -> bool {
        let bounds = Some((data.high_watermark, data.log_start_offset));
        let is_news = data.error_code != 0 || has_records(data) || self.told != bounds;
        // After an error it is told again, whatever it was.
        self.told = bounds.filter(|_| data.error_code == 0);
        is_news
    }

    fn key(&self) -> (TopicKey, i32) {
        (self.topic.clone(), self.asked.partition)
    }

    /// Whether a session may remember it: no topic has a longer name.
    fn can_be(&self) -> bool {
        match &self.topic {
            TopicKey::Id(_) => true,
            TopicKey::Name(name) => name.len() <= LONGEST_NAME,
        }
    }
}

fn has_records(data: &PartitionData) -> bool {
    data.records.as_ref().is_some_and(|records| match records {
        Records::Bytes(bytes) => !bytes.is_empty(),
        Records::Region(region) => region.length > 0,
    })
}

fn key(topic: &str, id: Uuid, by_id: bool) -> TopicKey {
    if by_id { TopicKey::Id(id) } else { TopicKey::Name(topic.into()) }
}

/// Each partition once; what comes last counts.
fn partitions_of(request: &FetchRequest, by_id: bool) -> Vec<SessionPartition> {
    merged(Vec::new(), request, by_id)
}

/// The session's partitions with those of the request in their places or behind them, and without those that it forgets.
fn changed(known: Vec<SessionPartition>, request: &FetchRequest, by_id: bool) -> Vec<SessionPartition> {
    let mut partitions = merged(known, request, by_id);
    let forgotten: HashSet<(TopicKey, i32)> = request
        .forgotten_topics_data
        .iter()
        .flat_map(|topic| {
            let key = key(&topic.topic, topic.topic_id, by_id);
            topic.partitions.iter().map(move |number| (key.clone(), *number))
        })
        .collect();
    if !forgotten.is_empty() {
        partitions.retain(|known| !forgotten.contains(&known.key()));
    }
    partitions
}

fn merged(
    mut partitions: Vec<SessionPartition>,
    request: &FetchRequest,
    by_id: bool,
) -> Vec<SessionPartition> {
    if request.topics.is_empty() {
        return partitions;
    }
    let place = |(at, known): (usize, &SessionPartition)| (known.key(), at);
    let mut places: HashMap<(TopicKey, i32), usize> = partitions.iter().enumerate().map(place).collect();
    for topic in &request.topics {
        let key = key(&topic.topic, topic.topic_id, by_id);
        for asked in &topic.partitions {
            match places.get(&(key.clone(), asked.partition)) {
                Some(at) => partitions[*at].asked = asked.clone(),
                None => {
                    places.insert((key.clone(), asked.partition), partitions.len());
                    partitions.push(SessionPartition::new(key.clone(), asked.clone()));
                }
            }
        }
    }
    partitions
}

/// Those that had records go behind the others, so that each comes first in its turn.
fn last_come_last(partitions: &[SessionPartition], had_records: &[bool]) -> Vec<SessionPartition> {
    let those = |had: bool| {
        let pairs = partitions.iter().zip(had_records).filter(move |(_, records)| **records == had);
        pairs.map(|(partition, _)| partition.clone())
    };
    those(false).chain(those(true)).collect()
}

/// The id of a new session, or 0 when there is no room for one.
fn begin(
    sessions: &mut HashMap<i32, Session>,
    most: usize,
    partitions: &[SessionPartition],
    now: Duration,
) -> i32 {
    make_room(sessions, most, now);
    let all: usize = sessions.values().map(|session| session.partitions.len()).sum();
    let fits = sessions.len() < most && all + partitions.len() <= MOST_PARTITIONS;
    if partitions.is_empty() || !fits || !partitions.iter().all(SessionPartition::can_be) {
        return 0;
    }
    let Some(id) = free_id(sessions) else { return 0 };
    sessions.insert(id, Session { epoch: 1, used: now, partitions: partitions.to_vec() });
    id
}

/// Where it is full, the session that has been silent for longest goes, if that was long.
fn make_room(sessions: &mut HashMap<i32, Session>, most: usize, now: Duration) {
    if sessions.len() < most {
        return;
    }
    let oldest = sessions.iter().min_by_key(|(_, session)| session.used).map(|(id, s)| (*id, s.used));
    if let Some((id, used)) = oldest
        && now.saturating_sub(used) > UNUSED
    {
        sessions.remove(&id);
    }
}

fn free_id(sessions: &HashMap<i32, Session>) -> Option<i32> {
    let random = || {
        let mut bytes = [0; 4];
        getrandom::fill(&mut bytes).ok()?;
        Some(i32::from_le_bytes(bytes) & i32::MAX)
    };
    (0..100).find_map(|_| random().filter(|id| *id != 0 && !sessions.contains_key(id)))
}

/// Puts the session as it is after a fetch in its place; one without partitions is over.
fn go_on(
    sessions: &mut HashMap<i32, Session>,
    id: i32,
    epoch: i32,
    partitions: Vec<SessionPartition>,
    used: Duration,
) -> i32 {
    let all: usize =
        sessions.iter().filter(|(other, _)| **other != id).map(|(_, s)| s.partitions.len()).sum();
    // Another connection may have gone on with it, or begun anew.
    let is_its_turn = sessions.get(&id).is_some_and(|session| session.epoch == epoch);
    let fits = all + partitions.len() <= MOST_PARTITIONS && partitions.iter().all(SessionPartition::can_be);
    if partitions.is_empty() || !fits {
        sessions.remove(&id);
        return 0;
    }
    if is_its_turn {
        let epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        sessions.insert(id, Session { epoch, used, partitions });
    }
    id
}

#[cfg(test)]
mod tests {
    use klamm_protocol::messages::fetch_request::{FetchTopic, ForgottenTopic};

    use super::*;

    fn request(id: i32, epoch: i32, add: &[i32], forget: &[i32]) -> FetchRequest {
        let partitions = |numbers: &[i32]| {
            numbers.iter().map(|n| FetchPartition { partition: *n, ..FetchPartition::default() }).collect()
        };
        let topics =
            vec![FetchTopic { topic: "t".into(), partitions: partitions(add), ..Default::default() }];
        let forgotten =
            ForgottenTopic { topic: "t".into(), partitions: forget.to_vec(), ..Default::default() };
        FetchRequest {
            session_id: id,
            session_epoch: epoch,
            topics: if add.is_empty() { Vec::new() } else { topics },
            forgotten_topics_data: vec![forgotten],
            ..FetchRequest::default()
        }
    }

    /// Answers a fetch whose partitions have these ends; one with a negative end has records too. The session's id, and the
    /// partitions that are told.
    fn fetch(
        sessions: &FetchSessions,
        request: &FetchRequest,
        ends: &[i64],
        now: u64,
    ) -> Result<(i32, Vec<i32>), ErrorCode> {
        let context = sessions.context(request, false)?;
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
        let (id, told) = sessions.answer(context, found, Duration::from_millis(now));
        Ok((id, told.iter().map(|(_, data)| data.partition_index).collect()))
    }

    #[test]
    fn a_session_tells_what_is_new_and_lets_all_come_first_in_turn() {
        let sessions = FetchSessions::new(10);
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
        let by_id = sessions.context(&request(id, 7, &[], &[]), true);
        assert_eq!(by_id.unwrap_err(), ErrorCode::FetchSessionTopicIdError);
        let (none, _) = fetch(&sessions, &request(id, 7, &[], &[2, 3]), &[9; 4], 0).unwrap();
        assert_eq!((none, sessions.len()), (0, 0), "nothing is left of it");
    }

    #[test]
    fn asking_again_before_the_answer_changes_nothing() {
        let sessions = FetchSessions::new(10);
        let (id, _) = fetch(&sessions, &request(0, 0, &[0], &[]), &[5], 0).unwrap();
        let next = request(id, 1, &[1], &[]);
        for _ in 0..3 {
            assert_eq!(sessions.context(&next, false).unwrap().partitions.len(), 2);
        }
        assert_eq!(fetch(&sessions, &next, &[5, 5], 0), Ok((id, vec![1])));
    }

    #[test]
    fn sessions_are_bounded_and_the_silent_ones_go() {
        let sessions = FetchSessions::new(2);
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
        assert_eq!(
            fetch(&sessions, &request(second, -1, &[0], &[]), &[5], 0),
            Ok((0, vec![0])),
            "the end of it"
        );
        assert_eq!(sessions.len(), 1);
    }
}
