//! Brokers and topics; topics that are asked for are created, where that is allowed.

use std::collections::{BTreeMap, BTreeSet};

use klamm_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use klamm_protocol::{ApiKey, ByteString, ErrorCode, Uuid};

use super::operations::{OF_A_TOPIC, OF_THE_CLUSTER, if_asked};
use super::{HandleError, Outcome, Sliced, answer, response_size};
use crate::error_code::WireError;
use crate::metadata::{MAX_PARTITIONS, MetadataImage, Topic, TopicError, internal_topics};
use crate::shared::Shared;

/// From this version on a topic in a response may have no name.
const NULL_NAME: i16 = 12;

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&*call.shared, &call.head);
    let request = super::read::<MetadataRequest>(head)?;
    call.work.expect_items(request.topics.as_ref().map_or(0, Vec::len)).await;
    let config = shared.config();
    let broker = MetadataResponseBroker {
        node_id: config.node_id,
        host: shared.advertised.host.as_str().into(),
        port: shared.advertised.port.into(),
        rack: config.rack.as_deref().map(Into::into),
    };
    let response = MetadataResponse {
        brokers: vec![broker],
        cluster_id: Some(shared.metadata.identity.cluster_id.as_str().into()),
        controller_id: config.node_id,
        cluster_authorized_operations: if_asked(
            request.include_cluster_authorized_operations,
            OF_THE_CLUSTER,
        ),
        topics: topics(&call, &request).await,
        ..MetadataResponse::default()
    };
    answer(&response, ApiKey::Metadata, head)
}

async fn topics(call: &Sliced, request: &MetadataRequest) -> Vec<MetadataResponseTopic> {
    // In version 0 there is no null, and an empty list means all.
    match request.topics.as_ref().filter(|topics| call.head.version > 0 || !topics.is_empty()) {
        Some(asked) => named(call, request, asked).await,
        None => all(call, request).await,
    }
}

async fn all(call: &Sliced, request: &MetadataRequest) -> Vec<MetadataResponseTopic> {
    let image = call.shared.metadata.image();
    call.work.reserve(image.topics().map(whole).sum()).await;
    let mut topics = Vec::new();
    for topic in image.topics() {
        topics.push(described(&call.shared, topic, request));
        call.work.items(1 + topic.states.len()).await;
    }
    topics
}

/// The memory of a topic with all of its partitions.
fn whole(topic: &Topic) -> usize {
    response_size::topic(topic, topic.states.len())
}

async fn named(
    call: &Sliced,
    request: &MetadataRequest,
    asked: &[MetadataRequestTopic],
) -> Vec<MetadataResponseTopic> {
    // With one id in it all are asked for by their ids: names are then whatever the client has left
    // there.
    let is_by_id = asked.iter().any(|topic| topic.topic_id != Uuid::ZERO);
    // However often a topic is asked for, it is described once.
    let (mut seen, mut once, mut pass) = (BTreeSet::new(), Vec::new(), call.work.pass());
    for topic in asked {
        pass.next().await;
        let key = match is_by_id {
            true => (None, topic.topic_id),
            false => (topic.name.clone(), Uuid::ZERO),
        };
        let is_asked = !is_by_id || topic.topic_id != Uuid::ZERO;
        if is_asked && seen.insert(key) {
            once.push(topic);
        }
    }
    let refused = if is_by_id { BTreeMap::new() } else { create_unknown(call, &once, request).await };
    // One image for all, so that a topic is there or not.
    let (image, mut topics) = (call.shared.metadata.image(), Vec::new());
    let found = once.iter().filter_map(|asked| found(&image, asked, is_by_id));
    call.work.reserve(found.map(whole).sum()).await;
    for topic in once {
        let version = call.head.version;
        let told = asked_topic(&call.shared, &image, topic, request, (is_by_id, version), &refused);
        call.work.items(1 + told.partitions.len()).await;
        topics.push(told);
    }
    topics
}

/// The topic that is asked for by its name or its id, if it is there.
fn found<'a>(image: &'a MetadataImage, asked: &MetadataRequestTopic, is_by_id: bool) -> Option<&'a Topic> {
    match asked.name.as_ref().filter(|_| !is_by_id) {
        Some(name) => image.topic(name),
        None => image.topic_by_id(asked.topic_id),
    }
}

fn asked_topic(
    shared: &Shared,
    image: &MetadataImage,
    asked: &MetadataRequestTopic,
    request: &MetadataRequest,
    (is_by_id, version): (bool, i16),
    refused: &BTreeMap<ByteString, ErrorCode>,
) -> MetadataResponseTopic {
    // Before version 12 a name in a response cannot be null.
    let no_name = (version < NULL_NAME).then(ByteString::default);
    let missing = |error: ErrorCode| MetadataResponseTopic {
        error_code: error.code(),
        name: asked.name.clone().filter(|_| !is_by_id).or(no_name),
        topic_id: asked.topic_id,
        ..MetadataResponseTopic::default()
    };
    let found = found(image, asked, is_by_id);
    let Some(name) = asked.name.as_ref().filter(|_| !is_by_id) else {
        return found
            .map_or_else(|| missing(ErrorCode::UnknownTopicId), |topic| described(shared, topic, request));
    };
    let found = found.ok_or_else(|| TopicError::missing(name).wire());
    let found = found.map_err(|error| refused.get(name).copied().unwrap_or(error));
    match shared.permit().map_err(|error| error.wire()).and(found) {
        Ok(topic) => described(shared, topic, request),
        Err(error) => missing(error),
    }
}

/// Creates the topics that are asked for and not there, where that is allowed; returns why some
/// were not created. What is beyond the partitions that a request can create is not there yet: the
/// client asks again. Nothing more is created for a client that has disconnected, or by a broker
/// that stops.
async fn create_unknown(
    call: &Sliced,
    asked: &[&MetadataRequestTopic],
    request: &MetadataRequest,
) -> BTreeMap<ByteString, ErrorCode> {
    let config = call.shared.config();
    if !request.allow_auto_topic_creation || !config.auto_create_topics || call.shared.permit().is_err() {
        return BTreeMap::new();
    }
    let names = unknown(call, asked, most_new_topics(config.num_partitions)).await;
    let each = partitions_of_each(config.num_partitions);
    call.work.expect_items(names.len().saturating_mul(each)).await;
    let mut refused = BTreeMap::new();
    for portion in names.chunks(config.slice_items.max(1).div_ceil(each)) {
        refused.extend(create(&call.shared, portion));
        call.work.items(portion.len().saturating_mul(each)).await;
    }
    refused
}

/// The names of the topics that are asked for and not there, `most` at most.
async fn unknown(call: &Sliced, asked: &[&MetadataRequestTopic], most: usize) -> Vec<ByteString> {
    let (image, mut names, mut pass) = (call.shared.metadata.image(), Vec::new(), call.work.pass());
    for name in asked.iter().filter_map(|topic| topic.name.as_ref()) {
        pass.next().await;
        if names.len() < most && image.topic(name).is_none() {
            names.push(name.clone());
        }
    }
    names
}

/// Creates topics in one command; returns why some were not created.
fn create(shared: &Shared, names: &[ByteString]) -> BTreeMap<ByteString, ErrorCode> {
    let config = shared.config();
    let wanted: Vec<_> = names.iter().map(|name| internal_topics::automatic(name, &config)).collect();
    let created = shared.metadata.create_topics(&wanted);
    let refused = names.iter().zip(created).filter_map(|(name, created)| Some((name, created.err()?)));
    // Where someone else was faster, the topic is there.
    let refused = refused.filter(|(_, error)| !matches!(error, TopicError::Exists { .. }));
    let code = |error: TopicError| match error {
        // As in Kafka, what nobody can create is only unknown.
        TopicError::Reserved { .. } => TopicError::Unknown.wire(),
        error => error.wire(),
    };
    refused.map(|(name, error)| (name.clone(), code(error))).collect()
}

/// Topics of so many partitions that a request can create.
fn most_new_topics(partitions: i32) -> usize {
    (MAX_PARTITIONS / partitions_of_each(partitions)).max(1)
}

/// The partitions of a topic that is created automatically.
fn partitions_of_each(partitions: i32) -> usize {
    usize::try_from(partitions).unwrap_or(1).max(1)
}

fn described(shared: &Shared, topic: &Topic, request: &MetadataRequest) -> MetadataResponseTopic {
    let node = shared.config().node_id;
    let partition = |number: u32| {
        let partition_index = i32::try_from(number).unwrap_or(i32::MAX);
        let is_online = shared.metadata.is_online(topic, partition_index);
        MetadataResponsePartition {
            error_code: if is_online { ErrorCode::None } else { ErrorCode::LeaderNotAvailable }.code(),
            partition_index,
            leader_id: if is_online { node } else { -1 },
            leader_epoch: topic.leader_epoch(partition_index).get(),
            replica_nodes: vec![node],
            isr_nodes: if is_online { vec![node] } else { Vec::new() },
            offline_replicas: if is_online { Vec::new() } else { vec![node] },
        }
    };
    MetadataResponseTopic {
        error_code: shared.permit_code(),
        name: Some(topic.name.as_str().into()),
        topic_id: topic.id.into(),
        is_internal: topic.is_internal(),
        topic_authorized_operations: if_asked(request.include_topic_authorized_operations, OF_A_TOPIC),
        partitions: (0..topic.count()).map(partition).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_creates_at_most_10_000_partitions() {
        for (partitions, want) in
            [(1, 10_000), (3, 3_333), (4_000, 2), (10_000, 1), (20_000, 1), (-1, 10_000)]
        {
            assert_eq!(most_new_topics(partitions), want, "{partitions}");
        }
    }
}
