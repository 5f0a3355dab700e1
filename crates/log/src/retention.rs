//! Deleting old segments: by time, by size, and those before the log's start. The choice is pure;
//! the files get the suffix `.deleted` at once and are removed later, so that readers that have
//! them open can finish.

use std::sync::Arc;
use std::time::Duration;

use klamm_types::{Offset, Timestamp};

use crate::appender::Appender;
use crate::format::{FileKind, SegmentFileName};
use crate::log::{Inner, Published};
use crate::scan::Check;
use crate::segment::Segment;
use crate::segment_list::SegmentList;
use crate::{Bounds, FileError, Log, LogConfig, LogError, LogEvent, ReadError};

/// Files that are to be removed, and when, by the clock's elapsed time.
#[derive(Debug, Default)]
pub(crate) struct Removals {
    due: Vec<(Duration, String)>,
}

/// What the choice knows of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Facts {
    base: Offset,
    /// The offset after its last record.
    end: Offset,
    bytes: u64,
}

/// How many of the oldest segments can go. None that holds records at or behind the commit bound
/// does. `is_expired` says of a segment, by its place, whether all its records are older than a
/// time; it is asked only where that decides.
fn plan_retention<E>(
    segments: &[Facts],
    bounds: Bounds,
    config: &LogConfig,
    mut is_expired: impl FnMut(usize, Duration) -> Result<bool, E>,
) -> Result<usize, E> {
    let total: u64 = segments.iter().map(|s| s.bytes).sum();
    let (retention_bytes, retention_time) = match config.cleanup_policy.deletes() {
        true => (config.retention_bytes, config.retention_time),
        false => (None, None),
    };
    let mut excess = retention_bytes.map_or(0, |most| total.saturating_sub(most));
    for (at, segment) in segments.iter().enumerate() {
        let fits = excess >= segment.bytes && excess > 0;
        // Compaction can leave a segment empty that is not the active one.
        let passed = segment.end <= bounds.start() && (segment.bytes > 0 || segment.base < segment.end);
        excess = excess.saturating_sub(segment.bytes);
        let goes = segment.end <= bounds.committed()
            && (fits || passed || retention_time.map_or(Ok(false), |most| is_expired(at, most))?);
        if !goes {
            return Ok(at);
        }
    }
    Ok(segments.len())
}

impl Log {
    /// Takes segments out of the log that are older or more than the settings allow, or that lie
    /// before its start, and returns how many. Their files are removed `file.delete.delay.ms`
    /// later, by a later call. A log that is truncated or compacted meanwhile, or gets other
    /// settings, is judged again; if that comes to nothing three times, by the next call.
    ///
    /// # Errors
    /// [`LogError`] when a segment cannot be read or renamed.
    pub fn enforce_retention(&self, now: Timestamp) -> Result<usize, LogError> {
        self.inner.remove_due()?;
        for _ in 0..ATTEMPTS {
            if let Some(count) = self.retire_chosen(&self.choose_expired(now)?)? {
                return Ok(count);
            }
        }
        Ok(0)
    }

    /// Takes the chosen segments out of the log, as far as the choice still holds, and returns how
    /// many; `None` when the log has to be judged again.
    fn retire_chosen(&self, choice: &Choice) -> Result<Option<usize>, LogError> {
        let inner = &self.inner;
        if choice.sizes.is_empty() {
            return Ok(Some(0));
        }
        let mut appender = inner.appender.lock();
        let (count, bases) = {
            let published = inner.published.read().clone();
            let bases: Vec<Offset> = published.segments.iter().map(|segment| segment.base()).collect();
            match choice.still_holds_for(&published, &appender.config)? {
                Some(count) if count > 0 => (count, bases),
                nothing => return Ok(nothing),
            }
        };
        inner.check_writable()?;
        inner.owner.mark_dirty()?;
        if count == bases.len() {
            let (next, active) = (appender.next, Arc::clone(&appender.active));
            inner.roll_at(&mut appender, next).map_err(|e| LogError::File(roll_error(&active, e)))?;
        }
        inner.sync_names_behind(count, &appender).map_err(|error| inner.fail(error))?;
        let noted = inner.note_start_of_kept(count, &mut appender);
        let retired = noted.and_then(|()| inner.retire(count, &mut appender));
        let first = inner.published.read().segments.first().base();
        appender.snapshots.forget(|offset| offset < first && bases.contains(&offset));
        let start = inner.published.read().bounds.start();
        if appender.epochs.advance_start(start) {
            appender.write_epochs(&appender.epochs)?;
        }
        Ok(retired.map(|()| Some(count))?)
    }

    /// The oldest segments that can go. Batches are read for it, so that no lock is held.
    fn choose_expired(&self, now: Timestamp) -> Result<Choice, ReadError> {
        let (published, config) = (self.inner.published.read().clone(), self.config());
        let sizes = match choose(&published, &config, now) {
            Err(_) if self.has_moved(&published) => Vec::new(),
            chosen => chosen?,
        };
        Ok(Choice { sizes, generation: published.generation, config })
    }
}

/// How often a log is judged that changes meanwhile.
const ATTEMPTS: usize = 3;

fn roll_error(active: &Segment, error: crate::AppendError) -> FileError {
    match error {
        crate::AppendError::File(error) => error,
        other => active.failed("roll", std::io::Error::other(other)),
    }
}

/// The oldest segments of a log that can go, and by what that was judged.
#[derive(Debug)]
struct Choice {
    /// Bytes of each of them.
    sizes: Vec<u64>,
    /// [`Published::generation`]: while it is the same, batches and segments were only added at the
    /// end.
    generation: u64,
    config: Arc<LogConfig>,
}

impl Choice {
    /// How many of the segments can still go: none that was appended to since, or is no longer
    /// committed. `None` for a log with another generation or other settings, which has to be
    /// judged again.
    fn still_holds_for(
        &self,
        published: &Published,
        config: &Arc<LogConfig>,
    ) -> Result<Option<usize>, FileError> {
        if published.generation != self.generation || !Arc::ptr_eq(config, &self.config) {
            return Ok(None);
        }
        let facts = facts(published)?;
        let can_go = |(facts, size): &(&Facts, &u64)| {
            facts.bytes == **size && facts.end <= published.bounds.committed()
        };
        Ok(Some(facts.iter().zip(&self.sizes).take_while(can_go).count()))
    }
}

/// The sizes of the oldest segments that can go.
fn choose(published: &Published, config: &LogConfig, now: Timestamp) -> Result<Vec<u64>, ReadError> {
    let facts = facts(published)?;
    let segments: Vec<_> = published.segments.iter().cloned().collect();
    let count = plan_retention(&facts, published.bounds, config, |at, most| {
        // The active segment is the last; without batches it has no time.
        let is_begun = at + 1 == facts.len() && facts[at].bytes == 0;
        if is_begun { Ok(false) } else { is_expired(&segments[at], now, most) }
    })?;
    Ok(facts.iter().map(|facts| facts.bytes).take(count).collect())
}

/// Whether all records of a segment are older than `most`. The time index alone can only say no.
/// Before a yes all batches are read: their headers, and where the file is younger than what they
/// say, their checksums too.
fn is_expired(segment: &Segment, now: Timestamp, most: Duration) -> Result<bool, ReadError> {
    let is_old = |time: Option<Timestamp>| time.is_some_and(|time| now.since(time) > most);
    if !is_old(segment.largest_timestamp()?) {
        return Ok(false);
    }
    let check = if is_old(segment.modified()?) { Check::Header } else { Check::Checksum };
    Ok(is_old(segment.largest_timestamp_read(check)?))
}

fn facts(published: &Published) -> Result<Vec<Facts>, FileError> {
    let segments = &published.segments;
    let ends = segments.iter().skip(1).map(|next| next.base()).chain([published.bounds.end()]);
    let fact = |(segment, end): (&Arc<Segment>, Offset)| {
        Ok(Facts { base: segment.base(), end, bytes: published.size_of(segment)? })
    };
    segments.iter().zip(ends).map(fact).collect()
}

impl Inner {
    /// Makes the names of the segments durable that stay when the oldest `count` go. A sync of the
    /// log does so only while a segment that was rolled is not synced, and those that go are
    /// forgotten.
    fn sync_names_behind(&self, count: usize, appender: &Appender) -> Result<(), FileError> {
        let segments = self.published.read().segments.clone();
        let kept = segments.iter().nth(count).map(|segment| segment.base());
        match appender.unsynced.first() {
            Some(oldest) if kept.is_some_and(|kept| oldest.base() < kept) => {
                self.sync_names_from(oldest, &appender.snapshots)
            }
            _ => Ok(()),
        }
    }

    /// Notes where the log begins when the oldest `count` segments are gone, before they are.
    fn note_start_of_kept(&self, count: usize, appender: &mut Appender) -> Result<(), FileError> {
        let base = self.published.read().segments.iter().nth(count).map(|segment| segment.base());
        base.map_or(Ok(()), |base| appender.note_first_segment(base))
    }

    /// Takes the oldest `count` segments out of the log, one after the other, so that their files
    /// are not open all at once. When one cannot be put away, it and those behind it stay.
    fn retire(&self, count: usize, appender: &mut Appender) -> Result<(), FileError> {
        let delay = appender.config.file_delete_delay;
        for _ in 0..count {
            let segments = self.published.read().segments.clone();
            let bytes = segments.first().size()?;
            self.put_away(segments.first(), delay, |_| false)?;
            let kept = SegmentList::new(segments.iter().skip(1).cloned().collect());
            let first = kept.first().base();
            appender.unsynced.retain(|segment| segment.base() >= first);
            self.publish_moved(kept, appender.position, |bounds| {
                bounds.with_start(bounds.start().max(first))
            });
            let (log, base_offset) = (&self.partition, segments.first().base());
            self.owner.tell(&LogEvent::SegmentDeleted { log, base_offset, next_offset: first, bytes });
        }
        Ok(())
    }

    /// Takes a segment's files away, but for those to keep; they are removed after `delay`.
    pub(crate) fn put_away(
        &self,
        segment: &Segment,
        delay: Duration,
        keep: impl Fn(FileKind) -> bool,
    ) -> Result<(), FileError> {
        let names = self.mark_deleted(segment, keep)?;
        let due = self.clock.elapsed().saturating_add(delay);
        self.removals.lock().due.extend(names.into_iter().map(|name| (due, name)));
        Ok(())
    }

    /// Gives a segment's files the suffix `.deleted`, but for those to keep, and returns their
    /// names.
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

    fn remove_due(&self) -> Result<(), FileError> {
        let now = self.clock.elapsed();
        let mut removals = self.removals.lock();
        let (due, later) = std::mem::take(&mut removals.due).into_iter().partition(|(at, _)| *at <= now);
        removals.due = later;
        drop(removals);
        let due: Vec<(Duration, String)> = due;
        let (failed, removed) = remove_each(due, |name| self.folder.remove(name));
        self.removals.lock().due.extend(failed);
        removed
    }
}

/// Removes what is due. Returns what could not be removed, to be tried again, and the first error.
pub(crate) fn remove_each(
    due: Vec<(Duration, String)>,
    remove: impl Fn(&str) -> Result<(), FileError>,
) -> (Vec<(Duration, String)>, Result<(), FileError>) {
    let (mut failed, mut done) = (Vec::new(), Ok(()));
    for (at, name) in due {
        if let Err(error) = remove(&name) {
            failed.push((at, name));
            done = done.and(Err(error));
        }
    }
    (failed, done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(list: &[(u32, u64, i64)]) -> Vec<Facts> {
        let facts = |(end, bytes, _): &(u32, u64, i64)| Facts {
            base: Offset::ZERO,
            end: Offset::from(*end),
            bytes: *bytes,
        };
        list.iter().map(facts).collect()
    }

    #[test]
    fn the_oldest_go_as_far_as_the_settings_and_the_commit_bound_allow() {
        let list = [(10, 100, 1000), (20, 100, 5000), (30, 100, 2000), (40, 50, 9000)];
        let all = segments(&list);
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
            let age = |at: usize| Duration::from_millis((10_000 - list[at].2).unsigned_abs());
            let is_expired = |at, most| Ok::<_, ()>(age(at) > most);
            assert_eq!(plan_retention(&all, bounds, &config, is_expired), Ok(want), "{name}");
        }
    }

    /// A log whose records are all deleted is written to again while a round of retention is under
    /// way.
    #[test]
    fn what_is_appended_after_retention_has_looked_at_the_log_stays() {
        let folder = tempfile::tempdir().unwrap();
        let dir = crate::LogDir::open(folder.path()).unwrap();
        let log = dir.log("t", 0).unwrap();
        let seen = log.inner.published.read().clone();
        log.append(&crate::NewRecord::new("kept"), crate::Durability::Written).unwrap();
        let chosen = choose(&seen, &log.config(), Timestamp::from_millis(0)).unwrap();
        assert!(chosen.is_empty(), "{chosen:?}");
    }

    /// A directory with a log of two segments, of which retention takes the first.
    fn two_segments() -> (tempfile::TempDir, Log) {
        let folder = tempfile::tempdir().unwrap();
        let dir = crate::LogDir::open(folder.path()).unwrap();
        let log = dir.log("t", 0).unwrap();
        log.set_config(LogConfig { retention_time: Some(Duration::from_secs(1)), ..LogConfig::default() })
            .unwrap();
        append(&log, OLD);
        append(&log, OLD);
        log.roll().unwrap();
        append(&log, NOW);
        (folder, log)
    }

    fn append(log: &Log, millis: i64) {
        let record = crate::NewRecord::new("value").at(Timestamp::from_millis(millis));
        log.append(&record, crate::Durability::Written).unwrap();
    }

    const NOW: i64 = 1_700_000_000_000;
    const OLD: i64 = NOW - 10_000;

    #[test]
    fn a_choice_holds_while_the_log_is_appended_to() {
        let (_folder, log) = two_segments();
        let choice = log.choose_expired(Timestamp::from_millis(NOW)).unwrap();
        append(&log, NOW);
        log.roll().unwrap();
        append(&log, NOW);
        assert_eq!(log.retire_chosen(&choice).unwrap(), Some(1));
        assert_eq!(log.bounds().start(), Offset::from(2));
    }

    /// The segment is cut and has as many bytes again, all of them young.
    #[test]
    fn a_choice_does_not_hold_for_a_log_that_was_truncated_and_filled_again() {
        let (_folder, log) = two_segments();
        let choice = log.choose_expired(Timestamp::from_millis(NOW)).unwrap();
        log.truncate_to(Offset::from(1)).unwrap();
        append(&log, NOW);
        log.roll().unwrap();
        assert_eq!(log.retire_chosen(&choice).unwrap(), None);
        assert_eq!(log.bounds().start(), Offset::ZERO);
    }

    #[test]
    fn a_choice_does_not_hold_for_other_settings() {
        let (_folder, log) = two_segments();
        let choice = log.choose_expired(Timestamp::from_millis(NOW)).unwrap();
        log.set_config(LogConfig { retention_time: None, ..LogConfig::default() }).unwrap();
        assert_eq!(log.retire_chosen(&choice).unwrap(), None);
        assert_eq!(log.bounds().start(), Offset::ZERO);
    }
}
