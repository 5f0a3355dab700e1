//! The resource `BROKER_LOGGER`: levels of the log as settings (KIP-412).

use klamm_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use klamm_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use klamm_protocol::{ByteString, ErrorCode};

use super::alter_configs::no_value;
use super::resources::{Refusal, refusal};
use crate::log_levels::{LevelChange, LevelError, LogLevels};
use crate::shared::Shared;

/// Where a level comes from, by the number that clients know.
const DYNAMIC_BROKER_LOGGER: i8 = 6;
const STRING: i8 = 2;

/// Changes levels, or only checks that they could be changed.
pub(super) fn change(shared: &Shared, asked: &AlterConfigsResource, check_only: bool) -> Result<(), Refusal> {
    let levels = levels(shared, &asked.resource_name)?;
    let changes = asked.configs.iter().map(level_change).collect::<Result<Vec<_>, _>>()?;
    levels.change(&changes, check_only).map_err(|error| (code(&error), error.to_string()))
}

fn level_change(config: &AlterableConfig) -> Result<LevelChange, Refusal> {
    let logger = config.name.to_string();
    match config.config_operation {
        0 => {
            let level = config.value.as_ref().ok_or_else(|| no_value(&config.name))?.to_string();
            Ok(LevelChange::Set { logger, level })
        }
        1 => Ok(LevelChange::Delete { logger }),
        2 => Ok(LevelChange::List { operation: "APPEND" }),
        3 => Ok(LevelChange::List { operation: "SUBTRACT" }),
        other => Err((ErrorCode::InvalidRequest, format!("operation is {other}, expected 0 to 3"))),
    }
}

/// The levels of all loggers.
pub(super) fn described(
    shared: &Shared,
    broker: &ByteString,
    keys: Option<&[ByteString]>,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let all = levels(shared, broker)?.effective().into_iter();
    let asked = all.filter(|(logger, _)| keys.is_none_or(|keys| keys.iter().any(|key| **key == **logger)));
    let told = asked.map(|(logger, level)| DescribeConfigsResourceResult {
        name: logger.into(),
        value: Some(level.to_string().to_uppercase().into()),
        config_source: DYNAMIC_BROKER_LOGGER,
        config_type: STRING,
        ..DescribeConfigsResourceResult::default()
    });
    Ok(told.collect())
}

fn levels<'a>(shared: &'a Shared, broker: &ByteString) -> Result<&'a LogLevels, Refusal> {
    shared.permit().map_err(|error| refusal(&error))?;
    let node = shared.config().node_id;
    if **broker != *node.to_string() {
        let words = format!("Unexpected broker id, expected {node} but received {broker}");
        return Err((ErrorCode::InvalidRequest, words));
    }
    let fixed = "the program that runs this broker does not let the levels of its log be changed";
    shared.log_levels.as_ref().ok_or_else(|| (ErrorCode::InvalidRequest, fixed.to_owned()))
}

fn code(error: &LevelError) -> ErrorCode {
    match error {
        LevelError::UnknownLogger { .. } | LevelError::UnknownLevel { .. } => ErrorCode::InvalidConfig,
        LevelError::Root | LevelError::List { .. } => ErrorCode::InvalidRequest,
    }
}
