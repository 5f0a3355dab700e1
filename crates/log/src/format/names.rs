//! Names of a log's files and directories.

use klamm_types::{Offset, TopicPartition};

pub(crate) const EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";
/// Tells up to which segment a follower has appended behind gaps.
pub(crate) const FOLLOWER_GAPS: &str = "follower-gap-checkpoint";
/// Tells where the first segment begins. The suffix makes Kafka remove the file when it opens the
/// log.
pub(crate) const FIRST_SEGMENT: &str = "first-segment-checkpoint.deleted";
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

/// Name of a file that belongs to a segment: the base offset in 20 digits, the kind, and what is
/// happening to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SegmentFileName {
    /// Offset of the segment's first record.
    pub base: Offset,
    /// What it holds.
    pub kind: FileKind,
    /// `.deleted` (to be removed), `.cleaned` (a cleaning that did not finish), `.swap` (one that
    /// did); empty otherwise.
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

/// Name of a partition's directory: `topic-0`, or `topic-0.<32 hex digits>-delete` for one that is
/// being removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirectoryName {
    /// The partition. Where a long topic name was shortened to fit into 255 bytes, only the start
    /// of the topic's name.
    pub partition: TopicPartition,
    /// What is happening to the directory.
    pub state: DirectoryState,
}

/// What is happening to a partition's directory, told by its suffix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DirectoryState {
    /// No suffix: the directory holds the partition's log.
    Current,
    /// `-delete`: the partition was removed, and its files are to be deleted.
    Deleted,
    /// `-future`: the partition is being moved to this log directory.
    Future,
    /// `-stray`: the partition was on the disk, but not in the cluster's metadata.
    Stray,
}

impl DirectoryName {
    /// Parses the name of a directory; `None` for one that neither Kafka nor Klamm gives to a
    /// partition.
    #[must_use]
    pub fn parse(name: &str) -> Option<DirectoryName> {
        let suffixes = [
            ("-delete", DirectoryState::Deleted),
            ("-future", DirectoryState::Future),
            ("-stray", DirectoryState::Stray),
        ];
        let (partition, state) = suffixes
            .into_iter()
            .find_map(|(suffix, state)| Some((before_unique_id(name.strip_suffix(suffix)?)?, state)))
            .unwrap_or((name, DirectoryState::Current));
        let parsed: TopicPartition = partition.parse().ok()?;
        // `t-007` is not the directory of `t-7`.
        (parsed.to_string() == partition).then_some(DirectoryName { partition: parsed, state })
    }
}

/// `topic-0` of `topic-0.<32 hex digits>`.
fn before_unique_id(name: &str) -> Option<&str> {
    let (partition, id) = name.rsplit_once('.')?;
    let is_id = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    is_id.then_some(partition)
}

/// Whether a file of this name in a partition's directory is one that Kafka or Klamm writes there.
pub(crate) fn belongs_to_a_log(name: &str) -> bool {
    let own = [EPOCH_CHECKPOINT, FOLLOWER_GAPS, FIRST_SEGMENT, SYNC_FAILED, PARTITION_METADATA];
    let name = name.strip_suffix(".tmp").unwrap_or(name);
    own.contains(&name) || SegmentFileName::parse(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_that_a_broker_gives_to_directories_are_recognized() {
        use DirectoryState::*;
        let id = "0b8e8f3b7c0a4f0d9b1b6c0e1a2b3c4d";
        let long = "x".repeat(255 - 42);
        for (name, want) in [
            ("t-0".to_owned(), Some(("t-0".to_owned(), Current))),
            (format!("a.b-12.{id}-delete"), Some(("a.b-12".into(), Deleted))),
            (format!("t-0.{id}-future"), Some(("t-0".into(), Future))),
            (format!("t-0.{id}-stray"), Some(("t-0".into(), Stray))),
            (format!("{long}-0.{id}-delete"), Some((format!("{long}-0"), Deleted))),
            ("photos-to-delete".into(), None),
            ("t-0-delete".into(), None),
            ("t-007".into(), None),
            (format!("t-00.{id}-delete"), None),
            (format!("t.{id}-delete"), None),
            (format!("t-0.{}-delete", &id[1..]), None),
            (format!("t-0.{}g-delete", &id[1..]), None),
            (format!("t-0.{id}-removed"), None),
        ] {
            let got = DirectoryName::parse(&name).map(|found| (found.partition.to_string(), found.state));
            assert_eq!(got, want, "{name}");
        }
    }

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
