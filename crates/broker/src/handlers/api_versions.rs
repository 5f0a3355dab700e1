//! Which versions are served (KIP-35).

use klamm_protocol::messages::api_versions_response::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Outcome, SERVED, answer};
use crate::shared::Shared;

/// Kafka's feature of groups whose broker assigns (KIP-848): clients look for it in version 3 and later.
const GROUP_VERSION: &str = "group.version";

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    answer(&response(shared.permit_code()), ApiKey::ApiVersions, head)
}

/// The answer to a version that is not known: error 35 in version 0.
pub(super) fn refuse(head: &RequestHead) -> Result<Outcome, HandleError> {
    let head = RequestHead { version: 0, ..head.clone() };
    answer(&response(ErrorCode::UnsupportedVersion.code()), ApiKey::ApiVersions, &head)
}

fn response(error_code: i16) -> ApiVersionsResponse {
    let api_keys = SERVED.iter().map(|(api, versions, _)| ApiVersion {
        api_key: api.code(),
        min_version: advertised_from(*api, *versions.start()),
        max_version: *versions.end(),
    });
    let group_version = || GROUP_VERSION.into();
    ApiVersionsResponse {
        error_code,
        api_keys: api_keys.collect(),
        supported_features: vec![SupportedFeatureKey {
            name: group_version(),
            min_version: 0,
            max_version: 1,
        }],
        finalized_features_epoch: 0,
        finalized_features: vec![FinalizedFeatureKey {
            name: group_version(),
            max_version_level: 1,
            min_version_level: 1,
        }],
        ..ApiVersionsResponse::default()
    }
}

/// Produce is advertised from 0 though only 3 and later is served: some versions of librdkafka take a higher minimum to
/// mean that codecs are not known, and send uncompressed (KAFKA-18659).
fn advertised_from(api: ApiKey, served_from: i16) -> i16 {
    if api == ApiKey::Produce { 0 } else { served_from }
}
