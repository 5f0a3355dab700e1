//! Who reads which partition: the choices that a group's leader makes, or its broker, each Kafka's
//! under its name.
//!
//! | name | what it does |
//! |---|---|
//! | [`Range`] | each topic by itself, in consecutive stretches; the same partitions of topics that are alike go together |
//! | [`RoundRobin`] | all partitions in turn |
//! | [`Sticky`] | as even as can be, and as it was where that is even |
//! | [`CooperativeSticky`] | the same, and nobody is given what another still has (KIP-429) |
//! | [`Uniform`] | as even as can be, and as it was where that is even: by which a broker assigns (KIP-848) |
//! | [`ServerRange`] | `range` as a broker assigns by it |
//!
//! [`Assignor`] is the seam for one of your own; [`Assignors`](crate::Assignors) tells a
//! coordinator to assign by it. What an assignor answers is taken at its word: hold yours against
//! [`check`] in its tests.

mod assignment;
mod cooperative;
mod group_spec;
mod input;
mod range;
mod round_robin;
mod server_range;
mod sticky;
mod uniform;
mod validity;

pub use assignment::{Assignment, NamedAssignment, Shares};
pub use cooperative::CooperativeSticky;
pub use group_spec::GroupSpec;
pub use input::{Subscriber, TopicPartition, Topics};
pub use range::Range;
pub use round_robin::RoundRobin;
pub use server_range::ServerRange;
pub use sticky::Sticky;
pub use uniform::Uniform;
pub use validity::{Invalid, check, check_cooperative};

use bytes::Bytes;

use crate::consumer_protocol::Subscription;
use crate::{InstanceId, MemberId};

/// A way to assign the partitions of topics to the members of a group. Pure: the same input gives
/// the same assignment, in whatever order members are given.
pub trait Assignor {
    /// The name that members agree on (`partition.assignment.strategy`).
    fn name(&self) -> &'static str;

    /// Assigns each partition of the topics that somebody wants to one of those who want it. The
    /// answer is this group's ([`Assignment::none`]): a coordinator takes another's for none.
    fn assign(&self, group: &GroupSpec<'_>) -> Assignment;

    /// What a member that has this, of this generation, writes beside its subscription, for the
    /// leader's [`Assignor::subscriber`] to read.
    fn user_data(&self, owned: &[TopicPartition], generation: i32) -> Option<Bytes> {
        let _ = (owned, generation);
        None
    }

    /// A member from what it has written.
    fn subscriber(
        &self,
        subscription: Subscription,
        id: MemberId,
        instance: Option<InstanceId>,
    ) -> Subscriber {
        subscription.subscriber(id, instance)
    }
}
