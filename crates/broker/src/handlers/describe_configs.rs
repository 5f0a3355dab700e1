//! Telling the settings of topics, of the broker and of groups.

use klamm_protocol::ApiKey;
use klamm_protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use klamm_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};

use super::broker_loggers;
use super::resources::{BROKER, BROKER_LOGGER, Refusal, refusal, resource};
use super::{HandleError, Outcome, Sliced, answer, once, response_size};
use crate::metadata::ConfigEntry;
use crate::shared::Shared;

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&call.shared, &call.head);
    let request = super::read::<DescribeConfigsRequest>(head)?;
    let describe = |asked: &DescribeConfigsResource| {
        let result = DescribeConfigsResult {
            resource_type: asked.resource_type,
            resource_name: asked.resource_name.clone(),
            ..DescribeConfigsResult::default()
        };
        let configs = match asked.resource_type {
            BROKER_LOGGER => {
                broker_loggers::described(shared, &asked.resource_name, asked.configuration_keys.as_deref())
            }
            _ => entries(shared, asked)
                .map(|entries| entries.iter().map(|entry| told(entry, &request)).collect()),
        };
        match configs {
            Ok(configs) => DescribeConfigsResult { configs, ..result },
            Err((error, words)) => DescribeConfigsResult {
                error_code: error.code(),
                error_message: Some(super::message(&words)),
                ..result
            },
        }
    };
    let large =
        request.resources.iter().filter(|asked| matches!(asked.resource_type, BROKER | BROKER_LOGGER));
    call.work.reserve(large.take(4).map(|_| response_size::settings(SETTINGS)).sum()).await;
    let results = once(&request.resources, |asked| (asked.resource_type, &asked.resource_name));
    let results = call.each(results, describe).await;
    answer(&DescribeConfigsResponse { results, ..Default::default() }, ApiKey::DescribeConfigs, head)
}

/// Settings that a broker has, with those that have no effect.
const SETTINGS: usize = 400;

fn entries(shared: &Shared, asked: &DescribeConfigsResource) -> Result<Vec<ConfigEntry>, Refusal> {
    shared.permit().map_err(|error| refusal(&error))?;
    let resource = resource(asked.resource_type, &asked.resource_name)?;
    let mut entries = shared.metadata.describe_configs(&resource).map_err(|error| refusal(&error))?;
    if let Some(keys) = &asked.configuration_keys {
        entries.retain(|entry| keys.iter().any(|key| &**key == entry.key));
    }
    Ok(entries)
}

fn told(entry: &ConfigEntry, request: &DescribeConfigsRequest) -> DescribeConfigsResourceResult {
    let synonyms = entry.given.iter().filter(|_| request.include_synonyms);
    let shown = |value: &str| (!entry.is_sensitive).then(|| value.into());
    let synonyms = synonyms.map(|given| DescribeConfigsSynonym {
        name: given.key.into(),
        value: shown(&given.value),
        source: given.by as i8,
    });
    DescribeConfigsResourceResult {
        name: entry.key.into(),
        value: shown(&entry.value),
        read_only: entry.is_read_only,
        config_source: entry.source() as i8,
        is_sensitive: entry.is_sensitive,
        synonyms: synonyms.collect(),
        config_type: entry.kind as i8,
        documentation: request.include_documentation.then(|| entry.meaning.into()),
    }
}
