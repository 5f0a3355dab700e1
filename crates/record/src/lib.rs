#![cfg_attr(feature = "lz4", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "lz4"),
    doc = "Kafka's record batch, format v2: build, iterate, validate, compress."
)]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]
#![cfg_attr(
    test,
    allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)
)]

mod batch;
mod batches;
mod builder;
mod compression;
mod control;
mod crc;
mod error;
mod header;
mod record;
mod records;
mod validate;
mod varint;

pub use batch::RecordBatch;
pub use batches::Batches;
pub use builder::{BatchBuilder, BatchOptions, Finished, NewRecord};
pub use compression::{Compression, CompressionError, UnknownCompression};
pub use control::{ControlError, ControlRecord, EndTransaction, Outcome};
pub use error::{BatchError, BuildError, RecordError, RecordFault};
pub use header::{BatchHeader, BatchProducer, TimestampType};
pub use record::{Header, Headers, Record};
pub use records::{RecordCursor, RecordIter, Records};
pub use validate::{Depth, check_produced, validate};
