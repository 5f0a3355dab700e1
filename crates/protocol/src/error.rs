//! Errors of decoding and encoding messages.

use thiserror::Error;

/// Why bytes are no valid message. Nothing is allocated on the strength of a length that they
/// declare.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end before what they declare does.
    #[error("{what} needs {expected} bytes, {got} are left")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Bytes it needs.
        expected: usize,
        /// Bytes that are left.
        got: usize,
    },
    /// A length cannot be: negative, or more than there can be.
    #[error("{what} has length {got}, expected {expected}")]
    Length {
        /// What was being read.
        what: &'static str,
        /// The length.
        got: i64,
        /// What it can be, in words.
        expected: &'static str,
    },
    /// A collection declares more elements than bytes are left.
    #[error("collection declares {got} elements, {left} bytes are left")]
    Collection {
        /// Elements it declares.
        got: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// The elements of the collections, and the texts that are not UTF-8, would take too much
    /// memory for so short a frame.
    #[error("collections and replaced texts take more than {max} bytes of memory for each byte of the frame")]
    Memory {
        /// The most there may be, for each byte.
        max: usize,
    },
    /// A field is null in a version in which it cannot be.
    #[error("{field} is null")]
    Null {
        /// The field.
        field: &'static str,
    },
    /// A variable-length number has more bytes than it can have.
    #[error("variable-length number is too long")]
    Varint,
    /// Bytes are left where a message or a tagged field should end.
    #[error("{got} bytes are left behind {what}")]
    Trailing {
        /// What should have ended.
        what: &'static str,
        /// Bytes that are left.
        got: usize,
    },
    /// The message has no such version.
    #[error("{message} has versions {low} to {high}, got {got}")]
    Version {
        /// The message.
        message: &'static str,
        /// Its lowest version.
        low: i16,
        /// Its highest version.
        high: i16,
        /// The version asked for.
        got: i16,
    },
    /// The frame names an API that does not exist.
    #[error("no API has the number {got}")]
    ApiKey {
        /// The number.
        got: i16,
    },
}

/// Why a message cannot be written.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A field has a value that the version cannot carry.
    #[error("{message}.{field} cannot be sent in version {version}")]
    Unsupported {
        /// The message or the part of one.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// The version.
        version: i16,
    },
    /// A field is null in a version in which it cannot be.
    #[error("{message}.{field} cannot be null in version {version}")]
    Null {
        /// The message or the part of one.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// The version.
        version: i16,
    },
    /// A text, byte string or collection is longer than the encoding can say.
    #[error("{what} has length {got}, expected at most {max}")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length.
        got: usize,
        /// The most there can be.
        max: usize,
    },
    /// The message has no such version.
    #[error("{message} has versions {low} to {high}, got {got}")]
    Version {
        /// The message.
        message: &'static str,
        /// Its lowest version.
        low: i16,
        /// Its highest version.
        high: i16,
        /// The version asked for.
        got: i16,
    },
}
