//! The input in numbers: members and topics have indexes, and all partitions one row of numbers, by topic and partition. Members that want the
//! same topics are looked at once: most groups have few kinds of them.

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
    /// For each partition, its topic.
    topic_of: Vec<u32>,
    /// For each partition, the racks of its replicas.
    racks: Vec<&'a [Arc<str>]>,
    /// The kinds of members: the topics that one wants, in order.
    kinds: Vec<Vec<usize>>,
    /// For each member, its kind.
    kind_of: Vec<usize>,
    /// For each topic, who wants it, in order.
    pub(super) subscribers: Vec<Vec<usize>>,
}

/// Which of two members is first.
pub(super) type Order = fn(&Subscriber, &Subscriber) -> Ordering;

/// By what they are called.
pub(super) fn by_id(one: &Subscriber, other: &Subscriber) -> Ordering {
    one.id.cmp(&other.id)
}

/// Static members first.
pub(super) fn static_first(one: &Subscriber, other: &Subscriber) -> Ordering {
    one.static_first().cmp(&other.static_first())
}

impl<'a> Problem<'a> {
    pub(super) fn new(topics: &'a Topics, members: &'a [Subscriber], order: Order) -> Problem<'a> {
        let mut members: Vec<&Subscriber> = members.iter().collect();
        members.sort_by(|one, other| order(one, other));
        let (lists, kind_of) = kinds(&members);
        let wanted: BTreeSet<&Topic> = lists.iter().copied().flatten().collect();
        let mut problem = Problem {
            members,
            topics: Vec::new(),
            ids: Vec::new(),
            index: HashMap::new(),
            first: vec![0],
            topic_of: Vec::new(),
            racks: Vec::new(),
            kinds: Vec::new(),
            kind_of,
            subscribers: Vec::new(),
        };
        for topic in wanted {
            if let Some(partitions) = topics.racks(topic) {
                problem.add(topic, signed(topics.id(topic)), partitions);
            }
        }
        problem.note_wants(&lists);
        problem
    }

    fn add(&mut self, topic: &'a Topic, id: (i64, i64), partitions: &'a [super::input::Racks]) {
        let number = self.topics.len();
        self.topics.push(topic);
        self.ids.push(id);
        self.index.insert(topic, number);
        self.racks.extend(partitions.iter().map(Vec::as_slice));
        self.first.push(self.racks.len());
        self.topic_of.resize(self.racks.len(), u32::try_from(number).unwrap_or(u32::MAX));
    }

    fn note_wants(&mut self, lists: &[&'a [Topic]]) {
        let of = |list: &&[Topic]| {
            let wanted: BTreeSet<usize> = list.iter().filter_map(|topic| self.topic_index(topic)).collect();
            wanted.into_iter().collect::<Vec<_>>()
        };
        self.kinds = lists.iter().map(of).collect();
        let mut subscribers = vec![Vec::new(); self.topics.len()];
        for (member, kind) in self.kind_of.iter().enumerate() {
            self.kinds[*kind].iter().for_each(|topic| subscribers[*topic].push(member));
        }
        self.subscribers = subscribers;
    }

    /// Few topics are found faster by halves than by hashing.
    fn topic_index(&self, topic: &Topic) -> Option<usize> {
        match self.topics.len() {
            0..=FEW => self.topics.binary_search(&topic).ok(),
            _ => self.index.get(topic).copied(),
        }
    }

    /// Whether all members name the same topics, those that are not there included.
    pub(super) fn is_same_for_all(&self) -> bool {
        let Some((first, others)) = self.members.split_first() else { return true };
        if self.kinds.len() == 1 {
            return true;
        }
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
        let counts = [one, other].map(|topic| self.partitions(topic).len());
        let wanted = [one, other].map(|topic| self.subscribers[topic].len());
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
        self.topic_of[partition] as usize
    }

    /// The number of a partition in its topic.
    pub(super) fn number(&self, partition: usize) -> usize {
        partition - self.first[self.topic(partition)]
    }

    /// What a member says that it has, as far as that is there and somebody wants it. Partitions of a topic mostly come together: it is looked
    /// up once.
    pub(super) fn claims(&self, member: usize) -> impl Iterator<Item = usize> {
        let mut latest: Option<(&Topic, Option<usize>)> = None;
        self.members[member].owned.iter().filter_map(move |named| {
            let topic = match latest {
                Some((topic, index)) if topic.is_the_same(&named.topic) => index,
                _ => self.topic_index(&named.topic),
            };
            latest = Some((&named.topic, topic));
            let range = self.partitions(topic?);
            let partition = range.start + usize::try_from(named.partition).ok()?;
            range.contains(&partition).then_some(partition)
        })
    }

    pub(super) fn wants(&self, member: usize, topic: usize) -> bool {
        self.wanted(member).binary_search(&topic).is_ok()
    }

    /// The topics that a member wants, in order.
    pub(super) fn wanted(&self, member: usize) -> &[usize] {
        &self.kinds[self.kind_of[member]]
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
        if own.is_empty() {
            return false;
        }
        let all: BTreeSet<_> = partitions.clone().flat_map(|partition| self.racks(partition)).collect();
        let lacks_one = |partition: usize| self.racks(partition).iter().collect::<BTreeSet<_>>() != all;
        !own.is_disjoint(&all) && partitions.into_iter().any(lacks_one)
    }

    /// The answer, from the partitions of each member.
    pub(super) fn assignment(&self, given: &[Vec<usize>]) -> Assignment {
        let name = |partition: &usize| {
            let topic = self.topic(*partition);
            let number = *partition - self.first[topic];
            TopicPartition {
                topic: self.topics[topic].clone(),
                partition: i32::try_from(number).unwrap_or(i32::MAX),
            }
        };
        let of =
            |(member, own): (&&Subscriber, &Vec<usize>)| (member.id.clone(), own.iter().map(name).collect());
        self.members.iter().zip(given).map(of).collect()
    }
}

/// The lists of topics that members have, each once, and for each member which. One that has the list of one of the two kinds before it is
/// found without hashing.
fn kinds<'a>(members: &[&'a Subscriber]) -> (Vec<&'a [Topic]>, Vec<usize>) {
    let mut lists: Vec<&[Topic]> = Vec::new();
    let mut known: HashMap<&[Topic], usize> = HashMap::new();
    let mut latest = [usize::MAX; 2];
    let kind_of = members.iter().map(|member| {
        let list = member.topics.as_slice();
        if let Some(kind) =
            latest.into_iter().find(|kind| lists.get(*kind).is_some_and(|known| *known == list))
        {
            return kind;
        }
        let kind = *known.entry(list).or_insert_with(|| {
            lists.push(list);
            lists.len() - 1
        });
        latest = [kind, latest[0]];
        kind
    });
    let kind_of = kind_of.collect();
    (lists, kind_of)
}

/// An id as two numbers with signs, as Kafka compares it.
fn signed(id: Uuid) -> (i64, i64) {
    let half = |bytes: &[u8]| bytes.try_into().map_or(0, i64::from_be_bytes);
    (half(&id.0[..8]), half(&id.0[8..]))
}

/// Topics that are few.
const FEW: usize = 64;
