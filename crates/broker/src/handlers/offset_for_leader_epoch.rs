//! Where a leader epoch ends, so that a reader can tell whether what it has was truncated
//! (KIP-320).

use klamm_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition,
};
use klamm_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};
use klamm_protocol::{ApiKey, ErrorCode};
use klamm_types::LeaderEpoch;

use super::{HandleError, Outcome, Sliced, answer, leader_epoch};
use crate::error_code::WireError;
use crate::metadata::{Topic, TopicError};
use crate::shared::Shared;

/// There is no such epoch.
const UNDEFINED: (i32, i64) = (-1, -1);

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&call.shared, &call.head);
    let request = super::read::<OffsetForLeaderEpochRequest>(head)?;
    let image = shared.metadata.image();
    let mut topics = Vec::new();
    for asked in &request.topics {
        call.work.item().await;
        let topic = image.topic(&asked.topic);
        let end = |partition: &OffsetForLeaderPartition| respond(partition, end(shared, topic, partition));
        let partitions = call.each(&asked.partitions, end).await;
        topics.push(OffsetForLeaderTopicResult { topic: asked.topic.clone(), partitions });
    }
    let response = OffsetForLeaderEpochResponse { topics, ..Default::default() };
    answer(&response, ApiKey::OffsetForLeaderEpoch, head)
}

fn end(
    shared: &Shared,
    topic: Option<&Topic>,
    asked: &OffsetForLeaderPartition,
) -> Result<(i32, i64), ErrorCode> {
    let topic = shared.permit().and(topic.ok_or(TopicError::Unknown)).map_err(|error| error.wire())?;
    let log = shared.metadata.log(topic, asked.partition).map_err(|error| error.wire())?;
    let latest = topic.leader_epoch(asked.partition);
    leader_epoch::check(asked.current_leader_epoch, latest)?;
    let Some(epoch) = LeaderEpoch::new(asked.leader_epoch) else { return Ok(UNDEFINED) };
    let end = leader_epoch::end_of(&log, latest, epoch);
    Ok(end.map_or(UNDEFINED, |(epoch, offset)| (epoch.get(), offset.get())))
}

fn respond(asked: &OffsetForLeaderPartition, end: Result<(i32, i64), ErrorCode>) -> EpochEndOffset {
    let error_code = end.err().unwrap_or(ErrorCode::None).code();
    let (leader_epoch, end_offset) = end.unwrap_or(UNDEFINED);
    EpochEndOffset { error_code, partition: asked.partition, leader_epoch, end_offset }
}
