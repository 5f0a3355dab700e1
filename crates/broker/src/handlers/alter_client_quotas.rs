//! Setting and taking away quotas (KIP-546).

use klamm_protocol::messages::alter_client_quotas_request::{AlterClientQuotasRequest, EntryData};
use klamm_protocol::messages::alter_client_quotas_response::{self as response, AlterClientQuotasResponse};
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use super::items::together;
use super::{HandleError, Outcome, answer};
use crate::error_code::WireError;
use crate::metadata::{QuotaChange, TopicError};
use crate::quotas::QuotaEntity;
use crate::shared::Shared;

pub(super) fn handle(shared: &Shared, head: &RequestHead) -> Result<Outcome, HandleError> {
    let request = super::read::<AlterClientQuotasRequest>(head)?;
    let wanted = request.entries.iter().map(|entry| shared.permit().and_then(|()| wanted(entry)));
    let done = together(wanted, |changes| match request.validate_only {
        true => shared.metadata.check_quotas(&changes),
        false => shared.metadata.change_quotas(&changes),
    });
    let result = |(entry, done): (&EntryData, Result<(), TopicError>)| {
        let error = done.err();
        let parts = entry.entity.iter().map(|part| response::EntityData {
            entity_type: part.entity_type.clone(),
            entity_name: part.entity_name.clone(),
        });
        response::EntryData {
            error_code: error.as_ref().map_or(ErrorCode::None, WireError::wire).code(),
            error_message: error.map(|error| super::message(&error.to_string())),
            entity: parts.collect(),
        }
    };
    let entries = request.entries.iter().zip(done).map(result).collect();
    answer(&AlterClientQuotasResponse { entries, ..Default::default() }, ApiKey::AlterClientQuotas, head)
}

fn wanted(entry: &EntryData) -> Result<QuotaChange, TopicError> {
    let parts = entry
        .entity
        .iter()
        .map(|part| (part.entity_type.to_string(), part.entity_name.as_ref().map(ToString::to_string)));
    let entity = QuotaEntity::new(parts)?;
    let quotas = entry.ops.iter().map(|op| (op.key.to_string(), (!op.remove).then_some(op.value))).collect();
    Ok(QuotaChange { entity, quotas })
}
