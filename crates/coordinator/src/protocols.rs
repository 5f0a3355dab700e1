//! What members say of the protocols that they can do: names, what they like best first, each with what they want by it.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::ProtocolName;

/// The protocol type of consumers.
pub(crate) const CONSUMER: &str = "consumer";

/// The name that has most votes. Of equals the first by name.
pub(crate) fn most_wanted<'a>(votes: impl Iterator<Item = &'a ProtocolName>) -> Option<ProtocolName> {
    let mut counted: BTreeMap<&ProtocolName, usize> = BTreeMap::new();
    votes.for_each(|name| *counted.entry(name).or_default() += 1);
    let most = counted.values().max().copied();
    counted.into_iter().find(|(_, count)| Some(*count) == most).map(|(name, _)| name.clone())
}

/// What a member wants by a protocol.
pub(crate) fn metadata(protocols: &[(ProtocolName, Bytes)], protocol: &ProtocolName) -> Bytes {
    let found = protocols.iter().find(|(name, _)| name == protocol);
    found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
}
