//! Whose commits are taken, and who is told of offsets.

use klamm_protocol::Uuid;

use super::group::ConsumerGroup;
use crate::offsets::Commit;
use crate::{GroupError, MemberId};

impl ConsumerGroup {
    /// A commit of an epoch that has passed is taken of partitions that the member was given in
    /// that epoch or before (KIP-1251).
    pub(crate) fn check_commit(&self, commit: &Commit) -> Result<(), GroupError> {
        if commit.generation.is_none() && self.members().len() == 0 {
            return Ok(());
        }
        let member =
            commit.member.as_ref().and_then(|id| self.member(id)).ok_or(GroupError::UnknownMemberId)?;
        let is_classic = member.said.classic.is_some();
        if !is_classic && !commit.knows_epochs {
            return Err(GroupError::UnsupportedVersion);
        }
        let stale = if is_classic { GroupError::IllegalGeneration } else { GroupError::StaleMemberEpoch };
        let epoch = commit.generation.unwrap_or(-1);
        if epoch >= member.current.epoch {
            return if epoch == member.current.epoch { Ok(()) } else { Err(stale) };
        }
        let is_its_own = |topic: Uuid, partition: i32| {
            member.assignment_epoch(topic, partition).is_some_and(|assigned| epoch >= assigned)
        };
        let are_all = commit
            .offsets
            .iter()
            .all(|new| new.topic_id.is_some_and(|topic| is_its_own(topic, new.partition)));
        if are_all { Ok(()) } else { Err(stale) }
    }

    /// Whether a member of this epoch is told of offsets.
    pub(crate) fn check_fetch(&self, id: &MemberId, epoch: i32) -> Result<(), GroupError> {
        let member = self.member(id).ok_or(GroupError::UnknownMemberId)?;
        match member.current.epoch == epoch {
            true => Ok(()),
            false if member.said.classic.is_some() => Err(GroupError::IllegalGeneration),
            false => Err(GroupError::StaleMemberEpoch),
        }
    }
}
