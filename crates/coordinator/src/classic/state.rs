use std::fmt;

/// Where a classic group stands.
///
/// ```text
/// Empty <----------- PreparingRebalance ----------> CompletingRebalance
///   |   nobody came   ^      ^    |     all came         |         |
///   '-----------------'      |    '----------------------|---------'
///        a member comes      |      one leaves or is late|
///                            '------- Stable <-----------'
///                             a change      the leader has assigned
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum GroupState {
    /// It has no members, and may have offsets.
    Empty,
    /// Members are asked to join again, and those that do wait.
    PreparingRebalance,
    /// All have joined; they wait for what the leader assigns.
    CompletingRebalance,
    /// Each member has its assignment.
    Stable,
}

impl GroupState {
    /// All of them.
    pub const ALL: [GroupState; 4] = [
        GroupState::Empty,
        GroupState::PreparingRebalance,
        GroupState::CompletingRebalance,
        GroupState::Stable,
    ];

    /// Whether a group in this state can be in `next` after one step.
    #[must_use]
    pub fn may_become(self, next: GroupState) -> bool {
        use GroupState::{CompletingRebalance, Empty, PreparingRebalance, Stable};
        matches!(
            (self, next),
            (Empty | Stable | CompletingRebalance, PreparingRebalance)
                | (PreparingRebalance, CompletingRebalance | Empty)
                | (CompletingRebalance, Stable)
        )
    }

    /// As Kafka's tools say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::PreparingRebalance => "PreparingRebalance",
            GroupState::CompletingRebalance => "CompletingRebalance",
            GroupState::Stable => "Stable",
        }
    }
}

impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
