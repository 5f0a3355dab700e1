//! What a coordinator wants done.

use bytes::Bytes;

use crate::{GroupError, GroupId, GroupRecord, InstanceId, MemberId, ProtocolName};

/// Who waits for an answer: a number that the driver gives, and knows again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Waiter(pub u64);

/// What the driver has to do: log the records, hand each to [`apply`](crate::GroupCoordinator::apply), then give the answers. When they cannot
/// be logged, [`not_logged`](crate::GroupCoordinator::not_logged) says what to answer instead.
#[derive(Clone, PartialEq, Debug, Default)]
#[must_use = "the records are to be logged, the answers to be given"]
pub struct Effects {
    /// To be logged together, in this order.
    pub records: Vec<GroupRecord>,
    /// To be given once the records are logged.
    pub answers: Vec<(Waiter, Answer)>,
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
    /// The same answer for one that is told of an error instead.
    pub(crate) fn failed(self, error: GroupError) -> Answer {
        match self {
            Answer::Join(Ok(joined)) => Answer::Join(Err(NotJoined { error, member: Some(joined.member) })),
            Answer::Sync(Ok(_)) => Answer::Sync(Err(error)),
            refused => refused,
        }
    }
}
