//! Appending what producers send. With one broker what is appended is committed, so that acks 1 and all are the same.

use std::time::Instant;

use klamm_log::{AppendError, Appended, Durability};
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};
use klamm_record::{BatchHeader, Compression};
use klamm_types::{Offset, Timestamp, TopicPartition};

use super::{HandleError, Outcome, Turn, answer};
use crate::config::{BatchCompression, TopicConfig};
use crate::error_code::WireError;
use crate::incoming::{Prepared, Refused, prepare};
use crate::metadata::{MetadataImage, Topic, TopicError};
use crate::quotas::Quota;
use crate::shared::Shared;

/// From this version on a topic is named by its id.
const WITH_TOPIC_IDS: i16 = 13;
/// From this version on zstd is known (KIP-110).
const WITH_ZSTD: i16 = 7;
/// Bytes of a request that is much work in any case: to hand it to another thread is little beside that.
const LARGE: usize = 512 * 1024;
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
    /// The record of the batch that is to blame.
    record: Option<usize>,
}

/// Where the records are, the time that they bear if it is the append's, and the log's start.
type Done = (Appended, Option<Timestamp>, i64);

impl Refusal {
    fn new(error: ErrorCode, words: &str) -> Refusal {
        Refusal { error, words: Some(words.to_owned()), record: None }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(error: ErrorCode) -> Refusal {
        Refusal { error, words: None, record: None }
    }
}

impl From<&TopicError> for Refusal {
    fn from(error: &TopicError) -> Refusal {
        Refusal::new(error.wire(), &error.to_string())
    }
}

impl From<Refused> for Refusal {
    fn from(error: Refused) -> Refusal {
        let record = if let Refused::Timestamp { record, .. } = error { Some(record) } else { None };
        Refusal { error: error.wire(), words: Some(error.to_string()), record }
    }
}

pub(super) fn handle(shared: &Shared, head: &RequestHead, turn: Turn) -> Result<Outcome, HandleError> {
    let begun = Instant::now();
    let request = super::read::<ProduceRequest>(head)?;
    let is_slow = |topic: &TopicProduceData| is_slow(shared, topic, head.version);
    if !turn.may_block && (head.body.len() > LARGE || request.topic_data.iter().any(is_slow)) {
        return Ok(Outcome::Blocks);
    }
    let responses: Vec<_> = request.topic_data.iter().map(|t| topic(shared, t, request.acks, head)).collect();
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

/// Whether appending to a topic may have to wait for the disk, or is much work.
fn is_slow(shared: &Shared, data: &TopicProduceData, version: i16) -> bool {
    let image = shared.metadata.image();
    let Ok(topic) = find(&image, data, version) else { return false };
    let config = shared.metadata.topic_config(topic);
    // The first append notes the leader's epoch, durably.
    let is_first = |data: &PartitionProduceData| {
        let log = shared.metadata.log(topic, data.index);
        log.is_ok_and(|log| log.bounds().end() == Offset::ZERO)
    };
    config.log.flush_messages.is_some()
        || config.compression != BatchCompression::Producer
        || data.partition_data.iter().any(is_first)
}

fn find<'a>(image: &'a MetadataImage, data: &TopicProduceData, version: i16) -> Result<&'a Topic, ErrorCode> {
    if version >= WITH_TOPIC_IDS {
        image.topic_by_id(data.topic_id).ok_or(ErrorCode::UnknownTopicId)
    } else {
        image.topic(&data.name).ok_or(ErrorCode::UnknownTopicOrPartition)
    }
}

fn topic(shared: &Shared, data: &TopicProduceData, acks: i16, head: &RequestHead) -> TopicProduceResponse {
    let image = shared.metadata.image();
    let found = find(&image, data, head.version).map_err(Refusal::from);
    let found = found.and_then(|topic| check_internal(topic, head).map(|()| topic));
    let found = found.map(|topic| (topic, shared.metadata.topic_config(topic)));
    let append = |partition: &PartitionProduceData| {
        let (topic, config) = found.as_ref().map_err(Refusal::clone)?;
        append(shared, topic, config, partition, acks, head.version)
            .inspect_err(|_| shared.metrics.refused(topic.name.as_str()))
    };
    let partition_responses = data.partition_data.iter().map(|p| respond(p.index, append(p))).collect();
    TopicProduceResponse { name: data.name.clone(), topic_id: data.topic_id, partition_responses }
}

/// What the broker writes itself is nobody else's to write, but for who mends it.
fn check_internal(topic: &Topic, head: &RequestHead) -> Result<(), Refusal> {
    if topic.is_internal() && head.client_id.as_deref() != Some(MENDER) {
        return Err(Refusal::new(ErrorCode::InvalidTopicException, "the topic is the broker's own"));
    }
    Ok(())
}

fn append(
    shared: &Shared,
    topic: &Topic,
    config: &TopicConfig,
    data: &PartitionProduceData,
    acks: i16,
    version: i16,
) -> Result<Done, Refusal> {
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
    check_batches(records, version)?;
    let Prepared { mut batch, append_time, depth } = prepare(records, config, shared.now())?;
    let appended = log.append_batches(&mut batch, topic.leader_epoch(data.index), depth, Durability::Written);
    let appended = appended.map_err(|error| refused(shared, log.partition(), &error))?;
    shared.stuck.goes_on(log.partition());
    let count = appended.next_offset.since(appended.base_offset);
    shared.metrics.appended(topic.name.as_str(), batch.len(), if appended.is_duplicate { 0 } else { count });
    shared.purgatory.grown(log.partition());
    // One that was there already bears the time that it got then.
    let time = if appended.is_duplicate { appended.max_timestamp } else { append_time };
    Ok((appended, time, log.bounds().start().get()))
}

/// A topic that is deleted between being found and being written to is not there, by the name that it was asked for.
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
    let record = if let AppendError::NoKey { record, .. } = error { Some(*record) } else { None };
    Refusal { error: code, words: Some(error.to_string()), record }
}

/// One batch a partition, and only codecs that the version knows.
fn check_batches(records: &[u8], version: i16) -> Result<(), Refusal> {
    let Ok(header) = BatchHeader::parse(records) else { return Ok(()) };
    if header.size() < records.len() {
        return Err(Refusal::new(ErrorCode::InvalidRecord, "a partition's records must be one batch"));
    }
    if header.is_transactional() {
        return Err(Refusal::new(ErrorCode::InvalidTxnState, "there is no transaction coordinator yet"));
    }
    if header.compression() == Compression::Zstd && version < WITH_ZSTD {
        return Err(ErrorCode::UnsupportedCompressionType.into());
    }
    Ok(())
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
            let record = refusal.record.map(|record| BatchIndexAndErrorMessage {
                batch_index: i32::try_from(record).unwrap_or(i32::MAX),
                batch_index_error_message: words.clone(),
            });
            PartitionProduceResponse {
                index,
                error_code: refusal.error.code(),
                base_offset: -1,
                record_errors: record.into_iter().collect(),
                error_message: words,
                ..PartitionProduceResponse::default()
            }
        }
    }
}
