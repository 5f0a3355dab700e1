//! Deleting topics, by name or, from version 6 on, by id.

use klamm_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use klamm_protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use klamm_protocol::{ApiKey, ByteString, RequestHead, Uuid};

use super::{HandleError, Outcome, answer};
use crate::error_code::WireError;
use crate::metadata::{TopicError, TopicRef};
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<DeleteTopicsRequest>(head)?;
    let by_name = request.topic_names.into_iter().map(|name| (Some(name), Uuid::ZERO));
    let by_state = request.topics.into_iter().map(|topic| (topic.name, topic.topic_id));
    let responses = by_name.chain(by_state).map(|(name, id)| delete(shared, name, id)).collect();
    answer(&DeleteTopicsResponse { responses, ..Default::default() }, ApiKey::DeleteTopics, head)
}

fn delete(shared: &Shared, name: Option<ByteString>, id: Uuid) -> DeletableTopicResult {
    let topic = match (&name, id) {
        (Some(name), Uuid::ZERO) => Ok(TopicRef::Name(name.to_string())),
        (None, id) if id != Uuid::ZERO => Ok(TopicRef::Id(id)),
        _ => Err(TopicError::Ambiguous),
    };
    match shared.permit().and(topic).and_then(|topic| shared.metadata.delete_topic(&topic)) {
        Ok(topic) => {
            // Who waits for its records waits for nothing.
            topic.partitions().for_each(|partition| shared.purgatory.grown(&partition));
            shared.groups.topic_deleted(&topic);
            DeletableTopicResult {
                name: Some(topic.name.as_str().into()),
                topic_id: topic.id.into(),
                ..DeletableTopicResult::default()
            }
        }
        Err(error) => DeletableTopicResult {
            name,
            topic_id: id,
            error_code: error.wire().code(),
            error_message: Some(super::message(&error.to_string())),
        },
    }
}
