//! As even as can be, and as it was where that is even (KIP-54, KIP-341).
//!
//! Where all members want the same topics, the numbers of partitions are settled beforehand
//! (`constrained.rs`). Otherwise partitions are moved until nobody could be better off
//! (`general.rs`).
//!
//! Where more than one answer is as good, Kafka's depends on the order of a Java hash table. That
//! order is known, and followed, so that the answer is Kafka's. It differs where Kafka's gives a
//! partition back to who had it in an earlier generation, whether it is wanted or not, and where it
//! takes a member that wants nothing for one that wants what all do.

mod claims;
mod constrained;
mod general;
mod given;
mod moves;
mod user_data;

use super::{Assignment, Assignor, GroupSpec, Subscriber, TopicPartition};
use crate::consumer_protocol::Subscription;
use crate::java::{HashOrder, string_hash};
use crate::{InstanceId, MemberId};
use bytes::Bytes;
use claims::Claims;
pub(super) use given::Given;
use user_data::UserData;

/// Kafka's `sticky`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sticky;

impl Assignor for Sticky {
    fn name(&self) -> &'static str {
        "sticky"
    }

    fn assign(&self, group: &GroupSpec<'_>) -> Assignment {
        assign(group).assignment
    }

    fn user_data(&self, owned: &[TopicPartition], generation: i32) -> Option<Bytes> {
        Some(UserData::encode(owned, generation))
    }

    /// What it has is what its own words say.
    fn subscriber(
        &self,
        subscription: Subscription,
        id: MemberId,
        instance: Option<InstanceId>,
    ) -> Subscriber {
        let words = subscription.user_data.as_ref();
        let said = words.and_then(|words| UserData::decode(words, &subscription.topics)).unwrap_or_default();
        let (owned, generation) = (said.partitions, said.generation);
        Subscription { owned, generation, ..subscription }.subscriber(id, instance)
    }
}

/// Who is to have what, and what another has to give up first.
pub(super) fn assign(group: &GroupSpec<'_>) -> Given {
    let claims = Claims::of(group);
    match group.is_same_for_all() {
        true => constrained::assign(group, claims),
        false => general::assign(group, claims),
    }
}

/// The members in the order in which a client of Kafka's, which keeps them in a hash table, goes
/// through them.
fn in_hash_order(group: &GroupSpec<'_>) -> Vec<usize> {
    let hash = |member: usize| string_hash(group.members()[member].id.as_str());
    HashOrder::of(group.by_id().map(|member| (hash(member), member))).keys().collect()
}
