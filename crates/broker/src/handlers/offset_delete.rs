//! Offsets of a group are taken away (KIP-496).

use klamm_coordinator::{GroupId, Outcomes, Topic};
use klamm_protocol::messages::offset_delete_request::{OffsetDeleteRequest, OffsetDeleteRequestTopic};
use klamm_protocol::messages::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use klamm_protocol::{ApiKey, ErrorCode};

use super::{HandleError, Outcome, Sliced, answer, parts};
use crate::error_code::WireError;
use crate::metadata::MetadataImage;

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&*call.shared, &call.head);
    let request = super::read::<OffsetDeleteRequest>(head)?;
    let response = match delete(&call, &request).await {
        Ok(outcomes) => respond(&request, &shared.metadata.image(), outcomes),
        Err(error) => OffsetDeleteResponse { error_code: error.code(), ..OffsetDeleteResponse::default() },
    };
    answer(&response, ApiKey::OffsetDelete, head)
}

/// Deletes as many offsets at a time as a slice has items, so that others of the shard have their
/// turn.
async fn delete(call: &Sliced, request: &OffsetDeleteRequest) -> Result<Outcomes, ErrorCode> {
    let (group, named) = (GroupId::new(&request.group_id), named(call, request).await);
    let mut outcomes = Outcomes::new();
    for some in parts(&named, call.shared.config().slice_items) {
        call.shared.permit().map_err(|error| error.wire())?;
        outcomes.extend(call.shared.groups.decide(&group, |groups, present| {
            let deleted = groups.delete_offsets(&group, some, present.time);
            deleted.map(|(effects, outcomes)| ([effects], outcomes))
        })?);
        call.work.items(some.len()).await;
    }
    Ok(outcomes)
}

async fn named(call: &Sliced, request: &OffsetDeleteRequest) -> Vec<(Topic, i32)> {
    let (mut named, mut pass) = (Vec::new(), call.work.pass());
    for topic in &request.topics {
        pass.next().await;
        let name = Topic::new(&topic.name);
        for partition in &topic.partitions {
            pass.next().await;
            named.push((name.clone(), partition.partition_index));
        }
    }
    named
}

fn respond(request: &OffsetDeleteRequest, image: &MetadataImage, outcomes: Outcomes) -> OffsetDeleteResponse {
    let mut outcomes = outcomes.into_iter();
    let topic = |asked: &OffsetDeleteRequestTopic| {
        let count = image.topic(&asked.name).map_or(0, crate::metadata::Topic::count);
        let mut code = |number: i32| match outcomes.next() {
            Some(Err(error)) => error.wire(),
            _ if u32::try_from(number).is_ok_and(|number| number < count) => ErrorCode::None,
            _ => ErrorCode::UnknownTopicOrPartition,
        };
        let partition = |partition_index| OffsetDeleteResponsePartition {
            partition_index,
            error_code: code(partition_index).code(),
        };
        let partitions = asked.partitions.iter().map(|asked| asked.partition_index).map(partition).collect();
        OffsetDeleteResponseTopic { name: asked.name.clone(), partitions }
    };
    let topics = request.topics.iter().map(topic).collect();
    OffsetDeleteResponse { topics, ..OffsetDeleteResponse::default() }
}
