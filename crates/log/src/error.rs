//! The errors of the log, one type for each operation.

use std::io;
use std::path::PathBuf;

use klamm_record::{BatchError, BuildError, CompressionError};
use klamm_types::{LeaderEpoch, Offset, TopicId};
use thiserror::Error;

use crate::{ConfigError, ProducerError};

/// The operating system refused something.
#[derive(Debug, Error)]
#[error("cannot {operation} {}: {source}", path.display())]
pub struct FileError {
    /// What was tried, e.g. `"write to"`.
    pub operation: &'static str,
    /// On which file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Bytes in a segment are not what was written there.
#[derive(Debug, Error)]
#[error("damage in {} at byte {position}, where offset {offset} should be: {fault}", path.display())]
pub struct Damage {
    /// The segment's file.
    pub path: PathBuf,
    /// Where the broken batch starts, in bytes.
    pub position: u64,
    /// The offset that is looked for there.
    pub offset: Offset,
    /// What is wrong with it.
    pub fault: BatchError,
}

/// What opening a folder after an unclean stop cut off the end of a log: bytes that were never
/// synced and are not valid.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error(
    "cut {bytes} bytes off {} at byte {position}, where offset {offset} should be: {fault}{}",
    path.display(),
    kept_in(kept)
)]
pub struct Cut {
    /// The segment's file.
    pub path: PathBuf,
    /// From where on, in bytes.
    pub position: u64,
    /// The log's end from now on.
    pub offset: Offset,
    /// How many, with those of the segments behind it.
    pub bytes: u64,
    /// What is wrong with the batch there.
    pub fault: BatchError,
    /// Files that keep what was cut off; none when it held no valid batch.
    pub kept: Vec<PathBuf>,
}

fn kept_in(kept: &[PathBuf]) -> String {
    let names: Vec<_> = kept.iter().map(|path| path.display().to_string()).collect();
    if names.is_empty() { String::new() } else { format!("; kept in {}", names.join(", ")) }
}

/// Why a folder of logs, or a log in it, cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has the folder open, Klamm or Kafka.
    #[error("folder {} is in use by another process, which holds its .lock", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The operating system refused something.
    #[error(transparent)]
    File(#[from] FileError),
    /// A checkpoint or metadata file is not as Kafka writes it.
    #[error("{}, line {line}: expected {expected}, got {got:?}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The line, 1 for the first.
        line: usize,
        /// What should be there, in words.
        expected: &'static str,
        /// What is there.
        got: String,
    },
    /// What was synced once is damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What was synced once is gone: the log ends before its recovery point.
    #[error(
        "log {} ends at offset {end}, but all before {synced} had been synced, says recovery-point-offset-checkpoint: records are \
         lost. To go on without them, open the directory with OnDamage::Cut, or verify_log --repair",
        path.display()
    )]
    Lost {
        /// The log's folder.
        path: PathBuf,
        /// Where it ends now.
        end: Offset,
        /// Up to where it had been synced.
        synced: Offset,
    },
    /// A directory with records does not bear the id of the topic that it is opened for.
    #[error("{}: got {}, expected topic id {expected}, since the log has records", path.display(), shown(*got))]
    Topic {
        /// The `partition.metadata` of the log.
        path: PathBuf,
        /// The topic that the log is opened for.
        expected: TopicId,
        /// The topic id in the file, if any.
        got: Option<TopicId>,
    },
    /// A name that the log would have belongs to something else: a file, or a directory without any
    /// file of a log.
    #[error("{} is not a log: it has {found:?}", path.display())]
    Foreign {
        /// The log's directory.
        path: PathBuf,
        /// A name in it; the name itself when it is no directory.
        found: String,
    },
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A partition's name cannot be one.
    #[error(transparent)]
    Name(#[from] klamm_types::NameError),
    /// The folder has been closed.
    #[error("the folder of logs is closed")]
    Closed,
}

fn shown(id: Option<TopicId>) -> String {
    id.map_or_else(|| "no topic id".to_owned(), |id| format!("topic id {id}"))
}

/// Why records were not appended. Nothing of the call is in the log then, unless the variant says
/// otherwise.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AppendError {
    /// A batch is not valid; `index` counts the batches of the call from 0.
    #[error("batch {index}: {fault}")]
    Batch {
        /// Which of the batches.
        index: usize,
        /// What is wrong with it.
        fault: BatchError,
    },
    /// An idempotent producer's batch was refused; `index` counts the batches of the call from 0.
    #[error("batch {index}: {fault}")]
    Producer {
        /// Which of the batches.
        index: usize,
        /// Why.
        fault: ProducerError,
    },
    /// A record has no key, which in a compacted log says what it takes the place of; `index`
    /// counts the batches of the call from 0.
    #[error("batch {index}, record {record}: no key, expected one in a compacted log")]
    NoKey {
        /// Which of the batches.
        index: usize,
        /// Which of its records.
        record: usize,
    },
    /// A record does not fit into a batch.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A batch is larger than `max.message.bytes`, or all together than `segment.bytes`.
    #[error("{what} has {got} bytes, expected at most {max} ({setting})")]
    TooLarge {
        /// The batch or all of them.
        what: &'static str,
        /// Bytes it has.
        got: usize,
        /// The most there can be.
        max: usize,
        /// Kafka's name of the setting that says so.
        setting: &'static str,
    },
    /// A follower's batch does not lie at or behind the log's end.
    #[error("batch {index} has base offset {got}, expected at least {expected}")]
    OutOfOrder {
        /// Which of the batches.
        index: usize,
        /// The log's end, or that of the batch before.
        expected: Offset,
        /// The batch's base offset.
        got: Offset,
    },
    /// The epoch is older than the log's latest.
    #[error("leader epoch {got} is older than the log's {latest}")]
    FencedEpoch {
        /// The epoch given.
        got: LeaderEpoch,
        /// The log's latest.
        latest: LeaderEpoch,
    },
    /// The log has no offsets left.
    #[error("offsets are used up at {end}")]
    OffsetsExhausted {
        /// The log's end.
        end: Offset,
    },
    /// The operating system refused to write or to sync. After a refused write the log is as
    /// before; after a refused sync it is failed, and the records may or may not be there when it
    /// is opened again.
    #[error(transparent)]
    File(#[from] FileError),
    /// The log has failed before, or is closed; it can still be read.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Why a log could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The offset lies outside of what the log has.
    #[error("offset {asked} is not in the log, which has {start} to {end} (exclusive)")]
    OutOfRange {
        /// The offset asked for.
        asked: Offset,
        /// The first there is.
        start: Offset,
        /// The end of what may be read.
        end: Offset,
    },
    /// The bytes are not what was written.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// The operating system refused to read.
    #[error(transparent)]
    File(#[from] FileError),
}

impl ReadError {
    /// Whether a batch decompresses to more bytes than the caller's limit.
    #[must_use]
    pub fn is_over_limit(&self) -> bool {
        let ReadError::Damage(damage) = self else { return false };
        matches!(damage.fault, BatchError::Compression(CompressionError::TooLarge { .. }))
    }
}

/// Why a log could not be synced, truncated, rolled or cut.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LogError {
    /// The operating system refused something.
    #[error(transparent)]
    File(#[from] FileError),
    /// A write or sync failed before; the log can be read, but takes no more writes until it is
    /// opened again.
    #[error("log {partition} has failed and takes no more writes: {reason}")]
    Failed {
        /// The log's name.
        partition: String,
        /// The first failure.
        reason: String,
    },
    /// The log has been closed or removed.
    #[error("log {partition} is closed")]
    Closed {
        /// The log's name.
        partition: String,
    },
    /// The offset lies outside of what the log has.
    #[error("offset {asked} is not in the log, which has {start} to {end}")]
    OutOfRange {
        /// The offset asked for.
        asked: Offset,
        /// The first there is.
        start: Offset,
        /// The last it can be.
        end: Offset,
    },
    /// Bytes on the way are damaged.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// The log's settings do not allow it.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl From<ReadError> for LogError {
    fn from(error: ReadError) -> LogError {
        match error {
            ReadError::OutOfRange { asked, start, end } => LogError::OutOfRange { asked, start, end },
            ReadError::Damage(damage) => LogError::Damage(damage),
            ReadError::File(error) => LogError::File(error),
        }
    }
}
