//! What each member is to have, by the assignor that most members want.

use std::collections::HashMap;

use klamm_protocol::Uuid;

use super::Partitions;
use super::draft::Draft;
use super::record::{ConsumerRecord, Subscribed, TargetEpoch};
use crate::assignor::{Assignment, GroupSpec, Subscriber, TopicPartition, Topics};
use crate::protocols::most_wanted;
use crate::{Assignors, MemberId, ProtocolName, Topic};

/// The records of all targets that change, and of their epoch.
pub(super) fn assign(draft: &Draft<'_>, epoch: i32) -> Vec<ConsumerRecord> {
    let known = Known::of(draft);
    let members: Vec<Subscriber> =
        draft.members().map(|(id, said)| known.subscriber(draft, id, said)).collect();
    let assignors = &draft.config.consumer.assignors;
    let chosen = preferred(assignors, draft.members().map(|(_, said)| said));
    let group = GroupSpec::new(&known.topics, &members);
    let group = if draft.is_asked_in_the_same_words() { group } else { group.asked_in_other_words() };
    let assignor = assignors.find(&chosen);
    let given = assignor.map(|assignor| assignor.assign(&group)).filter(|given| given.is_of(&group));
    let given = given.unwrap_or_else(|| Assignment::none(&group)).by_member();
    let ids = known.ids_of(&group);
    let targets = group.members().iter().zip(given.iter());
    let targets = targets.map(|(member, own)| (&member.id, target(&group, &ids, own)));
    // Whoever takes another's place has its target already.
    let known = |id: &MemberId| if *id == draft.id { draft.target() } else { draft.group.target(id) };
    let is_new = |(id, target): &(&MemberId, Partitions)| known(id) != Some(target);
    let changed = targets.filter(is_new).map(|(id, target)| ConsumerRecord::Target(id.clone(), Some(target)));
    changed.chain([ConsumerRecord::TargetEpoch(Some(TargetEpoch { epoch, at: Some(draft.time) }))]).collect()
}

/// By what partitions are assigned: what most of those members want that say so; of equals the
/// first by name.
pub(super) fn preferred<'a>(
    assignors: &Assignors,
    members: impl Iterator<Item = &'a Subscribed>,
) -> ProtocolName {
    let votes = members.filter_map(|said| said.assignor.as_ref());
    most_wanted(votes.filter(|name| assignors.find(name).is_some()))
        .unwrap_or_else(|| assignors.default_name())
}

/// The topics that members want and that are there.
struct Known {
    topics: Topics,
    ids: HashMap<Topic, Uuid>,
    names: HashMap<Uuid, Topic>,
}

impl Known {
    fn of(draft: &Draft<'_>) -> Known {
        let mut known = Known { topics: Topics::default(), ids: HashMap::new(), names: HashMap::new() };
        for name in draft.wanted() {
            let Some(topic) = draft.catalog.find(name) else { continue };
            let count = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
            let racks = (0..count).map(|partition| draft.catalog.racks(topic.id, partition)).collect();
            known.topics = known.topics.with_id_and_racks(name, topic.id, racks);
            known.ids.insert(name.clone(), topic.id);
            known.names.insert(topic.id, name.clone());
        }
        known
    }

    /// A member as assignors see it: what it has is what it was to have before.
    fn subscriber(&self, draft: &Draft<'_>, id: &MemberId, said: &Subscribed) -> Subscriber {
        let target = draft.target_before(id);
        let name = |(topic, partition): (Uuid, i32)| {
            Some(TopicPartition { topic: self.names.get(&topic)?.clone(), partition })
        };
        Subscriber {
            id: id.clone(),
            instance: said.instance.clone(),
            rack: said.rack.clone(),
            topics: draft.topics_of(said).cloned().collect(),
            owned: target.into_iter().flat_map(Partitions::iter).filter_map(name).collect(),
            generation: None,
            user_data: None,
        }
    }

    /// The ids of a group's topics, in their order.
    fn ids_of(&self, group: &GroupSpec<'_>) -> Vec<Uuid> {
        group.topics().iter().map(|topic| self.ids.get(*topic).copied().unwrap_or(Uuid::ZERO)).collect()
    }
}

fn target(group: &GroupSpec<'_>, ids: &[Uuid], own: impl Iterator<Item = usize>) -> Partitions {
    let name =
        |partition| (ids[group.topic(partition)], i32::try_from(group.number(partition)).unwrap_or(i32::MAX));
    own.map(name).collect()
}
