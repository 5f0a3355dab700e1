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

/// A log, and the offset before which its records are to be deleted.
type Wanted = Result<(Log, Offset), ErrorCode>;

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&call.shared, &call.head);
    let request = super::read::<DeleteRecordsRequest>(head)?;
    let image = shared.metadata.image();
    let mut all = Vec::new();
    for asked in &request.topics {
        call.work.item().await;
        let topic = image.topic(&asked.name).ok_or(TopicError::Unknown);
        let wanted = |partition: &DeleteRecordsPartition| {
            topic.as_ref().map_err(WireError::wire).and_then(|topic| wanted(shared, topic, partition))
        };
        all.extend(call.each(&asked.partitions, wanted).await);
    }
    let mut done = delete(all).into_iter();
    let topics = request.topics.iter().map(|asked| {
        let partitions = asked.partitions.iter().zip(&mut done);
        let partitions =
            partitions.map(|(partition, done)| result(partition.partition_index, done)).collect();
        DeleteRecordsTopicResult { name: asked.name.clone(), partitions }
    });
    let response = DeleteRecordsResponse { topics: topics.collect(), ..Default::default() };
    answer(&response, ApiKey::DeleteRecords, head)
}

fn wanted(shared: &Shared, topic: &Topic, partition: &DeleteRecordsPartition) -> Wanted {
    shared.permit().map_err(|error| error.wire())?;
    let config = shared.metadata.topic_config(topic);
    if config.log.cleanup_policy.compacts() && !config.log.cleanup_policy.deletes() {
        return Err(ErrorCode::PolicyViolation);
    }
    let log = shared.metadata.log(topic, partition.partition_index).map_err(|error| error.wire())?;
    let end = log.bounds().committed();
    let start = if partition.offset == ALL { Some(end) } else { Offset::new(partition.offset) };
    Ok((log, start.ok_or(ErrorCode::OffsetOutOfRange)?))
}

/// The logs' starts after it. All are written to the disk at once.
fn delete(wanted: Vec<Wanted>) -> Vec<Result<Offset, ErrorCode>> {
    let found: Vec<(Log, Offset)> =
        wanted.iter().filter_map(|wanted| wanted.as_ref().ok().cloned()).collect();
    let mut done = Log::advance_starts(&found).into_iter();
    let mut start = |(log, _): (Log, Offset)| {
        let advanced = done.next().expect("LOG-19: one result for each log");
        advanced.map(|()| log.bounds().start()).map_err(|error| error.wire())
    };
    wanted.into_iter().map(|wanted| wanted.and_then(&mut start)).collect()
}

fn result(partition_index: i32, done: Result<Offset, ErrorCode>) -> DeleteRecordsPartitionResult {
    let (low_watermark, error_code) = match done {
        Ok(start) => (start.get(), ErrorCode::None.code()),
        Err(error) => (-1, error.code()),
    };
    DeleteRecordsPartitionResult { partition_index, low_watermark, error_code }
}
