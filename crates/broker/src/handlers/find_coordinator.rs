//! There are no coordinators yet: clients are told that none is available, which librdkafka takes quietly when it reads without a
//! group. Version 0 is advertised all the same: librdkafka takes a broker
//! that does not have it for one too old for lz4, and sends uncompressed, silently.

use klamm_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use klamm_protocol::messages::find_coordinator_response::FindCoordinatorResponse;
use klamm_protocol::{ApiKey, ErrorCode, Message, RequestHead};

use super::{HandleError, Outcome, answer};
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    FindCoordinatorRequest::decode(head.body.clone(), head.version)?;
    let error_code = shared.fault.unwrap_or(ErrorCode::CoordinatorNotAvailable).code();
    let response =
        FindCoordinatorResponse { error_code, node_id: -1, port: -1, ..FindCoordinatorResponse::default() };
    answer(&response, ApiKey::FindCoordinator, head)
}
