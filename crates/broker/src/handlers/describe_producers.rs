//! DescribeProducers (KIP-664): the idempotent producers that partitions know.

use klamm_log::format::ProducerSnapshotEntry;
use klamm_protocol::ApiKey;
use klamm_protocol::messages::describe_producers_request::DescribeProducersRequest;
use klamm_protocol::messages::describe_producers_response::{
    DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};

use super::{HandleError, Outcome, Sliced, answer, message, once, read, response_size};
use crate::error_code::WireError;
use crate::metadata::TopicError;
use crate::shared::Shared;

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&*call.shared, &call.head);
    let request = read::<DescribeProducersRequest>(head)?;
    let mut size = 0;
    for asked in once(&request.topics, |topic| &topic.name) {
        let indexes = once(&asked.partition_indexes, |index| *index);
        let of = |index: &i32| producers(shared, &asked.name, *index).map_or(0, |all| all.len());
        let counts = call.each(indexes, of).await;
        size += counts.into_iter().map(response_size::producers).sum::<usize>();
    }
    call.work.reserve(size).await;
    let mut topics = Vec::new();
    for asked in once(&request.topics, |topic| &topic.name) {
        call.work.item().await;
        let indexes = once(&asked.partition_indexes, |index| *index);
        let of = |index: &i32| partition(*index, producers(shared, &asked.name, *index));
        topics.push(TopicResponse { name: asked.name.clone(), partitions: call.each(indexes, of).await });
    }
    answer(&DescribeProducersResponse { topics, ..Default::default() }, ApiKey::DescribeProducers, head)
}

fn producers(shared: &Shared, topic: &str, index: i32) -> Result<Vec<ProducerState>, TopicError> {
    shared.permit()?;
    let image = shared.metadata.image();
    let log = shared.metadata.log(image.topic(topic).ok_or(TopicError::Unknown)?, index)?;
    Ok(log.producers().entries.iter().map(state).collect())
}

fn state(entry: &ProducerSnapshotEntry) -> ProducerState {
    ProducerState {
        producer_id: entry.producer_id,
        producer_epoch: entry.producer_epoch.into(),
        last_sequence: entry.last_sequence,
        last_timestamp: entry.timestamp,
        coordinator_epoch: entry.coordinator_epoch,
        current_txn_start_offset: entry.transaction_start,
    }
}

fn partition(partition_index: i32, found: Result<Vec<ProducerState>, TopicError>) -> PartitionResponse {
    match found {
        Ok(active_producers) => PartitionResponse { partition_index, active_producers, ..Default::default() },
        Err(error) => PartitionResponse {
            partition_index,
            error_code: error.wire().code(),
            error_message: Some(message(&error.to_string())),
            ..Default::default()
        },
    }
}
