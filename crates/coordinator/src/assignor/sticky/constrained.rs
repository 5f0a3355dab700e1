//! All members want the same topics: each gets the same number of partitions, some one more. Who has more than that gives up what is
//! beyond, who has less is filled up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::problem::Problem;
use super::{Claims, Given};

struct Filling<'a> {
    problem: &'a Problem<'a>,
    /// The least that a member has, and the most.
    least: usize,
    most: usize,
    /// How many more members may have the most.
    to_fill: usize,
    own: Vec<Vec<usize>>,
    /// Members below the least.
    under: VecDeque<usize>,
    /// Members at the least that may have one more.
    exact: VecDeque<usize>,
    /// What members had and may lose.
    given_up: BTreeMap<usize, usize>,
    disputed: BTreeSet<usize>,
    moving: Vec<(usize, usize)>,
    do_racks_matter: bool,
}

pub(super) fn assign(problem: &Problem<'_>, claims: Claims) -> Given {
    let members = problem.members.len();
    if members == 0 {
        return Given::default();
    }
    let everybody: Vec<usize> = (0..members).collect();
    let mut filling = Filling {
        problem,
        least: problem.count() / members,
        most: problem.count().div_ceil(members),
        to_fill: problem.count() % members,
        own: vec![Vec::new(); members],
        under: VecDeque::new(),
        exact: VecDeque::new(),
        given_up: BTreeMap::new(),
        disputed: claims.disputed,
        moving: Vec::new(),
        do_racks_matter: problem.do_racks_matter(&everybody, 0..problem.count()),
    };
    claims.own.into_iter().enumerate().for_each(|(member, own)| filling.keep(member, own));
    let unassigned = filling.unassigned();
    let left = if filling.do_racks_matter { filling.give_near(unassigned) } else { unassigned };
    filling.give_in_turn(left);
    Given { own: filling.own, moving: filling.moving }
}

impl Filling<'_> {
    /// What a member keeps of what it has.
    fn keep(&mut self, member: usize, own: Vec<usize>) {
        let (mut near, far): (Vec<_>, Vec<_>) = own.into_iter().partition(|p| !self.is_far(member, *p));
        near.sort_by_key(|partition| (self.problem.number(*partition), *partition));
        let kept = match near.len() {
            count if count < self.least => {
                self.under.push_back(member);
                count
            }
            count if count >= self.most && self.to_fill > 0 => {
                self.note_full();
                self.most
            }
            _ => {
                if self.to_fill > 0 {
                    self.exact.push_back(member);
                }
                self.least
            }
        };
        let beyond = near.split_off(kept.min(near.len()));
        self.given_up.extend(far.into_iter().chain(beyond).map(|partition| (partition, member)));
        self.own[member] = near;
    }

    /// One more member has the most; when there are as many as there can be, the others have enough.
    fn note_full(&mut self) {
        self.to_fill -= 1;
        if self.to_fill == 0 {
            self.exact.clear();
        }
    }

    fn is_far(&self, member: usize, partition: usize) -> bool {
        let rack = self.problem.rack(member);
        self.do_racks_matter && rack.is_some_and(|rack| !self.problem.racks(partition).contains(rack))
    }

    /// By topic and number; where racks matter, those first that few members are near to.
    fn unassigned(&self) -> Vec<usize> {
        let mut is_kept = vec![false; self.problem.count()];
        self.own.iter().flatten().for_each(|partition| is_kept[*partition] = true);
        let mut unassigned: Vec<usize> =
            (0..self.problem.count()).filter(|partition| !is_kept[*partition]).collect();
        if self.do_racks_matter {
            let mut near: BTreeMap<&str, usize> = BTreeMap::new();
            let racks = (0..self.own.len()).filter_map(|member| self.problem.rack(member));
            racks.for_each(|rack| *near.entry(rack).or_default() += 1);
            let count = |partition: &usize| {
                let racks: BTreeSet<&str> =
                    self.problem.racks(*partition).iter().map(|rack| &**rack).collect();
                racks.iter().map(|rack| near.get(rack).copied().unwrap_or(0)).sum::<usize>()
            };
            unassigned.sort_by_key(count);
        }
        unassigned
    }

    /// Gives partitions to members that are near to them; those are left for which there is none.
    fn give_near(&mut self, unassigned: Vec<usize>) -> Vec<usize> {
        let (mut left, mut next) = (Vec::new(), 0);
        for partition in unassigned {
            let is_near = |member: &usize| {
                self.problem.rack(*member).is_some_and(|rack| self.problem.racks(partition).contains(rack))
            };
            let count = self.under.len();
            let found = (0..count).map(|at| (next + at) % count).find(|at| is_near(&self.under[*at]));
            if let Some(at) = found {
                let member = self.under[at];
                self.give(partition, member);
                let size = self.own[member].len();
                if size >= self.least {
                    self.under.remove(at);
                    if size < self.most && self.to_fill > 0 {
                        self.exact.push_back(member);
                    }
                    next = at;
                } else {
                    next = at + 1;
                }
                next = next.checked_rem(self.under.len()).unwrap_or(0);
            } else if let Some(at) = self.exact.iter().position(is_near) {
                let member = self.exact[at];
                self.give(partition, member);
                if self.own[member].len() == self.most {
                    self.exact.remove(at);
                    self.note_full();
                }
            } else {
                left.push(partition);
            }
        }
        left
    }

    /// Gives partitions to the members below the least in turn, then one each to those that may have one more.
    fn give_in_turn(&mut self, left: Vec<usize>) {
        let mut turn = 0;
        for partition in left {
            if self.under.is_empty() {
                if let Some(member) = self.exact.pop_front() {
                    self.give(partition, member);
                    if self.own[member].len() == self.most && self.to_fill > 0 {
                        self.to_fill -= 1;
                    }
                }
                continue;
            }
            turn = if turn < self.under.len() { turn } else { 0 };
            let member = self.under[turn];
            self.give(partition, member);
            if self.own[member].len() >= self.least {
                self.under.remove(turn);
                self.exact.push_back(member);
            } else {
                turn += 1;
            }
        }
    }

    fn give(&mut self, partition: usize, member: usize) {
        let was_anothers = self.given_up.get(&partition).is_some_and(|owner| *owner != member);
        if was_anothers || self.disputed.contains(&partition) {
            self.moving.push((partition, member));
        }
        self.own[member].push(partition);
    }
}
