//! Quotas (KIP-13, KIP-124, KIP-546): how much each client may send, read and occupy. Who has more
//! is told to wait, and its connection is not read from meanwhile.

use std::time::Duration;

mod bucket;
mod connections;
mod entity;
mod limits;
mod meter;

pub(crate) use connections::ConnectionMeter;
pub(crate) use entity::{QuotaEntity, QuotaError};
pub(crate) use limits::QuotaLimits;
pub(crate) use meter::{ClientKey, QuotaMeter};

/// What is limited.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Quota {
    /// Bytes a second that a client sends.
    Produce,
    /// Bytes a second that a client reads.
    Consume,
    /// Seconds a second that requests take of the threads that answer them; 100 % are one thread.
    Request,
}

impl Quota {
    pub(crate) const ALL: [Quota; 3] = [Quota::Produce, Quota::Consume, Quota::Request];

    /// Kafka's name of the setting.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Quota::Produce => "producer_byte_rate",
            Quota::Consume => "consumer_byte_rate",
            Quota::Request => "request_percentage",
        }
    }

    /// Nobody waits for longer: a second for the time of threads, as in Kafka (KIP-124).
    fn longest_wait(self) -> Duration {
        Duration::from_secs(if self == Quota::Request { 1 } else { 3600 })
    }

    /// Units a second that a setting's value means.
    fn rate(self, value: f64) -> f64 {
        if self == Quota::Request { value / 100.0 } else { value }
    }
}
