//! Each topic by itself: its partitions in order, cut into as many stretches as there are members that want it, those of the first members
//! longer by one if need be. Where racks matter, members first get what lies near them, and topics that are alike go together (KIP-881).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

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
    /// Whether any of the subscribers has a rack: otherwise those of the partitions do not count.
    has_racks: bool,
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
            for alike in alike(group, &portions).into_values() {
                match alike[..] {
                    [one] if matters[one] => {
                        portions[one].give(&mut given, |m, p| is_near(group, true, m, p));
                    }
                    [_] => {}
                    _ => give_together(group, &mut portions, &alike, &mut given),
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
        Portion {
            topic,
            subscribers,
            got: vec![0; subscribers.len()],
            least: partitions.len() / subscribers.len(),
            extra: partitions.len() % subscribers.len(),
            left: partitions.collect(),
            has_racks: subscribers.iter().any(|member| group.rack(*member).is_some()),
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

/// Who wants a topic, from which racks, and how many partitions it has.
type Likeness = (Vec<(usize, Option<Arc<str>>)>, usize);

/// Topics that the same members want from the same racks, and that have as many partitions.
fn alike(group: &GroupSpec<'_>, portions: &[Portion<'_>]) -> BTreeMap<Likeness, Vec<usize>> {
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (at, portion) in portions.iter().enumerate() {
        let who = portion.subscribers.iter().map(|member| (*member, group.rack(*member).cloned())).collect();
        let count = if portion.has_racks { group.partitions(portion.topic).len() } else { 0 };
        groups.entry((who, count)).or_default().push(at);
    }
    groups
}

/// A member without a rack is near to everything.
fn is_near(group: &GroupSpec<'_>, has_racks: bool, member: usize, partition: usize) -> bool {
    !has_racks || group.rack(member).is_none_or(|rack| group.racks(partition).contains(rack))
}

/// Gives the partitions of the same number of all these topics to one member that is near to all of them.
fn give_together(
    group: &GroupSpec<'_>,
    portions: &mut [Portion<'_>],
    alike: &[usize],
    given: &mut Assignment,
) {
    let subscribers = portions[alike[0]].subscribers;
    let mut remaining: Vec<usize> = (0..subscribers.len()).collect();
    let count = alike.iter().map(|at| group.partitions(portions[*at].topic).len()).max().unwrap_or(0);
    for number in 0..count {
        let partition = |portion: &Portion<'_>| group.partitions(portion.topic).nth(number);
        let suits = |place: &usize| {
            alike.iter().all(|at| {
                let portion = &portions[*at];
                let is_near_to = |p| is_near(group, portion.has_racks, subscribers[*place], p);
                portion.room(*place) > 0 && partition(portion).is_some_and(is_near_to)
            })
        };
        let Some(place) = remaining.iter().copied().find(suits) else { continue };
        for at in alike {
            let portion = &mut portions[*at];
            let Some(taken) = group.partitions(portion.topic).nth(number) else { continue };
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
