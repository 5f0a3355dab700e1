//! A member of a group is alive.

use klamm_coordinator::{GroupId, Heartbeat, InstanceId, MemberId};
use klamm_protocol::messages::heartbeat_request::HeartbeatRequest;
use klamm_protocol::messages::heartbeat_response::HeartbeatResponse;
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Outcome, Turn, answer, is_busy, is_large};
use crate::error_code::WireError;
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead, turn: Turn) -> Result<Outcome, HandleError> {
    if is_large(head, turn) {
        return Ok(Outcome::Blocks);
    }
    let request = super::read::<HeartbeatRequest>(head)?;
    if is_busy(shared, turn, &request.group_id) {
        return Ok(Outcome::Blocks);
    }
    let mut done = shared.permit().map_err(|error| error.wire()).and_then(|()| beat(shared, &request));
    // Clients do not expect to be told; members have a whole session when it is loaded.
    if done == Err(ErrorCode::CoordinatorLoadInProgress) {
        done = Ok(());
    }
    let error_code = done.err().unwrap_or(ErrorCode::None).code();
    answer(&HeartbeatResponse { error_code, ..Default::default() }, ApiKey::Heartbeat, head)
}

fn beat(shared: &Shared, request: &HeartbeatRequest) -> Result<(), ErrorCode> {
    let beat = Heartbeat {
        group: GroupId::new(&request.group_id),
        member: MemberId::new(&request.member_id),
        instance: request.group_instance_id.as_deref().map(InstanceId::new),
        generation: request.generation_id,
    };
    shared.groups.decide(&beat.group, |groups, present| groups.heartbeat(&beat, present).map(|()| ([], ())))
}
