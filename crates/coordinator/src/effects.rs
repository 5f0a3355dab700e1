//! What a coordinator wants done.

use bytes::Bytes;

use crate::{GroupError, GroupId, GroupRecord, InstanceId, MemberId, News, Notice, ProtocolName};

/// Who waits for an answer: a number that the driver gives, and knows again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Waiter(pub u64);

/// What the driver has to do: log the records, hand each to
/// [`apply`](crate::GroupCoordinator::apply), then give the answers. When they cannot be logged,
/// [`not_logged`](crate::GroupCoordinator::not_logged) says what to answer instead.
#[derive(Clone, PartialEq, Debug, Default)]
#[must_use = "the records are to be logged, the answers to be given"]
pub struct Effects {
    /// To be logged together, in this order.
    pub records: Vec<GroupRecord>,
    /// To be given once the records are logged.
    pub answers: Vec<(Waiter, Answer)>,
    /// What has become of groups by this, once the records are logged. To be told or counted, or
    /// left.
    pub notices: Vec<Notice>,
}

/// An answer to one that had to wait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// To a JoinGroup.
    Join(Result<Joined, NotJoined>),
    /// To a SyncGroup.
    Sync(Result<Synced, GroupError>),
}

/// A member is in a new generation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    /// The generation.
    pub generation: i32,
    /// What the members are.
    pub protocol_type: Option<ProtocolName>,
    /// By which partitions are to be assigned.
    pub protocol: Option<ProtocolName>,
    /// Who is to assign them.
    pub leader: Option<MemberId>,
    /// Whether the leader, who has come back, is to leave the assignment as it is (KIP-814).
    pub skips_assignment: bool,
    /// The member's own id.
    pub member: MemberId,
    /// For the leader: all members, and what they want.
    pub members: Vec<JoinedMember>,
}

/// A member, for the leader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinedMember {
    /// Its id.
    pub id: MemberId,
    /// What it calls itself for good.
    pub instance: Option<InstanceId>,
    /// What it wants, in the protocol that was chosen.
    pub metadata: Bytes,
}

/// A member is not in the group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotJoined {
    /// Why.
    pub error: GroupError,
    /// The id that it came with, or is to come again with.
    pub member: Option<MemberId>,
}

/// A member's assignment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Synced {
    /// What the members are.
    pub protocol_type: Option<ProtocolName>,
    /// By which partitions were assigned.
    pub protocol: Option<ProtocolName>,
    /// What the leader gave it.
    pub assignment: Bytes,
}

impl Effects {
    pub(crate) fn of(records: Vec<GroupRecord>) -> Effects {
        Effects { records, ..Effects::default() }
    }

    pub(crate) fn tell(&mut self, group: &GroupId, news: News) {
        self.notices.push(Notice { group: group.clone(), news });
    }

    pub(crate) fn answer(&mut self, waiter: Waiter, answer: Answer) {
        self.answers.push((waiter, answer));
    }

    pub(crate) fn refuse_join(&mut self, waiter: Waiter, error: GroupError, member: Option<MemberId>) {
        self.answer(waiter, Answer::Join(Err(NotJoined { error, member })));
    }

    pub(crate) fn refuse_sync(&mut self, waiter: Waiter, error: GroupError) {
        self.answer(waiter, Answer::Sync(Err(error)));
    }

    /// Adds what is to be done after this.
    pub fn then(&mut self, more: Effects) {
        self.records.extend(more.records);
        self.answers.extend(more.answers);
        self.notices.extend(more.notices);
    }

    /// The same in portions of so many records, for those that need not be logged together. All
    /// else goes with the last.
    pub fn in_portions(mut self, records: usize) -> impl Iterator<Item = Effects> {
        let mut rest = std::mem::take(&mut self.records).into_iter().peekable();
        std::iter::from_fn(move || {
            let portion: Vec<_> = rest.by_ref().take(records.max(1)).collect();
            let others = if rest.peek().is_none() { std::mem::take(&mut self) } else { Effects::default() };
            let portion = Effects { records: portion, ..others };
            (portion != Effects::default()).then_some(portion)
        })
    }

    /// The groups that records are about.
    pub(crate) fn groups(&self) -> Vec<GroupId> {
        let mut groups: Vec<_> = self.records.iter().map(|record| record.group().clone()).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}

impl Answer {
    /// The answer in place of this one when its records could not be made durable.
    #[must_use]
    pub fn failed(self, error: GroupError) -> Answer {
        match self {
            Answer::Join(Ok(joined)) => Answer::Join(Err(NotJoined { error, member: Some(joined.member) })),
            Answer::Sync(Ok(_)) => Answer::Sync(Err(error)),
            refused => refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portions_are_in_order_and_answers_go_with_the_last() {
        let record =
            |number: i32| GroupRecord::ClassicGroup { group: GroupId::new(&number.to_string()), value: None };
        let answer = (Waiter(1), Answer::Sync(Err(GroupError::UnknownMemberId)));
        let sizes = |records: i32, answers: usize| {
            let effects = Effects {
                records: (0..records).map(record).collect(),
                answers: vec![answer.clone(); answers],
                notices: Vec::new(),
            };
            let all = effects.records.clone();
            let portions: Vec<Effects> = effects.in_portions(2).collect();
            assert_eq!(portions.iter().flat_map(|portion| portion.records.clone()).collect::<Vec<_>>(), all);
            portions.iter().map(|portion| (portion.records.len(), portion.answers.len())).collect::<Vec<_>>()
        };
        assert_eq!(sizes(5, 1), [(2, 0), (2, 0), (1, 1)]);
        assert_eq!(sizes(2, 0), [(2, 0)]);
        assert_eq!(sizes(0, 1), [(0, 1)]);
        assert_eq!(sizes(0, 0), []);
    }
}
