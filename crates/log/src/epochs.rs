//! The epoch history of a log when it is opened: from `leader-epoch-checkpoint`, or from the
//! batches where the file does not say.

use std::sync::Arc;

use klamm_types::{EpochHistory, LeaderEpoch, Offset};

use crate::folder::Folder;
use crate::format::{EPOCH_CHECKPOINT, EpochCheckpoint};
use crate::load::CHECKPOINT_LIMIT;
use crate::scan::{Check, Scan};
use crate::segment::Segment;
use crate::{FileError, Inconsistency, ReadError};

/// What `leader-epoch-checkpoint` says; `None` when it is missing, empty or not as Kafka writes it.
/// A Kafka that is killed while it creates a topic leaves an empty one.
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
            let (path, instead) = (folder.path_of(EPOCH_CHECKPOINT), "the epochs are read from the batches");
            found.push(Inconsistency::malformed(path, error, instead));
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

/// The batches of a log that is being opened, from `start` to `end`.
pub(crate) struct Batches<'a> {
    pub(crate) segments: &'a [Arc<Segment>],
    pub(crate) start: Offset,
    pub(crate) end: Offset,
}

impl Batches<'_> {
    /// What is wrong with `history`, which a recovery has brought up to date: before that it was
    /// not what the file has (`stored`), or the batches contradict it.
    pub(crate) fn contradict(
        &self,
        folder: &Folder,
        stored: Option<&EpochHistory>,
        history: &EpochHistory,
    ) -> Result<Option<Inconsistency>, FileError> {
        let Some(stored) = stored else { return Ok(None) };
        let within = |history: &EpochHistory| {
            let mut history = history.clone();
            // An epoch that starts at the end has no batch.
            history.advance_start(self.start);
            history.truncate_to(self.end);
            history
        };
        if within(stored) == within(history) && self.agree_with(history)? {
            return Ok(None);
        }
        let entries =
            stored.entries().iter().map(|entry| format!("epoch {} from {}", entry.epoch, entry.start));
        Ok(Some(Inconsistency {
            path: folder.path_of(EPOCH_CHECKPOINT),
            got: entries.collect::<Vec<_>>().join(", "),
            expected: "the epochs of the batches".to_owned(),
            instead: "the epochs are read from the batches",
        }))
    }

    /// Whether no epoch starts inside a batch, and whether the batches at each start of an epoch,
    /// those before them, and the last one have the epochs that `history` says. Batches that are
    /// damaged say nothing.
    fn agree_with(&self, history: &EpochHistory) -> Result<bool, FileError> {
        let starts = history.entries().iter().map(|entry| entry.start);
        let before_starts = starts.clone().filter_map(before);
        let is_within = |at: &Offset| (self.start..self.end).contains(at);
        for at in starts.clone().chain(before_starts).chain(before(self.end)).filter(is_within) {
            let Some((base, epoch)) = self.at(at)? else { continue };
            let is_inside = base < at && at > self.start && starts.clone().any(|start| start == at);
            if is_inside || history.epoch_at(base.max(self.start)) != Some(epoch) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Base offset and leader epoch of the batch that holds `offset`, or of the first behind it.
    fn at(&self, offset: Offset) -> Result<Option<(Offset, LeaderEpoch)>, FileError> {
        let first = self.segments.partition_point(|segment| segment.base() <= offset).saturating_sub(1);
        for segment in &self.segments[first..] {
            match segment.find(offset) {
                Ok(Some(batch)) => {
                    return Ok(batch.header.leader_epoch().map(|epoch| (batch.header.base_offset(), epoch)));
                }
                Ok(None) => {}
                Err(ReadError::File(error)) => return Err(error),
                Err(_) => return Ok(None),
            }
        }
        Ok(None)
    }
}

fn before(offset: Offset) -> Option<Offset> {
    Offset::new(offset.get() - 1)
}

const WINDOW: usize = 64 * 1024;
