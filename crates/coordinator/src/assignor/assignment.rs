//! Assignments of partitions to members, by names and by numbers.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{GroupSpec, TopicPartition};
use crate::MemberId;

/// What each member has, by names. Every member is there, some perhaps with nothing.
pub type NamedAssignment = BTreeMap<MemberId, Vec<TopicPartition>>;

/// Who is to read which partition, both in the numbers of a [`GroupSpec`]. Nobody can be given what
/// another has.
///
/// # Examples
/// ```
/// use klamm_coordinator::assignor::{Assignment, GroupSpec, Subscriber, Topics};
///
/// let topics = Topics::default().with("jobs", 3);
/// let members = [Subscriber { id: "a".into(), topics: vec!["jobs".into()], ..Subscriber::default() }];
/// let group = GroupSpec::new(&topics, &members);
/// let mut given = Assignment::none(&group);
/// group.partitions(0).for_each(|partition| given.give(partition, 0));
/// assert_eq!(given.by_member().of(0).collect::<Vec<_>>(), [0, 1, 2]);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// Of each partition, or [`NOBODY`].
    owner: Vec<u32>,
    members: usize,
}

/// Partitions by who has them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shares {
    partitions: Vec<u32>,
    /// For each member, where its own begin; and the end.
    begins: Vec<usize>,
}

/// No group has so many members.
const NOBODY: u32 = u32::MAX;

impl Assignment {
    /// Nobody has anything.
    #[must_use]
    pub fn none(group: &GroupSpec<'_>) -> Assignment {
        Assignment { owner: vec![NOBODY; group.count()], members: group.members().len() }
    }

    /// Whether it is one of this group, or of another that looks the same.
    #[must_use]
    pub fn is_of(&self, group: &GroupSpec<'_>) -> bool {
        self.owner.len() == group.count() && self.members == group.members().len()
    }

    /// Gives a partition to a member, whoever had it.
    ///
    /// # Panics
    /// When there is no such partition or member.
    pub fn give(&mut self, partition: usize, member: usize) {
        assert!(member < self.members, "member {member} of {}", self.members);
        self.owner[partition] = number(member);
    }

    /// Takes a partition from whoever has it.
    ///
    /// # Panics
    /// When there is no such partition.
    pub fn take(&mut self, partition: usize) {
        self.owner[partition] = NOBODY;
    }

    /// Who has a partition.
    ///
    /// # Panics
    /// When there is no such partition.
    #[must_use]
    pub fn owner(&self, partition: usize) -> Option<usize> {
        let owner = self.owner[partition];
        (owner != NOBODY).then_some(owner as usize)
    }

    /// Whether a member has a partition.
    ///
    /// # Panics
    /// When there is no such partition.
    #[must_use]
    pub fn has(&self, member: usize, partition: usize) -> bool {
        self.owner[partition] == number(member)
    }

    /// Partitions that nobody has, in order.
    #[must_use]
    pub fn free(&self) -> Vec<usize> {
        self.free_of(self.owner.iter().filter(|owner| **owner == NOBODY).count())
    }

    /// The same where it is known how many they are.
    pub(super) fn free_of(&self, count: usize) -> Vec<usize> {
        let mut free = Vec::with_capacity(count);
        let owners = self.owner.iter().enumerate().filter(|(_, owner)| **owner == NOBODY);
        free.extend(owners.map(|(partition, _)| partition).take(count));
        free
    }

    /// How many partitions each member has.
    #[must_use]
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.members];
        let owners = self.owner.iter().filter(|owner| **owner != NOBODY);
        owners.for_each(|owner| sizes[*owner as usize] += 1);
        sizes
    }

    /// Takes from each member its last partitions, so that it has no more than it may keep. They
    /// are given back by member.
    pub(super) fn cut(&mut self, kept: &[usize]) -> Vec<usize> {
        let mut seen = vec![0; self.members];
        let mut beyond = Vec::new();
        for (partition, owner) in self.owner.iter_mut().enumerate().filter(|(_, owner)| **owner != NOBODY) {
            let member = *owner as usize;
            seen[member] += 1;
            if seen[member] > kept[member] {
                beyond.push((member, partition));
                *owner = NOBODY;
            }
        }
        beyond.sort_unstable();
        beyond.into_iter().map(|(_, partition)| partition).collect()
    }

    /// The partitions of each member, in order.
    #[must_use]
    pub fn by_member(&self) -> Shares {
        self.by_member_in(0..self.owner.len())
    }

    /// The same of these partitions alone.
    pub(super) fn by_member_in(&self, partitions: Range<usize>) -> Shares {
        let owners = &self.owner[partitions.clone()];
        // Counted at the place after the next, so that placing moves each to where it begins.
        let mut begins = vec![0; self.members + 2];
        let is_owned = |owner: &u32| *owner != NOBODY;
        owners.iter().filter(|owner| is_owned(owner)).for_each(|owner| begins[*owner as usize + 2] += 1);
        (2..begins.len()).for_each(|at| begins[at] += begins[at - 1]);
        let mut all = vec![0; begins[self.members + 1]];
        for (partition, owner) in partitions.zip(owners).filter(|(_, owner)| is_owned(owner)) {
            let place = &mut begins[*owner as usize + 1];
            all[*place] = number(partition);
            *place += 1;
        }
        begins.truncate(self.members + 1);
        Shares { partitions: all, begins }
    }
}

impl Shares {
    /// The partitions of a member, in order.
    ///
    /// # Panics
    /// When there is no such member.
    pub fn of(&self, member: usize) -> impl ExactSizeIterator<Item = usize> + '_ {
        numbers(&self.partitions[self.begins[member]..self.begins[member + 1]])
    }

    pub(super) fn nth(&self, member: usize, at: usize) -> usize {
        self.partitions[self.begins[member] + at] as usize
    }

    /// The same of each member, in order.
    pub fn iter(&self) -> impl Iterator<Item = impl ExactSizeIterator<Item = usize> + '_> {
        self.begins.windows(2).map(|bounds| numbers(&self.partitions[bounds[0]..bounds[1]]))
    }
}

pub(super) fn numbers(partitions: &[u32]) -> impl ExactSizeIterator<Item = usize> + '_ {
    partitions.iter().map(|partition| *partition as usize)
}

/// Members and partitions are counted by topics and requests that are far smaller.
pub(super) fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NOBODY)
}
