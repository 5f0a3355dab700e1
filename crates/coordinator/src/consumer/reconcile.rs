//! One member's way from what it has to what it is to have: it gives up what it is not to have any
//! more, then its epoch rises, then it is given what others have given up (KIP-848).

use klamm_protocol::Uuid;

use super::group::ConsumerGroup;
use super::record::{Current, MemberState};
use super::{Held, Partitions};
use crate::GroupError;

/// What decides on a member's next step.
pub(super) struct Reconciling<'a> {
    pub(super) group: &'a ConsumerGroup,
    pub(super) current: &'a Current,
    /// The epoch that targets are of.
    pub(super) target_epoch: i32,
    /// What it is to have.
    pub(super) target: &'a Partitions,
    /// Whether it wants a topic.
    pub(super) wants: &'a dyn Fn(Uuid) -> bool,
    /// Whether what it wants has changed.
    pub(super) has_changed: bool,
    /// What it says that it has; `None` when it does not say.
    pub(super) owned: Option<&'a Partitions>,
}

impl Reconciling<'_> {
    /// What it has next.
    pub(super) fn next(&self) -> Result<Current, GroupError> {
        let current = self.current;
        let is_current = current.epoch == self.target_epoch;
        Ok(match current.state {
            MemberState::Stable if !is_current => self.advance(current.epoch),
            MemberState::UnrevokedPartitions if !self.still_has(&current.pending) => {
                self.advance(current.epoch)
            }
            MemberState::Stable | MemberState::UnrevokedPartitions if self.has_changed => self.trim(),
            MemberState::Stable | MemberState::UnrevokedPartitions => current.clone(),
            MemberState::UnreleasedPartitions => self.advance(current.epoch),
            MemberState::Unknown if self.owned.is_some_and(Partitions::is_empty) => {
                self.advance(self.target_epoch)
            }
            MemberState::Unknown => return Err(GroupError::FencedMemberEpoch),
        })
    }

    /// Whether it has not given up all of these. One that does not say has not.
    fn still_has(&self, held: &Held) -> bool {
        !held.is_empty()
            && self
                .owned
                .is_none_or(|owned| held.iter().any(|(topic, partition, _)| owned.contains(topic, partition)))
    }

    /// Towards the target, at `epoch` until it has given up what it is to give up.
    fn advance(&self, epoch: i32) -> Current {
        let is_target =
            |topic: Uuid, partition: i32| (self.wants)(topic) && self.target.contains(topic, partition);
        let (mut kept, given_up): (Held, Held) = split(&self.current.assigned, is_target);
        if self.still_has(&given_up) {
            return self.at(epoch, MemberState::UnrevokedPartitions, kept, given_up);
        }
        let mut is_any_unreleased = false;
        for (topic, partition) in self.target.iter().filter(|(topic, _)| (self.wants)(*topic)) {
            if kept.epoch(topic, partition).is_some() {
                continue;
            }
            // What it was to give up itself is its own still.
            let is_own = self.current.pending.epoch(topic, partition).is_some();
            if is_own || self.group.owner_epoch(topic, partition).is_none() {
                kept.insert(topic, partition, self.target_epoch);
            } else {
                is_any_unreleased = true;
            }
        }
        let state = if is_any_unreleased { MemberState::UnreleasedPartitions } else { MemberState::Stable };
        self.at(self.target_epoch, state, kept, Held::default())
    }

    /// It does not want some topics any more; their partitions go before there is a new target.
    fn trim(&self) -> Current {
        let (kept, lost): (Held, Held) = split(&self.current.assigned, |topic, _| (self.wants)(topic));
        if lost.is_empty() {
            return self.current.clone();
        }
        let pending: Held = self.current.pending.iter().chain(lost.iter()).collect();
        if self.still_has(&pending) {
            return self.at(self.current.epoch, MemberState::UnrevokedPartitions, kept, pending);
        }
        self.at(self.current.epoch, self.current.state, kept, self.current.pending.clone())
    }

    fn at(&self, epoch: i32, state: MemberState, assigned: Held, pending: Held) -> Current {
        Current { epoch, previous: self.current.epoch, state, assigned, pending }
    }
}

fn split(held: &Held, is_kept: impl Fn(Uuid, i32) -> bool) -> (Held, Held) {
    held.iter().partition(|(topic, partition, _)| is_kept(*topic, *partition))
}
