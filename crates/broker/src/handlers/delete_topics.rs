//! Deleting topics, by name or, from version 6 on, by id.

use std::sync::Arc;

use klamm_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use klamm_protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use klamm_protocol::{ApiKey, ByteString, RequestHead, Uuid};

use super::items::together;
use super::{HandleError, Outcome, answer};
use crate::error_code::WireError;
use crate::metadata::{Topic, TopicError, TopicRef};
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<DeleteTopicsRequest>(head)?;
    let by_name = request.topic_names.into_iter().map(|name| (Some(name), Uuid::ZERO));
    let by_state = request.topics.into_iter().map(|topic| (topic.name, topic.topic_id));
    let named: Vec<_> = by_name.chain(by_state).collect();
    let items = named.iter().map(|(name, id)| wanted(shared, name.as_ref(), *id));
    let done = together(items, |topics| shared.metadata.delete_topics(&topics));
    let responses = named.into_iter().zip(done).map(|((name, id), done)| result(name, id, done)).collect();
    answer(&DeleteTopicsResponse { responses, ..Default::default() }, ApiKey::DeleteTopics, head)
}

fn wanted(shared: &Shared, name: Option<&ByteString>, id: Uuid) -> Result<TopicRef, TopicError> {
    shared.permit()?;
    match (name, id) {
        (Some(name), Uuid::ZERO) => Ok(TopicRef::Name(name.to_string())),
        (None, id) if id != Uuid::ZERO => Ok(TopicRef::Id(id)),
        _ => Err(TopicError::Ambiguous),
    }
}

fn result(name: Option<ByteString>, id: Uuid, done: Result<Arc<Topic>, TopicError>) -> DeletableTopicResult {
    match done {
        Ok(topic) => DeletableTopicResult {
            name: Some(topic.name.as_str().into()),
            topic_id: topic.id.into(),
            ..DeletableTopicResult::default()
        },
        Err(error) => DeletableTopicResult {
            name,
            topic_id: id,
            error_code: error.wire().code(),
            error_message: Some(super::message(&error.to_string())),
        },
    }
}
