use std::sync::Arc;

use klamm_log::{Clock, SystemClock};

use crate::BrokerConfig;
use crate::config::ListenerAddress;
use crate::fetch_sessions::FetchSessions;
use crate::metadata::Metadata;
use crate::purgatory::Purgatory;

/// What all connections and handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) metadata: Metadata,
    pub(crate) purgatory: Purgatory,
    pub(crate) fetch_sessions: FetchSessions,
    /// What clients are told to connect to.
    pub(crate) advertised: ListenerAddress,
}

impl Shared {
    /// The settings as they are now.
    pub(crate) fn config(&self) -> Arc<BrokerConfig> {
        self.metadata.config()
    }

    pub(crate) fn now(&self) -> klamm_types::Timestamp {
        SystemClock.now()
    }
}
