//! Forgetting the offsets of groups that have none to read them any more (KIP-211).

use std::time::Duration;

use klamm_types::Timestamp;

use super::commit::removal;
use super::{CommittedOffset, Offsets};
use crate::classic::{ClassicGroup, ClassicState};
use crate::{GroupId, GroupRecord, Topic};

/// The records that take away what has expired at `now`. `unused_since` says since when nobody uses
/// an offset; `None` for one that is used.
pub(crate) fn expired(
    group: &GroupId,
    offsets: &Offsets,
    retention: Duration,
    now: Timestamp,
    unused_since: impl Fn(&Topic, &CommittedOffset) -> Option<Timestamp>,
) -> Vec<GroupRecord> {
    let is_due = |(topic, _, committed): &(&Topic, i32, &CommittedOffset)| {
        let Some(since) = unused_since(topic, committed) else { return false };
        let due = committed.expires_at.unwrap_or_else(|| since.saturating_add(retention));
        due <= now
    };
    let due = offsets.iter().filter(is_due);
    due.map(|(topic, partition, _)| removal(group, topic, partition)).collect()
}

impl ClassicGroup {
    /// Since when nobody uses an offset of a classic group; `None` for one that is used.
    pub(crate) fn unused_since(&self, topic: &Topic, committed: &CommittedOffset) -> Option<Timestamp> {
        match (self.state(), &self.protocol_type) {
            // It has only offsets.
            (ClassicState::Empty, None) => Some(committed.committed_at),
            // From when its last member left, or from a later commit by hand.
            (ClassicState::Empty, Some(_)) => {
                Some(self.since.map_or(committed.committed_at, |since| since.max(committed.committed_at)))
            }
            (ClassicState::Stable, Some(_)) if !self.is_subscribed_to(topic) => Some(committed.committed_at),
            _ => None,
        }
    }
}
