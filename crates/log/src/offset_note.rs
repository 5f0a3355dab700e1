//! A file in a log's directory that notes one base offset. Kafka has no such file.

use klamm_types::Offset;

use crate::folder::Folder;
use crate::format::GapCheckpoint;
use crate::load::CHECKPOINT_LIMIT;
use crate::{FileError, Inconsistency};

/// The noted offset; `None` when nothing is noted. A file that is malformed is told in `found`,
/// with what is done `instead`.
pub(crate) fn read(
    folder: &Folder,
    name: &str,
    found: &mut Vec<Inconsistency>,
    instead: &'static str,
) -> Result<Option<Offset>, FileError> {
    let Some(bytes) = folder.read(name, CHECKPOINT_LIMIT)? else { return Ok(None) };
    match GapCheckpoint::parse(&String::from_utf8_lossy(&bytes)) {
        Ok(checkpoint) => Ok(Some(checkpoint.last_segment)),
        Err(error) => {
            found.push(Inconsistency::malformed(folder.path_of(name), error, instead));
            Ok(None)
        }
    }
}

/// Notes an offset, durably.
pub(crate) fn write(folder: &Folder, name: &str, base: Offset) -> Result<(), FileError> {
    folder.replace(name, GapCheckpoint { last_segment: base }.to_text().as_bytes())
}
