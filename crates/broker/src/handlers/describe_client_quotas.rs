//! Telling quotas (KIP-546).

use std::collections::BTreeSet;

use klamm_protocol::messages::describe_client_quotas_request::{ComponentData, DescribeClientQuotasRequest};
use klamm_protocol::messages::describe_client_quotas_response::{
    DescribeClientQuotasResponse, EntityData, EntryData, ValueData,
};
use klamm_protocol::{ApiKey, ErrorCode};

use super::resources::{Refusal, refusal};
use super::{HandleError, Outcome, Sliced, answer, response_size};
use crate::quotas::QuotaEntity;

/// How a part of an entity is asked for.
const BY_NAME: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;

pub(super) async fn handle(call: Sliced) -> Result<Outcome, HandleError> {
    let (shared, head) = (&*call.shared, &call.head);
    let request = super::read::<DescribeClientQuotasRequest>(head)?;
    let response = match shared.permit().map_err(|error| refusal(&error)).and_then(|()| check(&request)) {
        Ok(()) => DescribeClientQuotasResponse {
            error_message: None,
            entries: Some(found(&call, &request).await),
            ..Default::default()
        },
        Err((error, words)) => DescribeClientQuotasResponse {
            error_code: error.code(),
            error_message: Some(super::message(&words)),
            ..DescribeClientQuotasResponse::default()
        },
    };
    answer(&response, ApiKey::DescribeClientQuotas, head)
}

/// Each type once, known, and a name where it is asked for by name.
fn check(request: &DescribeClientQuotasRequest) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for ComponentData { entity_type, match_type, r#match: name, .. } in &request.components {
        let wrong = |words: String| Err((ErrorCode::InvalidRequest, words));
        if entity_type.is_empty() || !seen.insert(&**entity_type) {
            return wrong(format!("type {entity_type:?} is empty or named twice"));
        }
        if !matches!(&**entity_type, "user" | "client-id" | "ip") {
            let words = format!("type is {entity_type:?}, expected user, client-id or ip");
            return Err((ErrorCode::UnsupportedVersion, words));
        }
        if !matches!((*match_type, name), (BY_NAME, Some(_)) | (DEFAULT | ANY, None)) {
            return wrong(format!(
                "match type is {match_type}, expected 0 with a name, or 1 or 2 without one"
            ));
        }
    }
    match seen.contains("ip") && seen.len() > 1 {
        true => Err((ErrorCode::InvalidRequest, "ip does not go with other types".to_owned())),
        false => Ok(()),
    }
}

async fn found(call: &Sliced, request: &DescribeClientQuotasRequest) -> Vec<EntryData> {
    let (image, mut found) = (call.shared.metadata.image(), Vec::new());
    let asked = image.quotas().iter().filter(|(entity, _)| is_asked_for(entity, request));
    call.work.reserve(asked.map(|(entity, quotas)| response_size::quotas(entity, quotas.len())).sum()).await;
    for (entity, quotas) in image.quotas().iter() {
        call.work.item().await;
        if !is_asked_for(entity, request) {
            continue;
        }
        let part = |(kind, name): (&str, Option<&str>)| EntityData {
            entity_type: kind.into(),
            entity_name: name.map(Into::into),
        };
        let values =
            quotas.iter().map(|(key, value)| ValueData { key: key.as_str().into(), value: *value }).collect();
        found.push(EntryData { entity: entity.parts().map(part).collect(), values });
    }
    found
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
