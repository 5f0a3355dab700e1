use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::bucket::Bucket;
use super::{Quota, QuotaLimits};

/// What clients have used of their quotas.
#[derive(Debug)]
pub(crate) struct QuotaMeter {
    started: Instant,
    buckets: Mutex<HashMap<(Quota, ClientKey), Bucket>>,
}

/// Who a client is, as far as quotas go.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ClientKey {
    pub(crate) user: &'static str,
    pub(crate) client: String,
}

impl ClientKey {
    /// A client that has not said who it is.
    pub(crate) fn anonymous(client: Option<&str>) -> ClientKey {
        // Longer ids are for nobody; the map of clients must not grow with them.
        let client = client.unwrap_or_default().chars().take(LONGEST_ID).collect();
        ClientKey { user: "ANONYMOUS", client }
    }
}

const LONGEST_ID: usize = 256;
/// Clients that are remembered; above it, those go that use nothing.
const MOST: usize = 10_000;

impl QuotaMeter {
    pub(crate) fn new() -> QuotaMeter {
        QuotaMeter { started: Instant::now(), buckets: Mutex::default() }
    }

    /// Notes that a client used `amount`; says for how long it has to wait.
    pub(crate) fn charge(
        &self,
        limits: &QuotaLimits,
        quota: Quota,
        who: &ClientKey,
        amount: f64,
    ) -> Duration {
        let Some(rate) = limits.rate(quota, who.user, &who.client) else { return Duration::ZERO };
        let now = self.started.elapsed();
        let mut buckets = self.buckets.lock();
        if buckets.len() >= MOST {
            buckets.retain(|_, bucket| !bucket.is_idle(now));
        }
        let bucket = buckets.entry((quota, who.clone())).or_insert_with(|| Bucket::full(rate, now));
        bucket.take(amount, rate, now)
    }

    /// For how long a client has to wait, all quotas together.
    pub(crate) fn wait(&self, limits: &QuotaLimits, who: &ClientKey) -> Duration {
        if limits.is_empty() {
            return Duration::ZERO;
        }
        let waits = Quota::ALL.map(|quota| self.charge(limits, quota, who, 0.0));
        waits.into_iter().max().unwrap_or_default()
    }
}
