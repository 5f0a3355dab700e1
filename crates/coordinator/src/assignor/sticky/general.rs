//! Members want different topics. Partitions without an owner go to whoever has least of those that
//! want them; then partitions are moved from who has more to who has less, and back to who had them
//! before, until nothing can be won.

use std::collections::BTreeSet;

use super::super::{Assignment, GroupSpec};
use super::claims::earlier;
use super::moves::Moves;
use super::{Claims, Given};

struct Balancing<'a> {
    group: &'a GroupSpec<'a>,
    /// For each topic, who wants it.
    subscribers: Vec<Vec<usize>>,
    given: Assignment,
    /// How many partitions each member has.
    sizes: Vec<usize>,
    /// Members that may still gain or lose, who has least first.
    ranked: BTreeSet<(usize, usize)>,
    /// Members that have all they could have, and cannot lose it.
    is_fixed: Vec<bool>,
    /// Who had a partition in an earlier generation.
    earlier: Assignment,
    moves: Moves<'a>,
    do_racks_matter: bool,
}

pub(super) fn assign(group: &GroupSpec<'_>, claims: Claims) -> Given {
    let mut balancing = Balancing {
        group,
        subscribers: group.subscribers(group.by_id()),
        sizes: claims.kept.sizes(),
        given: claims.kept,
        ranked: BTreeSet::new(),
        is_fixed: vec![false; group.members().len()],
        earlier: earlier(group),
        moves: Moves::none(group),
        do_racks_matter: group.do_racks_matter(group.by_id(), 0..group.count()),
    };
    let is_any_lost = claims.is_any_lost | balancing.drop_far();
    balancing.ranked = group.by_id().map(|member| (balancing.sizes[member], member)).collect();
    balancing.run(is_any_lost);
    Given { moving: moving(group, &balancing.given), assignment: balancing.given }
}

/// Partitions that a member had and another has now that had them not.
fn moving(group: &GroupSpec<'_>, given: &Assignment) -> Vec<usize> {
    let (mut is_lost, mut is_kept) = (vec![false; group.count()], vec![false; group.count()]);
    for member in group.by_id() {
        for partition in group.owned(member) {
            let found = if given.has(member, partition) { &mut is_kept } else { &mut is_lost };
            found[partition] = true;
        }
    }
    let is_moving =
        |partition: &usize| is_lost[*partition] && !is_kept[*partition] && given.owner(*partition).is_some();
    (0..group.count()).filter(is_moving).collect()
}

impl Balancing<'_> {
    /// Whether anybody loses what is too far from it.
    fn drop_far(&mut self) -> bool {
        let owned =
            (0..self.group.count()).filter_map(|partition| Some((self.given.owner(partition)?, partition)));
        let far: Vec<_> = owned.filter(|(member, partition)| self.is_far(*member, *partition)).collect();
        for (member, partition) in &far {
            self.given.take(*partition);
            self.sizes[*member] -= 1;
        }
        !far.is_empty()
    }

    fn is_far(&self, member: usize, partition: usize) -> bool {
        let rack = self.group.rack(member);
        self.do_racks_matter && rack.is_some_and(|rack| !self.group.racks(partition).contains(rack))
    }

    fn run(&mut self, is_any_lost: bool) {
        let is_new = self.sizes.iter().all(|size| *size == 0);
        let mut topics: Vec<usize> = (0..self.subscribers.len()).collect();
        topics.sort_by_key(|topic| (self.subscribers[*topic].len(), *topic));
        let all: Vec<usize> = topics.iter().flat_map(|topic| self.group.partitions(*topic)).collect();
        let unassigned: Vec<usize> =
            all.iter().copied().filter(|partition| self.given.owner(*partition).is_none()).collect();
        self.assign_all(&unassigned);
        let can_move = |partition: &usize| self.subscribers[self.group.topic(*partition)].len() > 1;
        let (all, fresh): (Vec<usize>, Vec<usize>) =
            (all.into_iter().filter(can_move).collect(), unassigned.into_iter().filter(can_move).collect());
        self.set_aside();
        let before = (self.given.clone(), self.score());
        if !is_any_lost {
            self.balance(&fresh);
        }
        let has_moved = self.balance(&all);
        if !is_new && has_moved && self.score() >= before.1 {
            self.given = before.0;
        }
    }

    /// Where racks matter, first to those that are near.
    fn assign_all(&mut self, unassigned: &[usize]) {
        for near_only in [true, false] {
            if near_only && !self.do_racks_matter {
                continue;
            }
            for partition in unassigned {
                if self.given.owner(*partition).is_none()
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
        let topic = self.group.topic(partition);
        let subscribers = &self.subscribers[topic];
        // Whichever is shorter is gone through.
        if subscribers.len() * 4 < self.ranked.len() {
            let free = subscribers.iter().filter(|member| !self.is_fixed[**member] && may(**member));
            return free.map(|member| (self.sizes[*member], *member)).min().map(|(_, member)| member);
        }
        let mut ranked = self.ranked.iter().map(|(_, member)| *member);
        ranked.find(|member| self.group.wants(*member, topic) && may(*member))
    }

    fn give(&mut self, partition: usize, member: usize) {
        self.rank(member, self.sizes[member] + 1);
        self.given.give(partition, member);
    }

    fn rank(&mut self, member: usize, size: usize) {
        if self.ranked.remove(&(self.sizes[member], member)) {
            self.ranked.insert((size, member));
        }
        self.sizes[member] = size;
    }

    /// Members that have all they want, where nobody else wants any of it.
    fn set_aside(&mut self) {
        for member in self.group.by_id() {
            let wanted = self.group.wanted(member).iter();
            let all: usize = wanted.clone().map(|topic| self.group.partitions(*topic).len()).sum();
            // Who has all it wants can lose what others want too.
            let can_lose = wanted.clone().any(|topic| self.subscribers[*topic].len() > 1);
            if self.sizes[member] == all && !can_lose {
                self.is_fixed[member] = true;
                self.ranked.remove(&(all, member));
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
        let size = |member: &usize| self.sizes[*member];
        let (Some((least, _)), Some((most, _))) = (self.ranked.first(), self.ranked.last()) else {
            return true;
        };
        if most - least <= 1 {
            return true;
        }
        let is_even = |topic: usize| {
            let free = self.subscribers[topic].iter().filter(|member| !self.is_fixed[**member]);
            let least = free.map(size).min();
            let owners = self.group.partitions(topic).filter_map(|partition| self.given.owner(partition));
            let most = owners.map(|member| size(&member)).max();
            least.zip(most).is_none_or(|(least, most)| most <= least + 1)
        };
        (0..self.subscribers.len()).all(is_even)
    }

    fn improve(&mut self, partition: usize) -> bool {
        let Some(owner) = self.given.owner(partition) else { return false };
        let size = self.sizes[owner];
        let topic = self.group.topic(partition);
        // Kafka gives it back to one that may not want it any more; here it has to.
        let back = self
            .earlier
            .owner(partition)
            .filter(|member| !self.is_fixed[*member] && self.group.wants(*member, topic));
        if let Some(member) = back.filter(|member| size > self.sizes[*member] + 1) {
            self.move_to(partition, member);
            return true;
        }
        let Some(member) = self.least(partition, |_| true).filter(|member| size > self.sizes[*member] + 1)
        else {
            return false;
        };
        self.move_to(partition, member);
        true
    }

    /// Where another partition of the topic went the other way before, that one goes back instead,
    /// as in Kafka: even from an owner that has no more than the member. Such moves can go round in
    /// circles (what members claim to have had can lead there), so that after many only those are
    /// made that make it more even, of which there is an end.
    fn move_to(&mut self, partition: usize, member: usize) {
        let Some(owner) = self.given.owner(partition) else { return };
        let from = self.moves.origin(partition).unwrap_or(owner);
        let other = self.moves.first(self.group.topic(partition), member, from);
        let is_patient = self.moves.count() <= MOVES * self.group.count();
        let can_go = |other: &usize| {
            let owner = self.given.owner(*other);
            is_patient || owner.is_some_and(|owner| self.sizes[owner] > self.sizes[member] + 1)
        };
        let partition = other.filter(can_go).unwrap_or(partition);
        let Some(old) = self.given.owner(partition) else { return };
        self.moves.note(partition, old, member);
        self.rank(old, self.sizes[old] - 1);
        self.give(partition, member);
    }
}

/// Moves for each partition, on average, after which each has to make it more even.
const MOVES: usize = 8;
