//! Checkpoint files: a line with the version (0), one with the number of entries, then an entry a line.

use std::collections::BTreeMap;
use std::fmt::Write;

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
    /// Reads the file's text. An empty one, which Kafka leaves where it has created a checkpoint and had nothing to note, has no
    /// entries.
    ///
    /// # Errors
    /// [`CheckpointError`] names the line.
    pub fn parse(text: &str) -> Result<OffsetCheckpoint, CheckpointError> {
        if text.is_empty() {
            return Ok(OffsetCheckpoint::default());
        }
        let offsets = entries(text, "topic, partition and offset", |line| {
            let [topic, partition, offset] = fields(line)?;
            let partition = TopicPartition::new(TopicName::new(topic).ok()?, partition.parse().ok()?)?;
            Some((partition, Offset::new(offset.parse().ok()?)?))
        })?;
        Ok(OffsetCheckpoint { offsets: offsets.into_iter().collect() })
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
        let starts = entries(text, "epoch and start offset", |line| {
            let [epoch, start] = fields(line)?;
            Some((LeaderEpoch::new(epoch.parse().ok()?)?, Offset::new(start.parse().ok()?)?))
        })?;
        let mut history = EpochHistory::default();
        for (epoch, start) in starts {
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

fn text(count: usize, lines: impl Iterator<Item = String>) -> String {
    lines.fold(format!("0\n{count}\n"), |mut text, line| {
        writeln!(text, "{line}").expect("a string takes all text");
        text
    })
}

fn fields<const N: usize>(line: &str) -> Option<[&str; N]> {
    line.split_ascii_whitespace().collect::<Vec<_>>().try_into().ok()
}

fn entries<T>(
    text: &str,
    expected: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, CheckpointError> {
    let mut lines = text.lines().zip(1..);
    let wrong = |line, expected, got: &str| CheckpointError { line, expected, got: got.to_owned() };
    match lines.next() {
        Some((version, _)) if version.trim() == "0" => {}
        other => return Err(wrong(1, "version 0", other.map_or("", |(l, _)| l))),
    }
    let (count, _) = lines.next().unwrap_or(("", 2));
    let count: usize = count.trim().parse().map_err(|_| wrong(2, "the number of entries", count))?;
    let entry = |(line, number)| read(line).ok_or_else(|| wrong(number, expected, line));
    let found =
        lines.filter(|(line, _)| !line.trim().is_empty()).map(entry).collect::<Result<Vec<T>, _>>()?;
    if found.len() == count {
        return Ok(found);
    }
    Err(wrong(2, "the number of lines that follow", &format!("{count}, but {} follow", found.len())))
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
    fn what_is_wrong_is_named_with_its_line() {
        for (text, want) in [
            ("\n", "line 1: expected version 0, got \"\""),
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
