//! Giving topics more partitions.

use klamm_protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use klamm_protocol::messages::create_partitions_response::{
    CreatePartitionsResponse, CreatePartitionsTopicResult,
};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::resources::named_twice;
use super::{HandleError, Outcome, answer, once};
use crate::error_code::WireError;
use crate::groups::OFFSETS;
use crate::metadata::TopicError;
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<CreatePartitionsRequest>(head)?;
    let twice = named_twice(request.topics.iter().map(|topic| topic.name.clone()));
    let grow = |topic: &CreatePartitionsTopic| {
        let done = match twice.contains(&topic.name) {
            true => Err(TopicError::Twice),
            false => grow(shared, topic, request.validate_only),
        };
        result(topic, &done)
    };
    let results = once(&request.topics, |topic| &topic.name).map(grow).collect();
    answer(&CreatePartitionsResponse { results, ..Default::default() }, ApiKey::CreatePartitions, head)
}

fn grow(shared: &Shared, topic: &CreatePartitionsTopic, check_only: bool) -> Result<(), TopicError> {
    shared.permit()?;
    if &*topic.name == OFFSETS {
        return Err(TopicError::Fixed);
    }
    let assigned = topic.assignments.as_ref();
    let assigned: Option<Vec<Vec<i32>>> =
        assigned.map(|all| all.iter().map(|partition| partition.broker_ids.clone()).collect());
    shared.metadata.grow_topic(&topic.name, topic.count, assigned.as_deref(), check_only)
}

fn result(topic: &CreatePartitionsTopic, done: &Result<(), TopicError>) -> CreatePartitionsTopicResult {
    let error = done.as_ref().err();
    CreatePartitionsTopicResult {
        name: topic.name.clone(),
        error_code: error.map_or(ErrorCode::None, WireError::wire).code(),
        error_message: error.map(|error| super::message(&error.to_string())),
    }
}
