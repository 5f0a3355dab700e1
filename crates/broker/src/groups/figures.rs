//! Figures of groups for metrics and the status page.

use klamm_coordinator::{GroupCoordinator, GroupId, GroupKind, GroupListing, GroupState, Topic};
use klamm_types::Offset;

/// A group in figures.
#[derive(Debug)]
pub(crate) struct GroupFigures {
    pub(crate) group: GroupId,
    pub(crate) kind: GroupKind,
    pub(crate) state: GroupState,
    pub(crate) members: usize,
    /// What it has committed: topic, partition, offset.
    pub(crate) offsets: Vec<(Topic, i32, Offset)>,
}

impl GroupFigures {
    pub(crate) fn all(coordinator: &GroupCoordinator) -> Vec<GroupFigures> {
        coordinator.list().map(|listed| GroupFigures::of(coordinator, listed)).collect()
    }

    fn of(coordinator: &GroupCoordinator, listed: GroupListing) -> GroupFigures {
        let GroupListing { group, kind, state, members, .. } = listed;
        let offsets = coordinator.all_committed(&group);
        let offsets = offsets
            .map(|(topic, partition, committed)| (topic.clone(), partition, committed.offset))
            .collect();
        GroupFigures { group, kind, state, members, offsets }
    }
}
