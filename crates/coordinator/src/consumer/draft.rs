//! What a request of a member makes of its group, step by step, as records. The group itself does
//! not change: it is as the draft says once they are logged.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use klamm_protocol::Uuid;
use klamm_types::Timestamp;

use super::catalog::Catalog;
use super::group::{ConsumerGroup, Member};
use super::heartbeat::Who;
use super::reconcile::Reconciling;
use super::record::{ConsumerRecord, Current, GroupEpoch, Resolved, Subscribed};
use super::{Partitions, metadata, regex, target};
use crate::{GroupConfig, GroupError, MemberId, Topic};

pub(crate) struct Draft<'a> {
    pub(super) group: &'a ConsumerGroup,
    pub(crate) config: &'a GroupConfig,
    pub(super) catalog: &'a dyn Catalog,
    pub(super) time: Timestamp,
    pub(super) id: MemberId,
    said: Cow<'a, Subscribed>,
    current: Cow<'a, Current>,
    /// Whose place the member takes.
    replaced: Option<&'a MemberId>,
    epoch: i32,
    /// Whether the topics that it wants are others than before.
    has_changed: bool,
    /// Whether the group was classic until now: what members were given then may not be all.
    is_converted: bool,
    /// Expressions that are matched anew; `None` for one that nobody uses any more.
    pub(super) regexes: BTreeMap<Arc<str>, Option<Resolved>>,
    pub(super) records: Vec<ConsumerRecord>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(
        group: &'a ConsumerGroup,
        config: &'a GroupConfig,
        catalog: &'a dyn Catalog,
        time: Timestamp,
    ) -> Draft<'a> {
        Draft {
            group,
            config,
            catalog,
            time,
            id: MemberId::default(),
            said: Cow::Owned(Subscribed::default()),
            current: Cow::Owned(Current::default()),
            replaced: None,
            epoch: group.epoch,
            has_changed: false,
            is_converted: false,
            regexes: BTreeMap::new(),
            records: Vec::new(),
        }
    }

    /// The same of a group that was classic until now.
    pub(crate) fn of_converted(self) -> Self {
        Draft { is_converted: true, ..self }
    }

    pub(super) fn said(&self) -> &Subscribed {
        &self.said
    }

    pub(super) fn current(&self) -> &Current {
        &self.current
    }

    /// The member as it is before it says anything.
    pub(super) fn begin(&mut self, who: Who<'a>) {
        match who {
            Who::Member(member) => {
                self.id = member.id.clone();
                (self.said, self.current) = (Cow::Borrowed(&member.said), Cow::Borrowed(&member.current));
            }
            Who::New(id) => self.id = id,
            Who::InPlaceOf(there, id) => self.replace(there, id),
        }
    }

    /// A static member comes back under another id: it has what it had.
    fn replace(&mut self, there: &'a Member, id: MemberId) {
        let target = self.group.target(&there.id).cloned().unwrap_or_default();
        let current = Current { epoch: 0, previous: 0, ..there.current.clone() };
        self.records.extend(super::leave::removal(&there.id));
        self.records.extend([
            ConsumerRecord::Member(id.clone(), Some(Box::new(there.said.clone()))),
            ConsumerRecord::Target(id.clone(), Some(target)),
            ConsumerRecord::Current(id.clone(), Some(Box::new(current.clone()))),
        ]);
        self.said = Cow::Borrowed(&there.said);
        self.current = Cow::Owned(current);
        self.replaced = Some(&there.id);
        self.id = id;
    }

    /// The member says something new of itself.
    pub(super) fn change(&mut self, said: Subscribed) {
        let is_regex_new = said.regex != self.said.regex;
        self.has_changed = is_regex_new || said.topics != self.said.topics;
        self.records.push(ConsumerRecord::Member(self.id.clone(), Some(Box::new(said.clone()))));
        let before = std::mem::replace(&mut self.said, Cow::Owned(said)).regex.clone();
        if is_regex_new && !before.is_empty() && !self.uses_regex(&before) {
            self.records.push(ConsumerRecord::Regex(Arc::clone(&before), None));
            self.regexes.insert(before, None);
        }
    }

    /// All that follows from what the member has said, and from what the topics are now. Whether it
    /// is told of other partitions than before.
    pub(super) fn settle(&mut self, owned: Option<&Partitions>) -> Result<bool, GroupError> {
        if self.has_changed || self.is_converted || self.are_topics_others() {
            self.look_at_topics()?;
        }
        let target_epoch = if self.is_assignment_due() { self.assign() } else { self.group.target_epoch };
        self.reconcile(target_epoch, owned)
    }

    /// Whether topics have come, gone or grown since the group looked at them.
    pub(super) fn are_topics_others(&self) -> bool {
        self.group.looked_at != Some(self.catalog.version())
    }

    /// The epoch rises when members want other topics, or the topics are others.
    fn look_at_topics(&mut self) -> Result<(), GroupError> {
        let is_resolved_anew = regex::resolve(self)? || !self.regexes.is_empty();
        let hash = match self.are_topics_others() || is_resolved_anew || self.changes_wanted() {
            true => metadata::hash(&self.wanted(), self.catalog),
            false => self.group.metadata_hash,
        };
        if self.has_changed || self.is_converted || is_resolved_anew || hash != self.group.metadata_hash {
            self.epoch = self.group.next_epoch();
            let value = GroupEpoch { epoch: self.epoch, metadata_hash: hash };
            // First, so that what a crash leaves of this is assigned anew.
            self.records.insert(0, ConsumerRecord::Group(Some(value)));
        }
        if self.group.has_old_metadata {
            self.records.push(ConsumerRecord::OldMetadata(false));
        }
        Ok(())
    }

    fn is_assignment_due(&self) -> bool {
        let interval = self.config.consumer.times_of(&self.group.id).assignment_interval;
        self.epoch > self.group.target_epoch && self.group.may_assign(interval, self.time)
    }

    fn assign(&mut self) -> i32 {
        let records = target::assign(self, self.epoch);
        self.records.extend(records);
        self.epoch
    }

    /// What the member is to have, as far as that is decided.
    pub(super) fn target(&self) -> Option<&Partitions> {
        let new = self.records.iter().rev().find_map(|record| match record {
            ConsumerRecord::Target(id, target) if *id == self.id => target.as_ref(),
            _ => None,
        });
        new.or_else(|| self.group.target(&self.id))
    }

    fn reconcile(&mut self, target_epoch: i32, owned: Option<&Partitions>) -> Result<bool, GroupError> {
        let is_settled =
            self.current.state == super::MemberState::Stable && self.current.epoch == target_epoch;
        if is_settled && !self.has_changed {
            return Ok(false);
        }
        let (wanted, target) = (self.wanted_ids(), self.target().cloned().unwrap_or_default());
        let reconciling = Reconciling {
            group: self.group,
            current: &self.current,
            target_epoch,
            target: &target,
            wants: &|topic| wanted.contains(&topic),
            has_changed: self.has_changed,
            owned,
        };
        let next = reconciling.next()?;
        if next != *self.current {
            self.records.push(ConsumerRecord::Current(self.id.clone(), Some(Box::new(next.clone()))));
            let before = std::mem::replace(&mut self.current, Cow::Owned(next));
            return Ok(before.assigned != self.current.assigned);
        }
        Ok(false)
    }

    /// What a member was to have before.
    pub(super) fn target_before(&self, id: &MemberId) -> Option<&Partitions> {
        let before = self.replaced.filter(|_| *id == self.id).unwrap_or(id);
        self.group.target(before)
    }

    /// All members as they will be.
    pub(super) fn members(&self) -> impl Iterator<Item = (&MemberId, &Subscribed)> {
        let is_other = |member: &&Member| member.id != self.id && self.replaced != Some(&member.id);
        let others = self.group.members().filter(is_other).map(|member| (&member.id, &member.said));
        others.chain([(&self.id, self.said())])
    }

    /// Whether any member uses an expression, as it will be.
    fn uses_regex(&self, regex: &Arc<str>) -> bool {
        let others = self.group.wanted.users(regex)
            - usize::from(self.before().is_some_and(|said| said.regex == *regex));
        others > 0 || self.said.regex == *regex
    }

    /// All expressions that members use, as it will be.
    pub(super) fn used_regexes(&self) -> impl Iterator<Item = &Arc<str>> {
        let own = [&self.said.regex].into_iter().filter(|regex| !regex.is_empty());
        let is_other = |regex: &&Arc<str>| **regex != self.said.regex && self.uses_regex(regex);
        self.group.wanted.regexes().filter(is_other).chain(own)
    }

    /// What the group knows of the member, or of the one whose place it takes.
    fn before(&self) -> Option<&Subscribed> {
        self.group.member(self.replaced.unwrap_or(&self.id)).map(|member| &member.said)
    }

    /// Whether some topic is wanted by its name now and was not, or the other way round.
    fn changes_wanted(&self) -> bool {
        let before = self.before();
        let is_lost =
            |topic: &Topic| self.group.wanted.count(topic) == 1 && !self.said.topics.contains(topic);
        let is_new = |topic: &Topic| self.group.wanted.count(topic) == 0;
        before.is_some_and(|said| said.topics.iter().any(is_lost)) || self.said.topics.iter().any(is_new)
    }

    /// Whether all members name the same topics, or all have the same expression and name none.
    pub(super) fn is_asked_in_the_same_words(&self) -> bool {
        let own = &self.said;
        let has_one_way = own.regex.is_empty() || own.topics.is_empty();
        has_one_way && self.members().all(|(_, said)| said.regex == own.regex && said.topics == own.topics)
    }

    /// The topics that a member wants, by name and by what its expression matches.
    pub(super) fn topics_of<'b>(&'b self, said: &'b Subscribed) -> impl Iterator<Item = &'b Topic> {
        let matched = self.resolved(&said.regex).into_iter().flat_map(|resolved| &resolved.topics);
        let is_new = |topic: &&Topic| !said.topics.contains(*topic);
        said.topics.iter().chain(matched.filter(is_new))
    }

    pub(super) fn resolved(&self, regex: &Arc<str>) -> Option<&Resolved> {
        match self.regexes.get(regex) {
            Some(anew) => anew.as_ref(),
            None => self.group.regexes.get(regex),
        }
    }

    /// The topics that any member wants.
    pub(super) fn wanted(&self) -> BTreeSet<&Topic> {
        let before = self.before();
        let is_lost = |topic: &Topic| {
            let had = before.is_some_and(|said| said.topics.contains(topic));
            had && self.group.wanted.count(topic) == 1
        };
        let named = self.group.wanted.topics().filter(|topic| !is_lost(topic)).chain(&self.said.topics);
        let matched = self.used_regexes().filter_map(|regex| self.resolved(regex));
        named.chain(matched.flat_map(|resolved| &resolved.topics)).collect()
    }

    fn wanted_ids(&self) -> BTreeSet<Uuid> {
        self.topics_of(&self.said).filter_map(|name| self.catalog.find(name)).map(|topic| topic.id).collect()
    }
}
