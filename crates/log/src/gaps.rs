//! Which offsets may be missing between two batches.
//!
//! A leader appends batches without a gap. Offsets are missing where compaction has removed
//! batches, and where a follower has copied a compacted log. Anything else is a base offset that is
//! wrong: the CRC of a batch does not cover it.

use klamm_types::Offset;

use crate::folder::Folder;
use crate::format::FOLLOWER_GAPS;
use crate::{FileError, Inconsistency, offset_note};

/// Where gaps between batches are explained.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Gaps {
    /// Whether they are everywhere: the topic is compacted, or nothing is known of the log.
    pub(crate) anywhere: bool,
    /// Before this offset compaction may have left gaps.
    pub(crate) before: Offset,
    /// Base offset of the last segment to which a follower has appended behind a gap.
    pub(crate) followed: Option<Offset>,
}

impl Gaps {
    /// Whether a batch may begin at `base` where `next` is expected, in the segment that begins at
    /// `segment`.
    pub(crate) fn allow(self, segment: Offset, next: Offset, base: Offset) -> bool {
        base == next || (base > next && self.explain(segment, base))
    }

    fn explain(self, segment: Offset, base: Offset) -> bool {
        self.anywhere || base <= self.before || self.followed.is_some_and(|last| segment <= last)
    }
}

/// What a follower has noted of the gaps in its log.
pub(crate) fn followed(folder: &Folder, found: &mut Vec<Inconsistency>) -> Result<Option<Offset>, FileError> {
    offset_note::read(folder, FOLLOWER_GAPS, found, "no gap is taken for a follower's")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_believed_where_something_explains_it() {
        let at = Offset::from;
        let none = Gaps::default();
        for (gaps, segment, next, base, want) in [
            (none, 0, 7, 7, true),
            (none, 0, 7, 8, false),
            (none, 0, 7, 6, false),
            (Gaps { anywhere: true, ..none }, 0, 7, 8, true),
            (Gaps { anywhere: true, ..none }, 0, 7, 6, false),
            (Gaps { before: at(8), ..none }, 0, 7, 8, true),
            (Gaps { before: at(8), ..none }, 0, 7, 9, false),
            (Gaps { followed: Some(at(5)), ..none }, 5, 7, 9, true),
            (Gaps { followed: Some(at(5)), ..none }, 6, 7, 9, false),
        ] {
            assert_eq!(gaps.allow(at(segment), at(next), at(base)), want, "{gaps:?} {next} {base}");
        }
    }
}
