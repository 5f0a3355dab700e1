//! Where the bytes of frames are. Large buffers are pages of the system's own, which a few of are
//! kept for the next: in the allocator they would stay with the thread that first had them, and a
//! flood would take that many times what it may.

use std::io;
use std::sync::Arc;

use memmap2::MmapMut;
use parking_lot::Mutex;

/// Bytes that have come, and room for more.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    room: Room,
    filled: usize,
}

#[derive(Debug)]
enum Room {
    Small(Vec<u8>),
    Large { pages: Option<MmapMut>, pool: Pool },
}

impl Default for Room {
    fn default() -> Room {
        Room::Small(Vec::new())
    }
}

/// Large buffers that wait to be used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool(Arc<Mutex<Vec<MmapMut>>>);

impl Buffer {
    /// An empty one for at least so many bytes.
    ///
    /// # Errors
    /// When the system has no memory.
    pub(super) fn new(bytes: usize, pool: &Pool) -> io::Result<Buffer> {
        let room = if bytes < LARGE {
            Room::Small(vec![0; bytes])
        } else {
            Room::Large { pages: Some(pool.take(bytes)?), pool: pool.clone() }
        };
        Ok(Buffer { room, filled: 0 })
    }

    pub(super) fn len(&self) -> usize {
        self.filled
    }

    pub(super) fn capacity(&self) -> usize {
        self.room.bytes().len()
    }

    /// Room for at most so many bytes more.
    pub(super) fn spare(&mut self, most: usize) -> &mut [u8] {
        let filled = self.filled;
        let spare = &mut self.room.bytes_mut()[filled..];
        let count = most.min(spare.len());
        &mut spare[..count]
    }

    /// The spare room has taken so many.
    pub(super) fn fill(&mut self, count: usize) {
        self.filled = self.capacity().min(self.filled + count);
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        let spare = self.spare(bytes.len());
        spare.copy_from_slice(&bytes[..spare.len()]);
        self.fill(bytes.len());
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.room.bytes()[..self.filled]
    }
}

impl Room {
    fn bytes(&self) -> &[u8] {
        match self {
            Room::Small(bytes) => bytes,
            Room::Large { pages, .. } => pages.as_deref().unwrap_or_default(),
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Room::Small(bytes) => bytes,
            Room::Large { pages, .. } => pages.as_deref_mut().unwrap_or_default(),
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Room::Large { pages, pool } = self {
            pages.take().into_iter().for_each(|pages| pool.give(pages));
        }
    }
}

impl Pool {
    fn take(&self, bytes: usize) -> io::Result<MmapMut> {
        let mut free = self.0.lock();
        let fitting = free.iter().position(|pages| (bytes..=bytes.saturating_mul(4)).contains(&pages.len()));
        if let Some(at) = fitting {
            return Ok(free.swap_remove(at));
        }
        drop(free);
        MmapMut::map_anon(bytes.next_multiple_of(LARGE))
    }

    fn give(&self, pages: MmapMut) {
        let mut free = self.0.lock();
        if free.iter().map(|pages| pages.len()).sum::<usize>() + pages.len() <= KEPT {
            free.push(pages);
        }
    }
}

/// Bytes from which on a buffer is large.
const LARGE: usize = 64 * 1024;
/// Bytes of large buffers that are kept.
const KEPT: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_there_and_large_ones_are_used_again() {
        let pool = Pool::default();
        for bytes in [0, 10, LARGE, 3 * LARGE + 1] {
            let mut buffer = Buffer::new(bytes, &pool).unwrap();
            assert!(buffer.capacity() >= bytes);
            buffer.extend(&vec![7; bytes]);
            assert_eq!(buffer.as_ref(), vec![7; bytes]);
            assert_eq!(buffer.spare(5).len(), 5.min(buffer.capacity() - bytes));
        }
        assert_eq!(pool.0.lock().len(), 2);
        drop(Buffer::new(LARGE + 1, &pool).unwrap());
        assert_eq!(pool.0.lock().len(), 2, "one of the two was used");
        drop(Buffer::new(KEPT + 1, &pool).unwrap());
        assert_eq!(pool.0.lock().len(), 2, "what is larger than all that is kept is not kept");
    }
}
