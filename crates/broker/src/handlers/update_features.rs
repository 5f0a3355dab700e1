//! UpdateFeatures (KIP-584): changes the finalized levels of features, all of a request or none.

use klamm_protocol::messages::update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest};
use klamm_protocol::messages::update_features_response::{UpdatableFeatureResult, UpdateFeaturesResponse};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Outcome, answer, message, read};
use crate::error_code::WireError;
use crate::metadata::{Direction, FeatureUpdate};
use crate::shared::Shared;

/// From this version on a request says how a level is to change; before it only said whether a
/// downgrade is allowed.
const WITH_DIRECTION: i16 = 1;
/// Up to this version a response has a result for each feature.
const WITH_RESULTS: i16 = 1;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = read::<UpdateFeaturesRequest>(head)?;
    let updates: Vec<_> = request.feature_updates.iter().map(|asked| update(asked, head.version)).collect();
    let update = || shared.metadata.update_features(&updates, request.validate_only);
    let error = shared.permit().and_then(|()| update()).err();
    let error_code = error.as_ref().map_or(ErrorCode::None, WireError::wire).code();
    let error_message = error.map(|error| message(&error.to_string()));
    let result = |asked: &FeatureUpdateKey| UpdatableFeatureResult {
        feature: asked.feature.clone(),
        error_code,
        error_message: error_message.clone(),
    };
    let named = request.feature_updates.iter().filter(|_| head.version <= WITH_RESULTS);
    let results = named.map(result).collect();
    let response = UpdateFeaturesResponse { error_code, error_message, results, ..Default::default() };
    answer(&response, ApiKey::UpdateFeatures, head)
}

fn update(asked: &FeatureUpdateKey, version: i16) -> FeatureUpdate {
    let direction = match (asked.upgrade_type, asked.allow_downgrade) {
        (_, true) if version < WITH_DIRECTION => Direction::SafeDowngrade,
        (_, false) if version < WITH_DIRECTION => Direction::Upgrade,
        (1, _) => Direction::Upgrade,
        (2, _) => Direction::SafeDowngrade,
        (3, _) => Direction::UnsafeDowngrade,
        _ => Direction::Unknown,
    };
    FeatureUpdate { name: asked.feature.to_string(), level: asked.max_version_level, direction }
}
