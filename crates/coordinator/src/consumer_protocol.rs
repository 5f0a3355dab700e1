//! What consumers put into a group's opaque bytes: what each wants and has, and what the leader
//! gives it (`ConsumerProtocol`, versions 0 to 3). The bytes begin with their version; those of a
//! later one are read as the latest that is known, and what is behind is passed over.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use klamm_protocol::codec::Reader;
use klamm_protocol::messages::consumer_protocol_assignment::{
    ConsumerProtocolAssignment, TopicPartition as AssignedTopic,
};
use klamm_protocol::messages::consumer_protocol_subscription::{
    ConsumerProtocolSubscription, TopicPartition as OwnedTopic,
};
use klamm_protocol::{DecodeError, EncodeError, Message};
use thiserror::Error;

use crate::assignor::{Subscriber, TopicPartition};
use crate::known_topics::KnownTopics;
use crate::{InstanceId, MemberId, Topic};

/// The version that is written.
const LATEST: i16 = 3;

/// Why bytes are none of a consumer's.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum ConsumerProtocolError {
    /// They have not even a version, or a negative one.
    #[error("the version is {got:?}, expected 0 or more")]
    Version {
        /// The version, if there is one.
        got: Option<i16>,
    },
    /// They are not what their version says.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// What a consumer wants and has.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Subscription {
    /// The topics that it wants.
    pub topics: Vec<Topic>,
    /// Words of its assignor.
    pub user_data: Option<Bytes>,
    /// What it has; from version 1 on.
    pub owned: Vec<TopicPartition>,
    /// The generation in which it was given that; from version 2 on.
    pub generation: Option<i32>,
    /// Where it stands; from version 3 on.
    pub rack: Option<Arc<str>>,
}

impl Subscription {
    /// Reads one.
    ///
    /// # Errors
    /// [`ConsumerProtocolError`].
    pub fn decode(bytes: &Bytes) -> Result<Subscription, ConsumerProtocolError> {
        let read: ConsumerProtocolSubscription = decode(bytes)?;
        let topics: Vec<Topic> = read.topics.iter().map(|topic| Topic::new(topic)).collect();
        let mut known = KnownTopics::new(&topics);
        let owned = read.owned_partitions.iter();
        let owned = owned.flat_map(|topic| named(known.find(&topic.topic), &topic.partitions)).collect();
        Ok(Subscription {
            topics,
            user_data: read.user_data,
            owned,
            generation: Some(read.generation_id).filter(|generation| *generation >= 0),
            rack: read.rack_id.as_deref().map(Arc::from),
        })
    }

    /// Reads the topics alone, which all versions begin with: of some clients the rest lacks what
    /// its version has.
    pub(crate) fn decode_topics(bytes: &Bytes) -> Result<Vec<Topic>, ConsumerProtocolError> {
        let read: ConsumerProtocolSubscription = decode_as(bytes, 0)?;
        Ok(read.topics.iter().map(|topic| Topic::new(topic)).collect())
    }

    /// Writes it in the latest version, topics and partitions in order, as Kafka's consumer does.
    ///
    /// # Errors
    /// [`EncodeError`] when a name is too long.
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let mut topics: Vec<_> = self.topics.iter().map(|topic| topic.as_str().into()).collect();
        topics.sort_unstable();
        let mut owned = self.owned.clone();
        owned.sort_unstable();
        let owned_topic =
            |(topic, partitions): (Topic, Vec<i32>)| OwnedTopic { topic: topic.as_str().into(), partitions };
        encode(&ConsumerProtocolSubscription {
            topics,
            user_data: self.user_data.clone(),
            owned_partitions: by_topic(&owned).into_iter().map(owned_topic).collect(),
            generation_id: self.generation.unwrap_or(-1),
            rack_id: self.rack.as_deref().map(Into::into),
        })
    }

    /// The member as an assignor sees it that goes by this alone;
    /// [`Assignor::subscriber`](crate::assignor::Assignor::subscriber) is each assignor's own way.
    #[must_use]
    pub fn subscriber(self, id: MemberId, instance: Option<InstanceId>) -> Subscriber {
        let Subscription { topics, owned, generation, rack, user_data } = self;
        Subscriber { id, instance, rack, topics, owned, generation, user_data }
    }
}

/// Reads what the leader gives a consumer.
///
/// # Errors
/// [`ConsumerProtocolError`].
pub fn decode_assignment(bytes: &Bytes) -> Result<Vec<TopicPartition>, ConsumerProtocolError> {
    let read: ConsumerProtocolAssignment = decode(bytes)?;
    Ok(read
        .assigned_partitions
        .iter()
        .flat_map(|topic| named(Topic::new(&topic.topic), &topic.partitions))
        .collect())
}

/// Whether an assignor of the user's own has written something beside an assignment.
pub(crate) fn has_user_data(bytes: &Bytes) -> bool {
    let read: Result<ConsumerProtocolAssignment, _> = decode(bytes);
    read.is_ok_and(|read| read.user_data.is_some_and(|words| !words.is_empty()))
}

/// Writes what the leader gives a consumer; topics in the order in which they first come.
///
/// # Errors
/// [`EncodeError`] when a name is too long.
pub fn encode_assignment(partitions: &[TopicPartition]) -> Result<Bytes, EncodeError> {
    let topic =
        |(topic, partitions): (Topic, Vec<i32>)| AssignedTopic { topic: topic.as_str().into(), partitions };
    let assigned_partitions = by_topic(partitions).into_iter().map(topic).collect();
    encode(&ConsumerProtocolAssignment { assigned_partitions, user_data: None })
}

fn decode<M: Message>(bytes: &Bytes) -> Result<M, ConsumerProtocolError> {
    decode_as(bytes, LATEST)
}

/// In the version that the bytes say, but in none later than this.
fn decode_as<M: Message>(bytes: &Bytes, latest: i16) -> Result<M, ConsumerProtocolError> {
    let version = bytes.first_chunk().map(|version| i16::from_be_bytes(*version));
    let Some(known) = version.filter(|version| *version >= 0) else {
        return Err(ConsumerProtocolError::Version { got: version });
    };
    Ok(M::read(&mut Reader::new(bytes.slice(2..)), known.min(latest))?)
}

fn encode<M: Message>(message: &M) -> Result<Bytes, EncodeError> {
    let body = message.encode(LATEST)?;
    let mut bytes = BytesMut::with_capacity(2 + body.len());
    bytes.put_i16(LATEST);
    bytes.put(body);
    Ok(bytes.freeze())
}

fn named(topic: Topic, partitions: &[i32]) -> impl Iterator<Item = TopicPartition> {
    partitions.iter().map(move |partition| TopicPartition { topic: topic.clone(), partition: *partition })
}

fn by_topic(partitions: &[TopicPartition]) -> Vec<(Topic, Vec<i32>)> {
    let mut topics: Vec<(Topic, Vec<i32>)> = Vec::new();
    let mut places: BTreeMap<&Topic, usize> = BTreeMap::new();
    for TopicPartition { topic, partition } in partitions {
        let place = *places.entry(topic).or_insert_with(|| {
            topics.push((topic.clone(), Vec::new()));
            topics.len() - 1
        });
        topics[place].1.push(*partition);
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Bytes {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect::<Vec<_>>().into()
    }

    /// What Kafka 4.3.1's `ConsumerProtocol` writes.
    #[test]
    fn a_subscription_is_kafkas_bytes() {
        let oldest = bytes("0000 00000002 0001 61 0001 62 ffffffff");
        let latest = bytes(
            "0003 00000002 0001 61 0001 62 ffffffff 00000001 0001 61 00000002 00000000 00000002 00000004 0002 7231",
        );
        let want = Subscription {
            topics: vec!["a".into(), "b".into()],
            owned: vec![TopicPartition::new("a", 0), TopicPartition::new("a", 2)],
            generation: Some(4),
            rack: Some("r1".into()),
            user_data: None,
        };
        assert_eq!(Subscription::decode(&latest).unwrap(), want);
        let topics = vec!["b".into(), "a".into()];
        let owned = vec![TopicPartition::new("a", 2), TopicPartition::new("a", 0)];
        assert_eq!(Subscription { topics, owned, ..want.clone() }.encode().unwrap(), latest);
        let topics = want.topics.clone();
        assert_eq!(
            Subscription::decode(&oldest).unwrap(),
            Subscription { topics, ..Subscription::default() }
        );
        // One of a later version has more behind it.
        let mut later = latest.to_vec();
        (later[1], later[0]) = (9, 0);
        later.extend([1, 2, 3]);
        assert_eq!(Subscription::decode(&later.into()).unwrap(), want);
    }

    #[test]
    fn an_assignment_is_kafkas_bytes() {
        let given =
            [("b", 1), ("a", 2), ("b", 0)].map(|(topic, partition)| TopicPartition::new(topic, partition));
        let want =
            bytes("0003 00000002 0001 62 00000002 00000001 00000000 0001 61 00000001 00000002 ffffffff");
        assert_eq!(encode_assignment(&given).unwrap(), want);
        let read = decode_assignment(&want).unwrap();
        assert_eq!(
            read,
            [("b", 1), ("b", 0), ("a", 2)].map(|(topic, partition)| TopicPartition::new(topic, partition))
        );
    }

    #[test]
    fn what_is_none_is_refused() {
        for (hex, want) in [
            ("", "the version is None, expected 0 or more"),
            ("ffff", "the version is Some(-1), expected 0 or more"),
        ] {
            assert_eq!(Subscription::decode(&bytes(hex)).unwrap_err().to_string(), want);
        }
        for hex in
            ["0000", "0000 7fffffff", "0000 00000001 0005 61", "0003 00000001 0001 61 ffffffff 7fffffff"]
        {
            assert!(
                matches!(Subscription::decode(&bytes(hex)), Err(ConsumerProtocolError::Decode(_))),
                "{hex}"
            );
        }
    }
}
