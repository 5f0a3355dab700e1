//! Puts a cleaned segment in the place of those it was made of, in an order in which each step can
//! be the last before a crash:
//!
//! ```text
//! indexes .cleaned -> .swap   sync folder      an opening removes them: there is no log with that suffix
//! log     .cleaned -> .swap   sync folder      from here on an opening finishes what is left
//! old files        -> .deleted
//! indexes .swap    -> names   sync folder
//! log     .swap    -> name    sync folder
//! ```

use std::sync::Arc;

use klamm_types::Offset;

use super::output::{Finished, cleaned};
use crate::appender::Appender;
use crate::format::FileKind;
use crate::log::Inner;
use crate::segment::Segment;
use crate::segment_list::SegmentList;
use crate::{FileError, LogError};

impl Inner {
    /// Replaces `old`, which lie side by side. Says no when the log was truncated since
    /// `truncations`, or has lost one of them to retention: what was made of them is then of no
    /// use.
    pub(super) fn swap(
        &self,
        old: &[Arc<Segment>],
        new: Finished,
        truncations: u64,
    ) -> Result<bool, LogError> {
        let mut appender = self.appender.lock();
        self.check_writable()?;
        let segments = self.published.read().segments.clone();
        if appender.truncations != truncations || !old.iter().all(|segment| segments.contains(segment)) {
            return Ok(false);
        }
        let Finished { segment, kinds } = new;
        let segment = Arc::new(segment);
        let names = Names { log: self, segment: &segment, kinds: &kinds };
        old.iter().try_for_each(|segment| segment.retire())?;
        names.commit().map_err(|error| self.fail(error))?;
        self.publish_moved(segments.replaced(old, &segment), appender.position, |bounds| bounds);
        self.settle(&mut appender, old, &names).map_err(|error| self.fail(error))?;
        Ok(true)
    }

    fn settle(
        &self,
        appender: &mut Appender,
        old: &[Arc<Segment>],
        names: &Names<'_>,
    ) -> Result<(), FileError> {
        let delay = appender.config.file_delete_delay;
        let base = names.segment.base();
        for segment in old {
            // Producers are known at the same place as before.
            let keep = |kind| segment.base() == base && kind == FileKind::ProducerSnapshot;
            self.put_away(segment, delay, keep)?;
        }
        names.settle()?;
        let is_old = |segment: &Arc<Segment>| old.iter().any(|old| Arc::ptr_eq(old, segment));
        appender.unsynced.retain(|segment| !is_old(segment));
        appender.snapshots.forget(|offset| offset != base && old.iter().any(|o| o.base() == offset));
        names.segment.end_cleaned();
        Ok(())
    }
}

/// The names of a cleaned segment's files.
struct Names<'a> {
    log: &'a Inner,
    segment: &'a Segment,
    /// The log is the last.
    kinds: &'a [FileKind],
}

impl Names<'_> {
    fn commit(&self) -> Result<(), FileError> {
        self.rename(|kind| (cleaned(self.segment, kind), self.swap(kind)))
    }

    fn settle(&self) -> Result<(), FileError> {
        self.rename(|kind| (self.swap(kind), self.segment.name(kind)))
    }

    /// The log's name last, and only when the others last.
    fn rename(&self, names: impl Fn(FileKind) -> (String, String)) -> Result<(), FileError> {
        let folder = &self.log.folder;
        for kind in self.kinds {
            if *kind == FileKind::Log {
                folder.sync()?;
            }
            let (from, to) = names(*kind);
            folder.rename(&from, &to)?;
        }
        folder.sync()
    }

    fn swap(&self, kind: FileKind) -> String {
        format!("{}.swap", self.segment.name(kind))
    }
}

impl SegmentList {
    fn contains(&self, segment: &Arc<Segment>) -> bool {
        self.from(segment.base()).first().is_some_and(|found| Arc::ptr_eq(found, segment))
    }

    /// Those behind `done`; there is always one, for the active segment is not cleaned.
    pub(super) fn behind(&self, done: &[Arc<Segment>]) -> SegmentList {
        let last = done.last().map_or(Offset::ZERO, |segment| segment.base());
        SegmentList::new(self.iter().filter(|segment| segment.base() > last).cloned().collect())
    }

    /// With `new` in the place of `old`.
    fn replaced(&self, old: &[Arc<Segment>], new: &Arc<Segment>) -> SegmentList {
        let range = |bound: Option<&Arc<Segment>>| bound.map_or(Offset::MAX, |segment| segment.base());
        let (first, last) = (range(old.first()), range(old.last()));
        let before = self.iter().filter(|segment| segment.base() < first);
        let behind = self.iter().filter(|segment| segment.base() > last);
        SegmentList::new(before.chain([new]).chain(behind).cloned().collect())
    }
}
