//! The group whose broker assigns (KIP-848): each member says by heartbeats what it wants and what
//! it has, and hears what it is to have. What is to move is given up first by who has it, then
//! given to who is to have it; nobody else stops.
//!
//! A group is what its records say (`group.rs`), applied one by one. A request makes records of the
//! group as it is, step by step (`draft.rs`): what the member says (`heartbeat.rs`), which topics
//! that are (`regex.rs`, `metadata.rs`), what everybody is to have (`target.rs`), and how far this
//! member gets now (`reconcile.rs`). Members that speak the classic protocol may be among them
//! (`classic_member.rs`), and a whole group may change from one protocol to the other
//! (`convert.rs`).

mod catalog;
mod classic_member;
mod clock;
mod codec;
mod convert;
mod describe;
mod draft;
mod group;
mod heartbeat;
mod leave;
mod metadata;
mod news;
mod offsets;
mod partitions;
mod pattern;
mod re2;
mod reconcile;
mod record;
mod regex;
mod target;
mod wanted;

pub use catalog::{Catalog, CatalogTopic};
pub(crate) use codec::{decode, encode};
pub(crate) use convert::{Conversion, removal_of_group};
pub use describe::{ConsumerGroupDescription, ConsumerMemberDescription};
pub(crate) use draft::Draft;
pub(crate) use group::{ConsumerGroup, Ticking};
pub use heartbeat::{ConsumerHeartbeat, ConsumerHeartbeatAnswer};
pub(crate) use leave::Leaver;
pub use partitions::{Held, Partitions};
pub use record::{
    ClassicMember, ConsumerRecord, Current, GroupEpoch, MemberState, Resolved, Subscribed, TargetEpoch,
};
