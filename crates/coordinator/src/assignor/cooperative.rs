//! The assignor `cooperative-sticky` (KIP-429).

use bytes::Bytes;

use super::sticky;
use super::{Assignment, Assignor, GroupSpec, Subscriber, TopicPartition};
use crate::consumer_protocol::Subscription;
use crate::{InstanceId, MemberId};

/// Kafka's `cooperative-sticky`: as [`Sticky`](super::Sticky), but a partition that another member
/// still has is given to nobody. Its owner gives it up when it sees that it is not among its own,
/// and joins again; then it is given to who is to have it (KIP-429).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CooperativeSticky;

impl Assignor for CooperativeSticky {
    fn name(&self) -> &'static str {
        "cooperative-sticky"
    }

    fn assign(&self, group: &GroupSpec<'_>) -> Assignment {
        let mut given = sticky::assign(group);
        given.moving.iter().for_each(|partition| given.assignment.take(*partition));
        given.assignment
    }

    fn user_data(&self, _: &[TopicPartition], generation: i32) -> Option<Bytes> {
        Some(Bytes::copy_from_slice(&generation.to_be_bytes()))
    }

    /// An older consumer says its generation in its own words.
    fn subscriber(
        &self,
        subscription: Subscription,
        id: MemberId,
        instance: Option<InstanceId>,
    ) -> Subscriber {
        let words = subscription.user_data.as_ref().and_then(|bytes| bytes.first_chunk().copied());
        let said = words.map(i32::from_be_bytes).filter(|generation| *generation >= 0);
        let generation = subscription.generation.or(said);
        Subscription { generation, ..subscription }.subscriber(id, instance)
    }
}
