//! Each topic by itself: its partitions in order, cut into as many stretches as there are members
//! that want it, those of the first members longer by one if need be. Where racks matter, members
//! first get what lies near them, and topics that are alike go together (KIP-881).

use std::collections::{BTreeMap, VecDeque};

use super::{Assignment, Assignor, GroupSpec};

/// Kafka's `range`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Range;

/// A topic that is being given away.
struct Portion<'a> {
    topic: usize,
    /// Who wants it, static members first.
    subscribers: &'a [usize],
    /// What each subscriber has of it so far.
    got: Vec<usize>,
    least: usize,
    /// How many may still have one more.
    extra: usize,
    /// Partitions that nobody has yet, in order.
    left: VecDeque<usize>,
    /// How many partitions it has, each with its racks; none where no subscriber has a rack, for
    /// those of the partitions do not count then.
    with_racks: usize,
}

impl Assignor for Range {
    fn name(&self) -> &'static str {
        "range"
    }

    fn assign(&self, group: &GroupSpec<'_>) -> Assignment {
        let mut given = Assignment::none(group);
        let subscribers = group.subscribers(group.static_first());
        let topics = subscribers.iter().enumerate();
        let mut portions: Vec<Portion<'_>> =
            topics.map(|(topic, subscribers)| Portion::new(group, topic, subscribers)).collect();
        let matters: Vec<bool> = portions.iter().map(|portion| portion.do_racks_matter(group)).collect();
        if matters.contains(&true) {
            for ((_, count), alike) in alike(&portions) {
                match alike[..] {
                    [one] if matters[one] => portions[one].give(&mut given, |m, p| is_near(group, m, p)),
                    [_] => {}
                    _ => give_together(group, &mut portions, (count, &alike), &mut given),
                }
            }
        }
        portions.iter_mut().for_each(|portion| portion.give_rest(&mut given));
        given
    }
}

impl<'a> Portion<'a> {
    fn new(group: &GroupSpec<'_>, topic: usize, subscribers: &'a [usize]) -> Portion<'a> {
        let partitions = group.partitions(topic);
        let has_racks = subscribers.iter().any(|member| group.rack(*member).is_some());
        Portion {
            topic,
            subscribers,
            got: vec![0; subscribers.len()],
            least: partitions.len() / subscribers.len(),
            extra: partitions.len() % subscribers.len(),
            with_racks: if has_racks { partitions.len() } else { 0 },
            left: partitions.collect(),
        }
    }

    fn do_racks_matter(&self, group: &GroupSpec<'_>) -> bool {
        group.do_racks_matter(self.subscribers.iter().copied(), group.partitions(self.topic))
    }

    /// How many more the subscriber at this place may have.
    fn room(&self, at: usize) -> usize {
        (self.least + usize::from(self.extra > 0)).saturating_sub(self.got[at])
    }

    fn note(&mut self, at: usize, count: usize) {
        self.got[at] += count;
        self.extra -= usize::from(count > 0 && self.got[at] > self.least);
    }

    /// Gives each subscriber in turn as many of what is left as it may have.
    fn give_rest(&mut self, given: &mut Assignment) {
        for (at, member) in self.subscribers.iter().enumerate() {
            let count = self.room(at).min(self.left.len());
            self.left.drain(..count).for_each(|partition| given.give(partition, *member));
            self.note(at, count);
        }
    }

    /// The same of those that it may take.
    fn give(&mut self, given: &mut Assignment, may_take: impl Fn(usize, usize) -> bool) {
        for (at, member) in self.subscribers.iter().enumerate() {
            let room = self.room(at);
            let taken: Vec<usize> =
                self.left.iter().copied().filter(|p| may_take(*member, *p)).take(room).collect();
            if taken.is_empty() {
                continue;
            }
            let mut next = taken.iter().peekable();
            self.left.retain(|partition| next.next_if(|taken| *taken == partition).is_none());
            self.note(at, taken.len());
            taken.into_iter().for_each(|partition| given.give(partition, *member));
        }
    }
}

/// Who wants a topic, and how many partitions it has whose racks count.
type Likeness<'a> = (&'a [usize], usize);

/// Topics that the same members want, and that have as many partitions. Where nobody has a rack
/// nothing is given together, as in Kafka.
fn alike<'a>(portions: &[Portion<'a>]) -> BTreeMap<Likeness<'a>, Vec<usize>> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (at, portion) in portions.iter().enumerate() {
        groups.entry((portion.subscribers, portion.with_racks)).or_default().push(at);
    }
    groups
}

/// A member without a rack is near to everything.
fn is_near(group: &GroupSpec<'_>, member: usize, partition: usize) -> bool {
    group.rack(member).is_none_or(|rack| group.racks(partition).contains(rack))
}

/// Gives the partitions of the same number of all these topics to one member that is near to all of
/// them.
fn give_together(
    group: &GroupSpec<'_>,
    portions: &mut [Portion<'_>],
    (count, alike): (usize, &[usize]),
    given: &mut Assignment,
) {
    let subscribers = portions[alike[0]].subscribers;
    let mut remaining: Vec<usize> = (0..subscribers.len()).collect();
    for number in 0..count {
        let partition = |portion: &Portion<'_>| group.partitions(portion.topic).start + number;
        let suits = |place: &usize| {
            alike.iter().all(|at| {
                let portion = &portions[*at];
                portion.room(*place) > 0 && is_near(group, subscribers[*place], partition(portion))
            })
        };
        let Some(place) = remaining.iter().copied().find(suits) else { continue };
        for at in alike {
            let portion = &mut portions[*at];
            let taken = partition(portion);
            portion.left.retain(|partition| *partition != taken);
            portion.note(place, 1);
            given.give(taken, subscribers[place]);
        }
        if alike.iter().all(|at| portions[*at].room(place) == 0) {
            remaining.retain(|other| *other != place);
        }
        if remaining.is_empty() {
            return;
        }
    }
}
