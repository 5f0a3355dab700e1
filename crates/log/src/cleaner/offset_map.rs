//! The last offset of each key, for compaction.

use klamm_types::Offset;
use siphasher::sip128::SipHasher13;

/// What stands for a key in the map.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct KeyHash([u64; 2]);

/// The last offset of each key of the dirty part of a log, in 24 bytes a key: 16 of its hash and 8
/// of the offset.
///
/// Two keys with the same hash would be taken for one. The hash is 128 bits of SipHash under a
/// secret drawn for each cleaning, so that nobody who chooses keys can bring that about. (Kafka
/// takes MD5.)
#[derive(Debug)]
pub(super) struct OffsetMap {
    slots: Vec<Slot>,
    used: usize,
    most: usize,
    hasher: SipHasher13,
    /// The highest offset that was looked at. Invariant: not lower than that of any key.
    latest: Option<Offset>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    hash: KeyHash,
    /// The offset after the record's; 0 where there is none, so that fresh memory is an empty map.
    next: u64,
}

impl OffsetMap {
    /// Bytes of a key.
    pub(super) const SLOT: usize = size_of::<Slot>();

    /// A map in at most `memory` bytes, and no more than so many keys need; it takes keys up to
    /// `load` of its slots.
    pub(super) fn new(memory: usize, keys: u64, load: f64, secret: [u64; 2]) -> OffsetMap {
        let wanted = usize::try_from(keys.saturating_mul(2)).unwrap_or(usize::MAX);
        let slots = wanted.min(memory / Self::SLOT).max(2);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let most = ((slots as f64 * load) as usize).clamp(1, slots - 1);
        let hasher = SipHasher13::new_with_keys(secret[0], secret[1]);
        OffsetMap { slots: vec![Slot::default(); slots], used: 0, most, hasher, latest: None }
    }

    /// Whether it takes no more keys.
    pub(super) fn is_full(&self) -> bool {
        self.used >= self.most
    }

    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// The highest offset that was looked at.
    pub(super) fn latest(&self) -> Option<Offset> {
        self.latest
    }

    /// Notes that all up to `offset` has been looked at.
    pub(super) fn reach(&mut self, offset: Offset) {
        self.latest = self.latest.max(Some(offset));
    }

    #[inline]
    pub(super) fn hash(&self, key: &[u8]) -> KeyHash {
        let hash = self.hasher.hash(key);
        KeyHash([hash.h1, hash.h2])
    }

    /// Looks at where these keys are, one after the other without waiting for any, so that their
    /// memory is near when they are put or got: this is three times as fast as to wait for each.
    pub(super) fn approach(&self, keys: impl Iterator<Item = KeyHash>) {
        let seen = keys.fold(0, |seen, key| seen ^ self.slots[self.home(key)].next);
        std::hint::black_box(seen);
    }

    /// Notes a record with this key; offsets come in rising order.
    pub(super) fn put(&mut self, hash: KeyHash, offset: Offset) {
        assert!(!self.is_full(), "CLEAN-1: the map has room");
        let at = self.find(hash);
        let slot = &mut self.slots[at];
        self.used += usize::from(slot.next == 0);
        *slot = Slot { hash, next: offset.get().cast_unsigned() + 1 };
        self.reach(offset);
    }

    /// The last offset of this key.
    pub(super) fn get(&self, hash: KeyHash) -> Option<Offset> {
        let slot = &self.slots[self.find(hash)];
        slot.next.checked_sub(1).and_then(|offset| Offset::new(offset.cast_signed()))
    }

    /// Where the key is, or would be. There is always an empty slot to end at.
    #[inline]
    fn find(&self, hash: KeyHash) -> usize {
        let mut at = self.home(hash);
        while self.slots[at].next != 0 && self.slots[at].hash != hash {
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
        at
    }

    /// The upper bits spread the keys over all slots.
    #[inline]
    fn home(&self, hash: KeyHash) -> usize {
        let scaled = u128::from(hash.0[0]) * self.slots.len() as u128;
        usize::try_from(scaled >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_is_24_bytes_and_memory_is_bounded() {
        assert_eq!(OffsetMap::SLOT, 24);
        let map = OffsetMap::new(24 * 1000, u64::MAX, 0.9, [1, 2]);
        assert_eq!((map.slots.len(), map.most), (1000, 900));
        let map = OffsetMap::new(1 << 27, 10, 0.9, [1, 2]);
        assert_eq!((map.slots.len(), map.most), (20, 18));
        let map = OffsetMap::new(0, 0, 0.9, [1, 2]);
        assert_eq!((map.slots.len(), map.most), (2, 1));
    }

    proptest! {
        #[test]
        fn agrees_with_a_hash_map(
            keys in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3), 0..600),
            slots in 2..400usize,
            secret in any::<[u64; 2]>(),
        ) {
            let mut map = OffsetMap::new(slots * OffsetMap::SLOT, u64::MAX, 0.9, secret);
            let mut model = HashMap::new();
            for (offset, key) in keys.iter().enumerate() {
                if map.is_full() {
                    break;
                }
                let offset = Offset::from(u32::try_from(offset).unwrap());
                map.put(map.hash(key), offset);
                model.insert(key.clone(), offset);
                prop_assert_eq!(map.latest(), Some(offset));
            }
            prop_assert_eq!(map.len(), model.len());
            for key in &keys {
                prop_assert_eq!(map.get(map.hash(key)), model.get(key).copied());
            }
            prop_assert_eq!(map.get(map.hash(b"a key that was never there")), None);
        }
    }
}
