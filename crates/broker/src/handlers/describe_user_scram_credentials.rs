//! Users and their credentials, of which there are none: there is no authentication yet. Kafka's
//! tools ask when they show the quotas of users.

use klamm_protocol::messages::describe_user_scram_credentials_request::{
    DescribeUserScramCredentialsRequest, UserName,
};
use klamm_protocol::messages::describe_user_scram_credentials_response::{
    DescribeUserScramCredentialsResponse, DescribeUserScramCredentialsResult,
};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Outcome, answer};
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<DescribeUserScramCredentialsRequest>(head)?;
    let unknown = |asked: &UserName| DescribeUserScramCredentialsResult {
        user: asked.name.clone(),
        error_code: ErrorCode::ResourceNotFound.code(),
        error_message: Some(super::message("the user has no credentials")),
        ..DescribeUserScramCredentialsResult::default()
    };
    let response = DescribeUserScramCredentialsResponse {
        error_code: shared.permit_code(),
        error_message: None,
        results: request.users.iter().flatten().map(unknown).collect(),
        ..DescribeUserScramCredentialsResponse::default()
    };
    answer(&response, ApiKey::DescribeUserScramCredentials, head)
}
