//! What members are to have is a valid assignment of the topics that they want, once it is of the
//! group's epoch.

use std::collections::BTreeMap;

use klamm_coordinator::assignor::{
    NamedAssignment, Subscriber, TopicPartition, Topics, check as check_assignment,
};
use klamm_coordinator::{Catalog, ConsumerMemberDescription, GroupId, Partitions};

use crate::support::consumers::{ConsumerWorld, GROUP};

/// After somebody was heard, so that the group has seen the topics as they are.
pub fn check(world: &ConsumerWorld) -> Result<(), String> {
    let Some(found) = world.groups.describe_consumer(&GroupId::new(GROUP)) else { return Ok(()) };
    if found.epoch != found.target_epoch || found.members.is_empty() {
        return Ok(());
    }
    let names = world.topics.names();
    let mut topics = Topics::default();
    for name in &names {
        let topic = world.topics.find(name).ok_or("a topic has a name")?;
        topics = topics.with_id(name.as_str(), topic.id, topic.partitions);
    }
    let matches =
        |regex: &str, name: &str| !regex.is_empty() && name.starts_with(regex.trim_end_matches(".*"));
    let subscriber = |member: &ConsumerMemberDescription| {
        let matched = names.iter().filter(|name| matches(&member.said.regex, name.as_str()));
        Subscriber {
            id: member.id.clone(),
            topics: member.said.topics.iter().chain(matched).cloned().collect(),
            ..Subscriber::default()
        }
    };
    let named = |partitions: &Partitions| -> Vec<TopicPartition> {
        let name = |(topic, partition)| Some(TopicPartition { topic: world.topics.name(topic)?, partition });
        partitions.iter().filter_map(name).collect()
    };
    let members: Vec<_> = found.members.iter().map(subscriber).collect();
    let given: NamedAssignment = found
        .members
        .iter()
        .map(|member| (member.id.clone(), named(&member.target)))
        .collect::<BTreeMap<_, _>>();
    check_assignment(&topics, &members, &given).map_err(|wrong| format!("at epoch {}: {wrong}", found.epoch))
}
