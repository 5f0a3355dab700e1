//! All members want the same topics: each gets the same number of partitions, some one more. Who
//! has more than that gives up what is beyond, who has less is filled up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::{Assignment, GroupSpec};
use super::{Claims, Given, in_hash_order};

struct Filling<'a> {
    group: &'a GroupSpec<'a>,
    /// The least that a member has, and the most.
    least: usize,
    most: usize,
    /// How many more members may have the most.
    to_fill: usize,
    given: Assignment,
    /// How many partitions each member has.
    sizes: Vec<usize>,
    /// Members below the least.
    under: VecDeque<usize>,
    /// Members at the least that may have one more.
    exact: VecDeque<usize>,
    /// What members had and may lose.
    given_up: BTreeMap<usize, usize>,
    disputed: BTreeSet<usize>,
    moving: Vec<usize>,
    do_racks_matter: bool,
}

pub(super) fn assign(group: &GroupSpec<'_>, mut claims: Claims) -> Given {
    claims.disputed.iter().for_each(|claim| claims.kept.take(*claim));
    let members = group.members().len().max(1);
    let mut filling = Filling {
        group,
        least: group.count() / members,
        most: group.count().div_ceil(members),
        to_fill: group.count() % members,
        sizes: claims.kept.sizes(),
        given: claims.kept,
        under: VecDeque::new(),
        exact: VecDeque::new(),
        given_up: BTreeMap::new(),
        disputed: claims.disputed,
        moving: Vec::new(),
        do_racks_matter: group.do_racks_matter(group.by_id(), 0..group.count()),
    };
    filling.drop_far();
    filling.keep();
    if filling.do_racks_matter {
        let left = filling.give_near(filling.by_nearness());
        filling.give_in_turn(left);
    } else if filling.sizes.iter().all(|size| *size == 0) {
        filling.give_in_turn(0..group.count());
    } else {
        filling.give_in_turn(filling.given.free());
    }
    Given { assignment: filling.given, moving: filling.moving }
}

impl Filling<'_> {
    /// Members lose what is too far from them.
    fn drop_far(&mut self) {
        if self.do_racks_matter {
            let is_far = |partition: &usize| {
                self.given.owner(*partition).is_some_and(|member| self.is_far(member, *partition))
            };
            let far: Vec<usize> = (0..self.group.count()).filter(is_far).collect();
            far.into_iter().for_each(|partition| self.give_up(partition));
        }
    }

    /// What members keep of what they have.
    fn keep(&mut self) {
        let mut kept = self.sizes.clone();
        self.in_order().into_iter().for_each(|member| kept[member] = self.place(member));
        for members in [&mut self.under, &mut self.exact] {
            members.make_contiguous().sort_unstable();
        }
        let has_more = |member: &usize| self.sizes[*member] > kept[*member];
        let with_more: Vec<usize> = self.group.by_id().filter(has_more).collect();
        if with_more.is_empty() {
            return;
        }
        let had = self.given.by_member();
        for member in with_more {
            let mut own: Vec<usize> = had.of(member).collect();
            own.sort_by_key(|partition| (self.group.number(*partition), *partition));
            own.split_off(kept[member]).into_iter().for_each(|partition| self.give_up(partition));
        }
    }

    /// The order in which members come to be placed. It matters where more than may have the most
    /// have it.
    fn in_order(&self) -> Vec<usize> {
        let have_most = self.sizes.iter().filter(|size| **size >= self.most).count();
        if self.to_fill == 0 || have_most <= self.to_fill {
            return self.group.by_id().collect();
        }
        in_hash_order(self.group)
    }

    /// How many partitions a member may keep. It is put where it belongs by that.
    fn place(&mut self, member: usize) -> usize {
        let size = self.sizes[member];
        if size < self.least {
            self.under.push_back(member);
            size
        } else if size >= self.most && self.to_fill > 0 {
            self.note_full();
            self.most
        } else {
            self.exact.extend((self.to_fill > 0).then_some(member));
            self.least
        }
    }

    fn give_up(&mut self, partition: usize) {
        if let Some(owner) = self.given.owner(partition) {
            self.given_up.insert(partition, owner);
            self.sizes[owner] -= 1;
            self.given.take(partition);
        }
    }

    /// One more member has the most; when there are as many as there can be, the others have
    /// enough.
    fn note_full(&mut self) {
        self.to_fill -= 1;
        if self.to_fill == 0 {
            self.exact.clear();
        }
    }

    fn is_far(&self, member: usize, partition: usize) -> bool {
        let rack = self.group.rack(member);
        self.do_racks_matter && rack.is_some_and(|rack| !self.group.racks(partition).contains(rack))
    }

    /// What nobody has, those first that few members are near to.
    fn by_nearness(&self) -> Vec<usize> {
        let mut near: BTreeMap<&str, usize> = BTreeMap::new();
        let racks = self.group.by_id().filter_map(|member| self.group.rack(member));
        racks.for_each(|rack| *near.entry(rack).or_default() += 1);
        let count = |partition: &usize| {
            let racks: BTreeSet<&str> = self.group.racks(*partition).iter().map(|rack| &**rack).collect();
            racks.iter().map(|rack| near.get(rack).copied().unwrap_or(0)).sum::<usize>()
        };
        let mut unassigned = self.given.free();
        unassigned.sort_by_key(count);
        unassigned
    }

    /// Gives partitions to members that are near to them; those are left for which there is none.
    fn give_near(&mut self, unassigned: Vec<usize>) -> Vec<usize> {
        let (mut left, mut next) = (Vec::new(), 0);
        for partition in unassigned {
            let is_near = |member: &usize| {
                self.group.rack(*member).is_some_and(|rack| self.group.racks(partition).contains(rack))
            };
            let count = self.under.len();
            let found = (0..count).map(|at| (next + at) % count).find(|at| is_near(&self.under[*at]));
            if let Some(at) = found {
                let member = self.under[at];
                self.give(partition, member);
                let size = self.sizes[member];
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
                if self.sizes[member] == self.most {
                    self.exact.remove(at);
                    self.note_full();
                }
            } else {
                left.push(partition);
            }
        }
        left
    }

    /// Gives partitions to the members below the least in turn, then one each to those that may
    /// have one more.
    fn give_in_turn(&mut self, left: impl IntoIterator<Item = usize>) {
        let mut left = left.into_iter();
        self.give_rounds(&mut left);
        let mut turn = 0;
        for partition in left {
            if self.under.is_empty() {
                if let Some(member) = self.exact.pop_front() {
                    self.give(partition, member);
                    if self.sizes[member] == self.most && self.to_fill > 0 {
                        self.to_fill -= 1;
                    }
                }
                continue;
            }
            turn = if turn < self.under.len() { turn } else { 0 };
            let member = self.under[turn];
            self.give(partition, member);
            if self.sizes[member] >= self.least {
                self.under.remove(turn);
                self.exact.push_back(member);
            } else {
                turn += 1;
            }
        }
    }

    /// As many whole rounds as leave all members below the least there.
    fn give_rounds(&mut self, left: &mut impl Iterator<Item = usize>) {
        let room = self.under.iter().map(|member| self.least - self.sizes[*member]).min();
        let under: Vec<usize> = self.under.iter().copied().collect();
        let turns = (1..room.unwrap_or(0)).flat_map(|_| under.iter().copied());
        turns.zip(left).for_each(|(member, partition)| self.give(partition, member));
    }

    #[inline]
    fn give(&mut self, partition: usize, member: usize) {
        let was_anothers = self.given_up.get(&partition).is_some_and(|owner| *owner != member);
        if was_anothers || self.disputed.contains(&partition) {
            self.moving.push(partition);
        }
        self.given.give(partition, member);
        self.sizes[member] += 1;
    }
}
