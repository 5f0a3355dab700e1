//! A sorted map whose versions share their entries: an image of the metadata is copied with each
//! change, and must not copy what did not change.
//!
//! ```text
//! list    [ chunk | chunk | chunk ]        a change copies the list, which has one pointer for each chunk,
//!             |                            and the chunk that it is in
//!         [ (key, value) .. ]
//! ```
//!
//! With 100,000 entries the list has some 1,500 pointers. A version that nobody else holds is
//! changed in place.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// A sorted map; a clone of it costs one reference count.
#[derive(Clone)]
pub(crate) struct SharedMap<K, V> {
    /// Invariant: no chunk is empty, and the keys rise within chunks and from chunk to chunk.
    chunks: Arc<Vec<Chunk<K, V>>>,
    len: usize,
}

type Chunk<K, V> = Arc<Vec<(K, V)>>;

/// Entries of a chunk, at most; a chunk that has more is split.
const MOST: usize = 128;

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let chunk = self.chunks.get(self.chunk_of(key)?)?;
        let at = chunk.binary_search_by(|(known, _)| known.borrow().cmp(key)).ok()?;
        chunk.get(at).map(|(_, value)| value)
    }

    pub(crate) fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// The entries in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.chunks.iter().flat_map(|chunk| chunk.iter()).map(|(key, value)| (key, value))
    }

    /// Sets the value of a key and returns the one before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let at = self.chunk_of(&key).unwrap_or(0);
        let chunks = Arc::make_mut(&mut self.chunks);
        if chunks.is_empty() {
            chunks.push(Arc::default());
        }
        let chunk = Arc::make_mut(&mut chunks[at]);
        match chunk.binary_search_by(|(known, _)| known.cmp(&key)) {
            Ok(found) => Some(std::mem::replace(&mut chunk[found].1, value)),
            Err(place) => {
                chunk.insert(place, (key, value));
                let behind = (chunk.len() > MOST).then(|| chunk.split_off(MOST / 2));
                chunks.splice(at + 1..at + 1, behind.map(Arc::new));
                self.len += 1;
                None
            }
        }
    }

    /// Removes a key and returns its value.
    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (at, place) = self.find(key)?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let chunk = Arc::make_mut(&mut chunks[at]);
        let (_, value) = chunk.remove(place);
        if chunk.is_empty() {
            chunks.remove(at);
        }
        self.len -= 1;
        Some(value)
    }

    /// The value of a key, to be changed.
    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (at, place) = self.find(key)?;
        let chunk = Arc::make_mut(&mut Arc::make_mut(&mut self.chunks)[at]);
        chunk.get_mut(place).map(|(_, value)| value)
    }

    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(usize, usize)>
    where
        K: Borrow<Q>,
    {
        let at = self.chunk_of(key)?;
        let place = self.chunks[at].binary_search_by(|(known, _)| known.borrow().cmp(key)).ok()?;
        Some((at, place))
    }

    /// The chunk that has the key, or would have it; `None` for a key before all.
    fn chunk_of<Q: Ord + ?Sized>(&self, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
    {
        let begins = |chunk: &Chunk<K, V>| chunk.first().is_some_and(|(first, _)| first.borrow() <= key);
        self.chunks.partition_point(begins).checked_sub(1)
    }
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> SharedMap<K, V> {
        SharedMap { chunks: Arc::default(), len: 0 }
    }
}

impl<K: Ord + Clone, V: Clone + PartialEq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &SharedMap<K, V>) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K: Ord + Clone + fmt::Debug, V: Clone + fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A mixed sequence of numbers, the same each time.
    fn numbers(count: u64, below: u64) -> impl Iterator<Item = u64> {
        (1..=count).map(move |n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23) % below)
    }

    #[test]
    fn it_holds_what_a_btree_map_holds() {
        let (mut map, mut model) = (SharedMap::default(), BTreeMap::new());
        for (round, key) in numbers(20_000, 3000).enumerate() {
            match round % 3 {
                0 | 1 => assert_eq!(map.insert(key, round), model.insert(key, round)),
                _ => assert_eq!(map.remove(&key), model.remove(&key)),
            }
            assert_eq!(map.len, model.len());
            assert_eq!(map.get(&key), model.get(&key));
        }
        assert!(map.iter().eq(model.iter()));
        assert!(map.chunks.iter().all(|chunk| (1..=MOST).contains(&chunk.len())));
        for key in 0..3000 {
            assert_eq!(map.get_mut(&key), model.get_mut(&key));
            assert_eq!(map.remove(&key), model.remove(&key));
        }
        assert!(map.is_empty() && map.chunks.is_empty());
    }

    #[test]
    fn a_change_copies_one_chunk_and_leaves_the_version_before() {
        let mut map = SharedMap::default();
        (0..100_000).for_each(|key| _ = map.insert(key, 0));
        let before = map.clone();
        map.insert(50_000, 1);
        let is_shared = |chunk: &Chunk<i32, i32>| map.chunks.iter().any(|other| Arc::ptr_eq(chunk, other));
        assert_eq!(before.chunks.iter().filter(|chunk| !is_shared(chunk)).count(), 1);
        assert!(before.chunks.len() <= 100_000 / (MOST / 2), "{} chunks", before.chunks.len());
        assert_eq!((before.get(&50_000), map.get(&50_000)), (Some(&0), Some(&1)));
    }
}
