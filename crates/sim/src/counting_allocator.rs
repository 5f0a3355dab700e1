//! A global allocator that counts the bytes that are allocated, for tests that bound memory.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator with its bytes counted: those that are allocated now, and the most since
/// the last [`CountingAllocator::begin`]. It counts the whole process, so a test that uses it is
/// alone in its process, or holds a lock.
///
/// ```
/// use klamm_sim::CountingAllocator;
///
/// #[global_allocator]
/// static ALLOCATOR: CountingAllocator = CountingAllocator::new();
///
/// let before = ALLOCATOR.begin();
/// drop(vec![0_u8; 1 << 20]);
/// assert!(ALLOCATOR.peak() >= before + (1 << 20));
/// ```
#[derive(Debug, Default)]
pub struct CountingAllocator {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl CountingAllocator {
    /// An allocator that has counted nothing yet.
    #[must_use]
    pub const fn new() -> CountingAllocator {
        CountingAllocator { now: AtomicUsize::new(0), peak: AtomicUsize::new(0) }
    }

    /// Sets the peak to the bytes that are allocated now, and returns them.
    pub fn begin(&self) -> usize {
        let now = self.now.load(Ordering::Relaxed);
        self.peak.store(now, Ordering::Relaxed);
        now
    }

    /// The most bytes that were allocated at a time since [`CountingAllocator::begin`].
    #[must_use]
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }
}

// SAFETY: every call goes to the system's allocator with the caller's arguments; the counters
// allocate nothing.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = self.now.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        self.peak.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.now.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}
