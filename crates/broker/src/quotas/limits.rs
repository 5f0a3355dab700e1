//! The quotas of all entities.

use std::collections::BTreeMap;

use std::net::IpAddr;

use super::entity::{CLIENT, IP, USER};
use crate::metadata::SharedMap;

use super::{Quota, QuotaEntity, QuotaError};

/// The quotas there are, by whom they are for.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct QuotaLimits(SharedMap<QuotaEntity, BTreeMap<String, f64>>);

impl QuotaLimits {
    /// Checks that an entity can have a quota: its name, and its value if it is not removed.
    pub(crate) fn check(entity: &QuotaEntity, key: &str, value: Option<f64>) -> Result<(), QuotaError> {
        let (is_known, expected) = match entity.is_address() {
            true => (key == CONNECTION_RATE, CONNECTION_RATE),
            false => (
                Quota::ALL.into_iter().any(|quota| quota.key() == key),
                "producer_byte_rate, consumer_byte_rate, request_percentage",
            ),
        };
        if !is_known {
            return Err(QuotaError::Key { got: key.to_owned(), expected });
        }
        match value {
            // As near to one as Kafka asks.
            Some(got) if key != Quota::Request.key() && ((got - got.round()).abs() > 1e-6 || got >= MOST) => {
                Err(QuotaError::NotWhole { key: key.to_owned(), got })
            }
            Some(got) if !(got > 0.0 && got.is_finite()) => {
                Err(QuotaError::Value { key: key.to_owned(), got })
            }
            _ => Ok(()),
        }
    }

    /// Sets a quota, or takes it away.
    pub(crate) fn set(&mut self, entity: &QuotaEntity, key: &str, value: Option<f64>) {
        let mut quotas = self.0.get(entity).cloned().unwrap_or_default();
        match value {
            Some(value) => _ = quotas.insert(key.to_owned(), value),
            None => _ = quotas.remove(key),
        }
        match quotas.is_empty() {
            true => drop(self.0.remove(entity)),
            false => drop(self.0.insert(entity.clone(), quotas)),
        }
    }

    pub(crate) fn get(&self, entity: &QuotaEntity, key: &str) -> Option<f64> {
        self.0.get(entity)?.get(key).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&QuotaEntity, &BTreeMap<String, f64>)> {
        self.0.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Connections that an address may open in a second; `None` for any number.
    pub(crate) fn connection_rate(&self, address: IpAddr) -> Option<f64> {
        let name = address.to_canonical().to_string();
        let order: [&[(&str, Option<&str>)]; 2] = [&[(IP, Some(&name))], &[(IP, None)]];
        order.iter().find_map(|parts| self.0.get(&QuotaEntity::of(parts))?.get(CONNECTION_RATE).copied())
    }

    /// What a client may use in a second; none for any amount. Quotas for a user and a client win
    /// over those for a user, and those over quotas for a client; each over its default.
    pub(super) fn rate(&self, quota: Quota, user: &str, client: &str) -> Option<f64> {
        let (user, client) = (Some(user), Some(client));
        let order: [&[(&str, Option<&str>)]; 8] = [
            &[(USER, user), (CLIENT, client)],
            &[(USER, user), (CLIENT, None)],
            &[(USER, user)],
            &[(USER, None), (CLIENT, client)],
            &[(USER, None), (CLIENT, None)],
            &[(USER, None)],
            &[(CLIENT, client)],
            &[(CLIENT, None)],
        ];
        let value = order.iter().find_map(|parts| self.0.get(&QuotaEntity::of(parts))?.get(quota.key()));
        value.map(|value| quota.rate(*value))
    }
}

/// Kafka's name of the quota on connections that an address opens (KIP-612).
const CONNECTION_RATE: &str = "connection_creation_rate";
/// Kafka keeps rates in 63 bits.
const MOST: f64 = 9.2e18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_quota_counts() {
        let mut limits = QuotaLimits::default();
        let all: [&[(&str, Option<&str>)]; 8] = [
            &[(CLIENT, None)],
            &[(CLIENT, Some("c"))],
            &[(USER, None)],
            &[(USER, None), (CLIENT, None)],
            &[(USER, None), (CLIENT, Some("c"))],
            &[(USER, Some("u"))],
            &[(USER, Some("u")), (CLIENT, None)],
            &[(USER, Some("u")), (CLIENT, Some("c"))],
        ];
        assert_eq!(limits.rate(Quota::Produce, "u", "c"), None);
        for (parts, value) in all.iter().zip([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]) {
            limits.set(&QuotaEntity::of(parts), "producer_byte_rate", Some(value));
            assert_eq!(
                limits.rate(Quota::Produce, "u", "c"),
                Some(value),
                "{parts:?} wins over those before"
            );
        }
        assert_eq!(limits.rate(Quota::Produce, "x", "x"), Some(4.0));
        assert_eq!(limits.rate(Quota::Consume, "u", "c"), None);
        for parts in all {
            limits.set(&QuotaEntity::of(parts), "producer_byte_rate", None);
        }
        assert!(limits.is_empty());
    }

    #[test]
    fn what_cannot_be_is_named() {
        let client = QuotaEntity::of(&[(CLIENT, Some("c"))]);
        for (key, value, want) in [
            ("producer_byte_rate", Some(1.0), None),
            ("request_percentage", None, None),
            (
                "speed",
                Some(1.0),
                Some(
                    "quota \"speed\" is not one of producer_byte_rate, consumer_byte_rate, request_percentage",
                ),
            ),
            (
                "consumer_byte_rate",
                Some(1.5),
                Some("consumer_byte_rate is 1.5, expected a whole number below 2^63"),
            ),
            ("request_percentage", Some(1.5), None),
            (
                "producer_byte_rate",
                Some(1e19),
                Some("producer_byte_rate is 10000000000000000000, expected a whole number below 2^63"),
            ),
            ("producer_byte_rate", Some(0.0), Some("producer_byte_rate is 0, expected a number above 0")),
            (
                "producer_byte_rate",
                Some(f64::NAN),
                Some("producer_byte_rate is NaN, expected a number above 0"),
            ),
        ] {
            let got = QuotaLimits::check(&client, key, value).err().map(|error| error.to_string());
            assert_eq!(got.as_deref(), want, "{key} {value:?}");
        }
    }
    #[test]
    fn an_address_has_a_rate_of_connections_and_nothing_else() {
        let entity = |name: &str| QuotaEntity::new([("ip".to_owned(), Some(name.to_owned()))].into_iter());
        assert!(entity("10.0.0.300").is_err());
        let (one, default) = (entity("10.0.0.7").unwrap(), QuotaEntity::of(&[(IP, None)]));
        assert!(QuotaLimits::check(&one, "producer_byte_rate", Some(1.0)).is_err());
        assert!(QuotaLimits::check(&one, CONNECTION_RATE, Some(1.0)).is_ok());
        let client = QuotaEntity::of(&[(CLIENT, None)]);
        assert!(QuotaLimits::check(&client, CONNECTION_RATE, Some(1.0)).is_err());
        let mixed = [("ip".to_owned(), None), ("user".to_owned(), None)];
        assert!(QuotaEntity::new(mixed.into_iter()).is_err());
        let mut limits = QuotaLimits::default();
        let rate = |limits: &QuotaLimits, address: &str| limits.connection_rate(address.parse().unwrap());
        assert_eq!(rate(&limits, "10.0.0.7"), None);
        limits.set(&default, CONNECTION_RATE, Some(5.0));
        limits.set(&one, CONNECTION_RATE, Some(9.0));
        assert_eq!(rate(&limits, "::ffff:10.0.0.7"), Some(9.0));
        assert_eq!(rate(&limits, "10.0.0.8"), Some(5.0));
    }
}
