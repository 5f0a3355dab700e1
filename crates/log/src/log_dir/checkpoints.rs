//! The checkpoints of a directory of logs: what can be believed of them.
//!
//! They are caches of what the batches say, but for the start offsets. One that is malformed, or
//! that contradicts the batches, is named and not used; it never removes anything.

use klamm_types::{Offset, TopicPartition};

use crate::folder::Folder;
use crate::format::OffsetCheckpoint;
use crate::load::CHECKPOINT_LIMIT;
use crate::{FileError, Inconsistency};

/// What the checkpoints say of one log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Noted {
    /// All before it is durable.
    pub(super) recovery_point: Option<Offset>,
    pub(super) start: Option<Offset>,
    /// Before it the log has been compacted.
    pub(super) cleaned: Option<Offset>,
    pub(super) committed: Option<Offset>,
}

/// Reads a checkpoint of the directory. Lines that are not as Kafka writes them are left out, and
/// told in `found`; a file that is missing is empty.
pub(super) fn read_checkpoint(
    folder: &Folder,
    name: &str,
    found: &mut Vec<Inconsistency>,
) -> Result<OffsetCheckpoint, FileError> {
    let bytes = folder.read(name, CHECKPOINT_LIMIT)?.unwrap_or_default();
    let (checkpoint, errors) = OffsetCheckpoint::salvage(&String::from_utf8_lossy(&bytes));
    let malformed =
        |error| Inconsistency::malformed(folder.path_of(name), error, "the lines that can be read are used");
    found.extend(errors.into_iter().map(malformed));
    Ok(checkpoint)
}

/// The start offsets of logs that have no directory: such a line may have lost its name, and
/// another log its start.
pub(super) fn starts_of_nothing<'a>(
    folder: &'a Folder,
    starts: &'a OffsetCheckpoint,
    has_directory: impl Fn(&TopicPartition) -> bool + 'a,
) -> impl Iterator<Item = Inconsistency> + 'a {
    let of_nothing = starts.offsets.iter().filter(move |(partition, _)| !has_directory(partition));
    of_nothing.map(|(partition, start)| Inconsistency {
        path: folder.path_of(START_OFFSETS),
        got: format!("{partition} with start offset {start}"),
        expected: "a partition that has a directory".to_owned(),
        instead: "the line is not used",
    })
}

impl Noted {
    /// What contradicts a log whose batches end at `end`. `is_clean` tells whether it was closed
    /// cleanly, so that it ends where the checkpoints say.
    pub(super) fn contradictions(
        self,
        folder: &Folder,
        partition: &TopicPartition,
        end: Offset,
        is_clean: bool,
    ) -> Vec<Inconsistency> {
        let log = folder.path_of(&partition.to_string());
        let beyond = |offset: Option<Offset>| offset.filter(|offset| *offset > end);
        let before = |offset: Option<Offset>| offset.filter(|offset| is_clean && *offset < end);
        let rows = [
            (
                RECOVERY_POINTS,
                before(self.recovery_point),
                "it is below the end, and the batches were checked",
            ),
            (START_OFFSETS, beyond(self.start), "the log starts at its first batch"),
            (CLEANED, beyond(self.cleaned), "it is not used"),
            (COMMITTED, beyond(self.committed).filter(|_| is_clean), "it is not used"),
        ];
        let told = rows.into_iter().filter_map(|(name, offset, instead)| {
            let (path, got) = (folder.path_of(name), offset?.to_string());
            let expected = format!("the log end offset {end} of {} or less", log.display());
            Some(Inconsistency { path, got, expected, instead })
        });
        told.collect()
    }
}

pub(super) const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
pub(super) const START_OFFSETS: &str = "log-start-offset-checkpoint";
pub(super) const CLEANED: &str = "cleaner-offset-checkpoint";
pub(super) const COMMITTED: &str = "replication-offset-checkpoint";
