//! The offsets of groups of either kind.

use super::{Group, GroupCoordinator, Kind, Outcomes};
use crate::classic::ClassicGroupRecord;
use crate::effects::Effects;
use crate::offsets::{Commit, CommittedOffset, expired, plan_deletion, removal};
use crate::{GroupError, GroupId, GroupRecord, GroupState, MemberId, News, Present, Topic};
use klamm_types::Timestamp;

impl GroupCoordinator {
    /// A group commits offsets; says of each whether it is taken, once the records are logged.
    ///
    /// # Errors
    /// When the group takes none from this member.
    pub fn commit(
        &mut self,
        commit: &Commit,
        present: Present<'_>,
    ) -> Result<(Effects, Outcomes), GroupError> {
        self.now = present.moment;
        if self.foreign.contains(&commit.group) {
            return Err(GroupError::ForeignGroup);
        }
        let mut out = Effects::default();
        match self.groups.get(&commit.group).map(|group| &group.kind) {
            Some(Kind::Consumer(group)) => group.check_commit(commit)?,
            Some(Kind::Classic(group)) => {
                commit.check(group)?;
                if let Some(member) = &commit.member {
                    self.turn(&commit.group, present, &mut out, |turn| turn.keep_alive(member));
                }
            }
            None if commit.generation.is_some() => return Err(GroupError::GroupIdNotFound),
            None => {}
        }
        let has = self.groups.get(&commit.group).map(|group| &group.offsets);
        let (records, outcomes) = commit.plan(&self.config, present, has);
        out.records = records;
        Ok((out, outcomes))
    }

    /// Whether a member is told of offsets that asks for them as one of this epoch (OffsetFetch,
    /// version 9).
    ///
    /// # Errors
    /// When it is no member, or of another epoch.
    pub fn check_fetch(&self, group: &GroupId, member: &MemberId, epoch: i32) -> Result<(), GroupError> {
        match self.groups.get(group).map(|group| &group.kind) {
            Some(Kind::Consumer(group)) => group.check_fetch(member, epoch),
            Some(Kind::Classic(_)) | None => Ok(()),
        }
    }

    /// Offsets of a group are taken away; says of each whether that can be. One that is not there
    /// is gone already.
    ///
    /// # Errors
    /// When the group is not there.
    pub fn delete_offsets(
        &self,
        group: &GroupId,
        named: &[(Topic, i32)],
        time: Timestamp,
    ) -> Result<(Effects, Outcomes), GroupError> {
        let found = self.find(group, GroupError::GroupIdNotFound)?;
        if let Kind::Classic(classic) = &found.kind
            && classic.members().len() > 0
            && !classic.is_of_consumers()
        {
            return Err(GroupError::NonEmptyGroup);
        }
        let is_used = |topic: &Topic| match &found.kind {
            Kind::Classic(group) => group.is_subscribed_to(topic),
            Kind::Consumer(group) => group.is_subscribed_to(topic),
        };
        let (removals, outcomes) = plan_deletion(group, &found.offsets, named, is_used);
        let mut records = Vec::new();
        if !removals.is_empty() && matches!(&found.kind, Kind::Classic(classic) if classic.is_nothing()) {
            // A group that only has offsets is there as long as they are. It stays when the last
            // one is deleted.
            let value = Some(ClassicGroupRecord { since: Some(time), ..Default::default() });
            records.push(GroupRecord::ClassicGroup { group: group.clone(), value });
        }
        records.extend(removals);
        Ok((Effects::of(records), outcomes))
    }

    /// A group without members is taken away, with its offsets.
    ///
    /// # Errors
    /// When it is not there, or has members.
    pub fn delete_group(&self, group: &GroupId) -> Result<Effects, GroupError> {
        let found = self.existing(group, GroupError::GroupIdNotFound)?;
        if found.state() != GroupState::Empty {
            return Err(GroupError::NonEmptyGroup);
        }
        let offsets = found.offsets.iter().map(|(topic, partition, _)| removal(group, topic, partition));
        let mut out = Effects::of(offsets.chain(self.end_of(group)).collect());
        out.tell(group, News::Deleted);
        Ok(out)
    }

    /// The records that take an empty group away.
    fn end_of(&self, id: &GroupId) -> Vec<GroupRecord> {
        let classic = || vec![GroupRecord::ClassicGroup { group: id.clone(), value: None }];
        self.removal_if_empty(id).unwrap_or_else(classic)
    }

    /// The offsets of topics that are gone go with them.
    pub fn forget(&self, is_gone: impl Fn(&Topic, &CommittedOffset) -> bool) -> Effects {
        let of = |(id, group): (&GroupId, &Group)| -> Vec<GroupRecord> {
            let gone = group.offsets.iter().filter(|(topic, _, committed)| is_gone(topic, committed));
            gone.map(|(topic, partition, _)| removal(id, topic, partition)).collect()
        };
        Effects::of(self.groups.iter().flat_map(of).collect())
    }

    /// What has expired at `time` goes: offsets, and groups that have neither members nor offsets.
    pub fn expire(&self, time: Timestamp) -> Effects {
        let of = |(id, group): (&GroupId, &Group)| {
            let unused_since = |topic: &Topic, committed: &CommittedOffset| match &group.kind {
                Kind::Classic(group) => group.unused_since(topic, committed),
                // Whatever the group does: KIP-848 knows only whether it wants the topic.
                Kind::Consumer(group) => (!group.is_subscribed_to(topic)).then_some(committed.committed_at),
            };
            let mut records = expired(id, &group.offsets, self.config.offsets_retention, time, unused_since);
            let is_left = group.offsets.iter().count() > records.len();
            if !is_left && group.state() == GroupState::Empty {
                records.extend(self.end_of(id));
            }
            records
        };
        Effects::of(self.own_groups().flat_map(of).collect())
    }

    /// The offset that a group has committed for a partition.
    #[must_use]
    pub fn committed(&self, group: &GroupId, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.groups.get(group)?.offsets.get(topic, partition)
    }

    /// All offsets that a group has committed, in the order of topics and partitions.
    pub fn all_committed(&self, group: &GroupId) -> impl Iterator<Item = (&Topic, i32, &CommittedOffset)> {
        self.groups.get(group).into_iter().flat_map(|group| group.offsets.iter())
    }
}
