//! Members want different topics. Partitions without an owner go to whoever has least of those that want them; then partitions are moved
//! from who has more to who has less, and back to who had them before, until nothing can be won.

use std::collections::{BTreeMap, BTreeSet};

use super::super::problem::Problem;
use super::{Claims, Given};

struct Balancing<'a> {
    problem: &'a Problem<'a>,
    own: Vec<Vec<usize>>,
    owner: Vec<Option<usize>>,
    /// Members that may still gain or lose, who has least first.
    ranked: BTreeSet<(usize, usize)>,
    /// Members that have all they could have, and cannot lose it.
    is_fixed: Vec<bool>,
    earlier: Vec<Option<(usize, i32)>>,
    /// For a partition that has been moved: from whom at first, and to whom.
    moved: BTreeMap<usize, (usize, usize)>,
    do_racks_matter: bool,
}

pub(super) fn assign(problem: &Problem<'_>, claims: Claims) -> Given {
    let everybody: Vec<usize> = (0..problem.members.len()).collect();
    let mut balancing = Balancing {
        problem,
        own: vec![Vec::new(); problem.members.len()],
        owner: vec![None; problem.count()],
        ranked: everybody.iter().map(|member| (0, *member)).collect(),
        is_fixed: vec![false; problem.members.len()],
        earlier: claims.earlier,
        moved: BTreeMap::new(),
        do_racks_matter: problem.do_racks_matter(&everybody, 0..problem.count()),
    };
    let is_any_lost = claims.is_any_lost | balancing.keep(&claims.own);
    balancing.run(is_any_lost);
    Given { moving: moving(problem, &balancing.own), own: balancing.own }
}

/// Partitions that a member had and another has now.
fn moving(problem: &Problem<'_>, own: &[Vec<usize>]) -> Vec<(usize, usize)> {
    let had: Vec<BTreeSet<usize>> =
        (0..problem.members.len()).map(|member| problem.claims(member).collect()).collect();
    let lost = |(had, own): (&BTreeSet<usize>, &Vec<usize>)| {
        let own: BTreeSet<usize> = own.iter().copied().collect();
        had.difference(&own).copied().collect::<Vec<_>>()
    };
    let lost: BTreeSet<usize> = had.iter().zip(own).flat_map(lost).collect();
    let gained = own
        .iter()
        .enumerate()
        .flat_map(|(member, own)| own.iter().map(move |partition| (*partition, member)));
    gained
        .filter(|(partition, member)| lost.contains(partition) && !had[*member].contains(partition))
        .collect()
}

impl Balancing<'_> {
    /// Whether anybody loses what is too far from it.
    fn keep(&mut self, claimed: &[Vec<usize>]) -> bool {
        let mut is_any_lost = false;
        for (member, own) in claimed.iter().enumerate() {
            for partition in own {
                if self.is_far(member, *partition) {
                    is_any_lost = true;
                } else {
                    self.give(*partition, member);
                }
            }
        }
        is_any_lost
    }

    fn is_far(&self, member: usize, partition: usize) -> bool {
        let rack = self.problem.rack(member);
        self.do_racks_matter && rack.is_some_and(|rack| !self.problem.racks(partition).contains(rack))
    }

    fn run(&mut self, is_any_lost: bool) {
        let is_new = self.own.iter().all(Vec::is_empty);
        let mut topics: Vec<usize> = (0..self.problem.topics.len()).collect();
        topics.sort_by_key(|topic| (self.problem.subscribers[*topic].len(), *topic));
        let all: Vec<usize> = topics.iter().flat_map(|topic| self.problem.partitions(*topic)).collect();
        let unassigned: Vec<usize> =
            all.iter().copied().filter(|partition| self.owner[*partition].is_none()).collect();
        self.assign_all(&unassigned);
        let can_move = |partition: &usize| self.problem.subscribers[self.problem.topic(*partition)].len() > 1;
        let (all, fresh): (Vec<usize>, Vec<usize>) =
            (all.into_iter().filter(can_move).collect(), unassigned.into_iter().filter(can_move).collect());
        self.set_aside();
        let before = (self.own.clone(), self.owner.clone(), self.score());
        if !is_any_lost {
            self.balance(&fresh);
        }
        let has_moved = self.balance(&all);
        if !is_new && has_moved && self.score() >= before.2 {
            (self.own, self.owner) = (before.0, before.1);
        }
    }

    /// Where racks matter, first to those that are near.
    fn assign_all(&mut self, unassigned: &[usize]) {
        for near_only in [true, false] {
            if near_only && !self.do_racks_matter {
                continue;
            }
            for partition in unassigned {
                if self.owner[*partition].is_none()
                    && let Some(member) =
                        self.least(*partition, |member| !near_only || !self.is_far(member, *partition))
                {
                    self.give(*partition, member);
                }
            }
        }
    }

    /// Who has least of those that want a partition.
    fn least(&self, partition: usize, may: impl Fn(usize) -> bool) -> Option<usize> {
        let topic = self.problem.topic(partition);
        let subscribers = &self.problem.subscribers[topic];
        // Whichever is shorter is gone through.
        if subscribers.len() * 4 < self.ranked.len() {
            let free = subscribers.iter().filter(|member| !self.is_fixed[**member] && may(**member));
            return free.map(|member| (self.own[*member].len(), *member)).min().map(|(_, member)| member);
        }
        let mut ranked = self.ranked.iter().map(|(_, member)| *member);
        ranked.find(|member| self.problem.wants(*member, topic) && may(*member))
    }

    fn give(&mut self, partition: usize, member: usize) {
        self.rank(member, |own| own.push(partition));
        self.owner[partition] = Some(member);
    }

    fn rank(&mut self, member: usize, change: impl FnOnce(&mut Vec<usize>)) {
        let was_ranked = self.ranked.remove(&(self.own[member].len(), member));
        change(&mut self.own[member]);
        if was_ranked {
            self.ranked.insert((self.own[member].len(), member));
        }
    }

    /// Members that have all they want, where nobody else wants any of it.
    fn set_aside(&mut self) {
        for member in 0..self.own.len() {
            let all: usize =
                self.problem.wanted(member).iter().map(|topic| self.problem.partitions(*topic).len()).sum();
            let can_lose =
                |partition: &usize| self.problem.subscribers[self.problem.topic(*partition)].len() > 1;
            if self.own[member].len() == all && !self.own[member].iter().any(can_lose) {
                self.is_fixed[member] = true;
                self.ranked.remove(&(self.own[member].len(), member));
            }
        }
    }

    /// How uneven it is: the differences between each two, summed up.
    fn score(&self) -> usize {
        let mut sizes: Vec<usize> = self.ranked.iter().map(|(size, _)| *size).collect();
        sizes.sort_unstable();
        let (mut sum, mut before) = (0, 0);
        for (at, size) in sizes.iter().enumerate() {
            sum += size * at - before;
            before += size;
        }
        sum
    }

    /// Moves partitions until a round has moved none; whether any was.
    fn balance(&mut self, partitions: &[usize]) -> bool {
        let mut has_moved = false;
        let mut is_balanced = self.is_balanced();
        loop {
            let mut moves = false;
            for partition in partitions {
                if is_balanced {
                    break;
                }
                if self.improve(*partition) {
                    moves = true;
                    is_balanced = self.is_balanced();
                }
            }
            has_moved |= moves;
            if !moves {
                return has_moved;
            }
        }
    }

    /// No member could have more by taking from one that has more than one more than it.
    fn is_balanced(&self) -> bool {
        let size = |member: &usize| self.own[*member].len();
        let (Some((least, _)), Some((most, _))) = (self.ranked.first(), self.ranked.last()) else {
            return true;
        };
        if most - least <= 1 {
            return true;
        }
        let is_even = |topic: usize| {
            let free = self.problem.subscribers[topic].iter().filter(|member| !self.is_fixed[**member]);
            let least = free.map(size).min();
            let owners = self.problem.partitions(topic).filter_map(|partition| self.owner[partition]);
            let most = owners.map(|member| size(&member)).max();
            least.zip(most).is_none_or(|(least, most)| most <= least + 1)
        };
        (0..self.problem.topics.len()).all(is_even)
    }

    fn improve(&mut self, partition: usize) -> bool {
        let Some(owner) = self.owner[partition] else { return false };
        let size = self.own[owner].len();
        let topic = self.problem.topic(partition);
        // Kafka gives it back to one that may not want it any more; here it has to.
        let earlier = self.earlier[partition].map(|(member, _)| member);
        let back = earlier.filter(|member| !self.is_fixed[*member] && self.problem.wants(*member, topic));
        if let Some(member) = back.filter(|member| size > self.own[*member].len() + 1) {
            self.move_to(partition, member);
            return true;
        }
        let Some(member) =
            self.least(partition, |_| true).filter(|member| size > self.own[*member].len() + 1)
        else {
            return false;
        };
        self.move_to(partition, member);
        true
    }

    /// Where another partition of the topic went the other way before, that one goes back instead.
    fn move_to(&mut self, partition: usize, member: usize) {
        let topic = self.problem.topic(partition);
        let from = self.moved.get(&partition).map(|(from, _)| *from).or(self.owner[partition]);
        let went = |(other, step): (&usize, &(usize, usize))| {
            (self.problem.topic(*other) == topic && Some(step.1) == from && step.0 == member)
                .then_some(*other)
        };
        let partition = self.moved.iter().find_map(went).unwrap_or(partition);
        let Some(old) = self.owner[partition] else { return };
        match self.moved.remove(&partition) {
            Some((from, _)) if from == member => {}
            Some((from, _)) => drop(self.moved.insert(partition, (from, member))),
            None => drop(self.moved.insert(partition, (old, member))),
        }
        self.rank(old, |own| own.retain(|own| *own != partition));
        self.give(partition, member);
    }
}
