//! APIs that Kafka's brokers have and this broker lacks: transactions, share groups, streams
//! groups, client telemetry and changes of the quorum.
//!
//! Each is answered with `UNSUPPORTED_VERSION` in its own schema, so that the client fails at once
//! and keeps its connection. None of them is advertised by ApiVersions. Responses without a
//! top-level error code repeat the items of the request, and are in [`items`]; the others are built
//! without reading the request.

mod items;

use klamm_protocol::messages::add_offsets_to_txn_response::AddOffsetsToTxnResponse;
use klamm_protocol::messages::add_raft_voter_response::AddRaftVoterResponse;
use klamm_protocol::messages::alter_share_group_offsets_response::AlterShareGroupOffsetsResponse;
use klamm_protocol::messages::delete_share_group_offsets_response::DeleteShareGroupOffsetsResponse;
use klamm_protocol::messages::end_txn_response::EndTxnResponse;
use klamm_protocol::messages::get_telemetry_subscriptions_response::GetTelemetrySubscriptionsResponse;
use klamm_protocol::messages::push_telemetry_response::PushTelemetryResponse;
use klamm_protocol::messages::remove_raft_voter_response::RemoveRaftVoterResponse;
use klamm_protocol::messages::share_acknowledge_response::ShareAcknowledgeResponse;
use klamm_protocol::messages::share_fetch_response::ShareFetchResponse;
use klamm_protocol::messages::share_group_heartbeat_response::ShareGroupHeartbeatResponse;
use klamm_protocol::messages::streams_group_heartbeat_response::StreamsGroupHeartbeatResponse;
use klamm_protocol::messages::streams_group_topology_description_update_response::StreamsGroupTopologyDescriptionUpdateResponse;
use klamm_protocol::{ApiKey, ByteString, ErrorCode, RequestHead};

use super::{HandleError, Outcome, answer};

pub(super) const TRANSACTIONS: &str = "this broker has no transactions";
pub(super) const SHARE_GROUPS: &str = "this broker has no share groups";
const STREAMS_GROUPS: &str = "this broker has no streams groups";
const QUORUM: &str = "this broker is the only voter of its cluster, and voters cannot be added or removed";
const CODE: i16 = ErrorCode::UnsupportedVersion.code();

/// The refusal of an API that a Kafka broker has and this one lacks; `None` for all other APIs.
pub(super) fn refuse(api: ApiKey, head: &RequestHead) -> Option<Result<Outcome, HandleError>> {
    items::refuse(api, head).or_else(|| refuse_all(api, head))
}

/// Sets the error code, and the error message where the response has one.
macro_rules! refused {
    ($response:ident) => {
        &$response { error_code: CODE, ..Default::default() }
    };
    ($response:ident, $message:expr) => {
        &$response { error_code: CODE, error_message: message($message), ..Default::default() }
    };
}

fn refuse_all(api: ApiKey, head: &RequestHead) -> Option<Result<Outcome, HandleError>> {
    Some(match api {
        ApiKey::AddOffsetsToTxn => answer(refused!(AddOffsetsToTxnResponse), api, head),
        ApiKey::EndTxn => answer(refused!(EndTxnResponse), api, head),
        ApiKey::GetTelemetrySubscriptions => answer(refused!(GetTelemetrySubscriptionsResponse), api, head),
        ApiKey::PushTelemetry => answer(refused!(PushTelemetryResponse), api, head),
        ApiKey::ShareGroupHeartbeat => answer(refused!(ShareGroupHeartbeatResponse, SHARE_GROUPS), api, head),
        ApiKey::ShareFetch => answer(refused!(ShareFetchResponse, SHARE_GROUPS), api, head),
        ApiKey::ShareAcknowledge => answer(refused!(ShareAcknowledgeResponse, SHARE_GROUPS), api, head),
        ApiKey::AlterShareGroupOffsets => {
            answer(refused!(AlterShareGroupOffsetsResponse, SHARE_GROUPS), api, head)
        }
        ApiKey::DeleteShareGroupOffsets => {
            answer(refused!(DeleteShareGroupOffsetsResponse, SHARE_GROUPS), api, head)
        }
        ApiKey::StreamsGroupHeartbeat => {
            answer(refused!(StreamsGroupHeartbeatResponse, STREAMS_GROUPS), api, head)
        }
        ApiKey::StreamsGroupTopologyDescriptionUpdate => {
            answer(refused!(StreamsGroupTopologyDescriptionUpdateResponse, STREAMS_GROUPS), api, head)
        }
        ApiKey::AddRaftVoter => answer(refused!(AddRaftVoterResponse, QUORUM), api, head),
        ApiKey::RemoveRaftVoter => answer(refused!(RemoveRaftVoterResponse, QUORUM), api, head),
        _ => return None,
    })
}

#[allow(clippy::unnecessary_wraps)] // An error message on the wire can be null.
fn message(text: &str) -> Option<ByteString> {
    Some(super::message(text))
}
