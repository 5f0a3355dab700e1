//! Simulated disks and clocks for tests. A development crate: nothing that is published depends on
//! it.
//!
//! | type | what it is for |
//! |---|---|
//! | [`SimDisk`] | a disk in memory that knows what a power loss leaves: enumerate crash points, reopen every disk found |
//! | [`HookDisk`] | the operating system's disk; a test fails, blocks or counts its operations |
//! | [`CountingAllocator`] | the system's allocator; a test bounds the bytes that are allocated |
//! | [`HeldClock`] | a clock that moves only when the test says so |

mod clock;
mod counting_allocator;
mod crash;
mod hook_disk;
mod sim_disk;
mod state;

pub use clock::HeldClock;
pub use counting_allocator::CountingAllocator;
pub use crash::Found;
pub use hook_disk::HookDisk;
pub use sim_disk::{Failure, Fault, SECTOR, SimDisk};
