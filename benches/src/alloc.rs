//! Where allocations are counted, `alloc_counter` in the bench itself is the global allocator; it
//! reports here.

use std::sync::atomic::{AtomicU64, Ordering};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// Notes an allocation.
pub fn note() {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
}

/// Allocations of the process so far.
#[must_use]
pub fn count() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}
