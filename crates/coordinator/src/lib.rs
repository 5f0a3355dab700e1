#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod assignor;
mod classic;
mod config;
pub mod consumer_protocol;
mod coordinator;
mod describe;
mod effects;
mod error;
mod moment;
mod names;
mod offsets;
mod record;
mod timers;

pub use classic::{ClassicGroupRecord, GroupState, Heartbeat, Join, Leave, Leaving, LoggedMember, Sync};
pub use config::GroupConfig;
pub use coordinator::{GroupCoordinator, GroupReplay, Outcomes};
pub use describe::{GroupDescription, GroupListing, MemberDescription};
pub use effects::{Answer, Effects, Joined, JoinedMember, NotJoined, Synced, Waiter};
pub use error::GroupError;
pub use moment::Moment;
pub use names::{GroupId, InstanceId, MemberId, ProtocolName, Topic};
pub use offsets::{Commit, CommittedOffset, NewOffset};
pub use record::{GroupRecord, RecordError};
