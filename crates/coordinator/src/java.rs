//! What Java makes of texts and hash tables. Where groups belong comes from it, and where Kafka's
//! assignors choose by the order of a hash table, so does that.

use std::collections::BTreeMap;

/// `String.hashCode`, over the units of UTF-16.
pub(crate) fn string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0, |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(unit.into()))
}

/// Keys in the order in which a `HashSet` goes through them: by bucket, then as they came. The
/// buckets are doubled when more than three quarters of them are taken, and become no fewer. (Where
/// eight share a bucket Java makes a tree of it; this does not.)
#[derive(Debug)]
pub(crate) struct HashOrder<K> {
    buckets: u32,
    /// By bucket and when they came, with their hashes.
    slots: BTreeMap<(u32, Arrival), (i32, K)>,
}

/// When a key came, as a number that grows.
type Arrival = usize;

impl<K> Default for HashOrder<K> {
    fn default() -> HashOrder<K> {
        HashOrder { buckets: 16, slots: BTreeMap::new() }
    }
}

impl<K: Copy> HashOrder<K> {
    /// The order of keys that came one after the other, with their hashes.
    pub(crate) fn of(keys: impl IntoIterator<Item = (i32, K)>) -> HashOrder<K> {
        let mut order = HashOrder::default();
        keys.into_iter().enumerate().for_each(|(arrival, (hash, key))| order.add(hash, arrival, key));
        order
    }

    /// Adds a key that is not there.
    pub(crate) fn add(&mut self, hash: i32, arrival: Arrival, key: K) {
        self.slots.insert((self.bucket(hash), arrival), (hash, key));
        if self.slots.len() > self.buckets as usize / 4 * 3 {
            self.buckets *= 2;
            let slots = std::mem::take(&mut self.slots).into_iter();
            self.slots = slots.map(|((_, arrival), slot)| ((self.bucket(slot.0), arrival), slot)).collect();
        }
    }

    /// Removes the key that came then.
    pub(crate) fn remove(&mut self, hash: i32, arrival: Arrival) {
        self.slots.remove(&(self.bucket(hash), arrival));
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = K> + '_ {
        self.slots.values().map(|(_, key)| *key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn bucket(&self, hash: i32) -> u32 {
        let hash = hash.cast_unsigned();
        (hash ^ (hash >> 16)) % self.buckets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_javas() {
        let table = [
            ("", 0),
            ("a", 97),
            ("hello", 99_162_322),
            ("flights", -771_814_909),
            ("polygenelubricants", i32::MIN),
            ("Gruppe für 🦀", -1_293_608_917),
        ];
        for (text, want) in table {
            assert_eq!(string_hash(text), want, "{text}");
        }
    }

    fn order(keys: &[&str]) -> String {
        let order = HashOrder::of(keys.iter().map(|key| (string_hash(key), *key)));
        order.keys().collect::<Vec<_>>().join(" ")
    }

    /// As Java 17 goes through a `HashSet` of these.
    #[test]
    fn an_order_is_that_of_javas_hash_set() {
        let members: Vec<String> = (0..30).map(|number| format!("member-{number}")).collect();
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        let told = |count: usize| order(&members[..count]).replace("member-", "");
        assert_eq!(told(12), "1 2 0 5 6 3 4 9 11 10 7 8");
        assert_eq!(told(13), "5 6 3 4 12 9 11 10 7 8 1 2 0");
        let all = "19 18 17 16 5 15 6 14 3 13 4 12 9 11 10 7 8 29 28 27 26 25 24 23 22 21 20 1 2 0";
        assert_eq!(told(30), all);
        assert_eq!(order(&["Aa", "x", "BB"]), "Aa BB x");
        assert_eq!(order(&["BB", "x", "Aa"]), "BB Aa x");
    }

    #[test]
    fn buckets_become_no_fewer() {
        let hash = |number: usize| string_hash(&format!("member-{number}"));
        let mut order = HashOrder::of((0..13).map(|number| (hash(number), number)));
        (0..10).for_each(|number| order.remove(hash(number), number));
        assert_eq!(order.keys().collect::<Vec<_>>(), [12, 11, 10]);
    }
}
