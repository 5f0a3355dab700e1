//! What every assignment has to be, whoever has made it.

use std::collections::BTreeSet;

use thiserror::Error;

use super::{NamedAssignment, Subscriber, TopicPartition, Topics};
use crate::{MemberId, Topic};

/// What is wrong with an assignment.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Invalid {
    /// A member is not in it.
    #[error("{0} is not in it")]
    Missing(MemberId),
    /// A member has what it does not want.
    #[error("{member} has {partition}, which it does not want")]
    Unwanted {
        /// Who.
        member: MemberId,
        /// What.
        partition: TopicPartition,
    },
    /// Two members have the same partition, or one has it twice.
    #[error("{0} is given twice")]
    Twice(TopicPartition),
    /// A member has what is not there.
    #[error("{0} is not there")]
    Unknown(TopicPartition),
    /// Somebody wants a partition that nobody has.
    #[error("{0} is given to nobody")]
    Left(TopicPartition),
}

/// Checks that each member has only what it wants, no partition is given twice, and none is left
/// that somebody wants.
///
/// # Errors
/// The first thing that is not so.
///
/// # Examples
/// ```
/// use klamm_coordinator::assignor::{Assignor, GroupSpec, Range, Subscriber, Topics, check};
///
/// let topics = Topics::default().with("jobs", 3);
/// let members = [Subscriber { id: "a".into(), topics: vec!["jobs".into()], ..Subscriber::default() }];
/// let group = GroupSpec::new(&topics, &members);
/// assert_eq!(check(&topics, &members, &group.named(&Range.assign(&group))), Ok(()));
/// assert!(check(&topics, &members, &Default::default()).is_err());
/// ```
pub fn check(topics: &Topics, members: &[Subscriber], given: &NamedAssignment) -> Result<(), Invalid> {
    let seen = check_each(topics, members, given)?;
    left(topics, members, &seen).next().map_or(Ok(()), |partition| Err(Invalid::Left(partition)))
}

/// The same where a partition that another still has may be given to nobody (KIP-429).
///
/// # Errors
/// The first thing that is not so.
pub fn check_cooperative(
    topics: &Topics,
    members: &[Subscriber],
    given: &NamedAssignment,
) -> Result<(), Invalid> {
    let seen = check_each(topics, members, given)?;
    let owned: BTreeSet<&TopicPartition> = members.iter().flat_map(|member| &member.owned).collect();
    let mut left = left(topics, members, &seen).filter(|partition| !owned.contains(partition));
    left.next().map_or(Ok(()), |partition| Err(Invalid::Left(partition)))
}

/// What is given, if each is given rightly.
fn check_each(
    topics: &Topics,
    members: &[Subscriber],
    given: &NamedAssignment,
) -> Result<BTreeSet<TopicPartition>, Invalid> {
    let mut seen = BTreeSet::new();
    for member in members {
        let own = given.get(&member.id).ok_or_else(|| Invalid::Missing(member.id.clone()))?;
        for partition in own {
            if !member.topics.contains(&partition.topic) {
                return Err(Invalid::Unwanted { member: member.id.clone(), partition: partition.clone() });
            }
            if !topics.has(partition) {
                return Err(Invalid::Unknown(partition.clone()));
            }
            if !seen.insert(partition.clone()) {
                return Err(Invalid::Twice(partition.clone()));
            }
        }
    }
    Ok(seen)
}

/// What somebody wants and nobody has.
fn left<'a>(
    topics: &'a Topics,
    members: &[Subscriber],
    seen: &'a BTreeSet<TopicPartition>,
) -> impl Iterator<Item = TopicPartition> + 'a {
    let wanted: BTreeSet<Topic> = members.iter().flat_map(|member| member.topics.iter().cloned()).collect();
    let is_left =
        move |partition: &TopicPartition| wanted.contains(&partition.topic) && !seen.contains(partition);
    topics.partitions().filter(is_left)
}
