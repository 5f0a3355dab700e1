//! Deleting records before an offset, by moving the log's start.

use klamm_log::Log;
use klamm_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsRequest};
use klamm_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use klamm_protocol::{ApiKey, ErrorCode};
use klamm_types::Offset;

use super::{HandleError, Outcome, Sliced, answer};
use crate::error_code::WireError;
use crate::metadata::{Topic, TopicError};
use crate::shared::Shared;

/// Stands for the end of what is committed.
const ALL: i64 = -1;

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&call.shared, &call.head);
    let request = super::read::<DeleteRecordsRequest>(head)?;
    let image = shared.metadata.image();
    let mut topics = Vec::new();
    for asked in &request.topics {
        call.work.item().await;
        let topic = image.topic(&asked.name).ok_or(TopicError::Unknown);
        let delete = |partition: &DeleteRecordsPartition| {
            let done =
                topic.as_ref().map_err(WireError::wire).and_then(|topic| delete(shared, topic, partition));
            result(partition.partition_index, done)
        };
        let partitions = call.each(&asked.partitions, delete).await;
        topics.push(DeleteRecordsTopicResult { name: asked.name.clone(), partitions });
    }
    let response = DeleteRecordsResponse { topics, ..Default::default() };
    answer(&response, ApiKey::DeleteRecords, head)
}

/// The log's start after it.
fn delete(shared: &Shared, topic: &Topic, wanted: &DeleteRecordsPartition) -> Result<Offset, ErrorCode> {
    shared.permit().map_err(|error| error.wire())?;
    let config = shared.metadata.topic_config(topic);
    if config.log.cleanup_policy.compacts() && !config.log.cleanup_policy.deletes() {
        return Err(ErrorCode::PolicyViolation);
    }
    let log = shared.metadata.log(topic, wanted.partition_index).map_err(|error| error.wire())?;
    advance(&log, wanted.offset)
}

fn advance(log: &Log, wanted: i64) -> Result<Offset, ErrorCode> {
    let end = log.bounds().committed();
    let start = if wanted == ALL { Some(end) } else { Offset::new(wanted) };
    let start = start.ok_or(ErrorCode::OffsetOutOfRange)?;
    log.advance_start(start).map_err(|error| error.wire())?;
    Ok(log.bounds().start())
}

fn result(partition_index: i32, done: Result<Offset, ErrorCode>) -> DeleteRecordsPartitionResult {
    let (low_watermark, error_code) = match done {
        Ok(start) => (start.get(), ErrorCode::None.code()),
        Err(error) => (-1, error.code()),
    };
    DeleteRecordsPartitionResult { partition_index, low_watermark, error_code }
}
