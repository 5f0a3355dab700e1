//! The file `partition.metadata` (KIP-516).

use klamm_types::TopicId;

use super::CheckpointError;

/// A partition's `partition.metadata`: which topic of that name it belongs to (KIP-516).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartitionMetadata {
    /// The topic's id.
    pub topic_id: TopicId,
}

impl PartitionMetadata {
    /// Reads the file's text.
    ///
    /// # Errors
    /// [`CheckpointError`] names the line.
    pub fn parse(text: &str) -> Result<PartitionMetadata, CheckpointError> {
        let mut lines = text.lines();
        let (version, id) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
        if version.trim() != "version: 0" {
            return Err(CheckpointError { line: 1, expected: "version: 0", got: version.to_owned() });
        }
        let wrong = || CheckpointError { line: 2, expected: "topic_id: and an id", got: id.to_owned() };
        let topic_id =
            id.strip_prefix("topic_id: ").and_then(|id| id.trim().parse().ok()).ok_or_else(wrong)?;
        Ok(PartitionMetadata { topic_id })
    }

    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("version: 0\ntopic_id: {}", self.topic_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kafka_wrote_reads_back_the_same() {
        let text = "version: 0\ntopic_id: arPZ6WUhQLiuRkMfXfPAlg";
        assert_eq!(PartitionMetadata::parse(text).unwrap().to_text(), text);
        assert!(PartitionMetadata::parse("version: 1\ntopic_id: arPZ6WUhQLiuRkMfXfPAlg").is_err());
        assert!(PartitionMetadata::parse("version: 0\n").is_err());
    }
}
