//! Creating topics.

use std::collections::BTreeSet;
use std::sync::Arc;

use klamm_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use klamm_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::items::together;
use super::{HandleError, Outcome, answer};
use crate::error_code::WireError;
use crate::metadata::{ConfigEntry, NewTopic, Topic, TopicError, check_total};
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<CreateTopicsRequest>(head)?;
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for topic in &request.topics {
        if !seen.insert(topic.name.clone()) {
            twice.insert(topic.name.clone());
        }
    }
    let wanted: Vec<NewTopic> = request.topics.iter().map(wanted).collect();
    let total = check_total(&wanted, shared.config().num_partitions).map_err(Arc::new);
    let check = |(topic, wanted): (&CreatableTopic, NewTopic)| {
        total.clone().map_err(TopicError::Shared)?;
        shared.permit()?;
        if twice.contains(&topic.name) { Err(TopicError::Twice) } else { Ok(wanted) }
    };
    let items = request.topics.iter().zip(wanted).map(check);
    let done = together(items, |wanted| match request.validate_only {
        true => shared.metadata.check_topics(&wanted),
        false => shared.metadata.create_topics(&wanted),
    });
    let topics = request.topics.iter().zip(done).map(|(topic, done)| result(shared, topic, done)).collect();
    answer(&CreateTopicsResponse { topics, ..Default::default() }, ApiKey::CreateTopics, head)
}

fn wanted(topic: &CreatableTopic) -> NewTopic {
    let configs =
        topic.configs.iter().filter_map(|c| Some((c.name.to_string(), c.value.as_ref()?.to_string())));
    NewTopic {
        name: topic.name.to_string(),
        partitions: topic.num_partitions,
        replication: topic.replication_factor,
        assignments: topic.assignments.iter().map(|a| (a.partition_index, a.broker_ids.clone())).collect(),
        configs: configs.collect(),
    }
}

fn result(
    shared: &Shared,
    topic: &CreatableTopic,
    done: Result<Arc<Topic>, TopicError>,
) -> CreatableTopicResult {
    match done {
        Ok(created) => CreatableTopicResult {
            name: topic.name.clone(),
            topic_id: created.id.into(),
            error_message: None,
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
