//! The use of quotas by clients, and throttle times (KIP-13, KIP-219).

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
/// Clients that are remembered. Whenever so many have come, those go that use nothing; who comes
/// then is not limited.
const MOST: usize = 100_000;
const LOOK_EVERY: usize = 10_000;

/// Whether there is room for one more. Looked at seldom, for all are looked at.
fn make_room(buckets: &mut HashMap<(Quota, ClientKey), Bucket>, now: Duration) -> bool {
    if buckets.len() % LOOK_EVERY == LOOK_EVERY - 1 {
        buckets.retain(|_, bucket| !bucket.is_idle(now));
    }
    buckets.len() < MOST
}

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
        let key = (quota, who.clone());
        if !buckets.contains_key(&key) && !make_room(&mut buckets, now) {
            return Duration::ZERO;
        }
        let bucket = buckets.entry(key).or_insert_with(|| Bucket::full(rate, now));
        bucket.take(amount, rate, now, quota.longest_wait())
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
