//! Groups whose broker assigns, and their members (KIP-848).

use klamm_coordinator::{ConsumerGroupDescription, ConsumerMemberDescription, GroupId, Partitions, Topic};
use klamm_protocol::messages::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use klamm_protocol::messages::consumer_group_describe_response::{
    Assignment, ConsumerGroupDescribeResponse, DescribedGroup, Member, TopicPartitions,
};
use klamm_protocol::{ApiKey, ByteString, ErrorCode};

use super::operations::{OF_A_GROUP, if_asked};
use super::{HandleError, Outcome, Sliced, answer, once, response_size};
use crate::error_code::WireError;
use crate::metadata::MetadataImage;
use crate::shared::Shared;

/// What a member speaks, in version 1.
const CLASSIC: i8 = 0;
const CONSUMER: i8 = 1;

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&call.shared, &call.head);
    let request = super::read::<ConsumerGroupDescribeRequest>(head)?;
    let operations = if_asked(request.include_authorized_operations, OF_A_GROUP);
    let size = |name| size(shared, name);
    call.work.reserve(call.each(once(&request.group_ids, |name| name), size).await.into_iter().sum()).await;
    let groups = once(&request.group_ids, |name| name);
    let groups = call.each(groups, |name| group(shared, name, operations)).await;
    answer(
        &ConsumerGroupDescribeResponse { groups, ..Default::default() },
        ApiKey::ConsumerGroupDescribe,
        head,
    )
}

/// The memory of a group in the response.
fn size(shared: &Shared, name: &ByteString) -> usize {
    let id = GroupId::new(name);
    let found = shared.groups.read(&id, |groups| groups.describe_consumer(&id)).ok().flatten();
    found.as_ref().map_or(0, response_size::consumer_group)
}

fn group(shared: &Shared, name: &ByteString, operations: i32) -> DescribedGroup {
    let id = GroupId::new(name);
    if !shared.serves_consumer_protocol() {
        return refused(name, ErrorCode::UnsupportedVersion, "consumer-protocol groups are disabled");
    }
    if name.is_empty() {
        return refused(name, ErrorCode::InvalidGroupId, "the group has no name");
    }
    let permitted = shared.permit().map_err(|error| error.wire());
    let look = |groups: &klamm_coordinator::GroupCoordinator| {
        (groups.describe_consumer(&id), groups.describe(&id).is_some())
    };
    match permitted.and_then(|()| shared.groups.read(&id, look)) {
        Ok((Some(found), _)) => described(name, &found, &shared.metadata.image(), operations),
        Ok((None, true)) => {
            refused(name, ErrorCode::GroupIdNotFound, &format!("Group {} is not a consumer group.", &**name))
        }
        Ok((None, false)) => {
            refused(name, ErrorCode::GroupIdNotFound, &format!("Group {} not found.", &**name))
        }
        Err(error) => DescribedGroup { error_message: None, ..refused(name, error, "") },
    }
}

fn refused(name: &ByteString, error: ErrorCode, words: &str) -> DescribedGroup {
    DescribedGroup {
        error_code: error.code(),
        error_message: Some(super::message(words)),
        group_id: name.clone(),
        ..DescribedGroup::default()
    }
}

fn described(
    name: &ByteString,
    found: &ConsumerGroupDescription,
    image: &MetadataImage,
    operations: i32,
) -> DescribedGroup {
    DescribedGroup {
        error_message: None,
        group_id: name.clone(),
        group_state: found.state.name().into(),
        group_epoch: found.epoch,
        assignment_epoch: found.target_epoch,
        assignor_name: found.assignor.as_str().into(),
        members: found.members.iter().map(|one| member(one, image)).collect(),
        authorized_operations: operations,
        ..DescribedGroup::default()
    }
}

fn member(member: &ConsumerMemberDescription, image: &MetadataImage) -> Member {
    let said = &member.said;
    Member {
        member_id: member.id.as_str().into(),
        instance_id: said.instance.as_ref().map(|id| id.as_str().into()),
        rack_id: said.rack.as_deref().map(Into::into),
        member_epoch: member.epoch,
        client_id: said.client_id.as_ref().into(),
        client_host: said.client_host.as_ref().into(),
        subscribed_topic_names: said.topics.iter().map(Topic::as_str).map(Into::into).collect(),
        subscribed_topic_regex: Some(said.regex.as_ref().into()),
        assignment: assignment(&member.has, image),
        target_assignment: assignment(&member.target, image),
        member_type: if said.classic.is_some() { CLASSIC } else { CONSUMER },
    }
}

/// Of topics that are there.
fn assignment(partitions: &Partitions, image: &MetadataImage) -> Assignment {
    let topic = |(topic_id, partitions): (_, &std::collections::BTreeSet<i32>)| {
        let found = image.topic_by_id(topic_id)?;
        let partitions = partitions.iter().copied().collect();
        Some(TopicPartitions { topic_id, topic_name: found.name.as_str().into(), partitions })
    };
    Assignment { topic_partitions: partitions.topics().filter_map(topic).collect() }
}
