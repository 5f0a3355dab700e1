//! The epoch history of a log when it is opened: from `leader-epoch-checkpoint`, or from the batches where the file does
//! not say.

use std::sync::Arc;

use klamm_types::EpochHistory;

use crate::folder::Folder;
use crate::format::{EPOCH_CHECKPOINT, EpochCheckpoint};
use crate::load::CHECKPOINT_LIMIT;
use crate::scan::{Check, Scan};
use crate::segment::Segment;
use crate::{FileError, Inconsistency};

/// What `leader-epoch-checkpoint` says; `None` when it is missing, empty or not as Kafka writes it. A Kafka that is killed
/// while it creates a topic leaves an empty one.
pub(crate) fn stored(
    folder: &Folder,
    found: &mut Vec<Inconsistency>,
) -> Result<Option<EpochHistory>, FileError> {
    let bytes = folder.read(EPOCH_CHECKPOINT, CHECKPOINT_LIMIT)?.unwrap_or_default();
    if bytes.is_empty() {
        return Ok(None);
    }
    match EpochCheckpoint::parse(&String::from_utf8_lossy(&bytes)) {
        Ok(checkpoint) => Ok(Some(checkpoint.history)),
        Err(error) => {
            found.push(Inconsistency {
                path: folder.path_of(EPOCH_CHECKPOINT),
                got: format!("{:?} in line {}", error.got, error.line),
                expected: error.expected.to_owned(),
                instead: "the epochs are read from the batches",
            });
            Ok(None)
        }
    }
}

/// Reads the epochs from the headers of the batches, up to the first header that is not valid.
pub(crate) fn of_batches(segments: &[Arc<Segment>]) -> Result<EpochHistory, FileError> {
    let mut history = EpochHistory::default();
    for segment in segments {
        let mut scan = Scan::new(segment.file()?, 0, segment.size()?, Check::Header, WINDOW);
        while let Ok(Some(batch)) = scan.next() {
            if let Some(epoch) = batch.header.leader_epoch() {
                history.assign(epoch, batch.header.base_offset());
            }
        }
    }
    Ok(history)
}

const WINDOW: usize = 64 * 1024;
