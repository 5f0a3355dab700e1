//! Members leave, or are taken out: by themselves, or because their time is up.

use std::sync::Arc;

use super::catalog::Catalog;
use super::group::{ConsumerGroup, Member};
use super::heartbeat::{ConsumerHeartbeat, IS_AWAY};
use super::record::{ConsumerRecord, Current, GroupEpoch};
use super::wanted::Wanted;
use super::{Held, metadata};
use crate::{GroupError, MemberId, Topic};

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

    /// The records of members that go for good. Others are given their partitions when they come
    /// next.
    pub(crate) fn remove_members(&self, gone: &[MemberId], catalog: &dyn Catalog) -> Vec<ConsumerRecord> {
        let mut going = Wanted::default();
        gone.iter().filter_map(|id| self.member(id)).for_each(|member| going.add(&member.said));
        let is_used = |regex: &Arc<str>| going.users(regex) < self.wanted.users(regex);
        let is_wanted = |topic: &&Topic| going.count(topic) < self.wanted.count(topic);
        let (used, unused): (Vec<_>, Vec<_>) = self.regexes.iter().partition(|(regex, _)| is_used(regex));
        let metadata_hash = if unused.is_empty() && going.topics().all(|topic| is_wanted(&topic)) {
            self.metadata_hash
        } else {
            let matched = used.iter().flat_map(|(_, resolved)| &resolved.topics);
            metadata::hash(&self.wanted.topics().filter(is_wanted).chain(matched).collect(), catalog)
        };
        // First, so that what a crash leaves of this is assigned anew.
        let epoch = GroupEpoch { epoch: self.next_epoch(), metadata_hash };
        let mut records = vec![ConsumerRecord::Group(Some(epoch))];
        records.extend(gone.iter().flat_map(removal));
        records.extend(unused.iter().map(|(regex, _)| ConsumerRecord::Regex(Arc::clone(regex), None)));
        records
    }
}
