//! Partitions of topics.

use std::fmt;
use std::str::FromStr;

use crate::{NameError, TopicName};

/// One partition of a topic; shown as Kafka names its folder, `topic-number`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicPartition {
    topic: TopicName,
    /// Invariant: at most `i32::MAX`, since Kafka's number is signed.
    partition: u32,
}

impl TopicPartition {
    /// Partition number `partition` of `topic`, or `None` for a number beyond `i32::MAX`.
    #[must_use]
    pub fn new(topic: TopicName, partition: u32) -> Option<TopicPartition> {
        i32::try_from(partition).ok().map(|_| TopicPartition { topic, partition })
    }

    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// The partition's number, 0 for the first.
    #[must_use]
    pub fn partition(&self) -> u32 {
        self.partition
    }
}

impl FromStr for TopicPartition {
    type Err = NameError;

    /// Reads `topic-number`; the topic itself may have dashes.
    fn from_str(text: &str) -> Result<TopicPartition, NameError> {
        let broken = || NameError::NotAPartition { got: text.to_owned() };
        let (topic, number) = text.rsplit_once('-').ok_or_else(broken)?;
        let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let number = number.parse().ok().filter(|_| plain).ok_or_else(broken)?;
        TopicPartition::new(TopicName::new(topic)?, number).ok_or_else(broken)
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_name_splits_at_its_last_dash() {
        for (text, want) in [
            ("orders-0", Some(("orders", 0))),
            ("a-b-12", Some(("a-b", 12))),
            ("__consumer_offsets-49", Some(("__consumer_offsets", 49))),
            ("a--1", Some(("a-", 1))),
            ("x-2147483647", Some(("x", 2_147_483_647))),
            ("x-2147483648", None),
            ("orders", None),
            ("orders-", None),
            ("orders-+1", None),
            ("-1", None),
            ("../a-1", None),
            ("a-1.0b8e8f3b7c0a4f0d9b1b6c0e1a2b3c4d-delete", None),
        ] {
            let got = text.parse::<TopicPartition>().ok();
            assert_eq!(got.as_ref().map(|p| (p.topic().as_str(), p.partition())), want, "{text}");
        }
    }
}
