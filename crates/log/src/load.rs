//! Opens a partition's folder: tidies what a crash left behind, finds the segments and the end of
//! the log.

use std::sync::Arc;

use klamm_record::BatchError;
use klamm_types::{EpochHistory, LeaderEpoch, Offset};

use crate::folder::Folder;
use crate::format::{CheckpointError, EPOCH_CHECKPOINT, EpochCheckpoint, SYNC_FAILED};
use crate::gaps::Gaps;
use crate::kept::Kept;
use crate::leftovers::tidy;
use crate::producer::{ProducerStates, Snapshots, restore};
use crate::recovery::{self, Recovered, Tail};
use crate::segment::Segment;
use crate::segment_list::SegmentList;
use crate::{Cut, Inconsistency, LogConfig, OpenError, ReadError, epochs, first_segment, gaps, holes};

/// Segments, the end of the last, and the producers there.
type Found = (Vec<Arc<Segment>>, Tail, ProducerStates);

/// How much of a folder can be believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trust {
    /// It was closed cleanly.
    Clean {
        /// Where its recovery point says that it ends.
        end: Option<Offset>,
    },
    /// Nothing is believed, and what is damaged is cut off.
    Repair {
        /// Before this offset compaction may have left gaps.
        gaps_before: Offset,
    },
    /// It was not.
    From {
        /// What lies behind this offset has to be checked.
        synced: Offset,
        /// Before this one compaction may have left gaps.
        cleaned: Offset,
    },
}

/// What the batches have to agree with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Expected {
    /// The log start offset that a checkpoint knows.
    pub(crate) start: Option<Offset>,
    /// The highest leader epoch that a batch can have.
    pub(crate) latest_epoch: Option<LeaderEpoch>,
    pub(crate) gaps: Gaps,
}

/// A partition's folder, opened.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) segments: SegmentList,
    pub(crate) tail: Tail,
    pub(crate) epochs: EpochHistory,
    pub(crate) producers: ProducerStates,
    pub(crate) snapshots: Snapshots,
    /// The last segment to which a follower has appended behind a gap.
    pub(crate) followed: Option<Offset>,
    /// The base offset of the first segment that is noted in the directory.
    pub(crate) first_segment: Option<Offset>,
    /// What was cut off, if anything.
    pub(crate) cut: Option<Cut>,
    /// Small files that could not be believed.
    pub(crate) inconsistencies: Vec<Inconsistency>,
    pub(crate) start: Offset,
    /// Before it all is known to be durable.
    pub(crate) synced: Offset,
}

impl Loaded {
    /// The segments before the active one that may not be durable.
    pub(crate) fn unsynced(&self) -> Vec<Arc<Segment>> {
        let sealed = self.segments.len() - 1;
        let behind = self.segments.iter().take(sealed).zip(self.segments.iter().skip(1));
        behind.filter(|(_, next)| next.base() > self.synced).map(|(segment, _)| Arc::clone(segment)).collect()
    }
}

/// Opens `folder`, which may be empty.
pub(crate) fn load(
    folder: &Folder,
    config: &LogConfig,
    trust: Trust,
    expected: Expected,
) -> Result<Loaded, OpenError> {
    let (bases, snapshots) = tidy(folder, config.cleanup_policy.compacts())?;
    let mut snapshots = Snapshots::new(folder, snapshots);
    let interval = config.index_interval_bytes;
    let segments: Vec<_> =
        bases.iter().map(|base| Arc::new(Segment::existing(folder, *base, interval))).collect();
    let mut inconsistencies = Vec::new();
    let followed = gaps::followed(folder, &mut inconsistencies)?;
    let first_segment = note_of_first_segment(folder, trust, bases.first().copied(), &mut inconsistencies)?;
    let expected = Expected { gaps: Gaps { followed, ..expected.gaps }, ..expected };
    let start = expected.start;
    let stored = epochs::stored(folder, &mut inconsistencies)?;
    let mut epochs = stored.clone().map_or_else(|| epochs::of_batches(&segments), Ok)?;
    let found = match trust {
        // One that ends elsewhere is looked at more closely.
        Trust::Clean { end } => {
            clean(&segments, config, expected)?.filter(|tail| end.is_none_or(|end| end == tail.next))
        }
        Trust::From { .. } | Trust::Repair { .. } => None,
    };
    let is_clean = matches!(trust, Trust::Clean { .. });
    let found_clean = found.is_some();
    let mut cut = None;
    let (segments, tail, producers) = match (found, segments.is_empty()) {
        (_, true) => begin(folder, config, start.unwrap_or_default(), &mut snapshots)?,
        (Some(tail), _) => {
            // A clean stop leaves a snapshot, unless there are no producers.
            let producers = match snapshots.is_empty() {
                true => ProducerStates::at(tail.next),
                false => restore(&mut snapshots, &segments, tail.next)?,
            };
            (segments, tail, producers)
        }
        (None, _) => {
            let recovered = recover(folder, segments, config, trust, expected, &mut epochs, &mut snapshots)?;
            cut = recovered.1;
            recovered.0
        }
    };
    // A start beyond the end cannot be right.
    let start = start.filter(|start| *start <= tail.next).unwrap_or_default().max(segments[0].base());
    epochs.truncate_to(tail.next.checked_next().unwrap_or(Offset::MAX));
    epochs.advance_start(start);
    let mut is_stale = !is_clean || stored.is_none();
    let batches = epochs::Batches { segments: &segments, start, end: tail.next };
    if let Some(found) = batches.contradict(folder, stored.as_ref(), &epochs)? {
        epochs = epochs::of_batches(&segments)?;
        epochs.advance_start(start);
        inconsistencies.push(found);
        is_stale = true;
    }
    if is_stale && epochs != stored.unwrap_or_default() {
        // On a full disk the next opening reads the epochs from the batches again.
        let text = EpochCheckpoint { history: epochs.clone() }.to_text();
        let _written_later = folder.replace(EPOCH_CHECKPOINT, text.as_bytes());
    }
    inconsistencies.append(&mut holes::find(&segments, expected.gaps)?);
    write_again(folder, &segments, trust)?;
    let synced = match trust {
        Trust::From { synced, .. } => synced.min(tail.next),
        Trust::Repair { .. } => start,
        Trust::Clean { .. } if found_clean => tail.next,
        Trust::Clean { .. } => start,
    };
    let segments = SegmentList::new(segments);
    Ok(Loaded {
        segments,
        tail,
        epochs,
        producers,
        snapshots,
        followed,
        first_segment,
        cut,
        inconsistencies,
        start,
        synced,
    })
}

/// The noted base offset of the first segment. When the first segment lies behind it, that is told;
/// a repair accepts the loss.
fn note_of_first_segment(
    folder: &Folder,
    trust: Trust,
    first: Option<Offset>,
    found: &mut Vec<Inconsistency>,
) -> Result<Option<Offset>, OpenError> {
    let noted = first_segment::noted(folder, found)?;
    let Some(missing) = noted.and_then(|noted| first_segment::missing(folder, noted, first)) else {
        return Ok(noted);
    };
    found.push(missing);
    match (trust, first) {
        (Trust::Repair { .. }, Some(first)) => {
            first_segment::note(folder, first)?;
            Ok(Some(first))
        }
        _ => Ok(noted),
    }
}

fn clean(
    segments: &[Arc<Segment>],
    config: &LogConfig,
    expected: Expected,
) -> Result<Option<Tail>, OpenError> {
    let tail = |active: &Arc<Segment>| recovery::clean_tail(active, config.index_interval_bytes, expected);
    segments.last().map_or(Ok(None), tail)
}

fn begin(
    folder: &Folder,
    config: &LogConfig,
    base: Offset,
    snapshots: &mut Snapshots,
) -> Result<Found, OpenError> {
    snapshots.clear()?;
    Ok(empty(Segment::create(folder, base, config.index_interval_bytes)?, config))
}

fn empty(segment: Segment, config: &LogConfig) -> Found {
    let base = segment.base();
    let pace = crate::index::IndexPace::new(base, config.index_interval_bytes, None);
    (vec![Arc::new(segment)], Tail { position: 0, next: base, pace }, ProducerStates::at(base))
}

/// Begins a log in a directory that was just created.
pub(crate) fn create(folder: &Folder, config: &LogConfig) -> Result<Loaded, OpenError> {
    let segment = Segment::create_bare(folder, Offset::ZERO, config.index_interval_bytes)?;
    let (segments, tail, producers) = empty(segment, config);
    Ok(Loaded {
        segments: SegmentList::new(segments),
        tail,
        epochs: EpochHistory::default(),
        producers,
        snapshots: Snapshots::new(folder, Vec::new()),
        followed: None,
        first_segment: None,
        cut: None,
        inconsistencies: Vec::new(),
        start: Offset::ZERO,
        synced: Offset::ZERO,
    })
}

fn recover(
    folder: &Folder,
    mut segments: Vec<Arc<Segment>>,
    config: &LogConfig,
    trust: Trust,
    expected: Expected,
    epochs: &mut EpochHistory,
    snapshots: &mut Snapshots,
) -> Result<(Found, Option<Cut>), OpenError> {
    // After a clean stop all is durable, so that any cut would be damage.
    let (point, gaps_before) = match trust {
        Trust::From { synced, cleaned } => (synced, synced.max(cleaned)),
        Trust::Clean { .. } => (Offset::MAX, Offset::MAX),
        Trust::Repair { gaps_before } => (Offset::ZERO, gaps_before),
    };
    // A repair cuts no log for a gap that the checkpoints may explain.
    let gaps = match trust {
        Trust::Repair { gaps_before } => Gaps { before: gaps_before, ..expected.gaps },
        _ => expected.gaps,
    };
    let expected = Expected { gaps, ..expected };
    let first = segments.partition_point(|s| s.base() <= point).saturating_sub(1);
    let (mut at, interval) = (first, config.index_interval_bytes);
    let mut replay =
        recovery::Replay::new(epochs, restore(snapshots, &segments, segments[first].base())?, expected);
    let mut kept = Kept::new(folder, config.max_cut_bytes);
    let is_unknown = gaps_before == Offset::ZERO;
    loop {
        let recovered = recovery::recover(&segments[at], point, interval, &mut replay, &mut kept)?;
        let end = recovered.tail.next;
        // Behind what was synced a gap is where a segment has lost its end.
        let follows = |next: Offset| next == end || (next > end && next <= gaps_before);
        let mut follows = segments.get(at + 1).is_some_and(|next| follows(next.base()));
        if !follows && is_unknown && recovered.fault.is_none() && at + 1 < segments.len() {
            // No checkpoint says up to where the log was compacted, but the batches do.
            follows = config.cleanup_policy.compacts() || any_is_compacted(&segments)?;
        }
        if follows && recovered.fault.is_none() {
            segments[at].forget_indexes();
            at += 1;
            continue;
        }
        let mut cut = what_is_cut(&segments[at..], &recovered)?;
        // The last first: after a crash on the way the rest is as it was.
        segments.drain(at + 1..).rev().try_for_each(|lost| kept.take(&lost))?;
        if let Some(cut) = &mut cut {
            cut.kept = kept.names.iter().map(|name| folder.path_of(name)).collect();
        }
        snapshots.truncate(recovered.tail.next)?;
        folder.sync()?;
        return Ok(((segments, recovered.tail, replay.into_producers()), cut));
    }
}

/// After a failed sync the system takes its pages for clean: what they hold is written again, so
/// that a sync means something.
fn write_again(folder: &Folder, segments: &[Arc<Segment>], trust: Trust) -> Result<(), OpenError> {
    if folder.stat(SYNC_FAILED)?.is_none() {
        return Ok(());
    }
    let point = if let Trust::From { synced, .. } = trust { synced } else { Offset::ZERO };
    let first = segments.partition_point(|segment| segment.base() <= point).saturating_sub(1);
    segments[first..].iter().try_for_each(|segment| segment.write_again())?;
    folder.remove(SYNC_FAILED)?;
    Ok(folder.sync()?)
}

/// Whether the batches show that compaction has been at work, after which a gap between segments
/// need not be a lost end.
pub(crate) fn any_is_compacted(segments: &[Arc<Segment>]) -> Result<bool, ReadError> {
    for segment in segments {
        if segment.is_compacted()? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `segments` begins with the one that is cut; those behind it go.
fn what_is_cut(segments: &[Arc<Segment>], recovered: &Recovered) -> Result<Option<Cut>, OpenError> {
    let gap = segments.get(1).map(|next| BatchError::Field {
        field: "base offset",
        got: next.base().get(),
        expected: "the end of the segment before",
    });
    let Some(fault) = recovered.fault.clone().or(gap) else { return Ok(None) };
    let behind = segments[1..].iter().map(|segment| segment.size()).sum::<Result<u64, _>>()?;
    let Tail { position, next: offset, .. } = recovered.tail;
    Ok(Some(Cut {
        path: segments[0].path(),
        position,
        offset,
        bytes: recovered.cut + behind,
        fault,
        kept: Vec::new(),
    }))
}

pub(crate) fn format_error(folder: &Folder, name: &str, error: CheckpointError) -> OpenError {
    let CheckpointError { line, expected, got } = error;
    OpenError::Format { path: folder.path_of(name), line, expected, got }
}

/// Checkpoints are small; anything larger is not one.
pub(crate) const CHECKPOINT_LIMIT: u64 = 64 << 20;
