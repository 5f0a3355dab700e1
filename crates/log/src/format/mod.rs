//! The small files beside a segment as bytes and values, for tools that read a folder without
//! opening its logs: index entries, checkpoints, producer snapshots, `partition.metadata`. All as
//! Kafka writes them.

mod checkpoint;
mod entry;
mod metadata;
mod names;
mod snapshot;

pub use checkpoint::{CheckpointError, EpochCheckpoint, GapCheckpoint, OffsetCheckpoint};
pub use entry::{AbortedEntry, IndexEntry, OffsetEntry, TimeEntry};
pub use metadata::PartitionMetadata;
pub use names::{DirectoryName, DirectoryState, FileKind, SegmentFileName};
pub use snapshot::{ProducerSnapshot, ProducerSnapshotEntry, SnapshotError};

pub(crate) use names::{
    EPOCH_CHECKPOINT, FIRST_SEGMENT, FOLLOWER_GAPS, PARTITION_METADATA, SYNC_FAILED, belongs_to_a_log,
};
