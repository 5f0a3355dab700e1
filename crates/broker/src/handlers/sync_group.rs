//! A member asks for its assignment; the leader brings all of them.

use bytes::Bytes;
use klamm_coordinator::{Answer, GroupId, InstanceId, MemberId, ProtocolName, SyncGroup};
use klamm_protocol::messages::sync_group_request::SyncGroupRequest;
use klamm_protocol::messages::sync_group_response::SyncGroupResponse;
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Later, Outcome, answer};
use crate::error_code::WireError;
use crate::shared::Shared;

/// From this version on a member says which protocol it takes the group to have (KIP-559).
const WITH_PROTOCOL: i16 = 5;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<SyncGroupRequest>(head)?;
    // The response may come much later: it keeps nothing of the frame.
    let head = head.without_body();
    if head.version >= WITH_PROTOCOL && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
        return answer(&refused(ErrorCode::InconsistentGroupProtocol), ApiKey::SyncGroup, &head);
    }
    let begun = shared.permit().map_err(|error| error.wire()).and_then(|()| {
        let sync = sync(&request);
        let group = sync.group.clone();
        shared.groups.wait(&group, |groups, waiter, present| groups.sync(sync, waiter, present))
    });
    match begun {
        Ok(told) => {
            let respond = Box::new(move |told| answer(&told_of(told), ApiKey::SyncGroup, &head));
            Ok(Outcome::Later(Later { told, respond }))
        }
        Err(error) => answer(&refused(error), ApiKey::SyncGroup, &head),
    }
}

fn sync(request: &SyncGroupRequest) -> SyncGroup {
    let assignments = request.assignments.iter();
    SyncGroup {
        group: GroupId::new(&request.group_id),
        member: MemberId::new(&request.member_id),
        instance: request.group_instance_id.as_deref().map(InstanceId::new),
        generation: request.generation_id,
        protocol_type: request.protocol_type.as_deref().map(ProtocolName::new),
        protocol: request.protocol_name.as_deref().map(ProtocolName::new),
        assignments: assignments
            .map(|given| (MemberId::new(&given.member_id), Bytes::copy_from_slice(&given.assignment)))
            .collect(),
    }
}

fn told_of(told: Answer) -> SyncGroupResponse {
    match told {
        Answer::Sync(Ok(synced)) => SyncGroupResponse {
            protocol_type: synced.protocol_type.as_ref().map(|name| name.as_str().into()),
            protocol_name: synced.protocol.as_ref().map(|name| name.as_str().into()),
            assignment: synced.assignment,
            ..SyncGroupResponse::default()
        },
        Answer::Sync(Err(error)) => refused(error.wire()),
        Answer::Join(_) => refused(ErrorCode::UnknownServerError),
    }
}

fn refused(error: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code: error.code(), ..SyncGroupResponse::default() }
}
