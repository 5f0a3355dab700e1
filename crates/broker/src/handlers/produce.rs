//! Appending what producers send. With one broker what is appended is committed, so that acks 1 and
//! all are the same.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use klamm_log::{AppendError, Appended, Depth, Durability, Log};
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead, Uuid};
use klamm_record::{BatchHeader, Compression};
use klamm_types::{LeaderEpoch, Timestamp, TopicPartition};

use super::{HandleError, Outcome, Sliced, answer};
use crate::config::{BatchCompression, TopicConfig};
use crate::error_code::WireError;
use crate::incoming::{BadRecord, Prepared, Refused, is_transactional, only_batch, prepare};
use crate::metadata::{MetadataImage, Topic, TopicError};
use crate::quotas::Quota;
use crate::shared::Shared;
use crate::work::Work;

/// From this version on a topic is named by its id.
const WITH_TOPIC_IDS: i16 = 13;
/// From this version on zstd is known (KIP-110).
const WITH_ZSTD: i16 = 7;
/// The client id of an administrator who writes to internal topics, as in Kafka.
const MENDER: &str = "__admin_client";
/// The `acks` of a producer that waits for all replicas.
const ALL: i16 = -1;

/// Why a partition's records were refused.
#[derive(Clone, Debug)]
struct Refusal {
    error: ErrorCode,
    /// For people.
    words: Option<String>,
    /// The records of the batch that are to blame.
    records: Vec<BadRecord>,
}

/// Where the records are, the time that they bear if it is the append's, and the log's start.
type Done = (Appended, Option<Timestamp>, i64);

impl Refusal {
    fn new(error: ErrorCode, words: &str) -> Refusal {
        Refusal { error, words: Some(words.to_owned()), records: Vec::new() }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(error: ErrorCode) -> Refusal {
        Refusal { error, words: None, records: Vec::new() }
    }
}

impl From<&TopicError> for Refusal {
    fn from(error: &TopicError) -> Refusal {
        Refusal::new(error.wire(), &error.to_string())
    }
}

impl From<Refused> for Refusal {
    fn from(error: Refused) -> Refusal {
        let (code, words) = (error.wire(), Some(error.to_string()));
        let records = if let Refused::Records(records) = error { records } else { Vec::new() };
        Refusal { error: code, words, records }
    }
}

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let begun = Instant::now();
    let (shared, head) = (&call.shared, &call.head);
    let request = super::read::<ProduceRequest>(head)?;
    let responses = append_all(&call, &request).await;
    let throttle_time_ms = shared.charge(head, Quota::Produce, head.body.len(), begun);
    if request.acks != 0 {
        let response = ProduceResponse { responses, throttle_time_ms, ..Default::default() };
        return answer(&response, ApiKey::Produce, head);
    }
    // Nobody reads an answer; an error is told by closing the connection.
    let errors = responses.iter().flat_map(|t| &t.partition_responses).filter(|p| p.error_code != 0).count();
    Ok(if errors == 0 {
        Outcome::Silence
    } else {
        Outcome::Close(format!("{errors} partitions refused acks=0 records"))
    })
}

/// Appends to each partition once, and answers each once. Of a partition that is named several
/// times the last is used, as in Kafka.
async fn append_all(call: &Sliced, request: &ProduceRequest) -> Vec<TopicProduceResponse> {
    let count = request.topic_data.iter().map(|topic| topic.partition_data.len()).sum();
    call.work.expect_items(count).await;
    let mut topics = Topics::default();
    let (last, permitted) = (last_of_each(request, count), check_transactions(request));
    let mut position = 0;
    for data in &request.topic_data {
        for partition in &data.partition_data {
            // What is passed over is an item too.
            call.work.item().await;
            if last.as_ref().is_none_or(|last| last.contains(&position)) {
                let done = match permitted {
                    Ok(()) => append_to(call, data, partition, request.acks).await,
                    Err(error) => Err(error.into()),
                };
                topics.response(data).push(respond(partition.index, done));
            }
            position += 1;
        }
    }
    topics.responses
}

/// The positions, among all partitions of a request, of the last with each name; `None` where there
/// is one partition.
fn last_of_each(request: &ProduceRequest, count: usize) -> Option<HashSet<usize>> {
    if count < 2 {
        return None;
    }
    let topics = request.topic_data.iter();
    let named = topics.flat_map(|topic| topic.partition_data.iter().map(move |p| (key(topic), p.index)));
    let last: HashMap<_, _> = named.enumerate().map(|(position, name)| (name, position)).collect();
    Some(last.into_values().collect())
}

/// What a request names a topic by.
fn key(topic: &TopicProduceData) -> (&str, Uuid) {
    (&topic.name, topic.topic_id)
}

/// The responses of a request, each topic once.
#[derive(Default)]
struct Topics<'a> {
    responses: Vec<TopicProduceResponse>,
    places: HashMap<(&'a str, Uuid), usize>,
}

impl<'a> Topics<'a> {
    /// The partitions of a topic so far.
    fn response(&mut self, data: &'a TopicProduceData) -> &mut Vec<PartitionProduceResponse> {
        let place = *self.places.entry(key(data)).or_insert(self.responses.len());
        if place == self.responses.len() {
            let (name, topic_id) = (data.name.clone(), data.topic_id);
            self.responses.push(TopicProduceResponse { name, topic_id, ..Default::default() });
        }
        &mut self.responses[place].partition_responses
    }
}

/// Whether an append may have to wait for the disk, or is much work.
fn is_slow(config: &TopicConfig, log: &Log, epoch: LeaderEpoch) -> bool {
    config.compression != BatchCompression::Producer || log.append_may_wait(epoch)
}

fn find<'a>(image: &'a MetadataImage, data: &TopicProduceData, version: i16) -> Result<&'a Topic, ErrorCode> {
    if version >= WITH_TOPIC_IDS {
        image.topic_by_id(data.topic_id).ok_or(ErrorCode::UnknownTopicId)
    } else {
        image.topic(&data.name).ok_or(ErrorCode::UnknownTopicOrPartition)
    }
}

async fn append_to(
    call: &Sliced,
    data: &TopicProduceData,
    partition: &PartitionProduceData,
    acks: i16,
) -> Result<Done, Refusal> {
    let image = call.shared.metadata.image();
    let topic = find(&image, data, call.head.version)?;
    check_internal(topic, &call.head)?;
    let config = call.shared.metadata.topic_config(topic);
    let done = append(call, topic, &config, partition, acks).await;
    done.inspect_err(|_| call.shared.metrics.refused(topic.name.as_str()))
}

/// What the broker writes itself is nobody else's to write, but for who mends it.
fn check_internal(topic: &Topic, head: &RequestHead) -> Result<(), Refusal> {
    if topic.is_internal() && head.client_id.as_deref() != Some(MENDER) {
        return Err(Refusal::new(ErrorCode::InvalidTopicException, "the topic is the broker's own"));
    }
    Ok(())
}

async fn append(
    call: &Sliced,
    topic: &Topic,
    config: &TopicConfig,
    data: &PartitionProduceData,
    acks: i16,
) -> Result<Done, Refusal> {
    let (shared, version) = (&call.shared, call.head.version);
    shared.permit().map_err(|error| Refusal::from(&error))?;
    if !matches!(acks, -1..=1) {
        return Err(ErrorCode::InvalidRequiredAcks.into());
    }
    if acks == ALL && config.min_insync_replicas > 1 {
        return Err(Refusal::new(ErrorCode::NotEnoughReplicas, "there is one replica (min.insync.replicas)"));
    }
    let log = shared.metadata.log(topic, data.index).map_err(|error| no_log(&error, version))?;
    let records = data.records.as_ref().and_then(|r| r.as_bytes()).filter(|b| !b.is_empty());
    let records = records.ok_or_else(|| Refusal::new(ErrorCode::InvalidRecord, "there are no records"))?;
    let records = only_batch(records).map_err(Refused::from)?;
    check_codec(records, version)?;
    let epoch = topic.leader_epoch(data.index);
    if is_slow(config, &log, epoch) {
        call.work.worker().await;
    }
    let Prepared { mut batch, append_time, decompressed } =
        prepared(&call.work, records, config, shared.now()).await?;
    // The records were walked when the batch was prepared.
    let appended = log.append_batches(&mut batch, epoch, Depth::Header, Durability::Written);
    let appended = appended.map_err(|error| match shared.metadata.is_there(topic) {
        true => refused(shared, log.partition(), &error),
        false => no_log(&TopicError::Gone, version),
    })?;
    shared.stuck.goes_on(log.partition());
    let count = appended.next_offset.since(appended.base_offset);
    shared.metrics.appended(topic.name.as_str(), batch.len(), if appended.is_duplicate { 0 } else { count });
    shared.purgatory.grown(log.partition());
    // One that was there already bears the time that it got then.
    let time = if appended.is_duplicate { appended.max_timestamp } else { append_time };
    let done = (appended, time, log.bounds().start().get());
    drop(batch);
    call.work.bytes(decompressed).await;
    Ok(done)
}

/// Prepares a batch. On a network thread no more is decompressed than what is left of the slice: a
/// batch that holds more goes on on a worker thread, once there is memory for it.
async fn prepared(
    work: &Work,
    records: &[u8],
    config: &TopicConfig,
    now: Timestamp,
) -> Result<Prepared, Refused> {
    let most = config.log.max_decompressed_bytes;
    if work.is_on_network() {
        let limit = most.min(work.bytes_left());
        match prepare(records, config, now, limit) {
            Err(error) if error.is_over_limit() && limit < most => work.worker().await,
            done => return done,
        }
    }
    let _memory = work.memory(output_of(records).min(most)).await;
    prepare(records, config, now, most)
}

/// The most bytes that the records of a batch have after decompression; none where they are not
/// compressed.
fn output_of(records: &[u8]) -> usize {
    let Ok(header) = BatchHeader::parse(records) else { return 0 };
    let body = records.get(BatchHeader::SIZE..header.size()).unwrap_or_default();
    if header.compression() == Compression::None { 0 } else { header.decompressed_bound(body).unwrap_or(0) }
}

/// A topic that is deleted between being found and being written to is not there, by the name that
/// it was asked for.
fn no_log(error: &TopicError, version: i16) -> Refusal {
    match error {
        TopicError::Gone if version >= WITH_TOPIC_IDS => ErrorCode::UnknownTopicId.into(),
        error => Refusal::from(error),
    }
}

/// What fails on the disk is told to the operator too: a client may show the code alone.
fn refused(shared: &Shared, partition: &TopicPartition, error: &AppendError) -> Refusal {
    let code = error.wire();
    if code == ErrorCode::KafkaStorageError {
        shared.stuck.note(partition, error);
    }
    Refusal { error: code, words: Some(error.to_string()), records: Vec::new() }
}

/// Only codecs that the version knows.
fn check_codec(batch: &[u8], version: i16) -> Result<(), Refusal> {
    let is_zstd = || BatchHeader::parse(batch).is_ok_and(|header| header.compression() == Compression::Zstd);
    match version < WITH_ZSTD && is_zstd() {
        true => Err(ErrorCode::UnsupportedCompressionType.into()),
        false => Ok(()),
    }
}

/// Refuses a request with records of a transaction as a whole: there is no coordinator of
/// transactions yet.
fn check_transactions(request: &ProduceRequest) -> Result<(), ErrorCode> {
    let partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let mut records = partitions.filter_map(|data| data.records.as_ref()?.as_bytes());
    match (records.any(|records| is_transactional(records)), &request.transactional_id) {
        (false, _) => Ok(()),
        (true, None) => Err(ErrorCode::TransactionalIdAuthorizationFailed),
        (true, Some(_)) => Err(ErrorCode::InvalidTxnState),
    }
}

fn respond(index: i32, done: Result<Done, Refusal>) -> PartitionProduceResponse {
    match done {
        Ok((appended, time, log_start_offset)) => PartitionProduceResponse {
            index,
            base_offset: appended.base_offset.get(),
            log_append_time_ms: time.map_or(-1, Timestamp::as_millis),
            log_start_offset,
            ..PartitionProduceResponse::default()
        },
        Err(refusal) => {
            let words = refusal.words.as_deref().map(super::message);
            let records = refusal.records.iter().map(|bad| BatchIndexAndErrorMessage {
                batch_index: i32::try_from(bad.index).unwrap_or(i32::MAX),
                batch_index_error_message: Some(super::message(&bad.reason.to_string())),
            });
            PartitionProduceResponse {
                index,
                error_code: refusal.error.code(),
                base_offset: -1,
                record_errors: records.collect(),
                error_message: words,
                ..PartitionProduceResponse::default()
            }
        }
    }
}
