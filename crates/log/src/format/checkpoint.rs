//! Checkpoint files: a line with the version (0), one with the number of entries, then an entry a
//! line.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::str::FromStr;

use klamm_types::{EpochHistory, LeaderEpoch, Offset, TopicName, TopicPartition};
use thiserror::Error;

/// An offset for each partition: `recovery-point-offset-checkpoint` and its like.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OffsetCheckpoint {
    /// The offsets.
    pub offsets: BTreeMap<TopicPartition, Offset>,
}

/// A partition's `leader-epoch-checkpoint`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EpochCheckpoint {
    /// Where each epoch began.
    pub history: EpochHistory,
}

/// A file of a partition that notes one base offset, which Kafka does not have:
/// `follower-gap-checkpoint`, in which a follower notes that the leader's log, and so its own,
/// lacks offsets, and `first-segment-checkpoint.deleted`, which has the first segment's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GapCheckpoint {
    /// Base offset of the last segment in which offsets may be missing; in the other file of the
    /// first segment.
    pub last_segment: Offset,
}

/// A checkpoint is not as Kafka writes it.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("line {line}: expected {expected}, got {got:?}")]
pub struct CheckpointError {
    /// The line, 1 for the first.
    pub line: usize,
    /// What should be there.
    pub expected: &'static str,
    /// What is there.
    pub got: String,
}

impl OffsetCheckpoint {
    /// Reads the file's text. An empty one, which Kafka leaves where it has created a checkpoint
    /// and had nothing to note, has no entries.
    ///
    /// # Errors
    /// [`CheckpointError`] names the line.
    pub fn parse(text: &str) -> Result<OffsetCheckpoint, CheckpointError> {
        let (checkpoint, errors) = OffsetCheckpoint::salvage(text);
        errors.into_iter().next().map_or(Ok(checkpoint), Err)
    }

    /// Reads the lines that are as Kafka writes them, and returns an error for everything else. Of
    /// two lines for one partition the smaller offset counts.
    #[must_use]
    pub fn salvage(text: &str) -> (OffsetCheckpoint, Vec<CheckpointError>) {
        let mut checkpoint = OffsetCheckpoint::default();
        if text.is_empty() {
            return (checkpoint, Vec::new());
        }
        let (entries, mut errors) = entries(text, "topic, partition and offset", |line| {
            let [topic, partition, offset] = fields(line)?;
            let partition = TopicPartition::new(TopicName::new(topic).ok()?, number(partition)?)?;
            Some((partition, Offset::new(number(offset)?)?))
        });
        for (line, (partition, offset)) in entries {
            if let Some(before) = checkpoint.offsets.get_mut(&partition) {
                *before = offset.min(*before);
                errors.push(CheckpointError {
                    line,
                    expected: "one line for each partition",
                    got: partition.to_string(),
                });
            } else {
                checkpoint.offsets.insert(partition, offset);
            }
        }
        (checkpoint, errors)
    }

    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let lines =
            self.offsets.iter().map(|(at, offset)| format!("{} {} {offset}", at.topic(), at.partition()));
        text(self.offsets.len(), lines)
    }
}

impl EpochCheckpoint {
    /// Reads the file's text.
    ///
    /// # Errors
    /// [`CheckpointError`] names the line.
    pub fn parse(text: &str) -> Result<EpochCheckpoint, CheckpointError> {
        let (starts, errors) = entries(text, "epoch and start offset", |line| {
            let [epoch, start] = fields(line)?;
            Some((LeaderEpoch::new(number(epoch)?)?, Offset::new(number(start)?)?))
        });
        if let Some(error) = errors.into_iter().next() {
            return Err(error);
        }
        let mut history = EpochHistory::default();
        for (line, (epoch, start)) in starts {
            let rises = history.latest().is_none_or(|last| last.epoch < epoch && last.start < start);
            if !rises {
                let got = format!("{epoch} {start}");
                return Err(CheckpointError { line, expected: "an epoch and a start that rise", got });
            }
            history.assign(epoch, start);
        }
        Ok(EpochCheckpoint { history })
    }

    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let entries = self.history.entries();
        text(entries.len(), entries.iter().map(|e| format!("{} {}", e.epoch, e.start)))
    }
}

impl GapCheckpoint {
    /// Reads the file's text.
    ///
    /// # Errors
    /// [`CheckpointError`] names the line.
    pub fn parse(text: &str) -> Result<GapCheckpoint, CheckpointError> {
        let (found, errors) = entries(text, "a base offset", |line| Offset::new(number(line)?));
        match (errors.into_iter().next(), &found[..]) {
            (None, [(_, last_segment)]) => Ok(GapCheckpoint { last_segment: *last_segment }),
            (error, _) => Err(error.unwrap_or_else(|| CheckpointError {
                line: 2,
                expected: "one entry",
                got: found.len().to_string(),
            })),
        }
    }

    /// The file's text.
    #[must_use]
    pub fn to_text(self) -> String {
        text(1, [self.last_segment.to_string()].into_iter())
    }
}

fn text(count: usize, lines: impl Iterator<Item = String>) -> String {
    lines.fold(format!("0\n{count}\n"), |mut text, line| {
        writeln!(text, "{line}").expect("a string takes all text");
        text
    })
}

fn fields<const N: usize>(line: &str) -> Option<[&str; N]> {
    line.split(' ').collect::<Vec<_>>().try_into().ok()
}

/// A number in the digits that Kafka writes it in: without a sign or zeros in front.
fn number<T: FromStr + ToString>(text: &str) -> Option<T> {
    text.parse().ok().filter(|number: &T| number.to_string() == text)
}

/// The entries with their lines, and what is not as Kafka writes it.
fn entries<T>(
    text: &str,
    expected: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> (Vec<(usize, T)>, Vec<CheckpointError>) {
    let mut lines = text.lines().zip(1..);
    let wrong = |line, expected, got: &str| CheckpointError { line, expected, got: got.to_owned() };
    let mut next = || lines.next().map_or("", |(line, _)| line);
    let (version, count) = (next(), next());
    let mut errors = Vec::new();
    if version != "0" {
        errors.push(wrong(1, "version 0", version));
    }
    let count = count.parse::<usize>().map_err(|_| errors.push(wrong(2, "the number of entries", count)));
    let mut found = Vec::new();
    let mut lines_that_follow = 0;
    for (line, number) in lines {
        lines_that_follow += 1;
        match read(line) {
            Some(entry) => found.push((number, entry)),
            None => errors.push(wrong(number, expected, line)),
        }
    }
    if let Some(count) = count.ok().filter(|count| *count != lines_that_follow) {
        let got = format!("{count}, but {lines_that_follow} follow");
        errors.push(wrong(2, "the number of lines that follow", &got));
    }
    (found, errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kafka_wrote_reads_back_the_same() {
        let epochs = EpochCheckpoint::parse("0\n2\n0 33\n4 80\n").unwrap();
        assert_eq!(epochs.history.entries().len(), 2);
        assert_eq!(epochs.to_text(), "0\n2\n0 33\n4 80\n");
        let offsets = OffsetCheckpoint::parse("0\n2\na-b 3 7\nx 0 0\n").unwrap();
        assert_eq!(offsets.to_text(), "0\n2\na-b 3 7\nx 0 0\n");
        assert_eq!(OffsetCheckpoint::default().to_text(), "0\n0\n");
        assert_eq!(OffsetCheckpoint::parse("").unwrap(), OffsetCheckpoint::default());
    }

    #[test]
    fn the_lines_that_can_be_read_are_kept() {
        let (checkpoint, errors) = OffsetCheckpoint::salvage("0\n4\na 0 1\nb 0 x\nc 0 3\nc 0 2\n");
        assert_eq!(checkpoint.to_text(), "0\n2\na 0 1\nc 0 2\n");
        assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), [4, 6]);
        assert!(EpochCheckpoint::parse("0\n2\n1 5\n0 9\n").is_err());
        assert!(EpochCheckpoint::parse("0\n2\n1 5\n2 5\n").is_err());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, want) in [
            ("\n", "line 1: expected version 0, got \"\""),
            ("0\n1\na 0 01\n", "line 3: expected topic, partition and offset, got \"a 0 01\""),
            ("0\n1\na 0 1 \n", "line 3: expected topic, partition and offset, got \"a 0 1 \""),
            ("0\n2\na 0 1\na 0 2\n", "line 4: expected one line for each partition, got \"a-0\""),
            ("1\n0\n", "line 1: expected version 0, got \"1\""),
            ("0\n", "line 2: expected the number of entries, got \"\""),
            ("0\nx\n", "line 2: expected the number of entries, got \"x\""),
            ("0\n1\n", "line 2: expected the number of lines that follow, got \"1, but 0 follow\""),
            ("0\n2\na 0 1\n", "line 2: expected the number of lines that follow, got \"2, but 1 follow\""),
            ("0\n1\na 0 -1\n", "line 3: expected topic, partition and offset, got \"a 0 -1\""),
            ("0\n1\n../a 0 1\n", "line 3: expected topic, partition and offset, got \"../a 0 1\""),
            ("0\n1\na 0\n", "line 3: expected topic, partition and offset, got \"a 0\""),
            (
                "0\n99999999999999999999\n",
                "line 2: expected the number of entries, got \"99999999999999999999\"",
            ),
        ] {
            assert_eq!(OffsetCheckpoint::parse(text).unwrap_err().to_string(), want, "{text:?}");
        }
    }
}
