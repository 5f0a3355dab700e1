//! What has settings, as requests name it.

use std::collections::BTreeSet;

use klamm_protocol::{ByteString, ErrorCode};

use super::items::together;
use crate::error_code::WireError;
use crate::metadata::{ConfigChange, Resource, TopicError};
use crate::shared::Shared;

pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;
pub(super) const BROKER_LOGGER: i8 = 8;
pub(super) const CLIENT_METRICS: i8 = 16;
pub(super) const GROUP: i8 = 32;

/// What is named more than once: none of it is done.
pub(super) fn named_twice<T: Ord + Clone>(names: impl Iterator<Item = T>) -> BTreeSet<T> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(name.clone())).collect()
}

/// Why a resource's settings were not told or changed: the code, and words for people.
pub(super) type Refusal = (ErrorCode, String);

pub(super) fn resource(kind: i8, name: &ByteString) -> Result<Resource, Refusal> {
    match kind {
        TOPIC => Ok(Resource::Topic(name.to_string())),
        BROKER => Ok(Resource::Broker(name.to_string())),
        GROUP => Ok(Resource::Group(name.to_string())),
        CLIENT_METRICS => Ok(Resource::ClientMetrics(name.to_string())),
        other => Err((
            ErrorCode::InvalidRequest,
            format!(
                "resource type is {other}, expected {TOPIC} for a topic, {BROKER} for a broker, {GROUP} for a group or {CLIENT_METRICS} for a subscription to clients' metrics"
            ),
        )),
    }
}

/// What a change of settings came to, as the wire says it.
pub(super) fn outcome(done: Result<(), Refusal>) -> (i16, Option<ByteString>) {
    match done {
        Ok(()) => (ErrorCode::None.code(), None),
        Err((error, words)) => (error.code(), Some(super::message(&words))),
    }
}

/// The refusal of what a request names more than once.
pub(super) fn twice(what: &str) -> Refusal {
    (ErrorCode::InvalidRequest, format!("{what} is named twice"))
}

/// Changes the settings of resources that are not refused, or only checks that they could be
/// changed; the results are those of all resources, in their order.
pub(super) fn change_all(
    shared: &Shared,
    wanted: impl Iterator<Item = Result<ConfigChange, Refusal>>,
    check_only: bool,
) -> Vec<Result<(), Refusal>> {
    together(wanted, |changes| {
        let done = match check_only {
            true => shared.metadata.check_configs(&changes),
            false => shared.metadata.change_configs(&changes),
        };
        done.into_iter().map(|done| done.map_err(|error| refusal(&error))).collect()
    })
}

pub(super) fn refusal(error: &TopicError) -> Refusal {
    (error.wire(), error.to_string())
}
