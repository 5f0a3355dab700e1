//! The base offset of a log's first segment, noted in the log's directory. An opening that finds
//! the first segment behind the noted offset names the records that are missing.
//!
//! A log gets the note with its second segment. Retention raises it before it takes segments away.
//! Kafka writes no such file; when it opens a log, it removes all files whose names end in
//! `.deleted`. That is why this one does: segments that Kafka deletes are not taken for lost ones.

use klamm_types::Offset;

use crate::appender::Appender;
use crate::folder::Folder;
use crate::format::{FIRST_SEGMENT, FileKind, SegmentFileName};
use crate::log::Inner;
use crate::{FileError, Inconsistency, offset_note};

/// The noted base offset; `None` when nothing is noted.
pub(crate) fn noted(folder: &Folder, found: &mut Vec<Inconsistency>) -> Result<Option<Offset>, FileError> {
    offset_note::read(folder, FIRST_SEGMENT, found, "the log begins at its first segment")
}

/// What is missing in front of `first`, the base offset of the first segment; `None` for `first`
/// when there is none.
pub(crate) fn missing(folder: &Folder, noted: Offset, first: Option<Offset>) -> Option<Inconsistency> {
    let got = match first {
        Some(first) if first <= noted => return None,
        Some(first) => format!("base offset {first} of the first segment"),
        None => "no segment".to_owned(),
    };
    Some(Inconsistency {
        path: folder.path_of(&SegmentFileName::of(noted, FileKind::Log)),
        got,
        expected: format!("at most the base offset {noted} that {FIRST_SEGMENT} has"),
        instead: "the records before the first segment are missing",
    })
}

/// Notes the base offset of the first segment, durably.
pub(crate) fn note(folder: &Folder, base: Offset) -> Result<(), FileError> {
    offset_note::write(folder, FIRST_SEGMENT, base)
}

impl Appender {
    /// Notes the base offset that the first segment has, or will have, unless it is noted.
    pub(crate) fn note_first_segment(&mut self, base: Offset) -> Result<(), FileError> {
        if self.first_segment != Some(base) {
            note(&self.folder, base)?;
            self.first_segment = Some(base);
        }
        Ok(())
    }

    /// Forgets the note, durably, for a log that begins anew.
    pub(crate) fn forget_first_segment(&mut self) -> Result<(), FileError> {
        if self.first_segment.take().is_none() {
            return Ok(());
        }
        self.folder.remove(FIRST_SEGMENT)?;
        self.folder.sync()
    }
}

impl Inner {
    /// Notes the first segment of a log that was written to and has several segments, unless it has
    /// a note.
    pub(crate) fn note_first_of_several(&self, appender: &mut Appender) -> Result<(), FileError> {
        let published = self.published.read().clone();
        let is_due = appender.first_segment.is_none() && published.segments.len() > 1;
        if is_due && self.owner.is_modified() {
            appender.note_first_segment(published.segments.first().base())?;
        }
        Ok(())
    }
}
