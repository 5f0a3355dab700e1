//! SaslHandshake and SaslAuthenticate. Kafka's brokers answer them with ILLEGAL_SASL_STATE on a
//! listener without SASL, and this broker has no other listeners.

use klamm_protocol::messages::sasl_authenticate_request::SaslAuthenticateRequest;
use klamm_protocol::messages::sasl_authenticate_response::SaslAuthenticateResponse;
use klamm_protocol::messages::sasl_handshake_request::SaslHandshakeRequest;
use klamm_protocol::messages::sasl_handshake_response::SaslHandshakeResponse;
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Outcome, answer, message, read};
use crate::shared::Shared;

pub(super) fn handshake(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    read::<SaslHandshakeRequest>(head)?;
    let error_code = shared.refusal(ErrorCode::IllegalSaslState).code();
    answer(&SaslHandshakeResponse { error_code, ..Default::default() }, ApiKey::SaslHandshake, head)
}

pub(super) fn authenticate(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    read::<SaslAuthenticateRequest>(head)?;
    let response = SaslAuthenticateResponse {
        error_code: shared.refusal(ErrorCode::IllegalSaslState).code(),
        error_message: Some(message("this listener has no authentication")),
        ..Default::default()
    };
    answer(&response, ApiKey::SaslAuthenticate, head)
}
