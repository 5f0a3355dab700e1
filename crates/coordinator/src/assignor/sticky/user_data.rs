//! What a sticky member writes beside its subscription: what it was given, and in which generation.
//! The first version lacks the generation; nothing tells the versions apart but what can be read.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::super::TopicPartition;
use crate::Topic;
use crate::known_topics::KnownTopics;

/// What a member says that it has.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct UserData {
    pub(super) partitions: Vec<TopicPartition>,
    pub(super) generation: Option<i32>,
}

impl UserData {
    /// `None` when the bytes are none of a sticky member's. What is behind them is passed over.
    /// What it has is mostly of topics that it wants.
    pub(super) fn decode(bytes: &Bytes, wanted: &[Topic]) -> Option<UserData> {
        let mut known = KnownTopics::new(wanted);
        let mut rest = &bytes[..];
        let topics = count(&mut rest)?;
        let mut partitions = Vec::with_capacity(topics);
        for _ in 0..topics {
            let length = usize::from(rest.try_get_u16().ok()?);
            let name = rest.split_off(..length)?;
            let topic = known.find(std::str::from_utf8(name).ok()?);
            for topic in std::iter::repeat_n(topic, count(&mut rest)?) {
                partitions.push(TopicPartition { topic, partition: rest.try_get_i32().ok()? });
            }
        }
        Some(UserData { partitions, generation: rest.try_get_i32().ok() })
    }

    pub(super) fn encode(owned: &[TopicPartition], generation: i32) -> Bytes {
        let mut owned = owned.to_vec();
        owned.sort_unstable();
        let topics: Vec<_> = owned.chunk_by(|a, b| a.topic == b.topic).collect();
        let mut bytes = BytesMut::new();
        bytes.put_u32(u32::try_from(topics.len()).unwrap_or(0));
        for partitions in topics {
            let name = partitions[0].topic.as_str();
            bytes.put_u16(u16::try_from(name.len()).unwrap_or(0));
            bytes.put_slice(name.as_bytes());
            bytes.put_u32(u32::try_from(partitions.len()).unwrap_or(0));
            partitions.iter().for_each(|own| bytes.put_i32(own.partition));
        }
        bytes.put_i32(generation);
        bytes.freeze()
    }
}

/// A number of things that follow, each of which takes 4 bytes or more.
fn count(rest: &mut &[u8]) -> Option<usize> {
    usize::try_from(rest.try_get_i32().ok()?).ok().filter(|count| count * 4 <= rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kafkas_bytes() {
        let own = [TopicPartition::new("a", 0), TopicPartition::new("a", 2)];
        let bytes = [0, 0, 0, 1, 0, 1, b'a', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 4];
        assert_eq!(&UserData::encode(&own, 4)[..], bytes);
        let read = |bytes: &[u8]| UserData::decode(&Bytes::copy_from_slice(bytes), &[]);
        assert_eq!(read(&bytes), Some(UserData { partitions: own.to_vec(), generation: Some(4) }));
        assert_eq!(read(&bytes[..19]), Some(UserData { partitions: own.to_vec(), generation: None }));
        for wrong in [&bytes[..12], &[0xff; 8], &[0x7f, 0xff, 0xff, 0xff], &[]] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
