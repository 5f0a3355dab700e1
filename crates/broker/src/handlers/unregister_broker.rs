//! UnregisterBroker: only this broker is registered, and it cannot be taken out of its own cluster
//! while it runs.

use klamm_protocol::messages::unregister_broker_request::UnregisterBrokerRequest;
use klamm_protocol::messages::unregister_broker_response::UnregisterBrokerResponse;
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Outcome, Refusal, answer, message, read};
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = read::<UnregisterBrokerRequest>(head)?;
    let permitted = shared.permit().map_err(|error| Refusal::from(&error));
    let refusal =
        permitted.map_or_else(|refusal| refusal, |()| refusal(request.broker_id, shared.config().node_id));
    let response = UnregisterBrokerResponse {
        error_code: refusal.error.code(),
        error_message: Some(message(&refusal.words)),
        ..Default::default()
    };
    answer(&response, ApiKey::UnregisterBroker, head)
}

fn refusal(asked: i32, node: i32) -> Refusal {
    if asked == node {
        let words = format!("Broker ID {asked} is running, and is the only broker of its cluster");
        return Refusal::new(ErrorCode::InvalidRequest, words);
    }
    Refusal::new(ErrorCode::BrokerIdNotRegistered, format!("Broker ID {asked} is not currently registered"))
}
