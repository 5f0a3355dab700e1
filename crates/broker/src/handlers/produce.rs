//! Appending what producers send. With one broker what is appended is committed, so that acks 1 and all are the same.

use klamm_log::{AppendError, Appended, Depth, Durability, LeaderEpoch};
use klamm_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use klamm_protocol::messages::produce_response::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use klamm_protocol::{ApiKey, Message, RequestHead};
use klamm_record::{BatchHeader, Compression, TimestampType};
use klamm_types::{Timestamp, TopicPartition};

use super::{HandleError, Outcome, answer};
use crate::error_code::ErrorCode;
use crate::metadata::{Topic, TopicConfig};
use crate::shared::Shared;

/// From this version on a topic is named by its id.
const WITH_TOPIC_IDS: i16 = 13;
/// From this version on zstd is known (KIP-110).
const WITH_ZSTD: i16 = 7;

/// Why a partition's records were refused: the code, and words for people.
type Refusal = (ErrorCode, Option<String>);

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = ProduceRequest::decode(head.body.clone(), head.version)?;
    let responses: Vec<_> =
        request.topic_data.iter().map(|t| topic(shared, t, request.acks, head.version)).collect();
    if request.acks != 0 {
        return answer(&ProduceResponse { responses, ..Default::default() }, ApiKey::Produce, head);
    }
    // Nobody reads an answer; an error is told by closing the connection.
    let errors = responses.iter().flat_map(|t| &t.partition_responses).filter(|p| p.error_code != 0).count();
    Ok(if errors == 0 {
        Outcome::Silence
    } else {
        Outcome::Close(format!("{errors} partitions refused acks=0 records"))
    })
}

fn topic(shared: &Shared, data: &TopicProduceData, acks: i16, version: i16) -> TopicProduceResponse {
    let image = shared.metadata.image();
    let (found, missing) = if version >= WITH_TOPIC_IDS {
        (image.topic_by_id(data.topic_id), ErrorCode::UnknownTopicId)
    } else {
        (image.topic(&data.name), ErrorCode::UnknownTopicOrPartition)
    };
    let found = found.ok_or((missing, None)).and_then(|topic| {
        let config = shared.metadata.topic_config(topic);
        Ok((topic, config.map_err(|e| (ErrorCode::from(&e), Some(e.to_string())))?))
    });
    let append = |partition: &PartitionProduceData| {
        let (topic, config) = found.as_ref().map_err(Refusal::clone)?;
        append(shared, topic, config, partition, acks, version)
    };
    let partition_responses = data.partition_data.iter().map(|p| respond(p.index, append(p))).collect();
    TopicProduceResponse { name: data.name.clone(), topic_id: data.topic_id, partition_responses }
}

fn append(
    shared: &Shared,
    topic: &Topic,
    config: &TopicConfig,
    data: &PartitionProduceData,
    acks: i16,
    version: i16,
) -> Result<(Appended, Option<Timestamp>, i64), Refusal> {
    if !matches!(acks, -1..=1) {
        return Err((ErrorCode::InvalidRequiredAcks, None));
    }
    let log = shared.metadata.log(topic, data.index).ok_or((ErrorCode::UnknownTopicOrPartition, None))?;
    let records = data.records.as_ref().and_then(|r| r.as_bytes()).filter(|b| !b.is_empty());
    let records = records.ok_or((ErrorCode::InvalidRecord, Some("there are no records".to_owned())))?;
    check_batches(records, version)?;
    let mut batch = records.to_vec();
    let append_time = (config.timestamp_type == TimestampType::LogAppendTime).then(|| shared.now());
    if let Some(now) = append_time {
        // The CRC that came has to be right before it is mended.
        klamm_record::validate(&batch, Depth::Header)
            .map_err(|e| (ErrorCode::CorruptMessage, Some(e.to_string())))?;
        BatchHeader::set_log_append_time(&mut batch, now);
    }
    let depth = Depth::Records { limit: config.log.max_decompressed_bytes };
    let appended = log.append_batches(&mut batch, LeaderEpoch::ZERO, depth, Durability::Written);
    let appended = appended.map_err(|error| refused(log.partition(), &error))?;
    shared.purgatory.grown(log.partition());
    Ok((appended, append_time, log.bounds().start().get()))
}

/// What fails on the disk is told to the operator too: a client may show the code alone.
fn refused(partition: &TopicPartition, error: &AppendError) -> Refusal {
    let code = ErrorCode::from(error);
    if code == ErrorCode::StorageError {
        tracing::error!(%partition, %error, "records were not appended");
    }
    (code, Some(error.to_string()))
}

/// One batch a partition, and only codecs that the version knows.
fn check_batches(records: &[u8], version: i16) -> Result<(), Refusal> {
    let Ok(header) = BatchHeader::parse(records) else { return Ok(()) };
    if header.size() < records.len() {
        return Err((ErrorCode::InvalidRecord, Some("a partition's records must be one batch".to_owned())));
    }
    if header.is_transactional() {
        let told = "there is no transaction coordinator yet".to_owned();
        return Err((ErrorCode::InvalidTxnState, Some(told)));
    }
    if header.compression() == Compression::Zstd && version < WITH_ZSTD {
        return Err((ErrorCode::UnsupportedCompressionType, None));
    }
    Ok(())
}

fn respond(
    index: i32,
    done: Result<(Appended, Option<Timestamp>, i64), Refusal>,
) -> PartitionProduceResponse {
    match done {
        Ok((appended, time, log_start_offset)) => PartitionProduceResponse {
            index,
            base_offset: appended.base_offset.get(),
            log_append_time_ms: time.map_or(-1, Timestamp::as_millis),
            log_start_offset,
            ..PartitionProduceResponse::default()
        },
        Err((error, message)) => PartitionProduceResponse {
            index,
            error_code: error.code(),
            base_offset: -1,
            error_message: message.as_deref().map(super::message),
            ..PartitionProduceResponse::default()
        },
    }
}
