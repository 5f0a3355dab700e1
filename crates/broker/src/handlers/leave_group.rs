//! Members leave a group.

use klamm_coordinator::{GroupError, GroupId, InstanceId, LeaveGroup, Leaving, MemberId, Outcomes};
use klamm_protocol::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use klamm_protocol::messages::leave_group_response::{LeaveGroupResponse, MemberResponse};
use klamm_protocol::{ApiKey, ErrorCode};

use super::{HandleError, Outcome, Sliced, answer, parts};
use crate::error_code::WireError;
use crate::shared::Shared;

/// From this version on several leave at a time (KIP-345).
const SEVERAL: i16 = 3;

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let head = &call.head;
    let mut request = super::read::<LeaveGroupRequest>(head)?;
    if head.version < SEVERAL {
        let member_id = std::mem::take(&mut request.member_id);
        request.members = vec![MemberIdentity { member_id, ..MemberIdentity::default() }];
    }
    let left = leave(&call, &request).await;
    answer(&respond(&request, left, head.version), ApiKey::LeaveGroup, head)
}

/// As many members leave at a time as a slice has items, so that others of the shard have their
/// turn.
async fn leave(call: &Sliced, request: &LeaveGroupRequest) -> Result<Outcomes, ErrorCode> {
    let mut left = Outcomes::new();
    for some in parts(&request.members, call.shared.config().slice_items) {
        call.shared.permit().map_err(|error| error.wire())?;
        match leave_some(&call.shared, request, some) {
            // Each is told by itself.
            Err(ErrorCode::UnknownMemberId) if call.head.version >= SEVERAL => {
                left.extend(vec![Err(GroupError::UnknownMemberId); some.len()]);
            }
            outcomes => left.extend(outcomes?),
        }
        call.work.items(some.len()).await;
    }
    Ok(left)
}

fn leave_some(
    shared: &Shared,
    request: &LeaveGroupRequest,
    members: &[MemberIdentity],
) -> Result<Outcomes, ErrorCode> {
    let leaving = |member: &MemberIdentity| Leaving {
        member: Some(&*member.member_id).filter(|id| !id.is_empty()).map(MemberId::new),
        instance: member.group_instance_id.as_deref().map(InstanceId::new),
    };
    let group = GroupId::new(&request.group_id);
    let leave = LeaveGroup { group: group.clone(), members: members.iter().map(leaving).collect() };
    shared.groups.decide(&group, |groups, present| {
        groups.leave(&leave, present).map(|(effects, outcomes)| ([effects], outcomes))
    })
}

fn respond(
    request: &LeaveGroupRequest,
    left: Result<Outcomes, ErrorCode>,
    version: i16,
) -> LeaveGroupResponse {
    let left = match left {
        Ok(left) => left,
        Err(error) => {
            return LeaveGroupResponse { error_code: error.code(), ..LeaveGroupResponse::default() };
        }
    };
    let code =
        |left: &Result<(), GroupError>| left.map_or_else(|error| error.wire(), |()| ErrorCode::None).code();
    if version < SEVERAL {
        return LeaveGroupResponse {
            error_code: left.first().map_or(0, code),
            ..LeaveGroupResponse::default()
        };
    }
    let member = |(asked, left): (&MemberIdentity, &Result<(), GroupError>)| MemberResponse {
        member_id: asked.member_id.clone(),
        group_instance_id: asked.group_instance_id.clone(),
        error_code: code(left),
    };
    let members = request.members.iter().zip(&left).map(member).collect();
    LeaveGroupResponse { members, ..LeaveGroupResponse::default() }
}
