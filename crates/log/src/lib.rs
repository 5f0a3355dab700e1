#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]
#![cfg_attr(
    test,
    allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)
)]

mod aborts;
mod append;
mod appender;
mod background;
mod bounds;
mod cleaner;
mod clock;
mod config;
pub mod disk;
mod durability;
mod epochs;
mod error;
mod event;
mod first_segment;
mod folder;
pub mod format;
mod gaps;
mod group_commit;
mod holes;
mod inconsistency;
mod index;
mod kept;
mod leftovers;
mod line;
mod load;
mod log;
mod log_dir;
mod lookup;
mod names;
mod offset_note;
mod open_files;
mod producer;
mod read;
mod reader;
mod recovery;
mod retention;
mod scan;
mod segment;
mod segment_list;
mod slice;
mod tail;
mod timestamps;
mod transactions;
mod truncate;
mod verify;
mod writer;

pub use append::Appended;
pub use background::Background;
pub use bounds::Bounds;
pub use cleaner::{Cleaned, Cleaning, CleaningProgress, Dirtiness, Step};
pub use clock::{Clock, SystemClock};
pub use config::{CleanerConfig, CleanupPolicy, ConfigError, LogConfig};
pub use durability::Durability;
pub use error::{AppendError, Cut, Damage, FileError, LogError, OpenError, ReadError};
pub use event::{LogEvent, NoObserver, Observer, Task};
pub use inconsistency::Inconsistency;
pub use klamm_record::{Compression, Depth, Header, NewRecord, Record};
pub use klamm_types::{LeaderEpoch, Offset, Timestamp, TopicPartition};
pub use log::{Log, SegmentSummary};
pub use log_dir::{DirConfig, KnownLog, KnownLogs, LogDir, Maintained, NewLog, OfflineLog, OnDamage};
pub use lookup::Lookup;
pub use producer::ProducerError;
pub use read::{ReadLimit, Visibility};
pub use reader::{OwnedHeader, OwnedRecord, Position, Reader, RecordStream};
pub use slice::Slice;
pub use timestamps::TimestampedOffset;
pub use transactions::AbortedTransaction;
pub use verify::{Finding, FindingKind};
pub use writer::Writer;
