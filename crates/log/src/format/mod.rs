//! The small files beside a segment as bytes and values, for tools that read a folder without opening its logs: index
//! entries, checkpoints, `partition.metadata`. All as Kafka writes them.

mod checkpoint;
mod entry;
mod metadata;
mod names;

pub use checkpoint::{CheckpointError, EpochCheckpoint, OffsetCheckpoint};
pub use entry::{IndexEntry, OffsetEntry, TimeEntry};
pub use metadata::PartitionMetadata;
pub use names::{FileKind, SegmentFileName};

pub(crate) use names::{EPOCH_CHECKPOINT, PARTITION_METADATA};
