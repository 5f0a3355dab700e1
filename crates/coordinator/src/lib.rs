#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod assignor;
mod classic;
mod config;
mod consumer;
mod consumer_config;
pub mod consumer_protocol;
mod coordinator;
mod describe;
mod effects;
mod error;
mod foreign;
mod java;
mod known_topics;
mod moment;
mod names;
mod notice;
mod offsets;
mod present;
mod protocols;
mod record;
mod state;
mod timers;

pub use classic::{
    ClassicGroupRecord, ClassicState, Heartbeat, JoinGroup, LeaveGroup, Leaving, LoggedMember, SyncGroup,
};
pub use config::GroupConfig;
pub use consumer::{
    Catalog, CatalogTopic, ClassicMember, ConsumerGroupDescription, ConsumerHeartbeat,
    ConsumerHeartbeatAnswer, ConsumerMemberDescription, ConsumerRecord, Current, GroupEpoch, Held,
    MemberState, Partitions, Resolved, Subscribed, TargetEpoch,
};
pub use consumer_config::{Assignors, ConsumerGroupConfig, ConsumerTimes, MigrationPolicy};
pub use coordinator::{GroupCoordinator, GroupReplay, Outcomes};
pub use describe::{GroupDescription, GroupKind, GroupListing, MemberDescription};
pub use effects::{Answer, Effects, Joined, JoinedMember, NotJoined, Synced, Waiter};
pub use error::GroupError;
pub use foreign::ForeignRecord;
pub use moment::Moment;
pub use names::{GroupId, InstanceId, MemberId, ProtocolName, Topic};
pub use notice::{Departure, News, Notice};
pub use offsets::{Commit, CommittedOffset, NewOffset};
pub use present::Present;
pub use record::{GroupRecord, RecordError};
pub use state::GroupState;

pub use klamm_protocol::Uuid;
pub use klamm_types::{Offset, Timestamp};
