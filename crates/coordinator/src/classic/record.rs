//! The records of classic groups in `__consumer_offsets`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use klamm_types::Timestamp;

use crate::{InstanceId, MemberId, ProtocolName};

/// What is logged of a classic group: a generation that has its assignment, or a group that has no
/// members.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClassicGroupRecord {
    /// What its members are, `consumer` for consumers; `None` for a group that has only offsets.
    pub protocol_type: Option<ProtocolName>,
    /// Counts its rounds of assignment.
    pub generation: i32,
    /// By which its partitions were assigned.
    pub protocol: Option<ProtocolName>,
    /// Who assigned them.
    pub leader: Option<MemberId>,
    /// When it came into this state. `None` where members have to join first: the broker has
    /// assigned until now.
    pub since: Option<Timestamp>,
    /// Its members.
    pub members: Vec<LoggedMember>,
}

/// A member as it is logged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoggedMember {
    /// Its id.
    pub id: MemberId,
    /// What it calls itself for good.
    pub instance: Option<InstanceId>,
    /// The client's `client.id`.
    pub client_id: Arc<str>,
    /// Where it came from.
    pub client_host: Arc<str>,
    /// How long it may take to join again.
    pub rebalance_timeout: Duration,
    /// Silence after which it is taken for dead.
    pub session_timeout: Duration,
    /// What it wants, in the group's protocol.
    pub subscription: Bytes,
    /// What it has.
    pub assignment: Bytes,
}
