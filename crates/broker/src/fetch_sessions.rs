//! Fetch sessions (KIP-227): the broker remembers which partitions a client reads, so that a fetch
//! names only what changed and an answer tells only what is new.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest};
use klamm_protocol::messages::fetch_response::PartitionData;
use klamm_protocol::{ErrorCode, Records, Uuid};
use parking_lot::Mutex;

use crate::work::Work;

/// The fetch sessions of all clients.
#[derive(Debug)]
pub(crate) struct FetchSessions {
    bounds: Bounds,
    sessions: Mutex<HashMap<i32, Session>>,
}

/// What the sessions may take together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Sessions (`max.incremental.fetch.session.cache.slots`).
    pub(crate) sessions: usize,
    /// Partitions of all sessions (`max.incremental.fetch.session.cache.partitions`).
    pub(crate) partitions: usize,
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
const LONGEST_NAME: usize = 249;

impl FetchSessions {
    pub(crate) fn new(bounds: Bounds) -> FetchSessions {
        FetchSessions { bounds, sessions: Mutex::default() }
    }

    /// The number of partitions that the session of a request remembers.
    pub(crate) fn remembered(&self, request: &FetchRequest) -> usize {
        let is_incremental = !matches!(request.session_epoch, FIRST | LAST);
        let sessions = self.sessions.lock();
        let session = sessions.get(&request.session_id).filter(|_| is_incremental);
        session.map_or(0, |session| session.partitions.len())
    }

    /// What `request` is about. No session changes before [`FetchSessions::answer`].
    pub(crate) async fn context(
        &self,
        request: &FetchRequest,
        by_id: bool,
        work: &Work,
    ) -> Result<FetchContext, ErrorCode> {
        let (id, epoch) = (request.session_id, request.session_epoch);
        if matches!(epoch, FIRST | LAST) {
            let kind = if epoch == FIRST { Kind::First } else { Kind::Sessionless };
            // Each partition once; the last one counts.
            let partitions = merged(Vec::new(), request, by_id, work).await;
            return Ok(FetchContext { kind, session_id: id, partitions });
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
        let partitions = changed(known, request, by_id, work).await;
        Ok(FetchContext { kind: Kind::Incremental { id, epoch }, session_id: id, partitions })
    }

    /// What of `found`, the partitions' data in the order of the context's, has to be told; and the
    /// session's id.
    pub(crate) async fn answer(
        &self,
        context: FetchContext,
        found: Vec<PartitionData>,
        now: Duration,
        work: &Work,
    ) -> (i32, Vec<(TopicKey, PartitionData)>) {
        let FetchContext { kind, session_id, mut partitions } = context;
        let mut news = Vec::with_capacity(found.len());
        let mut pass = work.pass();
        for (partition, data) in partitions.iter_mut().zip(&found) {
            pass.next().await;
            news.push(partition.tell(data));
        }
        let id = self.remember(kind, session_id, &partitions, &found, now);
        let is_incremental = matches!(kind, Kind::Incremental { .. });
        let (mut told, mut pass) = (Vec::new(), work.pass());
        for ((partition, data), is_news) in partitions.into_iter().zip(found).zip(news) {
            pass.next().await;
            if is_news || !is_incremental {
                told.push((partition.topic, data));
            }
        }
        (id, told)
    }

    /// Changes the sessions; returns the id of the session of the fetch, or 0.
    fn remember(
        &self,
        kind: Kind,
        named: i32,
        partitions: &[SessionPartition],
        found: &[PartitionData],
        now: Duration,
    ) -> i32 {
        let mut sessions = self.sessions.lock();
        if let Kind::First | Kind::Sessionless = kind {
            sessions.remove(&named);
        }
        match kind {
            Kind::Sessionless => 0,
            Kind::First => begin(&mut sessions, self.bounds, partitions, now),
            Kind::Incremental { id, epoch } => {
                let news = found.iter().map(has_records).collect::<Vec<_>>();
                go_on(&mut sessions, self.bounds, (id, epoch), last_come_last(partitions, &news), now)
            }
        }
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

/// The session's partitions with those of the request in their places or behind them, and without
/// those that it forgets.
async fn changed(
    known: Vec<SessionPartition>,
    request: &FetchRequest,
    by_id: bool,
    work: &Work,
) -> Vec<SessionPartition> {
    let mut partitions = merged(known, request, by_id, work).await;
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

async fn merged(
    mut partitions: Vec<SessionPartition>,
    request: &FetchRequest,
    by_id: bool,
    work: &Work,
) -> Vec<SessionPartition> {
    if request.topics.is_empty() {
        return partitions;
    }
    let place = |(at, known): (usize, &SessionPartition)| (known.key(), at);
    let mut places: HashMap<(TopicKey, i32), usize> = partitions.iter().enumerate().map(place).collect();
    let mut pass = work.pass();
    for topic in &request.topics {
        pass.next().await;
        let key = key(&topic.topic, topic.topic_id, by_id);
        for asked in &topic.partitions {
            pass.next().await;
            match places.entry((key.clone(), asked.partition)) {
                Entry::Occupied(at) => partitions[*at.get()].asked = asked.clone(),
                Entry::Vacant(place) => {
                    place.insert(partitions.len());
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
    most: Bounds,
    partitions: &[SessionPartition],
    now: Duration,
) -> i32 {
    make_room(sessions, most.sessions, now);
    let all: usize = sessions.values().map(|session| session.partitions.len()).sum();
    let fits = sessions.len() < most.sessions && all + partitions.len() <= most.partitions;
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
    most: Bounds,
    (id, epoch): (i32, i32),
    partitions: Vec<SessionPartition>,
    used: Duration,
) -> i32 {
    let all: usize =
        sessions.iter().filter(|(other, _)| **other != id).map(|(_, s)| s.partitions.len()).sum();
    // Another connection may have gone on with it, or begun anew.
    let is_its_turn = sessions.get(&id).is_some_and(|session| session.epoch == epoch);
    let fits = all + partitions.len() <= most.partitions && partitions.iter().all(SessionPartition::can_be);
    if partitions.is_empty() || !fits {
        if is_its_turn {
            sessions.remove(&id);
        }
        return 0;
    }
    if is_its_turn {
        let epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        sessions.insert(id, Session { epoch, used, partitions });
    }
    id
}

#[cfg(test)]
mod tests;
