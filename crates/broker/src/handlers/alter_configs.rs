//! Replacing the settings of topics, of the broker and of groups: those that the request does not name go back to what they would be
//! without it.

use klamm_protocol::messages::alter_configs_request::{AlterConfigsRequest, AlterConfigsResource};
use klamm_protocol::messages::alter_configs_response::{AlterConfigsResourceResponse, AlterConfigsResponse};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::resources::{
    Refusal, change as change_settings, configure_groups, named_twice, outcome, refusal, resource,
    twice as named,
};
use super::{HandleError, Outcome, answer};
use crate::metadata::Change;
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<AlterConfigsRequest>(head)?;
    let all = request.resources.iter().map(|asked| (asked.resource_type, asked.resource_name.clone()));
    let twice = named_twice(all);
    let alter = |asked: &AlterConfigsResource| {
        let done = match twice.contains(&(asked.resource_type, asked.resource_name.clone())) {
            false => alter(shared, asked, request.validate_only),
            true => Err(named("the resource")),
        };
        let (error_code, error_message) = outcome(done);
        AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: asked.resource_type,
            resource_name: asked.resource_name.clone(),
        }
    };
    let responses: Vec<_> = request.resources.iter().map(alter).collect();
    if !request.validate_only {
        configure_groups(shared, responses.iter().map(|done| (done.resource_type, done.error_code)));
    }
    answer(&AlterConfigsResponse { responses, ..Default::default() }, ApiKey::AlterConfigs, head)
}

fn alter(shared: &Shared, asked: &AlterConfigsResource, check_only: bool) -> Result<(), Refusal> {
    shared.permit().map_err(|error| refusal(&error))?;
    let resource = resource(asked.resource_type, &asked.resource_name)?;
    let change = |config: &klamm_protocol::messages::alter_configs_request::AlterableConfig| {
        let value = config.value.as_ref().ok_or_else(|| no_value(&config.name))?;
        Ok((config.name.to_string(), Change::Set(value.to_string())))
    };
    if !named_twice(asked.configs.iter().map(|config| config.name.clone())).is_empty() {
        return Err(named("a setting"));
    }
    let changes: Vec<_> = asked.configs.iter().map(change).collect::<Result<_, Refusal>>()?;
    change_settings(shared, &resource, &changes, true, check_only)
}

pub(super) fn no_value(key: &str) -> Refusal {
    (ErrorCode::InvalidRequest, format!("{key} has no value"))
}
