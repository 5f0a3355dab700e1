//! The state of a group, whatever its protocol.

use std::fmt;

use crate::ClassicState;

/// Where a group stands, of whatever protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum GroupState {
    /// It has no members, and may have offsets.
    Empty,
    /// Classic: members are asked to join again, and those that do wait.
    PreparingRebalance,
    /// Classic: all have joined; they wait for what the leader assigns.
    CompletingRebalance,
    /// Each member has its assignment.
    Stable,
    /// The newer protocol (KIP-848): partitions are to be assigned anew.
    Assigning,
    /// The newer protocol: members do not have yet what they are to have.
    Reconciling,
}

impl GroupState {
    /// All of them.
    pub const ALL: [GroupState; 6] = [
        GroupState::Empty,
        GroupState::PreparingRebalance,
        GroupState::CompletingRebalance,
        GroupState::Stable,
        GroupState::Assigning,
        GroupState::Reconciling,
    ];

    /// As Kafka's tools say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::PreparingRebalance => "PreparingRebalance",
            GroupState::CompletingRebalance => "CompletingRebalance",
            GroupState::Stable => "Stable",
            GroupState::Assigning => "Assigning",
            GroupState::Reconciling => "Reconciling",
        }
    }
}

impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<ClassicState> for GroupState {
    fn from(state: ClassicState) -> GroupState {
        match state {
            ClassicState::Empty => GroupState::Empty,
            ClassicState::PreparingRebalance => GroupState::PreparingRebalance,
            ClassicState::CompletingRebalance => GroupState::CompletingRebalance,
            ClassicState::Stable => GroupState::Stable,
        }
    }
}
