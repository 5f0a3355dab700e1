//! Quotas of connections by IP address (KIP-612).

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::QuotaLimits;
use super::bucket::Bucket;

/// Connections that addresses have opened, held against their quotas (KIP-612).
#[derive(Debug)]
pub(crate) struct ConnectionMeter {
    started: Instant,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

impl ConnectionMeter {
    pub(crate) fn new() -> ConnectionMeter {
        ConnectionMeter { started: Instant::now(), buckets: Mutex::default() }
    }

    /// Notes a connection of `address`. One that is too many does not count; it is to be closed
    /// after this time, so that a client that connects again at once cannot do so without bound.
    pub(crate) fn opened(&self, limits: &QuotaLimits, address: IpAddr) -> Result<(), Duration> {
        let Some(rate) = limits.connection_rate(address) else { return Ok(()) };
        self.opened_at(self.started.elapsed(), rate, address)
    }

    fn opened_at(&self, now: Duration, rate: f64, address: IpAddr) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock();
        if buckets.len() >= MOST {
            buckets.retain(|_, bucket| !bucket.is_idle(now));
        }
        let bucket = buckets.entry(address).or_insert_with(|| Bucket::full(rate, now));
        let wait = bucket.take(1.0, rate, now, LONGEST);
        if wait.is_zero() {
            return Ok(());
        }
        bucket.take(-1.0, rate, now, LONGEST);
        Err(wait)
    }
}

/// Addresses above which those go that opened none for a while.
const MOST: usize = 10_000;
/// A connection that is too many is held no longer than this.
const LONGEST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_opens_as_many_connections_as_its_rate_says() {
        let meter = ConnectionMeter::new();
        let [one, other]: [IpAddr; 2] = ["10.0.0.1", "10.0.0.2"].map(|ip| ip.parse().unwrap());
        let at = |millis| Duration::from_millis(millis);
        let open = |now, address| meter.opened_at(at(now), 2.0, address);
        assert_eq!([open(0, one), open(0, one), open(0, one)], [Ok(()), Ok(()), Err(at(500))]);
        assert_eq!(open(0, other), Ok(()), "each address has its own");
        assert!(open(499, one).is_err());
        assert_eq!(
            [open(500, one), open(500, one)],
            [Ok(()), Err(at(500))],
            "one that was too many does not count"
        );
    }
}
