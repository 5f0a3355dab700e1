#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]
#![cfg_attr(
    test,
    allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)
)]

pub mod codec;
mod error;
mod error_code;
#[allow(clippy::all, clippy::pedantic, unused_qualifications, rustdoc::broken_intra_doc_links)]
mod generated;
mod header;
mod message;
mod metadata_frame;
mod records;
mod uuid;

pub use bytestring::ByteString;
pub use error::{DecodeError, EncodeError};
pub use error_code::ErrorCode;
pub use generated::{ApiKey, group, messages, metadata, transaction};
pub use header::{RequestHead, encode_request, encode_response, response_header_version};
pub use message::{Message, Record, Request};
pub use metadata_frame::{MetadataFrame, decode_metadata_record, encode_metadata_record};
pub use records::{Piece, Pieces, Records, Region};
pub use uuid::Uuid;
