//! Creating topics.

use std::collections::BTreeSet;

use klamm_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use klamm_protocol::messages::create_topics_response::{CreatableTopicResult, CreateTopicsResponse};
use klamm_protocol::{ApiKey, Message, RequestHead};

use super::{HandleError, Outcome, answer};
use crate::error_code::ErrorCode;
use crate::metadata::NewTopic;
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = CreateTopicsRequest::decode(head.body.clone(), head.version)?;
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for topic in &request.topics {
        if !seen.insert(topic.name.clone()) {
            twice.insert(topic.name.clone());
        }
    }
    let result = |topic: &CreatableTopic| match twice.contains(&topic.name) {
        true => refused(topic, ErrorCode::InvalidRequest, "the request names the topic more than once"),
        false => create(shared, topic, request.validate_only),
    };
    let response =
        CreateTopicsResponse { topics: request.topics.iter().map(result).collect(), ..Default::default() };
    answer(&response, ApiKey::CreateTopics, head)
}

fn create(shared: &Shared, topic: &CreatableTopic, check_only: bool) -> CreatableTopicResult {
    let configs =
        topic.configs.iter().filter_map(|c| Some((c.name.to_string(), c.value.as_ref()?.to_string())));
    let wanted = NewTopic {
        name: topic.name.to_string(),
        partitions: topic.num_partitions,
        replication: topic.replication_factor,
        assignments: topic.assignments.iter().map(|a| (a.partition_index, a.broker_ids.clone())).collect(),
        configs: configs.collect(),
    };
    match shared.metadata.create_topic(&wanted, check_only) {
        Ok(created) => CreatableTopicResult {
            name: topic.name.clone(),
            topic_id: created.id.into(),
            num_partitions: i32::try_from(created.partitions).unwrap_or(i32::MAX),
            replication_factor: 1,
            ..CreatableTopicResult::default()
        },
        Err(error) => refused(topic, ErrorCode::from(&error), &error.to_string()),
    }
}

fn refused(topic: &CreatableTopic, error: ErrorCode, message: &str) -> CreatableTopicResult {
    let (name, error_message) = (topic.name.clone(), Some(super::message(message)));
    CreatableTopicResult { name, error_code: error.code(), error_message, ..CreatableTopicResult::default() }
}
