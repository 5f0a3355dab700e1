//! What has settings that can be asked for (KIP-1142): groups that have their own, the broker, all
//! topics.

use klamm_protocol::messages::list_config_resources_request::ListConfigResourcesRequest;
use klamm_protocol::messages::list_config_resources_response::{ConfigResource, ListConfigResourcesResponse};
use klamm_protocol::{ApiKey, ErrorCode};

use super::resources::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC};
use super::{HandleError, Outcome, Sliced, answer, response_size};
use crate::error_code::WireError;
use crate::shared::Shared;

/// From this version on the kinds that are wanted are named; before, all that could be was
/// subscriptions to clients' metrics.
const WITH_KINDS: i16 = 1;
/// In the order in which Kafka tells them.
const KINDS: [i8; 5] = [GROUP, CLIENT_METRICS, BROKER_LOGGER, BROKER, TOPIC];

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&*call.shared, &call.head);
    let request = super::read::<ListConfigResourcesRequest>(head)?;
    let wanted = match &request.resource_types[..] {
        _ if head.version < WITH_KINDS => vec![CLIENT_METRICS],
        [] => KINDS.to_vec(),
        kinds => kinds.to_vec(),
    };
    let response = match check(shared, &wanted) {
        Err(error) => ListConfigResourcesResponse { error_code: error.code(), ..Default::default() },
        Ok(()) => {
            call.work.reserve(size(shared)).await;
            let kinds = KINDS.into_iter().filter(|kind| wanted.contains(kind));
            let config_resources = kinds.flat_map(|kind| of(shared, kind)).collect();
            ListConfigResourcesResponse { config_resources, ..Default::default() }
        }
    };
    answer(&response, ApiKey::ListConfigResources, head)
}

fn check(shared: &Shared, wanted: &[i8]) -> Result<(), ErrorCode> {
    shared.permit().map_err(|error| error.wire())?;
    let is_known = wanted.iter().all(|kind| KINDS.contains(kind));
    if is_known { Ok(()) } else { Err(ErrorCode::UnsupportedVersion) }
}

/// The memory of a response with all resources.
fn size(shared: &Shared) -> usize {
    let image = shared.metadata.image();
    let topics: usize = image.topics().map(|topic| response_size::named(topic.name.as_str())).sum();
    let groups: usize = image.configured_groups().map(|(name, _)| response_size::named(name)).sum();
    let metrics = image.client_metrics_subscriptions().map(|name| response_size::named(name));
    topics + groups + metrics.sum::<usize>()
}

fn of(shared: &Shared, kind: i8) -> Vec<ConfigResource> {
    let image = shared.metadata.image();
    let names: Vec<String> = match kind {
        GROUP => image.configured_groups().map(|(name, _)| name.clone()).collect(),
        TOPIC => image.topics().map(|topic| topic.name.to_string()).collect(),
        BROKER | BROKER_LOGGER => vec![shared.config().node_id.to_string()],
        CLIENT_METRICS => image.client_metrics_subscriptions().cloned().collect(),
        _ => Vec::new(),
    };
    let named =
        names.iter().map(|name| ConfigResource { resource_name: name.as_str().into(), resource_type: kind });
    named.collect()
}
