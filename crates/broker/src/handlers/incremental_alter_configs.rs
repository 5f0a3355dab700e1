//! Changing single settings of topics, of the broker and of groups (KIP-339).

use std::collections::BTreeSet;

use klamm_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use klamm_protocol::messages::incremental_alter_configs_response::{
    AlterConfigsResourceResponse, IncrementalAlterConfigsResponse,
};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::alter_configs::no_value;
use super::resources::{
    Refusal, change as change_settings, configure_groups, named_twice, outcome, refusal, resource,
    twice as named,
};
use super::{HandleError, Outcome, answer};
use crate::metadata::Change;
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<IncrementalAlterConfigsRequest>(head)?;
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
    let response = IncrementalAlterConfigsResponse { responses, ..Default::default() };
    answer(&response, ApiKey::IncrementalAlterConfigs, head)
}

fn alter(shared: &Shared, asked: &AlterConfigsResource, check_only: bool) -> Result<(), Refusal> {
    shared.permit().map_err(|error| refusal(&error))?;
    let resource = resource(asked.resource_type, &asked.resource_name)?;
    let mut seen = BTreeSet::new();
    let mut changes = Vec::new();
    for config in &asked.configs {
        if !seen.insert(&config.name) {
            return Err(named(&config.name));
        }
        changes.push((config.name.to_string(), change(config)?));
    }
    change_settings(shared, &resource, &changes, false, check_only)
}

fn change(config: &AlterableConfig) -> Result<Change, Refusal> {
    let value = || config.value.as_ref().map(ToString::to_string).ok_or_else(|| no_value(&config.name));
    match config.config_operation {
        0 => Ok(Change::Set(value()?)),
        1 => Ok(Change::Delete),
        2 => Ok(Change::Append(value()?)),
        3 => Ok(Change::Subtract(value()?)),
        other => Err((ErrorCode::InvalidRequest, format!("operation is {other}, expected 0 to 3"))),
    }
}
