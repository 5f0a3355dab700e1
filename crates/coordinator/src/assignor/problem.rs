//! The input in numbers: members and topics have indexes, and all partitions one row of numbers, by topic and partition.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use klamm_protocol::Uuid;

use super::{Assignment, Subscriber, TopicPartition, Topics};
use crate::Topic;

#[derive(Debug)]
pub(super) struct Problem<'a> {
    pub(super) members: Vec<&'a Subscriber>,
    /// Those that somebody wants and that are there, by name.
    pub(super) topics: Vec<&'a Topic>,
    /// For each topic, its id, in the order in which Kafka compares ids.
    ids: Vec<(i64, i64)>,
    index: HashMap<&'a Topic, usize>,
    /// For each topic, the number of its first partition; at the end, that of all partitions.
    first: Vec<usize>,
    /// For each partition, the racks of its replicas.
    racks: Vec<&'a [Arc<str>]>,
    /// For each member, the topics that it wants, in order.
    pub(super) wants: Vec<Vec<usize>>,
    /// For each topic, who wants it, in order.
    pub(super) subscribers: Vec<Vec<usize>>,
}

impl<'a> Problem<'a> {
    /// With members in the order that `key` gives.
    pub(super) fn new<K: Ord>(
        topics: &'a Topics,
        members: &'a [Subscriber],
        key: impl Fn(&&'a Subscriber) -> K,
    ) -> Problem<'a> {
        let mut members: Vec<&Subscriber> = members.iter().collect();
        members.sort_by_key(key);
        let wanted: BTreeSet<&Topic> = members.iter().flat_map(|member| &member.topics).collect();
        let known = wanted.into_iter().filter_map(|topic| Some((topic, topics.racks(topic)?)));
        let (mut names, mut first, mut racks) = (Vec::new(), vec![0], Vec::new());
        for (topic, partitions) in known {
            names.push(topic);
            racks.extend(partitions.iter().map(Vec::as_slice));
            first.push(racks.len());
        }
        let ids = names.iter().map(|topic| signed(topics.id(topic))).collect();
        let index: HashMap<&Topic, usize> =
            names.iter().enumerate().map(|(at, topic)| (*topic, at)).collect();
        let of = |member: &&Subscriber| {
            let wanted: BTreeSet<usize> =
                member.topics.iter().filter_map(|topic| index.get(topic).copied()).collect();
            wanted.into_iter().collect::<Vec<_>>()
        };
        let wants: Vec<Vec<usize>> = members.iter().map(of).collect();
        let mut subscribers = vec![Vec::new(); names.len()];
        for (member, topics) in wants.iter().enumerate() {
            topics.iter().for_each(|topic: &usize| subscribers[*topic].push(member));
        }
        Problem { members, topics: names, ids, index, first, racks, wants, subscribers }
    }

    /// Whether all members name the same topics, those that are not there included.
    pub(super) fn is_same_for_all(&self) -> bool {
        let Some((first, others)) = self.members.split_first() else { return true };
        let sorted = |member: &'a Subscriber| {
            let mut topics: Vec<&Topic> = member.topics.iter().collect();
            topics.sort_unstable();
            topics
        };
        let wanted = sorted(first);
        others.iter().all(|member| member.topics == first.topics || sorted(member) == wanted)
    }

    /// Which of two topics has more partitions for each member that wants it; of equals, which is wanted by fewer, or has the lesser id.
    pub(super) fn scarcity(&self, one: usize, other: usize) -> Ordering {
        let (counts, wanted) = (
            [one, other].map(|topic| self.partitions(topic).len()),
            [one, other].map(|topic| self.subscribers[topic].len()),
        );
        let each = (counts[0] * wanted[1]).cmp(&(counts[1] * wanted[0]));
        let by_id = || (self.ids[other], other).cmp(&(self.ids[one], one));
        each.then_with(|| wanted[1].cmp(&wanted[0])).then_with(by_id)
    }

    /// How many partitions there are.
    pub(super) fn count(&self) -> usize {
        self.racks.len()
    }

    /// The partitions of a topic.
    pub(super) fn partitions(&self, topic: usize) -> std::ops::Range<usize> {
        self.first[topic]..self.first[topic + 1]
    }

    /// The topic of a partition.
    pub(super) fn topic(&self, partition: usize) -> usize {
        self.first.partition_point(|first| *first <= partition) - 1
    }

    /// The number of a partition in its topic.
    pub(super) fn number(&self, partition: usize) -> usize {
        partition - self.first[self.topic(partition)]
    }

    /// A partition by its name; `None` when it is not there, or nobody wants it.
    pub(super) fn find(&self, named: &TopicPartition) -> Option<usize> {
        let topic = *self.index.get(&named.topic)?;
        let partition = self.first[topic] + usize::try_from(named.partition).ok()?;
        self.partitions(topic).contains(&partition).then_some(partition)
    }

    pub(super) fn wants(&self, member: usize, topic: usize) -> bool {
        self.wants[member].binary_search(&topic).is_ok()
    }

    pub(super) fn racks(&self, partition: usize) -> &'a [Arc<str>] {
        self.racks[partition]
    }

    /// The rack of a member; an empty one is none.
    pub(super) fn rack(&self, member: usize) -> Option<&'a Arc<str>> {
        self.members[member].rack.as_ref().filter(|rack| !rack.is_empty())
    }

    /// Whether racks make a difference to who should read these partitions: members and replicas have some in common, and not every
    /// partition has a replica in all of them.
    pub(super) fn do_racks_matter(
        &self,
        members: &[usize],
        partitions: impl Iterator<Item = usize> + Clone,
    ) -> bool {
        let own: BTreeSet<_> = members.iter().filter_map(|member| self.rack(*member)).collect();
        let all: BTreeSet<_> = partitions.clone().flat_map(|partition| self.racks(partition)).collect();
        let lacks_one = |partition: usize| self.racks(partition).iter().collect::<BTreeSet<_>>() != all;
        !own.is_disjoint(&all) && partitions.into_iter().any(lacks_one)
    }

    /// The answer, from the partitions of each member.
    pub(super) fn assignment(&self, given: &[Vec<usize>]) -> Assignment {
        let name = |partition: &usize| TopicPartition {
            topic: self.topics[self.topic(*partition)].clone(),
            partition: i32::try_from(self.number(*partition)).unwrap_or(i32::MAX),
        };
        let of =
            |(member, own): (&&Subscriber, &Vec<usize>)| (member.id.clone(), own.iter().map(name).collect());
        self.members.iter().zip(given).map(of).collect()
    }
}

/// An id as two numbers with signs, as Kafka compares it.
fn signed(id: Uuid) -> (i64, i64) {
    let half = |bytes: &[u8]| bytes.try_into().map_or(0, i64::from_be_bytes);
    (half(&id.0[..8]), half(&id.0[8..]))
}
