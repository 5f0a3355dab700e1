//! The states of a classic group, and the transitions between them.

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
pub enum ClassicState {
    /// It has no members, and may have offsets.
    Empty,
    /// Members are asked to join again, and those that do wait.
    PreparingRebalance,
    /// All have joined; they wait for what the leader assigns.
    CompletingRebalance,
    /// Each member has its assignment.
    Stable,
}

impl ClassicState {
    /// All of them.
    pub const ALL: [ClassicState; 4] = [
        ClassicState::Empty,
        ClassicState::PreparingRebalance,
        ClassicState::CompletingRebalance,
        ClassicState::Stable,
    ];

    /// Whether a group in this state can be in `next` after one step.
    #[must_use]
    pub fn may_become(self, next: ClassicState) -> bool {
        use ClassicState::{CompletingRebalance, Empty, PreparingRebalance, Stable};
        matches!(
            (self, next),
            (Empty | Stable | CompletingRebalance, PreparingRebalance)
                | (PreparingRebalance, CompletingRebalance | Empty)
                | (CompletingRebalance, Stable)
        )
    }
}

impl fmt::Display for ClassicState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::GroupState::from(*self).fmt(f)
    }
}
