//! Access control lists: DescribeAcls, CreateAcls and DeleteAcls. This broker has no authorizer,
//! and answers as a Kafka broker without one, with SECURITY_DISABLED.

use klamm_protocol::messages::create_acls_request::CreateAclsRequest;
use klamm_protocol::messages::create_acls_response::{AclCreationResult, CreateAclsResponse};
use klamm_protocol::messages::delete_acls_request::DeleteAclsRequest;
use klamm_protocol::messages::delete_acls_response::{DeleteAclsFilterResult, DeleteAclsResponse};
use klamm_protocol::messages::describe_acls_request::DescribeAclsRequest;
use klamm_protocol::messages::describe_acls_response::DescribeAclsResponse;
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Outcome, answer, message, read};
use crate::shared::Shared;

const NO_AUTHORIZER: &str = "No Authorizer is configured.";

pub(super) fn describe(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    read::<DescribeAclsRequest>(head)?;
    let response = DescribeAclsResponse {
        error_code: refusal(shared),
        error_message: Some(message("No Authorizer is configured on the broker")),
        ..Default::default()
    };
    answer(&response, ApiKey::DescribeAcls, head)
}

pub(super) fn create(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let creations = read::<CreateAclsRequest>(head)?.creations.len();
    let refused =
        AclCreationResult { error_code: refusal(shared), error_message: Some(message(NO_AUTHORIZER)) };
    let response = CreateAclsResponse { results: vec![refused; creations], ..Default::default() };
    answer(&response, ApiKey::CreateAcls, head)
}

pub(super) fn delete(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let filters = read::<DeleteAclsRequest>(head)?.filters.len();
    let refused = DeleteAclsFilterResult {
        error_code: refusal(shared),
        error_message: Some(message(NO_AUTHORIZER)),
        ..Default::default()
    };
    let response = DeleteAclsResponse { filter_results: vec![refused; filters], ..Default::default() };
    answer(&response, ApiKey::DeleteAcls, head)
}

fn refusal(shared: &Shared) -> i16 {
    shared.refusal(ErrorCode::SecurityDisabled).code()
}
