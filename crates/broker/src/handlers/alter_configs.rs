//! Replacing the settings of topics, of the broker and of groups: those that the request does not
//! name go back to what they would be without it.

use klamm_protocol::messages::alter_configs_request::{AlterConfigsRequest, AlterConfigsResource};
use klamm_protocol::messages::alter_configs_response::{AlterConfigsResourceResponse, AlterConfigsResponse};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::resources::{Refusal, change_all, named_twice, outcome, refusal, resource, twice as named};
use super::{HandleError, Outcome, answer};
use crate::metadata::{Change, ConfigChange};
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<AlterConfigsRequest>(head)?;
    let all = request.resources.iter().map(|asked| (asked.resource_type, asked.resource_name.clone()));
    let twice = named_twice(all);
    let wanted = |asked: &AlterConfigsResource| match twice
        .contains(&(asked.resource_type, asked.resource_name.clone()))
    {
        false => wanted(shared, asked),
        true => Err(named("the resource")),
    };
    let done = change_all(shared, request.resources.iter().map(wanted), request.validate_only);
    let result = |(asked, done): (&AlterConfigsResource, Result<(), Refusal>)| {
        let (error_code, error_message) = outcome(done);
        AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: asked.resource_type,
            resource_name: asked.resource_name.clone(),
        }
    };
    let responses = request.resources.iter().zip(done).map(result).collect();
    answer(&AlterConfigsResponse { responses, ..Default::default() }, ApiKey::AlterConfigs, head)
}

fn wanted(shared: &Shared, asked: &AlterConfigsResource) -> Result<ConfigChange, Refusal> {
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
    Ok(ConfigChange { resource, changes, replace: true })
}

pub(super) fn no_value(key: &str) -> Refusal {
    (ErrorCode::InvalidRequest, format!("{key} has no value"))
}
