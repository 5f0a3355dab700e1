//! Allocates the id of an idempotent producer. A transactional id is refused with
//! UNSUPPORTED_VERSION, which clients do not retry: this broker has no transactions.

use klamm_protocol::messages::init_producer_id_request::InitProducerIdRequest;
use klamm_protocol::messages::init_producer_id_response::InitProducerIdResponse;
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Outcome, answer};
use crate::error_code::WireError;
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<InitProducerIdRequest>(head)?;
    let response = match request.transactional_id.as_deref() {
        _ if is_half_given(&request) => refused(ErrorCode::InvalidRequest),
        Some("") => refused(ErrorCode::InvalidRequest),
        Some(_) => refused(ErrorCode::UnsupportedVersion),
        None => match shared.permit().and_then(|()| shared.metadata.allocate_producer_id()) {
            Ok(id) => InitProducerIdResponse { producer_id: id.get(), ..InitProducerIdResponse::default() },
            Err(error) => refused(error.wire()),
        },
    };
    answer(&response, ApiKey::InitProducerId, head)
}

/// Whether the request names a producer id without an epoch, or an epoch without an id. Both are -1
/// in a first request.
fn is_half_given(request: &InitProducerIdRequest) -> bool {
    (request.producer_id == -1) != (request.producer_epoch == -1)
}

fn refused(error: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code: error.code(),
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdResponse::default()
    }
}
