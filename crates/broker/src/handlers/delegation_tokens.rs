//! Delegation tokens: CreateDelegationToken, RenewDelegationToken, ExpireDelegationToken and
//! DescribeDelegationToken. Kafka's brokers refuse them on a connection without authentication, and
//! this broker has no other connections.

use klamm_protocol::messages::create_delegation_token_request::CreateDelegationTokenRequest;
use klamm_protocol::messages::create_delegation_token_response::CreateDelegationTokenResponse;
use klamm_protocol::messages::describe_delegation_token_request::DescribeDelegationTokenRequest;
use klamm_protocol::messages::describe_delegation_token_response::DescribeDelegationTokenResponse;
use klamm_protocol::messages::expire_delegation_token_request::ExpireDelegationTokenRequest;
use klamm_protocol::messages::expire_delegation_token_response::ExpireDelegationTokenResponse;
use klamm_protocol::messages::renew_delegation_token_request::RenewDelegationTokenRequest;
use klamm_protocol::messages::renew_delegation_token_response::RenewDelegationTokenResponse;
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Outcome, answer, read};
use crate::shared::Shared;

/// The time of a token that does not exist, in milliseconds, as in Kafka.
const NO_TIME: i64 = -1;

/// From this version on a token's owner may be another than who requests it.
const WITH_REQUESTER: i16 = 3;

pub(super) fn create(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    read::<CreateDelegationTokenRequest>(head)?;
    let requester =
        |text: &str| if head.version >= WITH_REQUESTER { text.into() } else { Default::default() };
    let response = CreateDelegationTokenResponse {
        error_code: refusal(shared),
        principal_type: "User".into(),
        principal_name: "ANONYMOUS".into(),
        token_requester_principal_type: requester("User"),
        token_requester_principal_name: requester("ANONYMOUS"),
        issue_timestamp_ms: NO_TIME,
        expiry_timestamp_ms: NO_TIME,
        max_timestamp_ms: NO_TIME,
        ..Default::default()
    };
    answer(&response, ApiKey::CreateDelegationToken, head)
}

pub(super) fn renew(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    read::<RenewDelegationTokenRequest>(head)?;
    let (error_code, expiry_timestamp_ms) = (refusal(shared), NO_TIME);
    let response = RenewDelegationTokenResponse { error_code, expiry_timestamp_ms, ..Default::default() };
    answer(&response, ApiKey::RenewDelegationToken, head)
}

pub(super) fn expire(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    read::<ExpireDelegationTokenRequest>(head)?;
    let (error_code, expiry_timestamp_ms) = (refusal(shared), NO_TIME);
    let response = ExpireDelegationTokenResponse { error_code, expiry_timestamp_ms, ..Default::default() };
    answer(&response, ApiKey::ExpireDelegationToken, head)
}

pub(super) fn describe(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    read::<DescribeDelegationTokenRequest>(head)?;
    let response = DescribeDelegationTokenResponse { error_code: refusal(shared), ..Default::default() };
    answer(&response, ApiKey::DescribeDelegationToken, head)
}

fn refusal(shared: &Shared) -> i16 {
    shared.refusal(ErrorCode::DelegationTokenRequestNotAllowed).code()
}
