//! Reports of files that contradict each other.

use std::path::PathBuf;

use thiserror::Error;

use crate::format::CheckpointError;

/// A small file that is not as Kafka writes it, or that contradicts the batches, or a segment that
/// is missing or ends too early. Opening goes on without it.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{}: got {got}, expected {expected}; {instead}", path.display())]
pub struct Inconsistency {
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub got: String,
    /// What it should say.
    pub expected: String,
    /// What is used in its place.
    pub instead: &'static str,
}

impl Inconsistency {
    /// A file that is not as a checkpoint is written.
    pub(crate) fn malformed(path: PathBuf, error: CheckpointError, instead: &'static str) -> Inconsistency {
        let CheckpointError { line, expected, got } = error;
        Inconsistency { path, got: format!("{got:?} in line {line}"), expected: expected.to_owned(), instead }
    }
}
