//! ElectLeaders (KIP-460): the leader of every partition is its only replica, so that no election
//! is ever needed.

use std::collections::BTreeMap;

use klamm_protocol::messages::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};
use klamm_protocol::messages::elect_leaders_response::{
    ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
};
use klamm_protocol::{ApiKey, ByteString, ErrorCode, RequestHead};

use super::{HandleError, Outcome, Refusal, answer, message, read};
use crate::metadata::MetadataImage;
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = read::<ElectLeadersRequest>(head)?;
    let image = shared.metadata.image();
    // Without a list all partitions are meant that need an election: none.
    let asked = request.topic_partitions.iter().flatten();
    let results = by_topic(asked).into_iter().map(|(topic, partitions)| ReplicaElectionResult {
        partition_result: partitions.iter().map(|number| elect(shared, &image, &topic, *number)).collect(),
        topic,
    });
    let response = ElectLeadersResponse {
        error_code: shared.permit_code(),
        replica_election_results: results.collect(),
        ..Default::default()
    };
    answer(&response, ApiKey::ElectLeaders, head)
}

/// The partitions asked for. A topic may be named several times.
fn by_topic<'a>(asked: impl Iterator<Item = &'a TopicPartitions>) -> BTreeMap<ByteString, Vec<i32>> {
    let mut topics = BTreeMap::<_, Vec<i32>>::new();
    for topic in asked {
        topics.entry(topic.topic.clone()).or_default().extend(&topic.partitions);
    }
    topics
}

fn elect(shared: &Shared, image: &MetadataImage, topic: &str, number: i32) -> PartitionResult {
    let permitted = shared.permit().map_err(|error| Refusal::from(&error));
    let Refusal { error, words } =
        permitted.map_or_else(|refusal| refusal, |()| refusal(image, topic, number));
    PartitionResult { partition_id: number, error_code: error.code(), error_message: Some(message(&words)) }
}

fn refusal(image: &MetadataImage, name: &str, number: i32) -> Refusal {
    let unknown = |words| Refusal::new(ErrorCode::UnknownTopicOrPartition, words);
    let Some(topic) = image.topic(name) else { return unknown(format!("No such topic as {name}")) };
    if !u32::try_from(number).is_ok_and(|number| number < topic.count()) {
        return unknown(format!("No such partition as {name}-{number}"));
    }
    Refusal::new(ErrorCode::ElectionNotNeeded, "Leader election not needed for topic partition.")
}
