//! Finds the coordinator of a group, which is this broker. Coordinators of transactions and of
//! share groups are refused with UNSUPPORTED_VERSION, which clients do not retry.
//!
//! librdkafka is the exception: it asks for a coordinator of transactions in version 1 or 2,
//! retries every error code until its own timeout except those of authorization, and shows the
//! error message to its user. Versions below 3 therefore get TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
//! with a message that names the cause.

use klamm_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use klamm_protocol::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use klamm_protocol::{ApiKey, ByteString, ErrorCode};

use super::{HandleError, Outcome, Sliced, answer, unsupported};
use crate::error_code::WireError;
use crate::shared::Shared;

/// The kind of key that names a group.
const GROUP: i8 = 0;
/// That of a transactional id, and the last kind that there is, of a share group's partition.
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
/// From this version on the encoding is flexible (KIP-482). librdkafka uses lower versions only.
const FLEXIBLE: i16 = 3;
/// From this version on several are asked for at a time (KIP-699).
const BATCHED: i16 = 4;
/// From this version on there are share groups (KIP-932).
const SHARES: i16 = 6;

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&*call.shared, &call.head);
    let request = super::read::<FindCoordinatorRequest>(head)?;
    call.work.expect_items(request.coordinator_keys.len()).await;
    let find = |key: &ByteString| found(shared, key, request.key_type, head.version);
    let response = if head.version >= BATCHED {
        let coordinators = call.each(&request.coordinator_keys, find).await;
        FindCoordinatorResponse { coordinators, ..FindCoordinatorResponse::default() }
    } else {
        let Coordinator { node_id, host, port, error_code, error_message, .. } = find(&request.key);
        FindCoordinatorResponse { node_id, host, port, error_code, error_message, ..Default::default() }
    };
    answer(&response, ApiKey::FindCoordinator, head)
}

fn found(shared: &Shared, key: &ByteString, kind: i8, version: i16) -> Coordinator {
    let ready = |()| ready(shared, kind, version).map_err(|error| (error, words(error, kind)));
    let permitted = shared.permit().map_err(|error| (error.wire(), error.to_string()));
    let error = permitted.and_then(ready).err();
    let is_here = error.is_none();
    Coordinator {
        key: key.clone(),
        node_id: if is_here { shared.config().node_id } else { -1 },
        host: if is_here { shared.advertised.host.as_str().into() } else { ByteString::default() },
        port: if is_here { shared.advertised.port.into() } else { -1 },
        error_code: error.as_ref().map_or(ErrorCode::None, |(code, _)| *code).code(),
        error_message: error.map(|(_, words)| super::message(&words)),
    }
}

fn ready(shared: &Shared, kind: i8, version: i16) -> Result<(), ErrorCode> {
    match kind {
        GROUP => shared.groups.ensure_topic(),
        TRANSACTION if version < FLEXIBLE => Err(ErrorCode::TransactionalIdAuthorizationFailed),
        TRANSACTION => Err(ErrorCode::UnsupportedVersion),
        SHARE if version >= SHARES => Err(ErrorCode::UnsupportedVersion),
        _ => Err(ErrorCode::InvalidRequest),
    }
}

/// The message beside an error code.
fn words(error: ErrorCode, kind: i8) -> String {
    match (error, kind) {
        (ErrorCode::TransactionalIdAuthorizationFailed, _) | (ErrorCode::UnsupportedVersion, TRANSACTION) => {
            unsupported::TRANSACTIONS.to_owned()
        }
        (ErrorCode::UnsupportedVersion, _) => unsupported::SHARE_GROUPS.to_owned(),
        _ => error.to_string(),
    }
}
