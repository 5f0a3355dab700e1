//! Groups and their members.

use klamm_coordinator::{
    GroupCoordinator, GroupDescription, GroupId, GroupState, MemberDescription, ProtocolName,
};
use klamm_protocol::messages::describe_groups_request::DescribeGroupsRequest;
use klamm_protocol::messages::describe_groups_response::{
    DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};
use klamm_protocol::{ApiKey, ByteString, ErrorCode};

use super::operations::{OF_A_GROUP, if_asked};
use super::{HandleError, Outcome, Sliced, answer, once, response_size};
use crate::error_code::WireError;
use crate::shared::Shared;

/// From this version on a group that is not there is an error (KIP-1043); before, it was dead.
const WITH_NOT_FOUND: i16 = 6;
const DEAD: &str = "Dead";

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&call.shared, &call.head);
    let request = super::read::<DescribeGroupsRequest>(head)?;
    let operations = if_asked(request.include_authorized_operations, OF_A_GROUP);
    let size = |name| size(shared, name);
    call.work.reserve(call.each(once(&request.groups, |name| name), size).await.into_iter().sum()).await;
    let groups = once(&request.groups, |name| name);
    let groups = call.each(groups, |name| group(shared, name, head.version, operations)).await;
    answer(&DescribeGroupsResponse { groups, ..Default::default() }, ApiKey::DescribeGroups, head)
}

/// The memory of a group in the response.
fn size(shared: &Shared, name: &ByteString) -> usize {
    let id = GroupId::new(name);
    let found = shared.groups.read(&id, |groups| groups.describe(&id)).ok().flatten();
    found.as_ref().map_or(0, response_size::classic_group)
}

fn group(shared: &Shared, name: &ByteString, version: i16, operations: i32) -> DescribedGroup {
    let id = GroupId::new(name);
    let permitted = shared.permit().map_err(|error| error.wire());
    let look = |groups: &GroupCoordinator| (groups.describe(&id), groups.describe_consumer(&id).is_some());
    match permitted.and_then(|()| shared.groups.read(&id, look)) {
        Ok((Some(found), _)) => described(name, &found, operations),
        Ok((None, is_consumer)) if version >= WITH_NOT_FOUND => DescribedGroup {
            error_message: Some(super::message(&not_found(name, is_consumer))),
            ..absent(name, ErrorCode::GroupIdNotFound)
        },
        Ok(_) => DescribedGroup { authorized_operations: operations, ..absent(name, ErrorCode::None) },
        Err(error) => DescribedGroup { group_state: ByteString::default(), ..absent(name, error) },
    }
}

/// The words of Kafka, which its tools print and its tests compare.
fn not_found(name: &str, is_consumer: bool) -> String {
    match is_consumer {
        true => format!("Group {name} is not a classic group."),
        false => format!("Group {name} not found."),
    }
}

fn absent(name: &ByteString, error: ErrorCode) -> DescribedGroup {
    let (error_code, group_state) = (error.code(), DEAD.into());
    DescribedGroup { error_code, group_id: name.clone(), group_state, ..DescribedGroup::default() }
}

fn described(name: &ByteString, found: &GroupDescription, operations: i32) -> DescribedGroup {
    let text = |name: Option<&ProtocolName>| name.map_or("", ProtocolName::as_str).into();
    DescribedGroup {
        group_id: name.clone(),
        group_state: GroupState::from(found.state).name().into(),
        protocol_type: text(found.protocol_type.as_ref()),
        protocol_data: text(found.protocol.as_ref()),
        members: found.members.iter().map(member).collect(),
        authorized_operations: operations,
        ..DescribedGroup::default()
    }
}

fn member(member: &MemberDescription) -> DescribedGroupMember {
    DescribedGroupMember {
        member_id: member.id.as_str().into(),
        group_instance_id: member.instance.as_ref().map(|id| id.as_str().into()),
        client_id: member.client_id.as_ref().into(),
        client_host: member.client_host.as_ref().into(),
        member_metadata: member.metadata.clone(),
        member_assignment: member.assignment.clone(),
    }
}
