//! State that all connections and handlers share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use klamm_log::Clock;
use klamm_protocol::{ApiKey, ErrorCode, RequestHead};

use crate::BrokerConfig;
use crate::config::ListenerAddress;
use crate::error_code::WireError;
use crate::fetch_sessions::FetchSessions;
use crate::groups::Groups;
use crate::log_levels::LogLevels;
use crate::metadata::{Metadata, TopicError};
use crate::metrics::Metrics;
use crate::probe::Probe;
use crate::purgatory::Purgatory;
use crate::quotas::{ClientKey, Quota, QuotaMeter};
use crate::stuck::Stuck;
use crate::work::Counters;

/// What all connections and handlers share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) purgatory: Arc<Purgatory>,
    pub(crate) groups: Arc<Groups>,
    pub(crate) fetch_sessions: Arc<FetchSessions>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) quotas: Arc<QuotaMeter>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stuck: Arc<Stuck>,
    pub(crate) work: Arc<Counters>,
    pub(crate) probe: Probe,
    pub(crate) log_levels: Option<LogLevels>,
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

    /// Notes that a client used so much of a quota, and for how long its request has occupied a
    /// thread; milliseconds that it has to wait, for its answer.
    pub(crate) fn charge(&self, head: &RequestHead, quota: Quota, amount: usize, since: Instant) -> i32 {
        let image = self.metadata.image();
        if image.quotas().is_empty() {
            return 0;
        }
        let who = ClientKey::anonymous(head.client_id.as_deref());
        #[allow(clippy::cast_precision_loss)]
        self.quotas.charge(image.quotas(), quota, &who, amount as f64);
        self.quotas.charge(image.quotas(), Quota::Request, &who, since.elapsed().as_secs_f64());
        let wait = self.quotas.wait(image.quotas(), &who);
        i32::try_from(wait.as_millis()).unwrap_or(i32::MAX)
    }

    /// For how long the client of an answered request has to wait. The time of those that do not
    /// [`Shared::charge`] is noted.
    pub(crate) fn wait_after(&self, head: &RequestHead, took: Duration) -> Duration {
        let image = self.metadata.image();
        if image.quotas().is_empty() {
            return Duration::ZERO;
        }
        let who = ClientKey::anonymous(head.client_id.as_deref());
        if ![ApiKey::Produce.code(), ApiKey::Fetch.code()].contains(&head.api_key) {
            self.quotas.charge(image.quotas(), Quota::Request, &who, took.as_secs_f64());
        }
        self.quotas.wait(image.quotas(), &who)
    }

    /// The same for a request that has to fail.
    pub(crate) fn with_fault(&self, error: ErrorCode) -> Shared {
        Shared { fault: Some(error), ..self.clone() }
    }

    /// Whether consumer-protocol groups (KIP-848) are enabled, by the settings and by the feature
    /// level.
    pub(crate) fn serves_consumer_protocol(&self) -> bool {
        self.config().rebalance_protocols.consumer && self.metadata.image().has_consumer_protocol()
    }

    /// Whether the request may have its effect. Every handler asks, for each thing that it does.
    pub(crate) fn permit(&self) -> Result<(), TopicError> {
        self.fault.map_or(Ok(()), |error| Err(TopicError::Fault(error)))
    }

    /// The code of a request that is refused in any case: `otherwise`, unless a test wants another
    /// one.
    pub(crate) fn refusal(&self, otherwise: ErrorCode) -> ErrorCode {
        self.permit().err().map_or(otherwise, |error| error.wire())
    }

    /// The same as a code, for answers that are given in any case.
    pub(crate) fn permit_code(&self) -> i16 {
        self.permit().err().map_or(ErrorCode::None, |error| error.wire()).code()
    }
}
