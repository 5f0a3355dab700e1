//! Deleting old segments: by time, by size, and those before the log's start. The choice is pure; the files get the
//! suffix `.deleted` at once and are removed later, so that readers that have them open can finish.

use std::sync::Arc;

use klamm_types::{Offset, Timestamp};

use crate::appender::Appender;
use crate::format::{FileKind, SegmentFileName};
use crate::log::{Inner, Published};
use crate::segment::Segment;
use crate::segment_list::SegmentList;
use crate::{Bounds, FileError, Log, LogConfig, LogError};

/// Files that are to be removed, and when.
#[derive(Debug, Default)]
pub(crate) struct Removals {
    due: Vec<(Timestamp, String)>,
}

/// What the choice knows of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Facts {
    base: Offset,
    /// The offset after its last record.
    end: Offset,
    bytes: u64,
    newest: Option<Timestamp>,
}

/// How many of the oldest segments can go. None that holds records at or behind the commit bound does.
fn plan_retention(segments: &[Facts], bounds: Bounds, config: &LogConfig, now: Timestamp) -> usize {
    let total: u64 = segments.iter().map(|s| s.bytes).sum();
    let deletes = config.cleanup_policy.deletes();
    let (retention_bytes, retention_time) = match deletes {
        true => (config.retention_bytes, config.retention_time),
        false => (None, None),
    };
    let mut excess = retention_bytes.map_or(0, |most| total.saturating_sub(most));
    let goes = |segment: &Facts| {
        let expired =
            matches!((retention_time, segment.newest), (Some(most), Some(t)) if now.since(t) > most);
        let fits = excess >= segment.bytes && excess > 0;
        // Compaction can leave a segment empty that is not the active one.
        let passed = segment.end <= bounds.start() && (segment.bytes > 0 || segment.base < segment.end);
        excess = excess.saturating_sub(segment.bytes);
        segment.end <= bounds.committed() && (expired || fits || passed)
    };
    segments
        .iter()
        .copied()
        .map_while({
            let mut goes = goes;
            move |segment| goes(&segment).then_some(())
        })
        .count()
}

impl Log {
    /// Takes segments out of the log that are older or more than the settings allow, or that lie before its start, and
    /// returns how many. Their files are removed `file.delete.delay.ms` later, by a later call.
    ///
    /// # Errors
    /// [`LogError`] when a segment cannot be read or renamed.
    pub fn enforce_retention(&self, now: Timestamp) -> Result<usize, LogError> {
        let inner = &self.inner;
        inner.remove_due(now)?;
        let mut appender = inner.appender.lock();
        let config = Arc::clone(&appender.config);
        let (facts, bounds) = {
            let published = inner.published.read().clone();
            (facts(&published, appender.pace.max_timestamp())?, published.bounds)
        };
        let count = plan_retention(&facts, bounds, &config, now);
        if count == 0 {
            return Ok(0);
        }
        inner.check_writable()?;
        inner.owner.mark_dirty()?;
        if count == facts.len() {
            let (next, active) = (appender.next, Arc::clone(&appender.active));
            inner.roll_at(&mut appender, next, now).map_err(|e| LogError::File(roll_error(&active, e)))?;
        }
        let retired = inner.retire(count, &mut appender, now, &config);
        let first = inner.published.read().segments.first().base();
        appender.snapshots.forget(|offset| offset < first && facts.iter().any(|f| f.base == offset));
        let start = inner.published.read().bounds.start();
        if appender.epochs.advance_start(start) {
            appender.write_epochs(&appender.epochs)?;
        }
        Ok(retired.map(|()| count)?)
    }
}

fn roll_error(active: &Segment, error: crate::AppendError) -> FileError {
    match error {
        crate::AppendError::File(error) => error,
        other => active.failed("roll", std::io::Error::other(other)),
    }
}

/// `newest` is the largest time in the active segment, which its index does not know yet.
fn facts(published: &Published, newest: Option<Timestamp>) -> Result<Vec<Facts>, LogError> {
    let (segments, active) = (&published.segments, published.segments.last().base());
    let ends = segments.iter().skip(1).map(|next| next.base()).chain([published.bounds.end()]);
    let fact = |(segment, end): (&Arc<Segment>, Offset)| {
        let bytes = segment.size()?;
        let newest = match newest.filter(|_| segment.base() == active) {
            Some(newest) => Some(newest),
            None if bytes == 0 && segment.base() == active => None,
            None => segment.largest_timestamp()?,
        };
        Ok(Facts { base: segment.base(), end, bytes, newest })
    };
    segments.iter().zip(ends).map(fact).collect()
}

impl Inner {
    /// Takes the oldest `count` segments out of the log, one after the other, so that their files are not open all at once. When one
    /// cannot be put away, it and those behind it stay.
    fn retire(
        &self,
        count: usize,
        appender: &mut Appender,
        now: Timestamp,
        config: &LogConfig,
    ) -> Result<(), FileError> {
        let due = now.saturating_add(config.file_delete_delay);
        for _ in 0..count {
            let segments = self.published.read().segments.clone();
            self.put_away(segments.first(), due, |_| false)?;
            let kept = SegmentList::new(segments.iter().skip(1).cloned().collect());
            let first = kept.first().base();
            appender.unsynced.retain(|segment| segment.base() >= first);
            self.publish_moved(kept, appender.position, |bounds| {
                bounds.with_start(bounds.start().max(first))
            });
        }
        Ok(())
    }

    /// Takes a segment's files away, but for those to keep; they are removed at `due`.
    pub(crate) fn put_away(
        &self,
        segment: &Segment,
        due: Timestamp,
        keep: impl Fn(FileKind) -> bool,
    ) -> Result<(), FileError> {
        let names = self.mark_deleted(segment, keep)?;
        self.removals.lock().due.extend(names.into_iter().map(|name| (due, name)));
        Ok(())
    }

    /// Gives a segment's files the suffix `.deleted`, but for those to keep, and returns their names.
    fn mark_deleted(
        &self,
        segment: &Segment,
        keep: impl Fn(FileKind) -> bool,
    ) -> Result<Vec<String>, FileError> {
        segment.retire()?;
        let mut names = Vec::new();
        for kind in FileKind::ALL.into_iter().filter(|kind| !keep(*kind)) {
            let name = SegmentFileName::of(segment.base(), kind);
            if self.folder.stat(&name)?.is_some() {
                let deleted = format!("{name}.deleted");
                self.folder.rename(&name, &deleted)?;
                names.push(deleted);
            }
        }
        Ok(names)
    }

    /// Removes a segment's files without delay.
    pub(crate) fn remove_now(&self, segment: &Segment) -> Result<(), FileError> {
        self.mark_deleted(segment, |_| false)?.iter().try_for_each(|name| self.folder.remove(name))
    }

    fn remove_due(&self, now: Timestamp) -> Result<(), FileError> {
        let mut removals = self.removals.lock();
        let (due, later) = std::mem::take(&mut removals.due).into_iter().partition(|(at, _)| *at <= now);
        removals.due = later;
        drop(removals);
        let due: Vec<(Timestamp, String)> = due;
        due.iter().try_for_each(|(_, name)| self.folder.remove(name))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn segments(list: &[(u32, u64, i64)]) -> Vec<Facts> {
        let facts = |(end, bytes, time): &(u32, u64, i64)| Facts {
            base: Offset::ZERO,
            end: Offset::from(*end),
            bytes: *bytes,
            newest: Some(Timestamp::from_millis(*time)),
        };
        list.iter().map(facts).collect()
    }

    #[test]
    fn the_oldest_go_as_far_as_the_settings_and_the_commit_bound_allow() {
        let all = segments(&[(10, 100, 1000), (20, 100, 5000), (30, 100, 2000), (40, 50, 9000)]);
        let at = Offset::from;
        let keep_all = LogConfig::default();
        let time = |ms| LogConfig { retention_time: Some(Duration::from_millis(ms)), ..LogConfig::default() };
        let size = |bytes| LogConfig { retention_bytes: Some(bytes), ..LogConfig::default() };
        let whole = Bounds::new(at(0), at(40));
        for (name, bounds, config, want) in [
            ("no retention", whole, keep_all.clone(), 0),
            ("one is older", whole, time(8000), 1),
            ("the second is young, the third waits for it", whole, time(6000), 1),
            ("all are older", whole, time(500), 4),
            ("not past the commit bound", whole.with_committed(Some(at(20))), time(500), 2),
            ("a bound inside a segment keeps it", whole.with_committed(Some(at(19))), time(500), 1),
            ("size fits", whole, size(350), 0),
            ("an excess smaller than the oldest keeps it", whole, size(300), 0),
            ("one too many", whole, size(250), 1),
            ("no bytes at all", whole, size(0), 4),
            ("before the start", Bounds::new(at(25), at(40)), keep_all.clone(), 2),
            ("start at a border", Bounds::new(at(30), at(40)), keep_all.clone(), 3),
            ("everything deleted", Bounds::new(at(40), at(40)), keep_all, 4),
        ] {
            assert_eq!(plan_retention(&all, bounds, &config, Timestamp::from_millis(10_000)), want, "{name}");
        }
    }
}
