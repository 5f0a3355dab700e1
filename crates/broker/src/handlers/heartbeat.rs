//! A member of a group is alive.

use std::sync::Arc;

use klamm_coordinator::{GroupId, Heartbeat, InstanceId, MemberId};
use klamm_protocol::messages::heartbeat_request::HeartbeatRequest;
use klamm_protocol::messages::heartbeat_response::HeartbeatResponse;
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Outcome, Turn, answer, decide, is_large};
use crate::shared::Shared;

pub(super) fn handle(shared: &Arc<Shared>, head: &RequestHead, turn: Turn) -> Result<Outcome, HandleError> {
    if is_large(head, turn) {
        return Ok(Outcome::Blocks);
    }
    let request = super::read::<HeartbeatRequest>(head)?;
    let Some(mut done) = beat(shared, turn, &request) else { return Ok(Outcome::Blocks) };
    // Clients do not expect to be told; members have a whole session when it is loaded.
    if done == Err(ErrorCode::CoordinatorLoadInProgress) {
        done = Ok(());
    }
    let error_code = done.err().unwrap_or(ErrorCode::None).code();
    answer(&HeartbeatResponse { error_code, ..Default::default() }, ApiKey::Heartbeat, head)
}

fn beat(shared: &Shared, turn: Turn, request: &HeartbeatRequest) -> Option<Result<(), ErrorCode>> {
    let beat = Heartbeat {
        group: GroupId::new(&request.group_id),
        member: MemberId::new(&request.member_id),
        instance: request.group_instance_id.as_deref().map(InstanceId::new),
        generation: request.generation_id,
    };
    decide(shared, turn, &beat.group, |groups, present| groups.heartbeat(&beat, present).map(|()| ([], ())))
}
