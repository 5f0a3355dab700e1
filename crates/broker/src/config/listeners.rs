//! Which of Kafka's listeners the broker opens, and which address it advertises.
//!
//! A file for a Kafka node that is a controller too names listeners of the controller
//! (`controller.listener.names`). They are accepted and not opened: this broker's controller runs
//! in its own process.

use super::row::put;
use super::{BrokerConfig, ListenerAddress};

/// A listener with its name: `INTERNAL://10.0.0.7:9092`.
#[derive(Clone, PartialEq, Eq, Debug)]
struct NamedListener {
    name: String,
    address: ListenerAddress,
}

/// Takes `listeners`: one listener for clients, and any number of a controller's.
pub(super) fn set_listeners(config: &mut BrokerConfig, value: &str) -> Option<()> {
    let all: Vec<NamedListener> = entries(value)?;
    let (controller, clients): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|listener| config.is_of_controller(&listener.name));
    let [client] = <[NamedListener; 1]>::try_from(clients).ok()?;
    if config.protocol_of(&client.name) != PLAINTEXT {
        return None;
    }
    config.controller_listeners = controller.iter().map(NamedListener::text).collect();
    (config.listener_name, config.listener) = (client.name, client.address);
    Some(())
}

/// All listeners, as [`set_listeners`] takes them.
pub(super) fn listeners_text(config: &BrokerConfig) -> String {
    let client = text(&config.listener_name, &config.listener);
    std::iter::once(client).chain(config.controller_listeners.iter().cloned()).collect::<Vec<_>>().join(",")
}

/// Takes `advertised.listeners`: an address of the listener for clients, and any of a controller's.
pub(super) fn set_advertised(config: &mut BrokerConfig, value: &str) -> Option<()> {
    let all = entries(value)?;
    let is_known = |name: &String| *name == config.listener_name || config.is_of_controller(name);
    if !all.iter().all(|listener| is_known(&listener.name)) {
        return None;
    }
    let mut clients = all.into_iter().filter(|listener| !config.is_of_controller(&listener.name));
    let (client, other) = (clients.next()?, clients.next());
    if other.is_some() || client.address.port == 0 || client.address.is_of_all() {
        return None;
    }
    put(&mut config.advertised, Some(client.address))
}

/// The advertised address with the listener's name.
pub(super) fn advertised_text(config: &BrokerConfig) -> String {
    text(&config.listener_name, config.advertised.as_ref().unwrap_or(&config.listener))
}

/// Takes `listener.security.protocol.map`: `CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT`.
pub(super) fn set_protocols(config: &mut BrokerConfig, value: &str) -> Option<()> {
    let pair = |entry: &str| {
        let (name, protocol) = entry.split_once(':')?;
        let protocol = protocol.trim().to_ascii_uppercase();
        PROTOCOLS.contains(&&*protocol).then(|| (name.trim().to_owned(), protocol))
    };
    put(&mut config.security_protocols, value.split(',').map(pair).collect::<Option<_>>()?)
}

/// The map, as [`set_protocols`] takes it.
pub(super) fn protocols_text(config: &BrokerConfig) -> String {
    let pairs = config.security_protocols.iter().map(|(name, protocol)| format!("{name}:{protocol}"));
    pairs.collect::<Vec<_>>().join(",")
}

/// Takes a list of names.
pub(super) fn set_controller_names(config: &mut BrokerConfig, value: &str) -> Option<()> {
    put(&mut config.controller_listener_names, value.split(',').map(|name| name.trim().to_owned()).collect())
}

impl BrokerConfig {
    fn is_of_controller(&self, name: &String) -> bool {
        self.controller_listener_names.contains(name)
    }

    fn protocol_of<'a>(&'a self, name: &'a str) -> &'a str {
        self.security_protocols.get(name).map_or(name, String::as_str)
    }
}

impl NamedListener {
    fn text(&self) -> String {
        text(&self.name, &self.address)
    }
}

fn text(name: &str, address: &ListenerAddress) -> String {
    format!("{name}://{}", address.authority())
}

fn entries(value: &str) -> Option<Vec<NamedListener>> {
    value.split(',').map(str::trim).map(entry).collect()
}

fn entry(text: &str) -> Option<NamedListener> {
    let (name, rest) = text.split_once("://").filter(|(name, _)| !name.is_empty())?;
    let (host, port) = rest.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = if host.is_empty() { "0.0.0.0" } else { host }.to_owned();
    Some(NamedListener { name: name.to_owned(), address: ListenerAddress { host, port: port.parse().ok()? } })
}

pub(super) const PLAINTEXT: &str = "PLAINTEXT";
/// Security protocols that Kafka has.
const PROTOCOLS: [&str; 4] = [PLAINTEXT, "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

#[cfg(test)]
mod tests {
    use super::*;

    fn listeners(names: &str, protocols: &str, value: &str) -> Option<(String, Vec<String>)> {
        let mut config = BrokerConfig::default();
        set_controller_names(&mut config, names)?;
        set_protocols(&mut config, protocols)?;
        set_listeners(&mut config, value)?;
        Some((text(&config.listener_name, &config.listener), config.controller_listeners))
    }

    #[test]
    fn one_listener_is_for_clients_and_those_of_a_controller_are_not_opened() {
        let map = "CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,PLAINTEXT:PLAINTEXT,TLS:SSL";
        let of = |client: &str, controller: &[&str]| {
            Some((client.to_owned(), controller.iter().map(|&text| text.to_owned()).collect()))
        };
        for (value, want) in [
            ("PLAINTEXT://:9092", of("PLAINTEXT://0.0.0.0:9092", &[])),
            (
                "PLAINTEXT://:9092,CONTROLLER://:9093",
                of("PLAINTEXT://0.0.0.0:9092", &["CONTROLLER://0.0.0.0:9093"]),
            ),
            ("CONTROLLER://h:1, INTERNAL://[::1]:2", of("INTERNAL://[::1]:2", &["CONTROLLER://h:1"])),
            ("CONTROLLER://:9093", None),
            ("PLAINTEXT://:1,INTERNAL://:2", None),
            ("TLS://:1", None),
            ("SSL://:1", None),
            ("://:1", None),
            ("PLAINTEXT://:65536", None),
            ("9092", None),
        ] {
            assert_eq!(listeners("CONTROLLER", map, value), want, "{value}");
        }
        assert_eq!(listeners("CONTROLLER", "PLAINTEXT:TLS", "PLAINTEXT://:1"), None);
    }

    #[test]
    fn the_address_of_the_listener_for_clients_is_advertised() {
        for (value, want) in [
            ("PLAINTEXT://kafka:9092", Some("PLAINTEXT://kafka:9092")),
            ("PLAINTEXT://kafka:9092,CONTROLLER://kafka:9093", Some("PLAINTEXT://kafka:9092")),
            ("CONTROLLER://kafka:9093", None),
            ("PLAINTEXT://a:1,PLAINTEXT://b:2", None),
            ("OTHER://kafka:9092", None),
            ("PLAINTEXT://kafka:0", None),
            ("PLAINTEXT://[::1]:9092", Some("PLAINTEXT://[::1]:9092")),
            ("PLAINTEXT://0.0.0.0:9092", None),
            ("PLAINTEXT://[::]:9092", None),
            ("PLAINTEXT://:9092", None),
        ] {
            let mut config = BrokerConfig::default();
            let got = set_advertised(&mut config, value).map(|()| advertised_text(&config));
            assert_eq!(got.as_deref(), want, "{value}");
        }
    }
}
