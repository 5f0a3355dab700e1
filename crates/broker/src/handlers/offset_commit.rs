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
use klamm_protocol::{ApiKey, ErrorCode};
use klamm_types::Offset;

use super::{HandleError, Outcome, Sliced, answer, decide, is_large};
use crate::error_code::WireError;
use crate::metadata::{MetadataImage, Topic};

/// From this version on a topic is named by its id (KIP-848).
const WITH_TOPIC_IDS: i16 = 10;
/// From this version on a group that is not there is an error of its own, and clients know members'
/// epochs (KIP-848).
const KNOWS_EPOCHS: i16 = 9;

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let head = &call.head;
    if is_large(head, call.turn()) {
        call.work.worker().await;
    }
    let request = super::read::<OffsetCommitRequest>(head)?;
    let image = call.shared.metadata.image();
    let mut checked = Vec::new();
    for asked in &request.topics {
        call.work.item().await;
        let topic = find(asked, &image, head.version);
        checked.push(call.each(&asked.partitions, |partition| new_offset(topic?, partition)).await);
    }
    let wanted: Vec<NewOffset> = checked.iter().flatten().filter_map(|offset| offset.clone().ok()).collect();
    let mut outcomes = commit_all(&call, &request, wanted).await.into_iter();
    let mut code = |checked: &Result<NewOffset, ErrorCode>| match checked {
        Err(error) => *error,
        Ok(_) => outcomes.next().unwrap_or(ErrorCode::None),
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

/// Commits as many offsets at a time as a slice has items, so that others of the shard have their
/// turn.
async fn commit_all(call: &Sliced, request: &OffsetCommitRequest, wanted: Vec<NewOffset>) -> Vec<ErrorCode> {
    let at_a_time = call.shared.config().slice_items.max(1);
    let (mut outcomes, mut rest) = (Vec::new(), wanted);
    loop {
        let behind = rest.split_off(rest.len().min(at_a_time));
        let commit = commit_of(request, std::mem::replace(&mut rest, behind), call.head.version);
        outcomes.extend(committed(call, &commit).await);
        call.work.items(commit.offsets.len()).await;
        if rest.is_empty() {
            return outcomes;
        }
    }
}

/// What became of each offset.
async fn committed(call: &Sliced, commit: &Commit) -> Vec<ErrorCode> {
    let done = match try_commit(call, commit) {
        Some(done) => done,
        None => {
            call.work.worker().await;
            try_commit(call, commit).unwrap_or(Err(ErrorCode::CoordinatorNotAvailable))
        }
    };
    let version = call.head.version;
    let code = |outcome: &Result<(), GroupError>| match outcome {
        Err(GroupError::UnknownTopic) if version >= WITH_TOPIC_IDS => ErrorCode::UnknownTopicId,
        Err(error) => error.wire(),
        Ok(()) => ErrorCode::None,
    };
    match done {
        Ok(outcomes) => outcomes.iter().map(code).collect(),
        Err(ErrorCode::GroupIdNotFound) if version < KNOWS_EPOCHS => {
            vec![ErrorCode::IllegalGeneration; commit.offsets.len()]
        }
        Err(error) => vec![error; commit.offsets.len()],
    }
}

fn find<'a>(
    asked: &OffsetCommitRequestTopic,
    image: &'a MetadataImage,
    version: i16,
) -> Result<&'a Topic, ErrorCode> {
    if version >= WITH_TOPIC_IDS {
        image.topic_by_id(asked.topic_id).ok_or(ErrorCode::UnknownTopicId)
    } else {
        image.topic(&asked.name).ok_or(ErrorCode::UnknownTopicOrPartition)
    }
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

fn commit_of(request: &OffsetCommitRequest, offsets: Vec<NewOffset>, version: i16) -> Commit {
    Commit {
        group: GroupId::new(&request.group_id),
        member: Some(&*request.member_id).filter(|id| !id.is_empty()).map(MemberId::new),
        instance: request.group_instance_id.as_deref().map(InstanceId::new),
        generation: Some(request.generation_id_or_member_epoch).filter(|generation| *generation >= 0),
        knows_epochs: version >= KNOWS_EPOCHS,
        retention: u64::try_from(request.retention_time_ms).ok().map(Duration::from_millis),
        offsets,
    }
}

/// `None` where it has to be asked again on a worker thread.
fn try_commit(call: &Sliced, commit: &Commit) -> Option<Result<Outcomes, ErrorCode>> {
    decide(&call.shared, call.turn(), &commit.group, |groups, present| {
        groups.commit(commit, present).map(|(effects, outcomes)| ([effects], outcomes))
    })
}
