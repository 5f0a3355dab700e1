//! Creating topics.

use std::collections::BTreeSet;

use klamm_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use klamm_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Outcome, answer};
use crate::error_code::WireError;
use crate::metadata::{ConfigEntry, NewTopic, Topic};
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<CreateTopicsRequest>(head)?;
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
    match shared.permit().and_then(|()| shared.metadata.create_topic(&wanted, check_only)) {
        Ok(created) => CreatableTopicResult {
            name: topic.name.clone(),
            topic_id: created.id.into(),
            num_partitions: i32::try_from(created.count()).unwrap_or(i32::MAX),
            replication_factor: 1,
            configs: Some(configs_of(shared, &created)),
            ..CreatableTopicResult::default()
        },
        Err(error) => refused(topic, error.wire(), &error.to_string()),
    }
}

/// The settings that the topic has.
fn configs_of(shared: &Shared, topic: &Topic) -> Vec<CreatableTopicConfigs> {
    let entries = shared.metadata.describe_topic(topic).unwrap_or_default();
    let told = |entry: ConfigEntry| CreatableTopicConfigs {
        name: entry.key.into(),
        value: Some(entry.value.as_str().into()),
        read_only: entry.is_read_only,
        config_source: entry.source() as i8,
        is_sensitive: false,
    };
    entries.into_iter().map(told).collect()
}

fn refused(topic: &CreatableTopic, error: ErrorCode, message: &str) -> CreatableTopicResult {
    let (name, error_message) = (topic.name.clone(), Some(super::message(message)));
    CreatableTopicResult { name, error_code: error.code(), error_message, ..CreatableTopicResult::default() }
}
