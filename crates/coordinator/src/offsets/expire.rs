//! Forgetting the offsets of groups that have none to read them any more (KIP-211).

use std::time::Duration;

use klamm_types::Timestamp;

use super::commit::removal;
use super::{CommittedOffset, Offsets};
use crate::GroupRecord;
use crate::Topic;
use crate::classic::{ClassicGroup, GroupState};

/// The records that take away what has expired at `now`.
pub(crate) fn expired(
    group: &ClassicGroup,
    offsets: &Offsets,
    retention: Duration,
    now: Timestamp,
) -> Vec<GroupRecord> {
    let is_due = |(topic, _, committed): &(&Topic, i32, &CommittedOffset)| {
        let Some(since) = unused_since(group, topic, committed) else { return false };
        let due = committed.expires_at.unwrap_or_else(|| since.saturating_add(retention));
        due <= now
    };
    let due = offsets.iter().filter(is_due);
    due.map(|(topic, partition, _)| removal(&group.id, topic, partition)).collect()
}

/// Since when nobody uses an offset; `None` for one that is used.
fn unused_since(group: &ClassicGroup, topic: &Topic, committed: &CommittedOffset) -> Option<Timestamp> {
    match (group.state(), &group.protocol_type) {
        // It has only offsets.
        (GroupState::Empty, None) => Some(committed.committed_at),
        // From when its last member left, or from a later commit by hand.
        (GroupState::Empty, Some(_)) => {
            Some(group.since.map_or(committed.committed_at, |since| since.max(committed.committed_at)))
        }
        (GroupState::Stable, Some(_)) if !group.is_subscribed_to(topic) => Some(committed.committed_at),
        _ => None,
    }
}
