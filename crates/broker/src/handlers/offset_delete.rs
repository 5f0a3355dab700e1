//! Offsets of a group are taken away (KIP-496).

use klamm_coordinator::{GroupId, Outcomes, Topic};
use klamm_protocol::messages::offset_delete_request::{OffsetDeleteRequest, OffsetDeleteRequestTopic};
use klamm_protocol::messages::offset_delete_response::{
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Outcome, answer};
use crate::error_code::WireError;
use crate::metadata::MetadataImage;
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<OffsetDeleteRequest>(head)?;
    let deleted = shared.permit().map_err(|error| error.wire()).and_then(|()| delete(shared, &request));
    let response = match deleted {
        Ok(outcomes) => respond(&request, &shared.metadata.image(), outcomes),
        Err(error) => OffsetDeleteResponse { error_code: error.code(), ..OffsetDeleteResponse::default() },
    };
    answer(&response, ApiKey::OffsetDelete, head)
}

fn delete(shared: &Shared, request: &OffsetDeleteRequest) -> Result<Outcomes, ErrorCode> {
    let of = |topic: &OffsetDeleteRequestTopic| {
        let name = Topic::new(&topic.name);
        topic.partitions.iter().map(|partition| (name.clone(), partition.partition_index)).collect::<Vec<_>>()
    };
    let (group, named): (_, Vec<_>) =
        (GroupId::new(&request.group_id), request.topics.iter().flat_map(of).collect());
    shared.groups.decide(&group, |groups, present| {
        groups.delete_offsets(&group, &named, present.time).map(|(effects, outcomes)| ([effects], outcomes))
    })
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
