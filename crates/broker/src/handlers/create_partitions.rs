//! Giving topics more partitions.

use klamm_protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use klamm_protocol::messages::create_partitions_response::{
    CreatePartitionsResponse, CreatePartitionsTopicResult,
};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::items::together;
use super::resources::named_twice;
use super::{HandleError, Outcome, answer, once};
use crate::error_code::WireError;
use crate::groups::OFFSETS;
use crate::metadata::{Growth, TopicError};
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<CreatePartitionsRequest>(head)?;
    let twice = named_twice(request.topics.iter().map(|topic| topic.name.clone()));
    let topics: Vec<_> = once(&request.topics, |topic| &topic.name).collect();
    let items = topics.iter().map(|topic| wanted(shared, topic, twice.contains(&topic.name)));
    let done = together(items, |wanted| match request.validate_only {
        true => shared.metadata.check_growths(&wanted),
        false => shared.metadata.grow_topics(&wanted),
    });
    let results = topics.into_iter().zip(&done).map(|(topic, done)| result(topic, done)).collect();
    answer(&CreatePartitionsResponse { results, ..Default::default() }, ApiKey::CreatePartitions, head)
}

fn wanted(shared: &Shared, topic: &CreatePartitionsTopic, is_twice: bool) -> Result<Growth, TopicError> {
    shared.permit()?;
    if is_twice {
        return Err(TopicError::Twice);
    }
    if &*topic.name == OFFSETS {
        return Err(TopicError::Fixed);
    }
    let assigned = topic.assignments.as_ref();
    let assignments = assigned.map(|all| all.iter().map(|partition| partition.broker_ids.clone()).collect());
    Ok(Growth { name: topic.name.to_string(), count: topic.count, assignments })
}

fn result(topic: &CreatePartitionsTopic, done: &Result<(), TopicError>) -> CreatePartitionsTopicResult {
    let error = done.as_ref().err();
    CreatePartitionsTopicResult {
        name: topic.name.clone(),
        error_code: error.map_or(ErrorCode::None, WireError::wire).code(),
        error_message: error.map(|error| super::message(&error.to_string())),
    }
}
