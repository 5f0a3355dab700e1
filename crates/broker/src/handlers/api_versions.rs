//! ApiVersions (KIP-35): the APIs and versions that are served, and the features of the cluster
//! (KIP-584).

use klamm_protocol::messages::api_versions_request::ApiVersionsRequest;
use klamm_protocol::messages::api_versions_response::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::{HandleError, Outcome, SERVED, answer};
use crate::metadata::{FEATURES, MetadataImage};
use crate::shared::Shared;

/// From this version on a client names its software (KIP-511).
const NAMES_SOFTWARE: i16 = 3;
/// From this version on clients can read a feature whose lowest level is 0; before it such features
/// are left out, as in Kafka.
const READS_ZERO: i16 = 4;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<ApiVersionsRequest>(head)?;
    let names = [&request.client_software_name, &request.client_software_version];
    if head.version >= NAMES_SOFTWARE && !names.iter().all(|name| is_software_name(name)) {
        let error_code = ErrorCode::InvalidRequest.code();
        return answer(&ApiVersionsResponse { error_code, ..Default::default() }, ApiKey::ApiVersions, head);
    }
    let image = shared.metadata.image();
    let supported = FEATURES.iter().filter(|feature| head.version >= READS_ZERO || feature.min > 0);
    let response = ApiVersionsResponse {
        error_code: shared.permit_code(),
        api_keys: SERVED.iter().map(|(api, versions, _)| advertised(*api, versions)).collect(),
        supported_features: supported
            .map(|feature| SupportedFeatureKey {
                name: feature.name.into(),
                min_version: feature.min,
                max_version: feature.max,
            })
            .collect(),
        finalized_features_epoch: last_offset(shared),
        finalized_features: finalized(&image),
        ..ApiVersionsResponse::default()
    };
    answer(&response, ApiKey::ApiVersions, head)
}

/// The response to an unknown version: error 35 and the versions of ApiVersions itself, in version
/// 0, which every client reads.
pub(super) fn refuse(head: &RequestHead) -> Result<Outcome, HandleError> {
    let head = RequestHead { version: 0, ..head.clone() };
    let own = SERVED.iter().filter(|(api, ..)| *api == ApiKey::ApiVersions);
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion.code(),
        api_keys: own.map(|(api, versions, _)| advertised(*api, versions)).collect(),
        ..ApiVersionsResponse::default()
    };
    answer(&response, ApiKey::ApiVersions, &head)
}

/// Whether a client may call its software so: letters, digits, `-` and `.`, with a letter or a
/// digit at both ends.
fn is_software_name(name: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

/// Features at level 0 are not finalized.
fn finalized(image: &MetadataImage) -> Vec<FinalizedFeatureKey> {
    let levels = FEATURES.iter().map(|feature| (feature.name, feature.level(image)));
    let finalized = levels.filter(|(_, level)| *level > 0).map(|(name, level)| FinalizedFeatureKey {
        name: name.into(),
        max_version_level: level,
        min_version_level: level,
    });
    finalized.collect()
}

/// The offset of the last metadata record: it rises with each change of the features.
fn last_offset(shared: &Shared) -> i64 {
    let (_, end) = shared.metadata.position();
    end.get() - 1
}

/// Produce is advertised from 0 though only 3 and later is served: some versions of librdkafka take
/// a higher minimum to mean that codecs are not known, and send uncompressed (KAFKA-18659).
fn advertised(api: ApiKey, versions: &std::ops::RangeInclusive<i16>) -> ApiVersion {
    ApiVersion {
        api_key: api.code(),
        min_version: if api == ApiKey::Produce { 0 } else { *versions.start() },
        max_version: *versions.end(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_software_name;

    #[test]
    fn software_names_are_checked_as_in_kafka() {
        for name in ["a", "apache-kafka-java", "4.3.1", "0", "A.b-C"] {
            assert!(is_software_name(name), "{name}");
        }
        for name in ["", "-a", "a-", ".", "a b", "a_b", "ä", "a/b"] {
            assert!(!is_software_name(name), "{name}");
        }
    }
}
