//! The classic group: members join in rounds, one of them, the leader, assigns (KIP-62, KIP-134,
//! KIP-345, KIP-394, KIP-814).
//!
//! The states are in `state.rs`; each request has a file, which says what it does in each state.

mod group;
mod heartbeat;
mod join;
mod leave;
mod member;
mod rebalance;
mod record;
mod replace;
mod state;
mod sync;

pub(crate) use group::ClassicGroup;
pub use heartbeat::Heartbeat;
pub use join::JoinGroup;
pub use leave::{LeaveGroup, Leaving};
pub(crate) use member::Member;
pub use record::{ClassicGroupRecord, LoggedMember};
pub use state::ClassicState;
pub use sync::SyncGroup;

use klamm_types::Timestamp;

use crate::effects::Effects;
use crate::timers::Timers;
use crate::{GroupConfig, Moment};

/// A classic group, what one event does to it, and what that needs.
pub(crate) struct Turn<'a> {
    pub(crate) group: &'a mut ClassicGroup,
    pub(crate) config: &'a GroupConfig,
    pub(crate) now: Moment,
    /// What is logged bears this time.
    pub(crate) time: Timestamp,
    pub(crate) timers: &'a mut Timers,
    pub(crate) out: &'a mut Effects,
}
