//! Telling quotas (KIP-546).

use klamm_protocol::messages::describe_client_quotas_request::{ComponentData, DescribeClientQuotasRequest};
use klamm_protocol::messages::describe_client_quotas_response::{
    DescribeClientQuotasResponse, EntityData, EntryData, ValueData,
};
use klamm_protocol::{ApiKey, Message, RequestHead};

use super::{HandleError, Outcome, answer};
use crate::quotas::QuotaEntity;
use crate::shared::Shared;

/// How a part of an entity is asked for.
const BY_NAME: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = DescribeClientQuotasRequest::decode(head.body.clone(), head.version)?;
    let image = shared.metadata.image();
    let found = image.quotas().iter().filter(|(entity, _)| is_asked_for(entity, &request));
    let entries = found.map(|(entity, quotas)| EntryData {
        entity: entity
            .parts()
            .map(|(kind, name)| EntityData { entity_type: kind.into(), entity_name: name.map(Into::into) })
            .collect(),
        values: quotas
            .iter()
            .map(|(key, value)| ValueData { key: key.as_str().into(), value: *value })
            .collect(),
    });
    let response = DescribeClientQuotasResponse {
        error_code: shared.permit_code(),
        entries: Some(entries.collect()),
        ..DescribeClientQuotasResponse::default()
    };
    answer(&response, ApiKey::DescribeClientQuotas, head)
}

/// Strictly, an entity has no other parts than those that are asked for.
fn is_asked_for(entity: &QuotaEntity, request: &DescribeClientQuotasRequest) -> bool {
    let all = request.components.iter().all(|component| matches(entity, component));
    all && (!request.strict || entity.parts().count() == request.components.len())
}

fn matches(entity: &QuotaEntity, component: &ComponentData) -> bool {
    match (entity.name(&component.entity_type), component.match_type) {
        (Some(Some(name)), BY_NAME) => component.r#match.as_deref() == Some(name),
        (Some(None), DEFAULT) => true,
        (Some(_), ANY) => true,
        _ => false,
    }
}
