//! The entities that quotas are for (KIP-546).

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use thiserror::Error;

/// The entity that a quota is for: a user, a client id, both, or an IP address; `None` is the
/// default of those that have none of their own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct QuotaEntity(BTreeMap<String, Option<String>>);

/// A quota that cannot be.
#[derive(Clone, PartialEq, Debug, Error)]
pub(crate) enum QuotaError {
    #[error("a quota is for a user, a client-id or both, or for an ip, got {got}")]
    Entity { got: String },
    #[error("{got:?} is not an IP address")]
    Address { got: String },
    #[error("quota {got:?} is not one of {expected}")]
    Key { got: String, expected: &'static str },
    #[error("the name of a {kind} is empty; the default has none")]
    NoName { kind: String },
    #[error("{key} is {got}, expected a whole number below 2^63")]
    NotWhole { key: String, got: f64 },
    #[error("{key} is {got}, expected a number above 0")]
    Value { key: String, got: f64 },
}

pub(super) const USER: &str = "user";
pub(super) const CLIENT: &str = "client-id";
pub(super) const IP: &str = "ip";

impl QuotaEntity {
    /// From types and names; each type once.
    pub(crate) fn new(
        parts: impl Iterator<Item = (String, Option<String>)>,
    ) -> Result<QuotaEntity, QuotaError> {
        let mut entity = BTreeMap::new();
        let mut is_known = true;
        for (kind, name) in parts {
            if name.as_deref() == Some("") {
                return Err(QuotaError::NoName { kind });
            }
            if let Some(got) = name.as_ref().filter(|name| kind == IP && name.parse::<IpAddr>().is_err()) {
                return Err(QuotaError::Address { got: got.clone() });
            }
            is_known &= matches!(&*kind, USER | CLIENT | IP);
            is_known &= entity.insert(kind, name).is_none();
        }
        let entity = QuotaEntity(entity);
        let is_mixed = entity.is_address() && entity.0.len() > 1;
        match is_known && !is_mixed && !entity.0.is_empty() {
            true => Ok(entity),
            false => Err(QuotaError::Entity { got: entity.to_string() }),
        }
    }

    pub(super) fn of(parts: &[(&str, Option<&str>)]) -> QuotaEntity {
        let owned = parts.iter().map(|(kind, name)| ((*kind).to_owned(), name.map(str::to_owned)));
        QuotaEntity(owned.collect())
    }

    /// Whether it is an IP address, or the default of all addresses.
    pub(crate) fn is_address(&self) -> bool {
        self.0.contains_key(IP)
    }

    /// Types and names.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(kind, name)| (kind.as_str(), name.as_deref()))
    }

    /// The name of a type: `None` when the entity does not have it, `Some(None)` for its default.
    pub(crate) fn name(&self, kind: &str) -> Option<Option<&str>> {
        self.0.get(kind).map(Option::as_deref)
    }
}

impl fmt::Display for QuotaEntity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.parts().map(|(kind, name)| format!("{kind}={}", name.unwrap_or("<default>")));
        let words = words.collect::<Vec<_>>().join(", ");
        f.write_str(if words.is_empty() { "nobody" } else { &words })
    }
}
