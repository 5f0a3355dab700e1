//! Partitions spread over the members as evenly as can be, and left where they are where that is
//! even (KIP-848). Where all members want the same topics, how many each has is settled beforehand;
//! otherwise what is free goes to who has least, and then partitions are moved, topic by topic,
//! until none of a topic's members has two more than another.

mod balancer;

use super::{Assignment, Assignor, GroupSpec};
use balancer::Balancer;

/// Kafka's `uniform`, by which a broker assigns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Uniform;

impl Assignor for Uniform {
    fn name(&self) -> &'static str {
        "uniform"
    }

    fn assign(&self, group: &GroupSpec<'_>) -> Assignment {
        let held = held(group);
        if group.is_same_for_all() { fill(group, held) } else { level(group, held) }
    }
}

/// What each member has of what it wants.
fn held(group: &GroupSpec<'_>) -> Assignment {
    let mut given = Assignment::none(group);
    for member in group.by_id() {
        for partition in group.owned(member) {
            if given.owner(partition).is_none() && group.wants(member, group.topic(partition)) {
                given.give(partition, member);
            }
        }
    }
    given
}

/// How many partitions members keep of what they have, and who is to have how many more.
struct Quotas {
    kept: Vec<usize>,
    unfilled: Vec<(usize, usize)>,
}

/// Each member gets the same number; some may have one more: those that have it already, otherwise
/// the last.
fn fill(group: &GroupSpec<'_>, mut given: Assignment) -> Assignment {
    let sizes = given.sizes();
    let quotas = Quotas::of(group, &sizes);
    let mut free = given.free_of(group.count() - sizes.iter().sum::<usize>());
    if sizes != quotas.kept {
        free.extend(given.cut(&quotas.kept));
    }
    let mut free = free.into_iter();
    for (member, room) in quotas.unfilled {
        free.by_ref().take(room).for_each(|partition| given.give(partition, member));
    }
    given
}

impl Quotas {
    fn of(group: &GroupSpec<'_>, sizes: &[usize]) -> Quotas {
        let members = group.members().len().max(1);
        let (least, mut extra) = (group.count() / members, group.count() % members);
        let mut quotas = Quotas { kept: Vec::with_capacity(members), unfilled: Vec::new() };
        for (member, size) in sizes.iter().copied().enumerate() {
            let quota = least + usize::from(extra > 0);
            let kept = size.min(quota);
            let is_needed = members - member <= extra;
            let room = if is_needed { quota - kept } else { least.saturating_sub(kept) };
            quotas.kept.push(kept);
            quotas.unfilled.extend((room > 0).then_some((member, room)));
            extra -= usize::from(kept + room > least);
        }
        quotas
    }
}

/// Members want different topics: what few want goes first.
fn level(group: &GroupSpec<'_>, mut given: Assignment) -> Assignment {
    let subscribers = group.subscribers(group.by_id());
    let mut topics: Vec<usize> = (0..subscribers.len()).collect();
    topics.sort_by(|one, other| group.scarcity(&subscribers, *other, *one));
    let mut sizes = given.sizes();
    for topic in &topics {
        let mut balancer = Balancer::new(&subscribers[*topic], &sizes);
        for partition in group.partitions(*topic) {
            if given.owner(partition).is_none() {
                let member = balancer.least(&sizes);
                sizes[member] += 1;
                given.give(partition, member);
            }
        }
    }
    topics.retain(|topic| subscribers[*topic].len() > 1);
    Leveling { group, subscribers, given, sizes }.run(&topics)
}

struct Leveling<'a> {
    group: &'a GroupSpec<'a>,
    subscribers: Vec<Vec<usize>>,
    given: Assignment,
    sizes: Vec<usize>,
}

impl Leveling<'_> {
    /// Topic after topic, round and round, until none has changed since it was last looked at.
    fn run(mut self, topics: &[usize]) -> Assignment {
        let mut last = None;
        for (at, topic) in std::iter::repeat_n(topics.iter().enumerate(), MOST_ROUNDS).flatten() {
            if last == Some(at) {
                break;
            }
            if self.level(*topic) || last.is_none() {
                last = Some(at);
            }
        }
        self.given
    }

    /// Moves partitions of a topic from who has most to who has least; whether any was moved.
    fn level(&mut self, topic: usize) -> bool {
        let mut balancer = Balancer::new(&self.subscribers[topic], &self.sizes);
        if balancer.is_even_at_first() {
            return false;
        }
        // What a member is given now it does not give on in the same turn.
        let begun = self.given.by_member_in(self.group.partitions(topic));
        let mut left: Vec<usize> = begun.iter().map(|own| own.len()).collect();
        let mut has_moved = false;
        while !balancer.is_even() {
            let Some(from) = self.with_most(&mut balancer, &left) else { break };
            let to = balancer.least(&self.sizes);
            if balancer.is_even() {
                break;
            }
            left[from] -= 1;
            self.given.give(begun.nth(from, left[from]), to);
            self.sizes[from] -= 1;
            self.sizes[to] += 1;
            has_moved = true;
        }
        has_moved
    }

    /// Who has most, of those that still have one to give.
    fn with_most(&self, balancer: &mut Balancer, left: &[usize]) -> Option<usize> {
        loop {
            let from = balancer.most(&self.sizes)?;
            if left[from] > 0 {
                return Some(from);
            }
            balancer.exclude();
        }
    }
}

/// How often all topics are gone through at most.
const MOST_ROUNDS: usize = 16;
