//! A group as assignors see it: members, topics and partitions as numbers.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use klamm_protocol::Uuid;

use super::assignment::{number, numbers};
use super::{Assignment, NamedAssignment, Subscriber, TopicPartition, Topics};
use crate::Topic;

/// A group as an assignor sees it, in numbers: members are counted by their ids, the topics that
/// somebody wants and that are there by their names, and all partitions of those are one row of
/// numbers, by topic and partition. Kafka's `GroupSpec`.
///
/// # Examples
/// ```
/// use klamm_coordinator::assignor::{Assignor, GroupSpec, RoundRobin, Subscriber, Topics};
///
/// let topics = Topics::default().with("jobs", 3).with("mails", 1);
/// let member = |id: &str| Subscriber { id: id.into(), topics: vec!["jobs".into()], ..Subscriber::default() };
/// let members = [member("a"), member("b")];
/// let group = GroupSpec::new(&topics, &members);
/// assert_eq!(group.count(), 3);
/// let given = group.named(&RoundRobin.assign(&group));
/// assert_eq!(given.values().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
/// ```
#[derive(Debug)]
pub struct GroupSpec<'a> {
    members: Vec<&'a Subscriber>,
    topics: Vec<&'a Topic>,
    /// For each topic, its id, in the order in which Kafka compares ids.
    ids: Vec<(i64, i64)>,
    /// For each topic, the racks of its partitions' replicas.
    racks: Vec<&'a [Racks]>,
    /// For each topic, the number of its first partition; at the end, that of all partitions.
    first: Vec<usize>,
    /// For each partition, its topic.
    topic_of: Vec<u32>,
    /// The kinds of members: the topics that one wants, in order. Most groups have few.
    kinds: Vec<Vec<usize>>,
    /// For each member, its kind.
    kind_of: Vec<usize>,
    is_same_for_all: bool,
    /// What members say that they have, one after the other.
    owned: Vec<u32>,
    /// For each member, where its own begin; and the end.
    owned_begins: Vec<usize>,
}

/// Where the replicas of a partition stand.
pub(super) type Racks = Vec<Arc<str>>;

impl<'a> GroupSpec<'a> {
    /// Finds out what members want and have of these topics. What is not there is passed over.
    #[must_use]
    pub fn new(topics: &'a Topics, members: &'a [Subscriber]) -> GroupSpec<'a> {
        let mut members: Vec<&Subscriber> = members.iter().collect();
        members.sort_by(|one, other| one.id.cmp(&other.id));
        let (lists, kind_of) = kinds(&members);
        let wanted: BTreeSet<&Topic> = lists.iter().copied().flatten().collect();
        let mut group = GroupSpec {
            is_same_for_all: lists.len() == 1 || name_the_same(&lists),
            members,
            topics: Vec::new(),
            ids: Vec::new(),
            racks: Vec::new(),
            first: vec![0],
            topic_of: Vec::new(),
            kinds: Vec::new(),
            kind_of,
            owned: Vec::new(),
            owned_begins: vec![0],
        };
        wanted.into_iter().for_each(|topic| group.add(topic, topics));
        let index = Index::new(group.topics.clone());
        group.kinds = lists.iter().map(|list| index.all(list)).collect();
        group.note_owned(&index);
        group
    }

    /// The same of members that do not ask for the topics in the same words: Kafka takes that for
    /// different wishes, whatever comes of them.
    pub(crate) fn asked_in_other_words(self) -> GroupSpec<'a> {
        GroupSpec { is_same_for_all: false, ..self }
    }

    fn add(&mut self, topic: &'a Topic, topics: &'a Topics) {
        let Some(count) = topics.count(topic) else { return };
        let number = number(self.topics.len());
        self.topics.push(topic);
        self.ids.push(signed(topics.id(topic)));
        self.racks.push(topics.racks(topic));
        self.first.push(self.count() + count);
        self.topic_of.resize(self.count(), number);
    }

    /// Partitions of a topic mostly come together, or one of each topic in their order: then it is
    /// found at once.
    fn note_owned(&mut self, index: &Index<'_>) {
        let mut latest: Option<(&Topic, Option<usize>)> = None;
        for member in &self.members {
            for named in &member.owned {
                let topic = match latest {
                    Some((topic, index)) if topic.is_the_same(&named.topic) => index,
                    Some((_, Some(before))) => index.find_after(before, &named.topic),
                    _ => index.find(&named.topic),
                };
                latest = Some((&named.topic, topic));
                self.owned.extend(topic.and_then(|topic| self.find(topic, named.partition)).map(number));
            }
            self.owned_begins.push(self.owned.len());
        }
    }

    fn find(&self, topic: usize, partition: i32) -> Option<usize> {
        let range = self.partitions(topic);
        let partition = range.start + usize::try_from(partition).ok()?;
        range.contains(&partition).then_some(partition)
    }

    /// The members, by their ids.
    #[must_use]
    pub fn members(&self) -> &[&'a Subscriber] {
        &self.members
    }

    /// The topics, by their names.
    #[must_use]
    pub fn topics(&self) -> &[&'a Topic] {
        &self.topics
    }

    /// How many partitions there are.
    #[must_use]
    pub fn count(&self) -> usize {
        *self.first.last().unwrap_or(&0)
    }

    /// The partitions of a topic.
    ///
    /// # Panics
    /// When there is no such topic.
    #[must_use]
    pub fn partitions(&self, topic: usize) -> Range<usize> {
        self.first[topic]..self.first[topic + 1]
    }

    /// The topic of a partition.
    ///
    /// # Panics
    /// When there is no such partition.
    #[must_use]
    pub fn topic(&self, partition: usize) -> usize {
        self.topic_of[partition] as usize
    }

    /// The number that a partition has in its topic, from 0.
    ///
    /// # Panics
    /// When there is no such partition.
    #[must_use]
    pub fn number(&self, partition: usize) -> usize {
        partition - self.first[self.topic(partition)]
    }

    /// What a partition is called.
    ///
    /// # Panics
    /// When there is no such partition.
    #[must_use]
    pub fn name(&self, partition: usize) -> TopicPartition {
        let topic = self.topics[self.topic(partition)].clone();
        TopicPartition { topic, partition: i32::try_from(self.number(partition)).unwrap_or(i32::MAX) }
    }

    /// The partitions that a member says that it has, as far as they are there and somebody wants
    /// them: perhaps not this member any more ([`GroupSpec::wants`] tells). Two members may say
    /// that they have the same.
    ///
    /// # Panics
    /// When there is no such member.
    pub fn owned(&self, member: usize) -> impl ExactSizeIterator<Item = usize> + '_ {
        numbers(&self.owned[self.owned_begins[member]..self.owned_begins[member + 1]])
    }

    /// The topics that a member wants, in order.
    ///
    /// # Panics
    /// When there is no such member.
    #[must_use]
    pub fn wanted(&self, member: usize) -> &[usize] {
        &self.kinds[self.kind_of[member]]
    }

    /// Whether a member wants a topic.
    ///
    /// # Panics
    /// When there is no such member.
    #[must_use]
    pub fn wants(&self, member: usize, topic: usize) -> bool {
        self.is_same_for_all || self.wanted(member).binary_search(&topic).is_ok()
    }

    /// Whether all members name the same topics, those that are not there included, and where the
    /// broker assigns in the same words: none by an expression while others name them.
    #[must_use]
    pub fn is_same_for_all(&self) -> bool {
        self.is_same_for_all
    }

    /// For each topic, those of these members that want it, in the order given.
    ///
    /// # Panics
    /// When there is no such member.
    #[must_use]
    pub fn subscribers(&self, members: impl IntoIterator<Item = usize>) -> Vec<Vec<usize>> {
        let mut subscribers = vec![Vec::new(); self.topics.len()];
        for member in members {
            self.wanted(member).iter().for_each(|topic| subscribers[*topic].push(member));
        }
        subscribers
    }

    /// All members in their order.
    #[must_use]
    pub fn by_id(&self) -> Range<usize> {
        0..self.members.len()
    }

    /// All members, static ones first, by what they call themselves.
    #[must_use]
    pub fn static_first(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        if self.members.iter().any(|member| member.instance.is_some()) {
            order.sort_by_key(|member| self.members[*member].static_first());
        }
        order
    }

    /// The racks of a partition's replicas, where they are known.
    ///
    /// # Panics
    /// When there is no such partition.
    #[must_use]
    pub fn racks(&self, partition: usize) -> &'a [Arc<str>] {
        self.racks[self.topic(partition)].get(self.number(partition)).map_or(&[], Vec::as_slice)
    }

    /// The rack of a member; an empty one is none.
    ///
    /// # Panics
    /// When there is no such member.
    #[must_use]
    pub fn rack(&self, member: usize) -> Option<&'a Arc<str>> {
        self.members[member].rack.as_ref().filter(|rack| !rack.is_empty())
    }

    /// What the numbers of an assignment stand for.
    ///
    /// # Panics
    /// When the assignment is another group's.
    #[must_use]
    pub fn named(&self, given: &Assignment) -> NamedAssignment {
        assert!(given.is_of(self), "the assignment is another group's");
        let given = given.by_member();
        let named = self.members.iter().zip(given.iter());
        named.map(|(member, own)| (member.id.clone(), own.map(|own| self.name(own)).collect())).collect()
    }

    /// Which of two topics has more partitions for each member that wants it; of equals, which is
    /// wanted by fewer, or has the lesser id.
    pub(super) fn scarcity(&self, subscribers: &[Vec<usize>], one: usize, other: usize) -> Ordering {
        let counts = [one, other].map(|topic| self.partitions(topic).len());
        let wanted = [one, other].map(|topic| subscribers[topic].len());
        let each = (counts[0] * wanted[1]).cmp(&(counts[1] * wanted[0]));
        let by_id = || (self.ids[other], other).cmp(&(self.ids[one], one));
        each.then_with(|| wanted[1].cmp(&wanted[0])).then_with(by_id)
    }

    /// Whether racks make a difference to who should read these partitions: members and replicas
    /// have some in common, and not every partition has a replica in all of them.
    pub(super) fn do_racks_matter(
        &self,
        members: impl Iterator<Item = usize>,
        partitions: impl Iterator<Item = usize> + Clone,
    ) -> bool {
        let own: BTreeSet<_> = members.filter_map(|member| self.rack(member)).collect();
        if own.is_empty() {
            return false;
        }
        let all: BTreeSet<_> = partitions.clone().flat_map(|partition| self.racks(partition)).collect();
        let lacks_one = |partition: usize| self.racks(partition).iter().collect::<BTreeSet<_>>() != all;
        !own.is_disjoint(&all) && partitions.into_iter().any(lacks_one)
    }
}

/// Topics by name. Few are found faster by halves than by hashing.
struct Index<'a> {
    topics: Vec<&'a Topic>,
    numbers: HashMap<&'a Topic, usize>,
}

impl<'a> Index<'a> {
    fn new(topics: Vec<&'a Topic>) -> Index<'a> {
        let is_many = topics.len() > FEW;
        let numbers = topics.iter().enumerate().filter(|_| is_many).map(|(number, topic)| (*topic, number));
        Index { numbers: numbers.collect(), topics }
    }

    /// The one after this, or the first, if it is that.
    fn find_after(&self, before: usize, topic: &Topic) -> Option<usize> {
        let next = if before + 1 < self.topics.len() { before + 1 } else { 0 };
        if self.topics[next] == topic { Some(next) } else { self.find(topic) }
    }

    fn find(&self, topic: &Topic) -> Option<usize> {
        match self.topics.len() {
            0..=FEW => self.topics.binary_search(&topic).ok(),
            _ => self.numbers.get(topic).copied(),
        }
    }

    /// The numbers of those that are there, in order.
    fn all(&self, topics: &[Topic]) -> Vec<usize> {
        let numbers: BTreeSet<usize> = topics.iter().filter_map(|topic| self.find(topic)).collect();
        numbers.into_iter().collect()
    }
}

/// The lists of topics that members have, each once, and for each member which. One that has the
/// list of one of the two kinds before it is found without hashing.
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

/// Whether lists have the same names, in whatever order.
fn name_the_same(lists: &[&[Topic]]) -> bool {
    let sorted = |list: &[Topic]| {
        let mut topics: Vec<Topic> = list.to_vec();
        topics.sort_unstable();
        topics
    };
    let Some((first, others)) = lists.split_first() else { return true };
    let first = sorted(first);
    others.iter().all(|list| sorted(list) == first)
}

/// An id as two numbers with signs, as Kafka compares it.
fn signed(id: Uuid) -> (i64, i64) {
    let half = |bytes: &[u8]| bytes.try_into().map_or(0, i64::from_be_bytes);
    (half(&id.0[..8]), half(&id.0[8..]))
}

/// Topics that are few.
const FEW: usize = 64;
