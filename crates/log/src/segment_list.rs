//! The segments of a log, in order.

use std::sync::Arc;

use klamm_types::Offset;

use crate::segment::Segment;

/// A log's segments in order. A reader keeps the list it began with; a roll or a deletion puts a
/// new one in its place.
///
/// Invariant (`SEG-2`): never empty, base offsets rise strictly.
#[derive(Clone, Debug)]
pub(crate) struct SegmentList(Arc<Vec<Arc<Segment>>>);

impl SegmentList {
    pub(crate) fn new(segments: Vec<Arc<Segment>>) -> SegmentList {
        assert!(!segments.is_empty(), "SEG-2: a log has a segment");
        debug_assert!(segments.windows(2).all(|w| w[0].base() < w[1].base()), "SEG-2: {segments:?}");
        SegmentList(Arc::new(segments))
    }

    pub(crate) fn with(&self, segment: Arc<Segment>) -> SegmentList {
        SegmentList::new(self.0.iter().cloned().chain([segment]).collect())
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Segment>> + ExactSizeIterator {
        self.0.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn first(&self) -> &Arc<Segment> {
        &self.0[0]
    }

    pub(crate) fn last(&self) -> &Arc<Segment> {
        &self.0[self.0.len() - 1]
    }

    /// The segments from the one that would hold `offset` on.
    pub(crate) fn from(&self, offset: Offset) -> &[Arc<Segment>] {
        let next = self.0.partition_point(|segment| segment.base() <= offset);
        &self.0[next.saturating_sub(1)..]
    }
}
