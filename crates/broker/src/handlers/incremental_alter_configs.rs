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
use super::broker_loggers;
use super::resources::{
    BROKER_LOGGER, Refusal, change_all, named_twice, outcome, refusal, resource, twice as named,
};
use super::{HandleError, Outcome, answer};
use crate::metadata::{Change, ConfigChange};
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<IncrementalAlterConfigsRequest>(head)?;
    let all = request.resources.iter().map(|asked| (asked.resource_type, asked.resource_name.clone()));
    let twice = named_twice(all);
    let wanted = |asked: &AlterConfigsResource| match twice
        .contains(&(asked.resource_type, asked.resource_name.clone()))
    {
        false => wanted(shared, asked),
        true => Err(named("the resource")),
    };
    let is_logger = |asked: &&AlterConfigsResource| asked.resource_type == BROKER_LOGGER;
    let stored = request.resources.iter().filter(|asked| !is_logger(asked)).map(wanted);
    let mut stored = change_all(shared, stored, request.validate_only).into_iter();
    let result = |asked: &AlterConfigsResource| {
        let done = match is_logger(&asked) {
            true => broker_loggers::change(shared, asked, request.validate_only),
            false => stored.next().unwrap_or(Ok(())),
        };
        let (error_code, error_message) = outcome(done);
        AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: asked.resource_type,
            resource_name: asked.resource_name.clone(),
        }
    };
    let responses = request.resources.iter().map(result).collect();
    let response = IncrementalAlterConfigsResponse { responses, ..Default::default() };
    answer(&response, ApiKey::IncrementalAlterConfigs, head)
}

fn wanted(shared: &Shared, asked: &AlterConfigsResource) -> Result<ConfigChange, Refusal> {
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
    Ok(ConfigChange { resource, changes, replace: false })
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
