//! A number that stands for all topics of a group as they are now, as Kafka computes it: the
//! group's epoch rises when it changes.

use std::collections::BTreeSet;

use twox_hash::XxHash3_64;

use super::catalog::{Catalog, CatalogTopic};
use crate::Topic;

/// 0 when none of them is there.
pub(super) fn hash(topics: &BTreeSet<&Topic>, catalog: &dyn Catalog) -> i64 {
    let mut hashes = Vec::new();
    for (name, topic) in topics.iter().filter_map(|name| Some((*name, catalog.find(name)?))) {
        hashes.extend(hash_of(name, topic, catalog).to_le_bytes());
    }
    if hashes.is_empty() { 0 } else { XxHash3_64::oneshot(&hashes).cast_signed() }
}

fn hash_of(name: &Topic, topic: CatalogTopic, catalog: &dyn Catalog) -> u64 {
    let count = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
    let mut bytes = vec![VERSION];
    bytes.extend(topic.id.0[..8].iter().rev());
    bytes.extend(topic.id.0[8..].iter().rev());
    put_text(&mut bytes, name.as_str());
    bytes.extend(count.to_le_bytes());
    for partition in 0..count {
        bytes.extend(partition.to_le_bytes());
        for rack in catalog.racks(topic.id, partition) {
            bytes.extend(units(&rack).to_le_bytes());
            put_text(&mut bytes, &rack);
        }
    }
    XxHash3_64::oneshot(&bytes)
}

/// Java's letters, then how many.
fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    bytes.extend(units(text).to_le_bytes());
}

fn units(text: &str) -> i32 {
    i32::try_from(text.encode_utf16().count()).unwrap_or(i32::MAX)
}

/// Of this way to compute it.
const VERSION: u8 = 0;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use klamm_protocol::Uuid;

    use super::*;

    struct Two(Vec<Arc<str>>);

    impl Catalog for Two {
        fn version(&self) -> u64 {
            0
        }

        fn find(&self, name: &Topic) -> Option<CatalogTopic> {
            let id = |high: u64, low: u64| Uuid((u128::from(high) << 64 | u128::from(low)).to_be_bytes());
            match name.as_str() {
                "foo" => Some(CatalogTopic { id: id(1, 2), partitions: 2 }),
                "bar" => Some(CatalogTopic { id: id(3, 4), partitions: 1 }),
                _ => None,
            }
        }

        fn name(&self, _: Uuid) -> Option<Topic> {
            None
        }

        fn names(&self) -> Vec<Topic> {
            Vec::new()
        }

        fn racks(&self, _: Uuid, _: i32) -> Vec<Arc<str>> {
            self.0.clone()
        }
    }

    #[test]
    fn hashes_are_kafkas() {
        let of = |names: &[&str], racks: &[&str]| {
            let names: Vec<Topic> = names.iter().map(|name| Topic::new(name)).collect();
            hash(&names.iter().collect(), &Two(racks.iter().map(|rack| Arc::from(*rack)).collect()))
        };
        assert_eq!(of(&[], &[]), 0);
        assert_eq!(of(&["nowhere"], &[]), 0);
        assert_eq!(of(&["foo"], &[]), 7_735_322_124_282_634_187);
        assert_eq!(of(&["foo", "bar", "nowhere"], &[]), 8_984_983_846_963_856_724);
        let one = |racks: &[&str]| {
            let racks = Two(racks.iter().map(|rack| Arc::from(*rack)).collect());
            let foo = Topic::new("foo");
            hash_of(&foo, racks.find(&foo).unwrap(), &racks).cast_signed()
        };
        assert_eq!(one(&[]), -5_159_372_484_819_424_185);
        assert_eq!(one(&["r0", "r1"]), 6_088_608_540_055_772_778);
    }
}
