//! Cutting a log: from its end, as a follower does whose leader went another way, and from its
//! start.

use std::sync::Arc;

use klamm_record::BatchHeader;
use klamm_types::Offset;

use crate::appender::Appender;
use crate::index::IndexPace;
use crate::log::Inner;
use crate::log_dir::Shared;
use crate::producer::{ProducerStates, restore};
use crate::scan::{Check, Scan};
use crate::segment::Segment;
use crate::segment_list::SegmentList;
use crate::{Bounds, FileError, Log, LogError, ReadError};

impl Log {
    /// Removes all records at or behind `offset` and returns the new end. It can be lower than
    /// `offset`: a batch that contains it goes as a whole, and where compaction left a gap, the end
    /// is behind the last batch before it. At or beyond the end nothing happens.
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] for an offset before the start; [`LogError`] when the disk refuses,
    /// after which the log takes no more writes.
    pub fn truncate_to(&self, offset: Offset) -> Result<Offset, LogError> {
        let inner = &self.inner;
        let mut appender = inner.lock_appender().map_err(unwrap_log)?;
        let bounds = self.bounds();
        if offset < bounds.start() {
            return Err(LogError::OutOfRange { asked: offset, start: bounds.start(), end: bounds.end() });
        }
        if offset >= bounds.end() {
            return Ok(bounds.end());
        }
        inner.truncate(&mut appender, offset)
    }

    /// Removes all records and begins anew at `offset`: what a follower does that has fallen behind
    /// its leader's start.
    ///
    /// # Errors
    /// [`LogError`] when the disk refuses, after which the log takes no more writes.
    pub fn restart_at(&self, offset: Offset) -> Result<(), LogError> {
        let inner = &self.inner;
        let mut appender = inner.lock_appender().map_err(unwrap_log)?;
        inner.restart(&mut appender, offset)
    }

    /// Moves the log's start to `offset` (`DeleteRecords`, KIP-107): records before it can no
    /// longer be read, and segments that hold nothing else are removed by the next retention. It is
    /// never moved back, nor beyond the commit bound. The start is on the disk when this returns,
    /// and so are the records before it.
    ///
    /// # Errors
    /// [`LogError::OutOfRange`] for an offset beyond the commit bound; [`LogError`] when the disk
    /// refuses, after which an unclean stop may undo it.
    pub fn advance_start(&self, offset: Offset) -> Result<(), LogError> {
        let mut done = Log::advance_starts(&[(self.clone(), offset)]);
        done.pop().expect("LOG-19: one result for each log")
    }

    /// Moves the starts of several logs, each as [`Log::advance_start`] does; the checkpoint of a
    /// directory is written once for all its logs. The results are in the order of the logs.
    pub fn advance_starts(starts: &[(Log, Offset)]) -> Vec<Result<(), LogError>> {
        let mut done: Vec<_> = starts.iter().map(|(log, offset)| log.hide_before(*offset)).collect();
        let mut directories: Vec<Arc<Shared>> = Vec::new();
        for (log, _) in starts {
            if !directories.iter().any(|known| Arc::ptr_eq(known, &log._dir)) {
                directories.push(Arc::clone(&log._dir));
            }
        }
        for directory in directories {
            let is_its = |at: &usize| done[*at].is_ok() && Arc::ptr_eq(&starts[*at].0._dir, &directory);
            let own: Vec<usize> = (0..starts.len()).filter(is_its).collect();
            let logs = own.iter().map(|at| Arc::clone(&starts[*at].0.inner)).collect();
            let noted = directory.note_starts(logs);
            own.iter().for_each(|at| done[*at] = outcome(&starts[*at].0, &noted));
        }
        done
    }

    /// Hides the records before `offset`, which are synced first: a start on the disk never lies
    /// beyond the end there.
    fn hide_before(&self, offset: Offset) -> Result<(), LogError> {
        self.inner.check_writable()?;
        loop {
            if offset <= self.bounds().committed() {
                self.inner.sync_to(offset)?;
            }
            if self.hide_durable(offset)? {
                return Ok(());
            }
        }
    }

    /// Hides the records before `offset`, if all of them are durable; says whether they are. They
    /// need not be: the log may have been truncated and written to since it was synced, or the
    /// commit bound was lower then.
    fn hide_durable(&self, offset: Offset) -> Result<bool, LogError> {
        let mut appender = self.inner.lock_appender().map_err(unwrap_log)?;
        let mut published = self.inner.published.write();
        let bounds = published.bounds;
        if offset > bounds.committed() {
            let (start, end) = (bounds.start(), bounds.committed());
            return Err(LogError::OutOfRange { asked: offset, start, end });
        }
        if self.inner.group.synced() < offset {
            return Ok(false);
        }
        if offset > bounds.start() {
            published.bounds = bounds.with_start(offset);
            published.generation += 1;
            appender.epochs.advance_start(offset);
        }
        Ok(true)
    }

    /// Closes the active segment and begins a new one, unless it is empty.
    ///
    /// # Errors
    /// [`LogError`] when the disk refuses.
    pub fn roll(&self) -> Result<(), LogError> {
        let mut appender = self.inner.lock_appender().map_err(unwrap_log)?;
        let next = appender.next;
        if appender.position == 0 {
            return Ok(());
        }
        self.inner.roll_at(&mut appender, next).map_err(unwrap_log)
    }
}

/// The operations here append nothing, so that only the log or its files can be at fault.
fn unwrap_log(error: crate::AppendError) -> LogError {
    match error {
        crate::AppendError::Log(error) => error,
        crate::AppendError::File(error) => LogError::File(error),
        other => unreachable!("LOG-3: nothing was appended: {other}"),
    }
}

/// The result for one of the logs whose starts were noted. Of a closed log nothing is noted.
fn outcome(log: &Log, noted: &Result<(), FileError>) -> Result<(), LogError> {
    match noted {
        Ok(()) => log.inner.check_open(),
        Err(error) => Err(again(error).into()),
    }
}

/// An error for each log that it concerns.
fn again(error: &FileError) -> FileError {
    let source = std::io::Error::new(error.source.kind(), error.source.to_string());
    FileError { operation: error.operation, path: error.path.clone(), source }
}

impl Inner {
    /// Removes all segments and begins at `offset`.
    fn restart(&self, appender: &mut Appender, offset: Offset) -> Result<(), LogError> {
        self.group.lower(Offset::ZERO);
        self.owner.lower_checkpoints(&self.partition, Offset::ZERO)?;
        appender.unsynced.clear();
        appender.forget_first_segment()?;
        let removed = self.remove_all();
        let begun = removed.and_then(|()| appender.begin(offset));
        let segment = begun.map_err(|error| self.fail(error))?;
        self.group.lower(Offset::ZERO);
        self.publish_moved(SegmentList::new(vec![segment]), 0, |bounds| bounds.restarted_at(offset));
        self.published.write().epoch = None;
        Ok(())
    }

    /// One after the other, so that not all are open at once; the last stays for readers until
    /// there is a new one.
    fn remove_all(&self) -> Result<(), FileError> {
        loop {
            let segments = self.published.read().segments.clone();
            self.remove_now(segments.first())?;
            if segments.len() == 1 {
                return Ok(());
            }
            let kept = SegmentList::new(segments.iter().skip(1).cloned().collect());
            let (first, size) = (kept.first().base(), self.published.read().active_size);
            self.publish_moved(kept, size, |bounds| bounds.with_start(bounds.start().max(first)));
        }
    }

    fn truncate(&self, appender: &mut Appender, offset: Offset) -> Result<Offset, LogError> {
        let segments = self.published.read().segments.clone();
        let keep = segments.iter().take_while(|s| s.base() < offset).count().max(1);
        let active = Arc::clone(segments.iter().nth(keep - 1).expect("SEG-2: a log has a segment"));
        appender.close_indexes()?;
        let position = active.find(offset)?.map_or(active.size()?, |batch| batch.position);
        let end = active.end_before(position)?;
        let start = self.published.read().bounds.start();
        if end < start {
            // The start lies inside the batch that goes: nothing is left, and no offset is given
            // out twice.
            return self.restart(appender, start).map(|()| start);
        }
        self.group.lower(end);
        self.owner.lower_checkpoints(&self.partition, end)?;
        let kept = SegmentList::new(segments.iter().take(keep).cloned().collect());
        self.publish_moved(kept.clone(), position, |bounds| bounds.with_end(end));
        let cut = self.cut(appender, &active, position, end, segments.iter().skip(keep));
        let cut = cut.and_then(|()| appender.restore_producers(&kept, end));
        cut.map_err(|error| self.fail(error))?;
        let mut published = self.published.write();
        published.epoch = appender.epochs.latest().map(|latest| latest.epoch);
        published.note_unstable(&mut appender.producers);
        Ok(end)
    }

    /// The files: later segments first, from the last, so that a crash on the way leaves no hole.
    fn cut<'a>(
        &self,
        appender: &mut Appender,
        active: &Arc<Segment>,
        position: u64,
        end: Offset,
        later: impl DoubleEndedIterator<Item = &'a Arc<Segment>>,
    ) -> Result<(), FileError> {
        for segment in later.rev() {
            self.remove_now(segment)?;
            appender.snapshots.forget(|offset| offset == segment.base());
        }
        appender.snapshots.truncate(end)?;
        active.truncate_aborted(end)?;
        self.folder.sync()?;
        let interval = appender.config.index_interval_bytes;
        let pace = active.while_cutting(|| active.truncate(position, interval))?;
        appender.reset_to(Arc::clone(active), position, end, pace);
        if appender.epochs.truncate_to(end) {
            appender.write_epochs(&appender.epochs)?;
        }
        Ok(())
    }

    /// Publishes other segments and bounds; readers that fail meanwhile look again.
    pub(crate) fn publish_moved(
        &self,
        segments: SegmentList,
        active_size: u64,
        bounds: impl Fn(Bounds) -> Bounds,
    ) {
        let mut published = self.published.write();
        published.active_size = active_size;
        published.bounds = bounds(published.bounds);
        published.segments = segments;
        published.generation += 1;
    }
}

impl Appender {
    /// Begins a log without records at `offset`.
    fn begin(&mut self, offset: Offset) -> Result<Arc<Segment>, FileError> {
        let interval = self.config.index_interval_bytes;
        let segment = Arc::new(Segment::create(&self.folder, offset, interval)?);
        self.unsynced.clear();
        self.forget_gaps()?;
        self.snapshots.clear()?;
        self.producers = ProducerStates::at(offset);
        self.reset_to(Arc::clone(&segment), 0, offset, IndexPace::new(offset, interval, None));
        self.epochs = klamm_types::EpochHistory::default();
        self.write_epochs(&self.epochs)?;
        Ok(segment)
    }
}

impl Appender {
    /// After a truncation: what the batches that are left say of their producers.
    fn restore_producers(&mut self, segments: &SegmentList, end: Offset) -> Result<(), FileError> {
        if self.producers.is_empty() && self.snapshots.is_empty() {
            self.producers = ProducerStates::at(end);
            return Ok(());
        }
        let segments: Vec<_> = segments.iter().cloned().collect();
        let restored = restore(&mut self.snapshots, &segments, end);
        self.producers = restored.map_err(|e| self.active.failed("read", std::io::Error::other(e)))?;
        Ok(())
    }
}

impl Segment {
    /// Cuts the segment at `position`, where a batch starts, and its indexes with it.
    fn truncate(&self, position: u64, interval: u32) -> Result<IndexPace, FileError> {
        let largest = self.largest_mark(position);
        let largest = largest.map_err(|error| self.failed("index", std::io::Error::other(error)))?;
        let cut = self.with_indexes(|indexes| {
            let offsets = indexes.offsets.partition_point(|e| u64::from(e.position) < position)?;
            indexes.offsets.truncate(offsets)?;
            let last = indexes.offsets.last()?.map_or(0, |e| e.relative_offset);
            let times = indexes.times.partition_point(|e| e.relative_offset <= last && offsets > 0)?;
            indexes.times.truncate(times)
        });
        cut.map_err(|error| self.failed("index", std::io::Error::other(error)))??;
        self.forget_largest_timestamp();
        self.cut_order(position);
        self.set_size(position);
        self.cut_file(position)?;
        let mut pace = IndexPace::new(self.base(), interval, largest.map(|mark| mark.entry));
        self.for_each_behind_the_index(position, |header| pace.pass(header))
            .map_err(|error| self.failed("index", std::io::Error::other(error)))?;
        Ok(pace)
    }

    /// The offset after the last batch before `position`.
    pub(crate) fn end_before(&self, position: u64) -> Result<Offset, ReadError> {
        let mut end = self.base();
        self.for_each_behind_the_index(position, |header| end = header.next_offset())?;
        Ok(end)
    }

    /// Calls `visit` with the batches before `position`, from the last that has an index entry on.
    fn for_each_behind_the_index(
        &self,
        position: u64,
        mut visit: impl FnMut(&BatchHeader),
    ) -> Result<(), ReadError> {
        let last = self.with_indexes(|indexes| {
            let before = indexes.offsets.partition_point(|e| u64::from(e.position) < position)?;
            before.checked_sub(1).map_or(Ok(None), |at| indexes.offsets.get(at))
        })??;
        let from = last.map_or(0, |entry| u64::from(entry.position));
        let mut scan = Scan::new(self.file()?, from, position, Check::Header, WINDOW);
        loop {
            let at = scan.position();
            match scan.next().map_err(|error| self.scan_error(error, at, self.base()))? {
                Some(batch) => visit(&batch.header),
                None => return Ok(()),
            }
        }
    }
}

const WINDOW: usize = 64 * 1024;
