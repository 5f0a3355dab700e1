//! A member of a classic group.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::record::LoggedMember;
use crate::effects::Waiter;
use crate::{InstanceId, MemberId, Moment, ProtocolName, protocols};

/// A member of a classic group.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) id: MemberId,
    pub(crate) instance: Option<InstanceId>,
    pub(crate) client_id: Arc<str>,
    pub(crate) client_host: Arc<str>,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) session_timeout: Duration,
    /// What it can do, what it likes best first, each with what it wants by it.
    pub(crate) protocols: Vec<(ProtocolName, Bytes)>,
    pub(crate) assignment: Bytes,
    /// Who waits for the round of joins to end.
    pub(super) joining: Option<Waiter>,
    /// Who waits for the assignment.
    pub(super) syncing: Option<Waiter>,
    /// Whether it has not been told its id yet, and so cannot send heartbeats.
    pub(super) is_new: bool,
    /// When it is taken for dead.
    pub(super) deadline: Moment,
    /// When its timer looks at it next: at the deadline or before.
    pub(super) armed: Moment,
}

impl Member {
    /// What it wants by a protocol.
    pub(crate) fn metadata(&self, protocol: &ProtocolName) -> Bytes {
        protocols::metadata(&self.protocols, protocol)
    }

    /// Bytes of the metadata of its protocols.
    pub(super) fn bytes(&self) -> usize {
        bytes(&self.protocols)
    }

    /// Whether somebody waits with it, who cannot send heartbeats meanwhile.
    pub(super) fn waits(&self) -> bool {
        self.joining.is_some() || self.syncing.is_some()
    }

    /// The first of `candidates` in its own order.
    pub(super) fn vote(&self, is_candidate: impl Fn(&ProtocolName) -> bool) -> Option<&ProtocolName> {
        self.protocols.iter().map(|(name, _)| name).find(|name| is_candidate(name))
    }

    pub(super) fn of(logged: &LoggedMember, protocol: Option<&ProtocolName>) -> Member {
        let protocols = protocol.map(|name| (name.clone(), logged.subscription.clone()));
        Member {
            id: logged.id.clone(),
            instance: logged.instance.clone(),
            client_id: Arc::clone(&logged.client_id),
            client_host: Arc::clone(&logged.client_host),
            rebalance_timeout: logged.rebalance_timeout,
            session_timeout: logged.session_timeout,
            protocols: protocols.into_iter().collect(),
            assignment: logged.assignment.clone(),
            joining: None,
            syncing: None,
            is_new: false,
            deadline: Moment::default(),
            armed: Moment::default(),
        }
    }
}

/// Bytes of the names and the metadata of protocols.
pub(super) fn bytes(protocols: &[(ProtocolName, Bytes)]) -> usize {
    protocols.iter().map(|(name, metadata)| name.as_str().len() + metadata.len()).sum()
}
