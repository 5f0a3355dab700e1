//! The second phase: segments are written anew without what gave way, some at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use super::output::Output;
use super::plan::plan_groups;
use super::rewrite::Filter;
use super::source::Source;
use super::transactions::Transactions;
use super::{Work, facts};
use crate::LogError;
use crate::producer::marker;
use crate::segment::Segment;

/// Writes segments anew.
#[derive(Debug)]
pub(super) struct Copying {
    /// Which become one, those that have not been begun.
    groups: VecDeque<Vec<Arc<Segment>>>,
    group: Option<Group>,
    transactions: Transactions,
}

/// Segments that become one.
#[derive(Debug)]
struct Group {
    segments: Vec<Arc<Segment>>,
    /// Those of them that have not been begun.
    next: usize,
    source: Option<Source>,
    output: Output,
}

impl Copying {
    pub(super) fn new(work: &mut Work) -> Result<Copying, LogError> {
        // What is clean may reach into a segment that cannot be cleaned now.
        let end = work.end_of_map().min(work.dirt.first_uncleanable);
        let mut facts = facts(&work.segments, work.dirt.first_uncleanable, &work.config)?;
        facts.retain(|segment| segment.base < end);
        let segments: Vec<_> = work.segments.iter().take(facts.len()).cloned().collect();
        let groups = plan_groups(&facts, &work.config).into_iter().map(|group| segments[group].to_vec());
        let (groups, transactions) = (groups.collect(), Transactions::default());
        Ok(Copying { groups, group: None, transactions })
    }

    /// Does some and says how many bytes were read and written; `None` when all is done.
    pub(super) fn step(&mut self, work: &mut Work) -> Result<Option<u64>, LogError> {
        if self.group.is_none() {
            let Some(segments) = self.groups.pop_front().filter(|_| !work.is_refused) else {
                return Ok(None);
            };
            let output = work.log.inner.begin_output(&segments, work.config.index_interval_bytes)?;
            self.group = Some(Group { segments, next: 0, source: None, output });
        }
        let Some(group) = &mut self.group else { return Ok(None) };
        if group.source.as_ref().is_none_or(Source::is_done) {
            match group.segments.get(group.next) {
                Some(segment) => group.source = Some(begin(segment, &mut self.transactions, work)?),
                None => return self.finish(work).map(Some),
            }
            group.next += 1;
        }
        copy(group, &mut self.transactions, work).map(Some)
    }

    /// Puts the group's segment in the place of the others.
    fn finish(&mut self, work: &mut Work) -> Result<u64, LogError> {
        let Some(Group { segments, output, .. }) = self.group.take() else { return Ok(0) };
        let inner = &work.log.inner;
        let size = output.size();
        let bytes = segments.iter().map(|segment| segment.size()).sum::<Result<u64, _>>()?;
        let swapped = output
            .finish(self.transactions.take_kept())
            .map_err(LogError::from)
            .and_then(|new| inner.swap(&segments, new, work.truncations));
        if !matches!(swapped, Ok(true)) {
            inner.discard(&segments[0]);
        }
        if swapped? {
            work.segments = work.segments.behind(&segments);
            let report = &mut work.report;
            report.bytes = (report.bytes.0 + bytes, report.bytes.1 + size);
            report.segments = (report.segments.0 + segments.len(), report.segments.1 + 1);
        } else {
            // What was not cleaned must not be taken for clean.
            work.is_refused = true;
        }
        Ok(0)
    }

    /// Removes what has been written of a group that will not be finished.
    pub(super) fn give_up(&mut self, work: &Work) {
        if let Some(group) = self.group.take() {
            work.log.inner.discard(&group.segments[0]);
        }
    }
}

fn begin(segment: &Arc<Segment>, transactions: &mut Transactions, work: &Work) -> Result<Source, LogError> {
    let next = work.segments.iter().find(|next| next.base() > segment.base());
    let end = next.map_or(work.dirt.first_uncleanable, |next| next.base());
    transactions.expect(work.log.aborted_entries(&work.segments, segment.base(), end)?);
    Ok(Source::new(segment, 0)?)
}

/// Copies what stays of the next stretch.
fn copy(group: &mut Group, transactions: &mut Transactions, work: &mut Work) -> Result<u64, LogError> {
    let Group { source: Some(source), output, .. } = group else { return Ok(0) };
    if source.is_done() {
        return Ok(0);
    }
    let Work { rules, map, buffer, report, scratch, .. } = work;
    let mut filter = Filter { rules, map, limit: work.config.max_decompressed_bytes, scratch };
    let mut failed = Ok(());
    let read = source.read(buffer, |header, batch| {
        let is_done = match header.is_control() {
            true => transactions.on_control(header, marker(header, batch)),
            false => transactions.on_batch(header),
        };
        let written = filter.write(header, batch, rules.fate(header, is_done), &mut output.buffer)?;
        report.records.0 += u64::from(header.record_count());
        report.records.1 += u64::from(written.records);
        failed = written.header.map_or(Ok(()), |header| output.note(&header));
        Ok(failed.is_ok())
    })?;
    failed?;
    work.note_read(read);
    let written = if output.buffer.len() >= work.io_bytes { output.flush()? } else { 0 };
    Ok(read + written)
}
