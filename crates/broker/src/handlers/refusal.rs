//! Refused items of a request, as error codes and messages.

use klamm_protocol::ErrorCode;

use crate::error_code::WireError;
use crate::metadata::TopicError;

/// The error code and error message of an item that is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    pub(super) error: ErrorCode,
    pub(super) words: String,
}

impl Refusal {
    pub(super) fn new(error: ErrorCode, words: impl Into<String>) -> Refusal {
        Refusal { error, words: words.into() }
    }
}

impl From<&TopicError> for Refusal {
    fn from(error: &TopicError) -> Refusal {
        Refusal::new(error.wire(), error.to_string())
    }
}
