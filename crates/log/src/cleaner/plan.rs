//! What of a log can be cleaned, how dirty it is, and which segments become one: pure choices.

use std::ops::Range;

use klamm_types::{Offset, Timestamp};

use crate::{Bounds, LogConfig};

/// How much of a log lies behind the point up to which it was cleaned last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dirtiness {
    /// Bytes of the segments before [`Dirtiness::first_dirty`].
    pub clean_bytes: u64,
    /// Bytes of the segments behind it that can be cleaned now.
    pub dirty_bytes: u64,
    /// Before it the log has been cleaned.
    pub first_dirty: Offset,
    /// From here on it cannot be cleaned yet: the active segment, what is not committed or not
    /// decided, and what is younger than `min.compaction.lag.ms`.
    pub first_uncleanable: Offset,
    /// Whether the oldest dirty record is older than `max.compaction.lag.ms`.
    pub is_overdue: bool,
}

/// What the choice knows of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Facts {
    pub(super) base: Offset,
    /// Where the next one begins; the log's end for the last.
    pub(super) end: Offset,
    pub(super) bytes: u64,
    /// Bytes of the larger of its indexes.
    pub(super) index_bytes: usize,
    /// The largest time of its records; not asked for where there is no least lag.
    pub(super) newest: Option<Timestamp>,
    /// The time of its first batch; not asked for where there is no greatest lag.
    pub(super) oldest: Option<Timestamp>,
}

impl Dirtiness {
    /// The dirty part of what there is, from 0 to 1; held against `min.cleanable.dirty.ratio`.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn ratio(&self) -> f64 {
        match self.clean_bytes + self.dirty_bytes {
            0 => 0.0,
            all => self.dirty_bytes as f64 / all as f64,
        }
    }

    /// Whether the settings ask for a cleaning.
    #[must_use]
    pub fn is_due(&self, config: &LogConfig) -> bool {
        self.dirty_bytes > 0 && (self.is_overdue || self.ratio() > config.min_cleanable_dirty_ratio)
    }
}

/// `segments` are all of the log, the last of them active. `cleaned` is up to where it was cleaned
/// last, if it ever was.
pub(super) fn plan_cleaning(
    segments: &[Facts],
    bounds: Bounds,
    cleaned: Option<Offset>,
    config: &LogConfig,
    now: Timestamp,
) -> Dirtiness {
    let is_inside = |cleaned: &Offset| *cleaned >= bounds.start() && *cleaned <= bounds.end();
    let first_dirty = cleaned.filter(is_inside).unwrap_or(bounds.start());
    let active = segments.last().map_or(bounds.end(), |active| active.base);
    let sealed = &segments[..segments.len().saturating_sub(1)];
    let dirty = || sealed.iter().filter(|segment| segment.end > first_dirty);
    let is_young =
        |segment: &&Facts| segment.newest.is_some_and(|t| now.since(t) < config.min_compaction_lag);
    let young = dirty().find(is_young).map_or(active, |segment| segment.base);
    let limit = first_dirty.max(bounds.stable().min(active).min(young));
    // Whole segments only: the one in which the limit lies stays as it is.
    let first_uncleanable = sealed.iter().find(|segment| segment.end > limit).map_or(active, |s| s.base);
    let most_lag = |most| dirty().filter_map(|segment| segment.oldest).any(|oldest| now.since(oldest) > most);
    let bytes = |segments: &mut dyn Iterator<Item = &Facts>| segments.map(|segment| segment.bytes).sum();
    Dirtiness {
        clean_bytes: bytes(&mut segments.iter().filter(|segment| segment.base < first_dirty)),
        dirty_bytes: bytes(&mut dirty().filter(|segment| segment.base < first_uncleanable)),
        first_dirty,
        first_uncleanable,
        is_overdue: config.max_compaction_lag.is_some_and(most_lag),
    }
}

/// Which of `segments`, in order, are cleaned into one: as many as fit by bytes, by index and by
/// offsets.
pub(super) fn plan_groups(segments: &[Facts], config: &LogConfig) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let (mut bytes, mut index_bytes) = (0, 0);
    for (at, segment) in segments.iter().enumerate() {
        let fits = groups.last().is_some_and(|group| {
            let span = (segment.end.get() - 1) - segments[group.start].base.get();
            bytes + segment.bytes <= u64::from(config.segment_bytes)
                && index_bytes + segment.index_bytes <= config.segment_index_bytes as usize
                && (segment.bytes == 0 || i32::try_from(span).is_ok())
        });
        match groups.last_mut().filter(|_| fits) {
            Some(group) => group.end = at + 1,
            None => {
                (bytes, index_bytes) = (0, 0);
                groups.push(at..at + 1);
            }
        }
        bytes += segment.bytes;
        index_bytes += segment.index_bytes;
    }
    groups
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Segments that begin where the one before ends: bytes, records, newest time.
    fn segments(list: &[(u64, i64, i64)]) -> Vec<Facts> {
        let mut base = Offset::ZERO;
        let facts = |(bytes, records, time): &(u64, i64, i64)| {
            let end = base.checked_add(*records).unwrap();
            let (newest, oldest) = (Timestamp::from_raw(*time), Timestamp::from_raw(*time));
            let facts = Facts { base, end, bytes: *bytes, index_bytes: 8, newest, oldest };
            base = end;
            facts
        };
        list.iter().map(facts).collect()
    }

    fn at(offset: u32) -> Offset {
        Offset::from(offset)
    }

    #[test]
    fn what_is_dirty_ends_where_something_is_young_open_or_active() {
        let all = segments(&[(100, 10, 1000), (100, 10, 2000), (50, 10, 9000), (70, 10, 9500)]);
        let whole = Bounds::new(at(0), at(40));
        let plain = LogConfig::default();
        let min = |ms| LogConfig { min_compaction_lag: Duration::from_millis(ms), ..LogConfig::default() };
        let max =
            |ms| LogConfig { max_compaction_lag: Some(Duration::from_millis(ms)), ..LogConfig::default() };
        for (name, bounds, cleaned, config, (dirty_from, to, clean, dirty, overdue)) in [
            ("never cleaned", whole, None, plain.clone(), (0, 30, 0, 250, false)),
            ("cleaned in part", whole, Some(at(20)), plain.clone(), (20, 30, 200, 50, false)),
            ("cleaned up to inside a segment", whole, Some(at(15)), plain.clone(), (15, 30, 200, 150, false)),
            ("cleaned whole", whole, Some(at(30)), plain.clone(), (30, 30, 250, 0, false)),
            (
                "a checkpoint before the start",
                Bounds::new(at(20), at(40)),
                Some(at(5)),
                plain.clone(),
                (20, 30, 200, 50, false),
            ),
            ("a checkpoint beyond the end", whole, Some(at(99)), plain.clone(), (0, 30, 0, 250, false)),
            (
                "committed less",
                whole.with_committed(Some(at(20))),
                None,
                plain.clone(),
                (0, 20, 0, 200, false),
            ),
            (
                "committed inside a segment",
                whole.with_committed(Some(at(19))),
                None,
                plain.clone(),
                (0, 10, 0, 100, false),
            ),
            ("young ones wait", whole, None, min(1500), (0, 20, 0, 200, false)),
            ("all are young", whole, None, min(9500), (0, 0, 0, 0, false)),
            ("a young one that is clean", whole, Some(at(30)), min(9500), (30, 30, 250, 0, false)),
            ("overdue", whole, None, max(8500), (0, 30, 0, 250, true)),
            ("not overdue", whole, None, max(9000), (0, 30, 0, 250, false)),
            ("what was overdue is clean", whole, Some(at(10)), max(8500), (10, 30, 100, 150, false)),
        ] {
            let want = Dirtiness {
                clean_bytes: clean,
                dirty_bytes: dirty,
                first_dirty: at(dirty_from),
                first_uncleanable: at(to),
                is_overdue: overdue,
            };
            assert_eq!(
                plan_cleaning(&all, bounds, cleaned, &config, Timestamp::from_millis(10_000)),
                want,
                "{name}"
            );
        }
    }

    #[test]
    fn due_is_what_is_overdue_or_dirty_beyond_the_ratio() {
        let dirt = |clean_bytes, dirty_bytes, is_overdue| Dirtiness {
            clean_bytes,
            dirty_bytes,
            first_dirty: at(0),
            first_uncleanable: at(9),
            is_overdue,
        };
        for (dirt, want) in [
            (dirt(0, 0, false), false),
            (dirt(0, 0, true), false),
            (dirt(0, 1, false), true),
            (dirt(50, 50, false), false),
            (dirt(49, 51, false), true),
            (dirt(99, 1, true), true),
        ] {
            assert_eq!(dirt.is_due(&LogConfig::default()), want, "{dirt:?}");
        }
    }

    #[test]
    #[allow(clippy::single_range_in_vec_init)]
    fn segments_become_one_as_far_as_they_fit() {
        let config = LogConfig { segment_bytes: 1024, segment_index_bytes: 24, ..LogConfig::default() };
        let wide = i64::from(i32::MAX);
        for (name, list, want) in [
            ("none", segments(&[]), vec![]),
            ("all", segments(&[(500, 5, 0), (524, 5, 0)]), vec![0..2]),
            ("by bytes", segments(&[(500, 5, 0), (525, 5, 0), (10, 1, 0)]), vec![0..1, 1..3]),
            ("by index", segments(&[(1, 5, 0), (1, 5, 0), (1, 5, 0), (1, 5, 0)]), vec![0..3, 3..4]),
            ("one that is too large", segments(&[(9000, 5, 0), (1, 5, 0)]), vec![0..1, 1..2]),
            ("by offsets", segments(&[(1, wide, 0), (1, 1, 0), (1, 1, 0)]), vec![0..2, 2..3]),
            ("an empty one always fits", segments(&[(1, wide, 0), (1, 1, 0), (0, 9, 0)]), vec![0..3]),
        ] {
            assert_eq!(plan_groups(&list, &config), want, "{name}");
        }
    }
}
