//! Changing quotas: one command for all entities of a request.

use super::commit::{Plan, Touches};
use super::record::MetadataRecord;
use super::topics::not_logged;
use super::{Metadata, TopicError};
use crate::quotas::{QuotaEntity, QuotaLimits};

/// Quotas of an entity that are to be set, or, without a value, to be removed.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct QuotaChange {
    pub(crate) entity: QuotaEntity,
    pub(crate) quotas: Vec<(String, Option<f64>)>,
}

impl Metadata {
    /// Changes quotas.
    pub(crate) fn change_quotas(&self, changes: &[QuotaChange]) -> Vec<Result<(), TopicError>> {
        let (planned, committed) = self.submit(&Touches::nothing(), |plan| plan_all(plan, changes));
        match committed {
            Ok(committed) => drop(self.publish(&committed.delta)),
            Err(error) => return not_logged(planned, error),
        }
        tracing::info!(entities = planned.iter().flatten().count(), "quotas were changed");
        planned
    }

    /// What [`Metadata::change_quotas`] would make of it.
    pub(crate) fn check_quotas(&self, changes: &[QuotaChange]) -> Vec<Result<(), TopicError>> {
        self.only_plan(|plan| plan_all(plan, changes))
    }
}

fn plan_all(plan: &mut Plan, changes: &[QuotaChange]) -> Vec<Result<(), TopicError>> {
    changes.iter().map(|change| plan_change(plan, change)).collect()
}

fn plan_change(plan: &mut Plan, change: &QuotaChange) -> Result<(), TopicError> {
    let QuotaChange { entity, quotas } = change;
    quotas.iter().try_for_each(|(key, value)| QuotaLimits::check(entity, key, *value))?;
    let is_new = |(key, value): &&(String, Option<f64>)| plan.image.quotas().get(entity, key) != *value;
    let record = |(key, value): &(String, Option<f64>)| MetadataRecord::Quota {
        entity: entity.clone(),
        key: key.clone(),
        value: *value,
    };
    let records: Vec<_> = quotas.iter().filter(is_new).map(record).collect();
    plan.add(records);
    Ok(())
}
