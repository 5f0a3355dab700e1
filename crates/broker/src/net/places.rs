//! How many connections there may be: in all (`max.connections`), and of one address
//! (`max.connections.per.ip`).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::BrokerConfig;

/// The connections there are, by where they come from.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection's place, free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    address: IpAddr,
}

/// Which setting leaves no place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NoPlace(pub(super) &'static str);

impl Places {
    pub(super) fn take(&self, address: IpAddr, config: &BrokerConfig) -> Result<Place, NoPlace> {
        let mut taken = self.0.lock();
        if taken.values().sum::<usize>() >= config.max_connections {
            return Err(NoPlace("max.connections"));
        }
        if taken.get(&address).is_some_and(|count| *count >= config.max_connections_per_ip) {
            return Err(NoPlace("max.connections.per.ip"));
        }
        *taken.entry(address).or_default() += 1;
        Ok(Place { places: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock();
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let config =
            BrokerConfig { max_connections: 3, max_connections_per_ip: 2, ..BrokerConfig::default() };
        let [a, b, c] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(|ip| ip.parse::<IpAddr>().unwrap());
        let places = Places::default();
        let first = places.take(a, &config).unwrap();
        let _second = places.take(a, &config).unwrap();
        assert_eq!(places.take(a, &config).unwrap_err(), NoPlace("max.connections.per.ip"));
        let third = places.take(b, &config).unwrap();
        assert_eq!(places.take(c, &config).unwrap_err(), NoPlace("max.connections"));
        drop(first);
        assert!(places.take(a, &config).is_ok());
        drop(third);
        assert_eq!(places.0.lock().len(), 1);
    }
}
