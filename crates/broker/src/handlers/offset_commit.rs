//! A group commits how far it has read.

use std::sync::Arc;
use std::time::Duration;

use klamm_coordinator::{
    Commit, GroupError, GroupId, InstanceId, MemberId, NewOffset, Outcomes, Topic as TopicName,
};
use klamm_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use klamm_protocol::messages::offset_commit_response::{
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};
use klamm_types::Offset;

use super::{HandleError, Outcome, Turn, answer, decide, is_large};
use crate::error_code::WireError;
use crate::metadata::{MetadataImage, Topic};
use crate::shared::Shared;

/// From this version on a topic is named by its id (KIP-848).
const WITH_TOPIC_IDS: i16 = 10;
/// From this version on a group that is not there is an error of its own, and clients know members' epochs (KIP-848).
const KNOWS_EPOCHS: i16 = 9;

pub(super) fn handle(shared: &Shared, head: &RequestHead, turn: Turn) -> Result<Outcome, HandleError> {
    if is_large(head, turn) {
        return Ok(Outcome::Blocks);
    }
    let request = super::read::<OffsetCommitRequest>(head)?;
    let image = shared.metadata.image();
    let checked = check(&request, &image, head.version);
    let wanted: Vec<NewOffset> = checked.iter().flatten().filter_map(|offset| offset.clone().ok()).collect();
    let Some(committed) = commit(shared, turn, &request, wanted, head.version) else {
        return Ok(Outcome::Blocks);
    };
    let mut outcomes = committed.as_ref().map(|outcomes| outcomes.iter());
    let mut code = |checked: &Result<NewOffset, ErrorCode>| match (checked, &mut outcomes) {
        (Err(error), _) => *error,
        (Ok(_), Err(error)) => **error,
        (Ok(_), Ok(outcomes)) => match outcomes.next() {
            Some(Err(GroupError::UnknownTopic)) if head.version >= WITH_TOPIC_IDS => {
                ErrorCode::UnknownTopicId
            }
            Some(Err(error)) => error.wire(),
            Some(Ok(())) | None => ErrorCode::None,
        },
    };
    let topic = |(asked, checked): (&OffsetCommitRequestTopic, &Vec<Result<NewOffset, ErrorCode>>)| {
        let partition = |(asked, checked): (&OffsetCommitRequestPartition, &Result<NewOffset, ErrorCode>)| {
            OffsetCommitResponsePartition {
                partition_index: asked.partition_index,
                error_code: code(checked).code(),
            }
        };
        OffsetCommitResponseTopic {
            name: asked.name.clone(),
            topic_id: asked.topic_id,
            partitions: asked.partitions.iter().zip(checked).map(partition).collect(),
        }
    };
    let topics = request.topics.iter().zip(&checked).map(topic).collect();
    answer(&OffsetCommitResponse { topics, ..Default::default() }, ApiKey::OffsetCommit, head)
}

/// The offsets that are of partitions that there are, by topic.
fn check(
    request: &OffsetCommitRequest,
    image: &MetadataImage,
    version: i16,
) -> Vec<Vec<Result<NewOffset, ErrorCode>>> {
    let topic = |asked: &OffsetCommitRequestTopic| {
        let found = if version >= WITH_TOPIC_IDS {
            image.topic_by_id(asked.topic_id).ok_or(ErrorCode::UnknownTopicId)
        } else {
            image.topic(&asked.name).ok_or(ErrorCode::UnknownTopicOrPartition)
        };
        asked.partitions.iter().map(|partition| new_offset(found?, partition)).collect()
    };
    request.topics.iter().map(topic).collect()
}

fn new_offset(topic: &Topic, asked: &OffsetCommitRequestPartition) -> Result<NewOffset, ErrorCode> {
    let is_there = u32::try_from(asked.partition_index).is_ok_and(|number| number < topic.count());
    if !is_there {
        return Err(ErrorCode::UnknownTopicOrPartition);
    }
    Ok(NewOffset {
        topic: TopicName::new(topic.name.as_str()),
        topic_id: Some(topic.id.into()),
        partition: asked.partition_index,
        offset: Offset::new(asked.committed_offset),
        leader_epoch: Some(asked.committed_leader_epoch).filter(|epoch| *epoch >= 0),
        metadata: Arc::from(asked.committed_metadata.as_deref().unwrap_or("")),
    })
}

fn commit(
    shared: &Shared,
    turn: Turn,
    request: &OffsetCommitRequest,
    offsets: Vec<NewOffset>,
    version: i16,
) -> Option<Result<Outcomes, ErrorCode>> {
    let commit = Commit {
        group: GroupId::new(&request.group_id),
        member: Some(&*request.member_id).filter(|id| !id.is_empty()).map(MemberId::new),
        instance: request.group_instance_id.as_deref().map(InstanceId::new),
        generation: Some(request.generation_id_or_member_epoch).filter(|generation| *generation >= 0),
        knows_epochs: version >= KNOWS_EPOCHS,
        retention: u64::try_from(request.retention_time_ms).ok().map(Duration::from_millis),
        offsets,
    };
    let done = decide(shared, turn, &commit.group, |groups, present| {
        groups.commit(&commit, present).map(|(effects, outcomes)| ([effects], outcomes))
    })?;
    let told = done.map_err(|error| match error {
        ErrorCode::GroupIdNotFound if version < KNOWS_EPOCHS => ErrorCode::IllegalGeneration,
        error => error,
    });
    Some(told)
}
