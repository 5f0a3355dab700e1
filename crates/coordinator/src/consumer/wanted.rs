//! The subscriptions of a consumer group's members, counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::record::Subscribed;
use crate::Topic;

/// What the members of a group want, each with the number of those that do: a member that comes or
/// goes does not have all others looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    topics: BTreeMap<Topic, usize>,
    regexes: BTreeMap<Arc<str>, usize>,
}

impl Wanted {
    /// A member wants this.
    pub(super) fn add(&mut self, said: &Subscribed) {
        said.topics.iter().for_each(|topic| *self.topics.entry(topic.clone()).or_default() += 1);
        if !said.regex.is_empty() {
            *self.regexes.entry(Arc::clone(&said.regex)).or_default() += 1;
        }
    }

    /// It does not any more.
    pub(super) fn take(&mut self, said: &Subscribed) {
        said.topics.iter().for_each(|topic| take_one(&mut self.topics, topic));
        take_one(&mut self.regexes, &said.regex);
    }

    pub(super) fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.keys()
    }

    pub(super) fn regexes(&self) -> impl Iterator<Item = &Arc<str>> {
        self.regexes.keys()
    }

    /// How many want a topic by its name.
    pub(super) fn count(&self, topic: &Topic) -> usize {
        self.topics.get(topic).copied().unwrap_or(0)
    }

    /// How many use an expression.
    pub(super) fn users(&self, regex: &Arc<str>) -> usize {
        self.regexes.get(regex).copied().unwrap_or(0)
    }
}

fn take_one<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
