//! Simulated disks and clocks for tests. A development crate: nothing that is published depends on it.
//!
//! | type | what it is for |
//! |---|---|
//! | [`SimDisk`] | a disk in memory that knows what a power loss leaves: enumerate crash points, reopen every disk found |
//! | [`HookDisk`] | the operating system's disk; a test fails, blocks or counts its operations |
//! | [`HeldClock`] | a clock that moves only when the test says so |

mod clock;
mod crash;
mod hook_disk;
mod sim_disk;
mod state;

pub use clock::HeldClock;
pub use crash::Found;
pub use hook_disk::HookDisk;
pub use sim_disk::{Failure, Fault, SECTOR, SimDisk};
