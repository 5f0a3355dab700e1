use std::sync::Arc;

use klamm_log::Clock;
use klamm_protocol::ErrorCode;

use crate::BrokerConfig;
use crate::config::ListenerAddress;
use crate::error_code::WireError;
use crate::fetch_sessions::FetchSessions;
use crate::metadata::{Metadata, TopicError};
use crate::probe::Probe;
use crate::purgatory::Purgatory;

/// What all connections and handlers share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) purgatory: Arc<Purgatory>,
    pub(crate) fetch_sessions: Arc<FetchSessions>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) probe: Probe,
    /// What clients are told to connect to.
    pub(crate) advertised: ListenerAddress,
    /// The error that a test wants for this request.
    pub(crate) fault: Option<ErrorCode>,
}

impl Shared {
    /// The settings as they are now.
    pub(crate) fn config(&self) -> Arc<BrokerConfig> {
        self.metadata.config()
    }

    pub(crate) fn now(&self) -> klamm_types::Timestamp {
        self.clock.now()
    }

    /// The same for a request that has to fail.
    pub(crate) fn with_fault(&self, error: ErrorCode) -> Shared {
        Shared { fault: Some(error), ..self.clone() }
    }

    /// Whether the request may have its effect. Every handler asks, for each thing that it does.
    pub(crate) fn permit(&self) -> Result<(), TopicError> {
        self.fault.map_or(Ok(()), |error| Err(TopicError::Fault(error)))
    }

    /// The same as a code, for answers that are given in any case.
    pub(crate) fn permit_code(&self) -> i16 {
        self.permit().err().map_or(ErrorCode::None, |error| error.wire()).code()
    }
}
