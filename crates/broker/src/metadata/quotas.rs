//! Changing quotas.

use super::record::MetadataRecord;
use super::{Metadata, TopicError};
use crate::quotas::{QuotaEntity, QuotaLimits};

impl Metadata {
    /// Sets quotas of an entity, or takes them away, or only checks that they could be.
    pub(crate) fn change_quotas(
        &self,
        entity: &QuotaEntity,
        changes: &[(String, Option<f64>)],
        check_only: bool,
    ) -> Result<(), TopicError> {
        changes.iter().try_for_each(|(key, value)| QuotaLimits::check(key, *value))?;
        let turn = self.turn();
        let image = self.image();
        let changes: Vec<_> =
            changes.iter().filter(|(key, value)| image.quotas().get(entity, key) != *value).collect();
        if check_only || changes.is_empty() {
            return Ok(());
        }
        let records: Vec<_> = changes
            .iter()
            .map(|&(key, value)| MetadataRecord::Quota {
                entity: entity.clone(),
                key: key.clone(),
                value: *value,
            })
            .collect();
        self.commit(&turn, &records)?;
        tracing::info!(%entity, changes = changes.len(), "quotas were changed");
        Ok(())
    }
}
