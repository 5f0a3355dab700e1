//! The setting `group.coordinator.rebalance.protocols`.

use std::fmt;
use std::str::FromStr;

/// The protocols by which members of groups share partitions
/// (`group.coordinator.rebalance.protocols`). The classic protocol is always enabled. `share` and
/// `streams` are accepted, because Kafka's files name them, and have no effect: this broker has no
/// such groups.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RebalanceProtocols {
    /// Whether consumer-protocol groups (KIP-848) are enabled.
    pub consumer: bool,
    /// The setting as it was given.
    text: String,
}

impl Default for RebalanceProtocols {
    fn default() -> RebalanceProtocols {
        RebalanceProtocols { consumer: true, text: "classic,consumer".to_owned() }
    }
}

impl FromStr for RebalanceProtocols {
    type Err = ();

    fn from_str(text: &str) -> Result<RebalanceProtocols, ()> {
        let names: Vec<_> = text.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        let is_known = |name: &String| ["classic", "consumer", "share", "streams"].contains(&name.as_str());
        let is_valid = has("classic") && names.iter().all(is_known);
        is_valid.then(|| RebalanceProtocols { consumer: has("consumer"), text: names.join(",") }).ok_or(())
    }
}

impl fmt::Display for RebalanceProtocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::RebalanceProtocols;

    #[test]
    fn the_classic_protocol_cannot_be_disabled() {
        for (text, want) in [
            ("classic", Some(false)),
            ("classic,consumer", Some(true)),
            ("Consumer, CLASSIC,streams,share", Some(true)),
            ("consumer", None),
            ("classic,other", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok().map(|found: RebalanceProtocols| found.consumer), want, "{text}");
        }
        assert_eq!(RebalanceProtocols::default(), "classic,consumer".parse().unwrap());
    }
}
