//! ListPartitionReassignments and AlterPartitionReassignments (KIP-455). Every partition has one
//! replica, on the only broker, so that no reassignment is ever in progress, and one to that broker
//! has nothing to do.

use klamm_protocol::messages::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use klamm_protocol::messages::alter_partition_reassignments_response::{
    AlterPartitionReassignmentsResponse, ReassignablePartitionResponse, ReassignableTopicResponse,
};
use klamm_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsRequest;
use klamm_protocol::messages::list_partition_reassignments_response::ListPartitionReassignmentsResponse;
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Outcome, Refusal, answer, message, read};
use crate::metadata::Topic;
use crate::shared::Shared;

pub(super) fn list(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    read::<ListPartitionReassignmentsRequest>(head)?;
    let response = ListPartitionReassignmentsResponse {
        error_code: shared.permit_code(),
        error_message: None,
        ..Default::default()
    };
    answer(&response, ApiKey::ListPartitionReassignments, head)
}

pub(super) fn alter(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = read::<AlterPartitionReassignmentsRequest>(head)?;
    let image = shared.metadata.image();
    let respond = |asked: &ReassignableTopic| {
        let topic = image.topic(&asked.name);
        let partition = |partition: &ReassignablePartition| {
            respond(
                partition,
                permitted(shared).and_then(|()| alter_one(shared, topic, &asked.name, partition)),
            )
        };
        let partitions = asked.partitions.iter().map(partition).collect();
        ReassignableTopicResponse { name: asked.name.clone(), partitions }
    };
    let response = AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: request.allow_replication_factor_change,
        error_message: None,
        responses: request.topics.iter().map(respond).collect(),
        ..Default::default()
    };
    answer(&response, ApiKey::AlterPartitionReassignments, head)
}

fn permitted(shared: &Shared) -> Result<(), Refusal> {
    shared.permit().map_err(|error| Refusal::from(&error))
}

fn alter_one(
    shared: &Shared,
    topic: Option<&Topic>,
    name: &str,
    asked: &ReassignablePartition,
) -> Result<(), Refusal> {
    let unknown = |words: String| Refusal::new(ErrorCode::UnknownTopicOrPartition, words);
    let topic = topic.ok_or_else(|| unknown(format!("Unable to find a topic named {name}.")))?;
    if !u32::try_from(asked.partition_index).is_ok_and(|number| number < topic.count()) {
        return Err(unknown(format!("Unable to find partition {name}:{}.", asked.partition_index)));
    }
    let none =
        || Refusal::new(ErrorCode::NoReassignmentInProgress, "No partition reassignment is in progress.");
    check_replicas(asked.replicas.as_deref().ok_or_else(none)?, shared.config().node_id)
}

/// Kafka's checks of an assignment, where `node` is the only broker.
fn check_replicas(replicas: &[i32], node: i32) -> Result<(), Refusal> {
    let wrong = |words: String| Err(Refusal::new(ErrorCode::InvalidReplicaAssignment, words));
    match replicas {
        [] => wrong("The manual partition assignment includes an empty replica list.".to_owned()),
        [one] if *one == node => Ok(()),
        _ => match replicas.iter().find(|replica| **replica != node) {
            Some(other) => wrong(format!(
                "The manual partition assignment includes broker {other}, but no such broker is registered."
            )),
            None => {
                wrong(format!("The manual partition assignment includes the broker {node} more than once."))
            }
        },
    }
}

fn respond(asked: &ReassignablePartition, done: Result<(), Refusal>) -> ReassignablePartitionResponse {
    let refusal = done.err();
    ReassignablePartitionResponse {
        partition_index: asked.partition_index,
        error_code: refusal.as_ref().map_or(ErrorCode::None, |refusal| refusal.error).code(),
        error_message: refusal.map(|refusal| message(&refusal.words)),
    }
}
