//! Idempotent producers: each batch is stored once, in order, however often it is sent; and which
//! transactions are open (KIP-98).
//!
//! ```text
//!  batches -> ProducerStates -> snapshot, at each new segment and at a clean stop
//!                 |         \-> last stable offset, transaction index
//!                 v
//!               Check: duplicate, gap, old epoch
//! ```

mod check;
mod entry;
mod replay;
mod snapshots;
mod states;

pub use check::ProducerError;

pub(crate) use check::{Duplicate, check};
pub(crate) use entry::LastBatch;
pub(crate) use replay::{catch_up, marker, marker_on_disk, restore};
pub(crate) use snapshots::Snapshots;
pub(crate) use states::ProducerStates;

#[cfg(test)]
mod tests;
