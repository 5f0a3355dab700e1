//! Brokers and topics; topics that are asked for are created, where that is allowed.

use std::collections::BTreeSet;

use klamm_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use klamm_protocol::messages::metadata_response::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use klamm_protocol::{ApiKey, ByteString, ErrorCode, RequestHead, Uuid};

use super::operations::{OF_A_TOPIC, OF_THE_CLUSTER, if_asked};
use super::{HandleError, Outcome, answer};
use crate::error_code::WireError;
use crate::metadata::{Topic, TopicError, internal_topics};
use crate::shared::Shared;

/// From this version on a topic in a response may have no name.
const NULL_NAME: i16 = 12;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<MetadataRequest>(head)?;
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
        topics: topics(shared, &request, head.version),
        ..MetadataResponse::default()
    };
    answer(&response, ApiKey::Metadata, head)
}

fn topics(shared: &Shared, request: &MetadataRequest, version: i16) -> Vec<MetadataResponseTopic> {
    // In version 0 there is no null, and an empty list means all.
    let asked = request.topics.as_ref().filter(|topics| version > 0 || !topics.is_empty());
    match asked {
        Some(asked) => {
            // With one id in it all are asked for by their ids: names are then whatever the client has left there.
            let is_by_id = asked.iter().any(|topic| topic.topic_id != Uuid::ZERO);
            let key = |topic: &MetadataRequestTopic| match is_by_id {
                true => (None, topic.topic_id),
                false => (topic.name.clone(), Uuid::ZERO),
            };
            // However often a topic is asked for, it is described once.
            let mut seen = BTreeSet::new();
            let is_asked = |topic: &MetadataRequestTopic| !is_by_id || topic.topic_id != Uuid::ZERO;
            let once = asked.iter().filter(|topic| is_asked(topic) && seen.insert(key(topic)));
            once.map(|topic| asked_topic(shared, topic, is_by_id, request, version)).collect()
        }
        None => shared.metadata.image().topics().map(|topic| described(shared, topic, request)).collect(),
    }
}

fn asked_topic(
    shared: &Shared,
    asked: &MetadataRequestTopic,
    is_by_id: bool,
    request: &MetadataRequest,
    version: i16,
) -> MetadataResponseTopic {
    let image = shared.metadata.image();
    // Before version 12 a name in a response cannot be null.
    let no_name = (version < NULL_NAME).then(ByteString::default);
    let missing = |error: ErrorCode| MetadataResponseTopic {
        error_code: error.code(),
        name: asked.name.clone().filter(|_| !is_by_id).or(no_name),
        topic_id: asked.topic_id,
        ..MetadataResponseTopic::default()
    };
    let Some(name) = asked.name.as_ref().filter(|_| !is_by_id) else {
        let found = image.topic_by_id(asked.topic_id);
        return found
            .map_or_else(|| missing(ErrorCode::UnknownTopicId), |topic| described(shared, topic, request));
    };
    let may_create = request.allow_auto_topic_creation;
    let found = image.topic(name).cloned();
    match shared.permit().and_then(|()| found.map_or_else(|| create(shared, name, may_create), Ok)) {
        Ok(topic) => described(shared, &topic, request),
        Err(error) => missing(error.wire()),
    }
}

fn create(shared: &Shared, name: &str, may_create: bool) -> Result<Topic, TopicError> {
    klamm_types::TopicName::new(name)?;
    if !may_create || !shared.config().auto_create_topics {
        return Err(TopicError::Unknown);
    }
    let wanted = internal_topics::automatic(name, &shared.config());
    match shared.metadata.create_topic(&wanted, false) {
        // As in Kafka, what nobody can create is only unknown.
        Err(TopicError::Reserved { .. }) => Err(TopicError::Unknown),
        // Someone else was faster.
        Err(TopicError::Exists { .. }) => {
            shared.metadata.image().topic(name).cloned().ok_or(TopicError::Unknown)
        }
        created => created,
    }
}

fn described(shared: &Shared, topic: &Topic, request: &MetadataRequest) -> MetadataResponseTopic {
    let node = shared.config().node_id;
    let partition = |number: u32| {
        let partition_index = i32::try_from(number).unwrap_or(i32::MAX);
        let is_online = shared.metadata.log(topic, partition_index).is_ok();
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
