//! Reading for consumers. The answer points into the logs' files; nothing is copied here.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use klamm_log::{Log, ReadError, ReadLimit, Slice, Visibility};
use klamm_protocol::messages::fetch_request::{FetchPartition, FetchRequest};
use klamm_protocol::messages::fetch_response::{
    self as response, EpochEndOffset, FetchResponse, FetchableTopicResponse, PartitionData,
};
use klamm_protocol::{ApiKey, ByteString, ErrorCode, Records, Region, RequestHead, Uuid, encode_response};
use klamm_types::{LeaderEpoch, Offset, TopicName, TopicPartition};

use super::{Answer, Delayed, HandleError, Outcome, Sliced, leader_epoch, response_size};
use crate::error_code::WireError;
use crate::fetch_sessions::{FetchContext, SessionPartition, TopicKey};
use crate::metadata::{MetadataImage, Topic};
use crate::quotas::Quota;
use crate::shared::Shared;
use crate::work::Work;

/// From this version on a topic is named by its id.
const WITH_TOPIC_IDS: i16 = 13;
const READ_COMMITTED: i8 = 1;

/// The replica id of a consumer; a broker that follows the leader sends its own id.
const CONSUMER: i32 = -1;
/// From this version on the replica id is a tagged field (KIP-903).
const WITH_REPLICA_STATE: i16 = 15;

/// Whether a fetch may wait for more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Round {
    MayWait,
    /// The time is up.
    Last,
}

/// A fetch as it is put together.
struct Fetching<'a> {
    shared: &'a Shared,
    /// Whether another broker asks, as a follower. No partition has a replica on another broker.
    is_follower: bool,
    visibility: Visibility,
    /// Bytes that the answer may still have.
    left: usize,
    slices: HashMap<u64, Slice>,
    bytes: usize,
    /// An error, or a partition that shrank, is answered at once.
    urgent: bool,
    /// Bytes that go out, by topic.
    read: Vec<(TopicName, usize)>,
    /// Each once, however often it is asked for.
    partitions: BTreeSet<TopicPartition>,
}

/// A decoded fetch, with what an attempt at it needs. It shares no memory with the frame of the
/// request, so that a fetch that waits for more records keeps only this.
#[derive(Debug)]
pub(crate) struct PendingFetch {
    context: FetchContext,
    /// The most bytes of records in the response.
    budget: usize,
    min_bytes: usize,
    max_wait: Duration,
    visibility: Visibility,
    is_follower: bool,
}

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&*call.shared, &call.head);
    let request = super::read::<FetchRequest>(head)?;
    call.work.expect_items(request.topics.iter().map(|topic| 1 + topic.partitions.len()).sum()).await;
    let by_id = head.version >= WITH_TOPIC_IDS;
    let remembered = shared.fetch_sessions.remembered(&request);
    call.work.reserve(response_size::fetched(remembered)).await;
    let context = match shared.fetch_sessions.context(&request, by_id, &call.work).await {
        Ok(context) => context,
        Err(error) => return refuse(error, head),
    };
    let budget = usize::try_from(request.max_bytes).unwrap_or(0).min(shared.config().max_fetch_bytes);
    let fetch = PendingFetch {
        context,
        budget,
        min_bytes: usize::try_from(request.min_bytes).unwrap_or(0).min(budget),
        max_wait: Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)),
        visibility: visibility(request.isolation_level),
        is_follower: replica(&request, head.version) > CONSUMER,
    };
    drop(request);
    attempt(Box::new(fetch), call).await
}

/// Reads what there is. When that is too little, and this is not the last round, the fetch waits
/// for more.
pub(super) async fn attempt(fetch: Box<PendingFetch>, call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&*call.shared, &call.head);
    let begun = Instant::now();
    let partitions = &fetch.context.partitions;
    call.work.expect_items(partitions.len()).await;
    if call.work.is_on_network() && partitions.iter().any(|wanted| is_old(shared, wanted)) {
        call.work.worker().await;
    }
    let mut fetching = Fetching::new(shared, &fetch);
    let found = call.each(partitions, |wanted| fetching.asked(wanted)).await;
    let is_enough = fetching.urgent || fetching.bytes >= fetch.min_bytes;
    if !is_enough && call.turn.round == Round::MayWait && !fetch.max_wait.is_zero() {
        let partitions = fetching.partitions.into_iter().collect();
        return Ok(Outcome::Wait(Delayed { partitions, max_wait: fetch.max_wait, fetch }));
    }
    fetching.read.iter().for_each(|(topic, bytes)| shared.metrics.read(topic.as_str(), *bytes));
    let now = shared.clock.elapsed();
    let (session_id, told) = shared.fetch_sessions.answer(fetch.context, found, now, &call.work).await;
    let throttle_time_ms = shared.charge(head, Quota::Consume, fetching.bytes, begun);
    let responses = by_topic(told, &call.work).await;
    let response = FetchResponse { session_id, throttle_time_ms, responses, ..FetchResponse::default() };
    let frame = encode_response(&response, ApiKey::Fetch, head.version, head.correlation_id)?;
    Ok(Outcome::Answer(Answer { frame, slices: fetching.slices, ..Answer::default() }))
}

fn replica(request: &FetchRequest, version: i16) -> i32 {
    if version >= WITH_REPLICA_STATE { request.replica_state.replica_id } else { request.replica_id }
}

/// Whether what is wanted was written long ago, and has perhaps to be read from the disk.
fn is_old(shared: &Shared, wanted: &SessionPartition) -> bool {
    let image = shared.metadata.image();
    let topic = find(&image, &wanted.topic).ok();
    let log = topic.and_then(|topic| shared.metadata.log(topic, wanted.asked.partition).ok());
    log.is_some_and(|log| wanted.asked.fetch_offset < log.active_start().get())
}

fn find<'a>(image: &'a MetadataImage, topic: &TopicKey) -> Result<&'a Topic, ErrorCode> {
    match topic {
        TopicKey::Id(id) => image.topic_by_id(*id).ok_or(ErrorCode::UnknownTopicId),
        TopicKey::Name(name) => image.topic(name).ok_or(ErrorCode::UnknownTopicOrPartition),
    }
}

fn refuse(error: ErrorCode, head: &RequestHead) -> Result<Outcome, HandleError> {
    let response = FetchResponse { error_code: error.code(), ..FetchResponse::default() };
    super::answer(&response, ApiKey::Fetch, head)
}

/// Partitions of a topic that follow each other go together.
async fn by_topic(told: Vec<(TopicKey, PartitionData)>, work: &Work) -> Vec<FetchableTopicResponse> {
    let mut topics: Vec<(TopicKey, FetchableTopicResponse)> = Vec::new();
    let mut pass = work.pass();
    for (key, data) in told {
        pass.next().await;
        match topics.last_mut().filter(|(last, _)| *last == key) {
            Some((_, topic)) => topic.partitions.push(data),
            None => {
                let (topic, topic_id) = match &key {
                    TopicKey::Id(id) => (ByteString::default(), *id),
                    TopicKey::Name(name) => (ByteString::from(&**name), Uuid::ZERO),
                };
                topics.push((key, FetchableTopicResponse { topic, topic_id, partitions: vec![data] }));
            }
        }
    }
    topics.into_iter().map(|(_, topic)| topic).collect()
}

impl<'a> Fetching<'a> {
    fn new(shared: &'a Shared, fetch: &PendingFetch) -> Fetching<'a> {
        Fetching {
            shared,
            is_follower: fetch.is_follower,
            visibility: fetch.visibility,
            left: fetch.budget,
            slices: HashMap::new(),
            bytes: 0,
            urgent: false,
            read: Vec::new(),
            partitions: BTreeSet::new(),
        }
    }

    fn asked(&mut self, wanted: &SessionPartition) -> PartitionData {
        let image = self.shared.metadata.image();
        let permit = self.shared.permit().map_err(|error| error.wire());
        let log = permit.and(find(&image, &wanted.topic)).and_then(|topic| {
            let FetchPartition { partition, current_leader_epoch, .. } = wanted.asked;
            let log = self.shared.metadata.log(topic, partition).map_err(|error| error.wire())?;
            let latest = topic.leader_epoch(partition);
            // Every negative number means no epoch here, as in Kafka.
            leader_epoch::check(current_leader_epoch.max(-1), latest)?;
            self.check_replica(current_leader_epoch)?;
            let diverging = diverging(&log, latest, &wanted.asked)?;
            Ok((topic, log, diverging))
        });
        match log {
            Ok((topic, log, None)) => self.partition(topic, &log, &wanted.asked),
            Ok((_, log, Some(end))) => self.diverged(&log, &wanted.asked, end),
            Err(error) => self.refused(&wanted.asked, error),
        }
    }

    /// The error codes of Kafka for a replica that is not assigned.
    fn check_replica(&self, current_leader_epoch: i32) -> Result<(), ErrorCode> {
        match self.is_follower {
            false => Ok(()),
            true if current_leader_epoch >= 0 => Err(ErrorCode::UnknownLeaderEpoch),
            true => Err(ErrorCode::NotLeaderOrFollower),
        }
    }

    fn diverged(&mut self, log: &Log, wanted: &FetchPartition, end: EpochEndOffset) -> PartitionData {
        self.urgent = true;
        PartitionData { diverging_epoch: end, ..self.found(log, wanted, None, None) }
    }

    fn partition(&mut self, topic: &Topic, log: &Log, wanted: &FetchPartition) -> PartitionData {
        let read = Offset::new(wanted.fetch_offset).ok_or(ErrorCode::OffsetOutOfRange);
        let read = read.and_then(|offset| {
            let slice = self.read(log, offset, wanted);
            let aborted = slice.and_then(|slice| Ok((self.aborted(log, offset, slice.as_ref())?, slice)));
            let failures = self.shared.metadata.storage().failures();
            match &aborted {
                Ok(_) => failures.read_succeeded(log.partition(), offset),
                Err(error) => failures.read_failed(log.partition(), offset, error),
            }
            aborted.map_err(|error| self.shared.metadata.unless_gone(topic, error.wire()))
        });
        match read {
            Ok((aborted, slice)) => self.found(log, wanted, slice, aborted),
            Err(error) => {
                PartitionData { log_start_offset: log.bounds().start().get(), ..self.refused(wanted, error) }
            }
        }
    }

    /// The first batch of the first partition that has one is whole whatever the budget; others
    /// must fit.
    fn read(&self, log: &Log, offset: Offset, wanted: &FetchPartition) -> Result<Option<Slice>, ReadError> {
        let own = usize::try_from(wanted.partition_max_bytes).unwrap_or(0);
        let limit = ReadLimit { max_bytes: own.min(self.left), visibility: self.visibility };
        let slice = log.read(offset, limit)?;
        let fits = slice.len() <= limit.max_bytes || self.bytes == 0;
        Ok(Some(slice).filter(|slice| fits && !slice.is_empty()))
    }

    /// The aborted transactions that a reader of committed ones must pass over in `slice`, from
    /// `offset` on.
    fn aborted(
        &self,
        log: &Log,
        offset: Offset,
        slice: Option<&Slice>,
    ) -> Result<Option<Vec<response::AbortedTransaction>>, ReadError> {
        if self.visibility != Visibility::Stable {
            return Ok(None);
        }
        let Some(slice) = slice else { return Ok(Some(Vec::new())) };
        let stable = log.bounds().stable();
        let end = slice.offsets_before()?.map_or(stable, |before| before.min(stable));
        let found = log.aborted_transactions(offset, end)?.into_iter();
        let aborted = found.map(|aborted| response::AbortedTransaction {
            producer_id: aborted.producer_id.get(),
            first_offset: aborted.first_offset.get(),
        });
        Ok(Some(aborted.collect()))
    }

    fn found(
        &mut self,
        log: &Log,
        wanted: &FetchPartition,
        slice: Option<Slice>,
        aborted_transactions: Option<Vec<response::AbortedTransaction>>,
    ) -> PartitionData {
        let bounds = log.bounds();
        self.partitions.insert(log.partition().clone());
        if let Some(slice) = &slice {
            self.read.push((log.partition().topic().clone(), slice.len()));
        }
        PartitionData {
            partition_index: wanted.partition,
            high_watermark: bounds.committed().get(),
            last_stable_offset: bounds.stable().get(),
            log_start_offset: bounds.start().get(),
            aborted_transactions,
            records: Some(slice.map_or_else(Records::default, |slice| self.region(slice))),
            ..PartitionData::default()
        }
    }

    fn region(&mut self, slice: Slice) -> Records {
        // There is more behind it, in the next segment or beyond a limit: waiting would bring
        // nothing.
        self.urgent |= !slice.reaches_end();
        let (token, length) = (self.slices.len() as u64, slice.len());
        self.bytes += length;
        self.left = self.left.saturating_sub(length);
        self.slices.insert(token, slice);
        Records::Region(Region { token, length: u32::try_from(length).unwrap_or(u32::MAX) })
    }

    fn refused(&mut self, wanted: &FetchPartition, error: ErrorCode) -> PartitionData {
        self.urgent = true;
        PartitionData {
            partition_index: wanted.partition,
            error_code: error.code(),
            high_watermark: -1,
            records: Some(Records::default()),
            ..PartitionData::default()
        }
    }
}

/// Where the reader's last epoch ends, when the reader has records behind that end or of an epoch
/// that the log does not have (KIP-595).
fn diverging(
    log: &Log,
    latest: LeaderEpoch,
    wanted: &FetchPartition,
) -> Result<Option<EpochEndOffset>, ErrorCode> {
    let Some(last) = LeaderEpoch::new(wanted.last_fetched_epoch) else { return Ok(None) };
    let (epoch, end) = leader_epoch::end_of(log, latest, last).ok_or(ErrorCode::OffsetOutOfRange)?;
    let has_diverged = epoch < last || end.get() < wanted.fetch_offset;
    Ok(has_diverged.then(|| EpochEndOffset { epoch: epoch.get(), end_offset: end.get() }))
}

/// What a consumer of this `isolation.level` sees.
pub(super) fn visibility(isolation: i8) -> Visibility {
    if isolation == READ_COMMITTED { Visibility::Stable } else { Visibility::Committed }
}
