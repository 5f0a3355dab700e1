//! What members say of the protocols that they can do: names, what they like best first, each with
//! what they want by it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::ProtocolName;
use crate::java::{HashOrder, string_hash};

/// The protocol type of consumers.
pub(crate) const CONSUMER: &str = "consumer";

/// The name that has most votes. Of equals the first in the order of a Java hash table, as Kafka
/// counts.
pub(crate) fn most_wanted<'a>(votes: impl Iterator<Item = &'a ProtocolName>) -> Option<ProtocolName> {
    let mut counted: BTreeMap<&ProtocolName, usize> = BTreeMap::new();
    votes.for_each(|name| *counted.entry(name).or_default() += 1);
    let most = counted.values().max().copied();
    let order = HashOrder::of(counted.into_iter().map(|vote| (string_hash(vote.0.as_str()), vote)));
    order.keys().find(|(_, count)| Some(*count) == most).map(|(name, _)| name.clone())
}

/// How many of these members can do each protocol.
pub(crate) fn counted<'a>(
    members: impl Iterator<Item = &'a [(ProtocolName, Bytes)]>,
) -> BTreeMap<&'a ProtocolName, usize> {
    let mut counted = BTreeMap::new();
    for own in members {
        let own: BTreeSet<&ProtocolName> = own.iter().map(|(name, _)| name).collect();
        own.into_iter().for_each(|name| *counted.entry(name).or_default() += 1);
    }
    counted
}

/// What a member wants by a protocol.
pub(crate) fn metadata(protocols: &[(ProtocolName, Bytes)], protocol: &ProtocolName) -> Bytes {
    let found = protocols.iter().find(|(name, _)| name == protocol);
    found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Kafka 4.3.1 chose of two that have as many votes.
    #[test]
    fn of_equals_kafkas_is_chosen() {
        for (one, other, want) in [
            ("range", "uniform", "uniform"),
            ("range", "cooperative-sticky", "range"),
            ("range", "sticky", "sticky"),
            ("roundrobin", "sticky", "sticky"),
            ("range", "roundrobin", "range"),
            ("roundrobin", "cooperative-sticky", "roundrobin"),
            ("sticky", "cooperative-sticky", "sticky"),
        ] {
            let names = [one, other].map(ProtocolName::new);
            assert_eq!(most_wanted(names.iter()), Some(ProtocolName::new(want)), "{one}, {other}");
            assert_eq!(most_wanted(names.iter().chain([&names[0]])), Some(names[0].clone()));
        }
    }
}
