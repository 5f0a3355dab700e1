use klamm_types::Offset;

pub(crate) const EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";
/// Tells the next opening that a sync has failed: what is in the page cache may be on no disk.
pub(crate) const SYNC_FAILED: &str = "sync-failed";
pub(crate) const PARTITION_METADATA: &str = "partition.metadata";

/// What a file of a segment holds, told by its suffix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FileKind {
    /// `.log`: batches.
    Log,
    /// `.index`: offset to position.
    OffsetIndex,
    /// `.timeindex`: time to offset.
    TimeIndex,
    /// `.txnindex`: aborted transactions.
    TransactionIndex,
    /// `.snapshot`: producer state.
    ProducerSnapshot,
}

/// Name of a file that belongs to a segment: the base offset in 20 digits, the kind, and what is happening to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentFileName {
    /// Offset of the segment's first record.
    pub base: Offset,
    /// What it holds.
    pub kind: FileKind,
    /// `.deleted` (to be removed), `.cleaned` (a cleaning that did not finish), `.swap` (one that did); empty otherwise.
    pub suffix: String,
}

impl FileKind {
    /// All kinds.
    pub const ALL: [FileKind; 5] = [
        FileKind::Log,
        FileKind::OffsetIndex,
        FileKind::TimeIndex,
        FileKind::TransactionIndex,
        FileKind::ProducerSnapshot,
    ];

    /// The suffix of its files.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            FileKind::Log => ".log",
            FileKind::OffsetIndex => ".index",
            FileKind::TimeIndex => ".timeindex",
            FileKind::TransactionIndex => ".txnindex",
            FileKind::ProducerSnapshot => ".snapshot",
        }
    }
}

impl SegmentFileName {
    /// The name of a segment's file that nothing is happening to.
    #[must_use]
    pub fn of(base: Offset, kind: FileKind) -> String {
        format!("{:020}{}", base.get(), kind.suffix())
    }

    /// Reads a file's name; `None` for one that belongs to no segment.
    #[must_use]
    pub fn parse(name: &str) -> Option<SegmentFileName> {
        let (digits, rest) = name.split_at_checked(20)?;
        let base = Offset::new(digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))?)?;
        let (kind, suffix) =
            FileKind::ALL.into_iter().find_map(|kind| Some((kind, rest.strip_prefix(kind.suffix())?)))?;
        let known = matches!(suffix, "" | ".deleted" | ".cleaned" | ".swap");
        known.then(|| SegmentFileName { base, kind, suffix: suffix.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        let name = SegmentFileName::of(Offset::from(368_769), FileKind::TimeIndex);
        assert_eq!(name, "00000000000000368769.timeindex");
        let parsed = SegmentFileName::parse(&name).unwrap();
        assert_eq!(
            (parsed.base.get(), parsed.kind, parsed.suffix.as_str()),
            (368_769, FileKind::TimeIndex, "")
        );
        let swap = SegmentFileName::parse("00000000000000000000.log.swap").unwrap();
        assert_eq!((swap.kind, swap.suffix.as_str()), (FileKind::Log, ".swap"));
        for other in [
            "leader-epoch-checkpoint",
            "0.log",
            "0000000000000000000x.log",
            "00000000000000000000.txt",
            "é",
            "",
        ] {
            assert_eq!(SegmentFileName::parse(other), None, "{other}");
        }
    }
}
