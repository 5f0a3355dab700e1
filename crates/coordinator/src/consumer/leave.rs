//! Members leave, or are taken out: by themselves, or because their time is up.

use super::catalog::Catalog;
use super::group::{ConsumerGroup, Member};
use super::heartbeat::{ConsumerHeartbeat, IS_AWAY};
use super::record::{ConsumerRecord, Current, GroupEpoch};
use super::{Held, metadata};
use crate::{GroupError, MemberId};

/// What takes a member away.
pub(super) fn removal(id: &MemberId) -> [ConsumerRecord; 3] {
    [
        ConsumerRecord::Current(id.clone(), None),
        ConsumerRecord::Target(id.clone(), None),
        ConsumerRecord::Member(id.clone(), None),
    ]
}

/// Who leaves, and whether for good.
pub(crate) enum Leaver {
    /// The others assign anew.
    ForGood(MemberId),
    /// A static one that comes back has what it had, unless its session ends before.
    ForAWhile(MemberId),
}

impl ConsumerGroup {
    /// Who leaves by this heartbeat.
    pub(crate) fn leaver(&self, beat: &ConsumerHeartbeat) -> Result<Leaver, GroupError> {
        let member = self.find(&beat.id(), beat.instance.as_ref())?;
        let id = member.id.clone();
        Ok(if beat.epoch == IS_AWAY { Leaver::ForAWhile(id) } else { Leaver::ForGood(id) })
    }

    /// The record of a static member that goes for a while.
    pub(crate) fn go_away(&self, id: &MemberId) -> Vec<ConsumerRecord> {
        let away = |member: &Member| {
            let assigned =
                member.current.assigned.iter().map(|(topic, partition, _)| (topic, partition, 0)).collect();
            let current =
                Current { epoch: IS_AWAY, assigned, pending: Held::default(), ..member.current.clone() };
            ConsumerRecord::Current(member.id.clone(), Some(Box::new(current)))
        };
        self.member(id).map(away).into_iter().collect()
    }

    /// The records of members that go for good. Others are given their partitions when they come next.
    pub(crate) fn remove_members(&self, gone: &[MemberId], catalog: &dyn Catalog) -> Vec<ConsumerRecord> {
        let stays = |member: &&Member| !gone.contains(&member.id);
        let mut records: Vec<ConsumerRecord> = gone.iter().flat_map(removal).collect();
        let is_used = |regex: &&std::sync::Arc<str>| {
            self.members().filter(stays).any(|member| member.said.regex == **regex)
        };
        let unused: Vec<_> = self.regexes.keys().filter(|regex| !is_used(regex)).collect();
        records.extend(unused.iter().map(|regex| ConsumerRecord::Regex((*regex).clone(), None)));
        let matched = self
            .regexes
            .iter()
            .filter(|(regex, _)| !unused.contains(regex))
            .flat_map(|(_, resolved)| &resolved.topics);
        let wanted =
            self.members().filter(stays).flat_map(|member| &member.said.topics).chain(matched).collect();
        let value = GroupEpoch { epoch: self.epoch + 1, metadata_hash: metadata::hash(&wanted, catalog) };
        records.push(ConsumerRecord::Group(Some(value)));
        records
    }
}
