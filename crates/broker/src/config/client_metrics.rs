//! The settings of a subscription to clients' metrics (KIP-714). They are stored and returned for
//! Kafka's tools; this broker does not ask clients for metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use super::row::{Kind, Row, WrongSetting, at, in_millis, int_millis, put, set_all};

/// A subscription.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ClientMetricsSettings {
    metrics: String,
    interval: Duration,
    matching: String,
}

impl Default for ClientMetricsSettings {
    fn default() -> ClientMetricsSettings {
        let interval = Duration::from_secs(300);
        ClientMetricsSettings { metrics: String::new(), interval, matching: String::new() }
    }
}

impl ClientMetricsSettings {
    /// All settings that a subscription can have.
    pub(crate) const TABLE: &[Setting] = TABLE;

    pub(crate) fn row(key: &str) -> Option<&'static Setting> {
        TABLE.iter().find(|row| row.key == key)
    }

    /// The defaults with a subscription's own settings over them.
    pub(crate) fn with(&self, own: &BTreeMap<String, String>) -> Result<ClientMetricsSettings, WrongSetting> {
        let mut settings = self.clone();
        set_all(&mut settings, own, TABLE)?;
        Ok(settings)
    }
}

type Setting = Row<ClientMetricsSettings>;

const TABLE: &[Setting] = &[
    Setting::new(
        "interval.ms",
        Kind::Int,
        "a number of milliseconds from 100 to 3,600,000",
        at!(interval, interval, in_millis),
        "How often clients are to send their metrics.",
    ),
    Setting::new(
        "match",
        Kind::List,
        "pairs NAME=EXPRESSION with commas between them, each name one that Kafka matches clients by",
        at!(matching, matching, String::clone),
        "Which clients the subscription is for; all, unless it is given.",
    ),
    Setting::new(
        "metrics",
        Kind::List,
        "prefixes of names with commas between them",
        at!(metrics, names, String::clone),
        "Prefixes of the names of metrics that clients are to send; `*` is all.",
    ),
];

fn interval(value: &str) -> Option<Duration> {
    let allowed = Duration::from_millis(100)..=Duration::from_secs(3600);
    int_millis(value).filter(|interval| allowed.contains(interval))
}

fn names(value: &str) -> Option<String> {
    let is_name = |name: &str| !name.trim().is_empty();
    (value.is_empty() || value.split(',').all(is_name)).then(|| value.to_owned())
}

fn matching(value: &str) -> Option<String> {
    let is_known = |pair: &str| pair.split_once('=').is_some_and(|(name, _)| MATCHED.contains(&name.trim()));
    (value.is_empty() || value.split(',').all(is_known)).then(|| value.to_owned())
}

/// What Kafka matches clients by.
const MATCHED: [&str; 6] = [
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_takes_what_kafka_takes() {
        for (key, value, is_taken) in [
            ("metrics", "*", true),
            ("metrics", "org.apache.kafka.producer.,org.apache.kafka.consumer.", true),
            ("metrics", "a,,b", false),
            ("metrics", "", true),
            ("interval.ms", "100", true),
            ("interval.ms", "99", false),
            ("interval.ms", "3600001", false),
            ("match", "client_id=app.*,client_software_name=java", true),
            ("match", "client=x", false),
            ("match", "client_id", false),
            ("other", "x", false),
        ] {
            let own = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            assert_eq!(ClientMetricsSettings::default().with(&own).is_ok(), is_taken, "{key}={value}");
        }
    }
}
