//! Partitions spread over the members as evenly as can be, and left where they are where that is even (KIP-848). Where all members want the same
//! topics, how many each has is settled beforehand; otherwise what is free goes to who has least, and then partitions are moved, topic by
//! topic, until none of a topic's members has two more than another.

mod balancer;

use super::problem::{self, Problem};
use super::{Assignment, Assignor, Subscriber, Topics};
use balancer::Balancer;

/// Kafka's `uniform`, by which a broker assigns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Uniform;

/// The partitions of each member.
type Own = Vec<Vec<usize>>;

impl Assignor for Uniform {
    fn name(&self) -> &'static str {
        "uniform"
    }

    fn assign(&self, topics: &Topics, members: &[Subscriber]) -> Assignment {
        let problem = Problem::new(topics, members, problem::by_id);
        let (own, free) = held(&problem);
        let given =
            if problem.is_same_for_all() { fill(&problem, own, free) } else { level(&problem, own, &free) };
        problem.assignment(&given)
    }
}

/// What each member has of what it wants, in order, and what nobody has.
fn held(problem: &Problem<'_>) -> (Own, Vec<usize>) {
    let mut is_held = vec![false; problem.count()];
    let mut own = vec![Vec::new(); problem.members.len()];
    for (member, own) in own.iter_mut().enumerate() {
        let wanted =
            problem.claims(member).filter(|partition| problem.wants(member, problem.topic(*partition)));
        own.extend(wanted.filter(|partition| !std::mem::replace(&mut is_held[*partition], true)));
        own.sort_unstable();
    }
    let free = (0..problem.count()).filter(|partition| !is_held[*partition]).collect();
    (own, free)
}

/// Each member gets the same number; some may have one more: those that have it already, otherwise the last.
fn fill(problem: &Problem<'_>, mut own: Own, mut free: Vec<usize>) -> Own {
    let members = own.len().max(1);
    let (least, mut extra) = (problem.count() / members, problem.count() % members);
    let mut unfilled = Vec::new();
    for (member, own) in own.iter_mut().enumerate() {
        let quota = least + usize::from(extra > 0);
        free.extend(own.split_off(own.len().min(quota)));
        let is_needed = members - member <= extra;
        let room = if is_needed { quota - own.len() } else { least.saturating_sub(own.len()) };
        if room > 0 {
            unfilled.push((member, room));
        }
        extra -= usize::from(own.len() + room > least);
    }
    let mut free = free.into_iter();
    for (member, room) in unfilled {
        own[member].extend(free.by_ref().take(room));
    }
    own
}

/// Members want different topics: what few want goes first.
fn level(problem: &Problem<'_>, mut own: Own, free: &[usize]) -> Own {
    let mut topics: Vec<usize> = (0..problem.topics.len()).collect();
    topics.sort_by(|one, other| problem.scarcity(*other, *one));
    let mut sizes: Vec<usize> = own.iter().map(Vec::len).collect();
    for topic in &topics {
        let mut balancer = Balancer::new(&problem.subscribers[*topic], &sizes);
        let range = problem.partitions(*topic);
        let from = free.partition_point(|partition| *partition < range.start);
        for partition in free[from..].iter().take_while(|partition| range.contains(partition)) {
            let member = balancer.least(&sizes);
            sizes[member] += 1;
            own[member].push(*partition);
        }
    }
    own.iter_mut().for_each(|own| own.sort_unstable());
    topics.retain(|topic| problem.subscribers[*topic].len() > 1);
    balance(problem, &topics, &mut own, &mut sizes);
    own
}

/// Topic after topic, round and round, until none has changed since it was last looked at.
fn balance(problem: &Problem<'_>, topics: &[usize], own: &mut Own, sizes: &mut [usize]) {
    let mut last = None;
    for (at, topic) in std::iter::repeat_n(topics.iter().enumerate(), MOST_ROUNDS).flatten() {
        if last == Some(at) {
            return;
        }
        if balance_topic(problem, *topic, own, sizes) || last.is_none() {
            last = Some(at);
        }
    }
}

/// Moves partitions of a topic from who has most to who has least; whether any was moved.
fn balance_topic(problem: &Problem<'_>, topic: usize, own: &mut Own, sizes: &mut [usize]) -> bool {
    let mut balancer = Balancer::new(&problem.subscribers[topic], sizes);
    if balancer.is_even_at_first() {
        return false;
    }
    let range = problem.partitions(topic);
    let of = |own: &Vec<usize>| {
        let at = |bound: usize| own.partition_point(|partition| *partition < bound);
        own[at(range.start)..at(range.end)].to_vec()
    };
    // What it is given now is not given on in the same turn.
    let mut begun: std::collections::HashMap<usize, Vec<usize>> =
        problem.subscribers[topic].iter().map(|member| (*member, of(&own[*member]))).collect();
    let mut has_moved = false;
    while !balancer.is_even() {
        let Some((from, partition)) = take_from_most(&mut balancer, &mut begun, sizes) else { break };
        let to = balancer.least(sizes);
        if balancer.is_even() {
            break;
        }
        give(own, from, to, partition);
        sizes[from] -= 1;
        sizes[to] += 1;
        has_moved = true;
    }
    has_moved
}

/// Who has most, of those that still have one to give, and its last.
fn take_from_most(
    balancer: &mut Balancer,
    begun: &mut std::collections::HashMap<usize, Vec<usize>>,
    sizes: &[usize],
) -> Option<(usize, usize)> {
    loop {
        let from = balancer.most(sizes)?;
        match begun.get_mut(&from).and_then(Vec::pop) {
            Some(partition) => return Some((from, partition)),
            None => balancer.exclude(),
        }
    }
}

fn give(own: &mut Own, from: usize, to: usize, partition: usize) {
    let place = |own: &Vec<usize>| own.partition_point(|other| *other < partition);
    let at = place(&own[from]);
    own[from].remove(at);
    let at = place(&own[to]);
    own[to].insert(at, partition);
}

/// How often all topics are gone through at most.
const MOST_ROUNDS: usize = 16;
