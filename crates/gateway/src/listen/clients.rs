//! Counts the connections of each client, so that one alone cannot take all there are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use palisade_core::port::counter::Ipv6Prefix;

/// How many connections each client has. An IPv6 client is a whole network.
#[derive(Debug)]
pub(super) struct Clients {
    counts: Mutex<HashMap<IpAddr, usize>>,
    most: usize,
    ipv6_prefix: Ipv6Prefix,
}

impl Clients {
    pub(super) fn new(most: usize, ipv6_prefix: Ipv6Prefix) -> Self {
        Self { counts: Mutex::default(), most, ipv6_prefix }
    }

    /// A place for one more connection of this client's, unless it has too many already.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let client = self.client(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(client).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place { clients: Arc::clone(self), client })
    }

    fn client(&self, address: IpAddr) -> IpAddr {
        match address.to_canonical() {
            four @ IpAddr::V4(_) => four,
            IpAddr::V6(six) => self.ipv6_prefix.network(six).into(),
        }
    }
}

/// One connection of a client's, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.clients.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_so_many_places_and_gets_them_back() {
        let clients = Arc::new(Clients::new(2, Ipv6Prefix::default()));
        let enter = |address: &str| clients.enter(address.parse().unwrap());
        let (first, second) = (enter("2001:db8::1"), enter("2001:db8::ffff:2"));
        assert!(first.is_some() && second.is_some());
        assert!(enter("2001:db8::3").is_none(), "the same network");
        assert!(enter("2001:db8:0:1::3").is_some(), "another network");
        drop(first);
        assert!(enter("2001:db8::3").is_some());
        drop(second);
        assert!(clients.counts.lock().unwrap().is_empty(), "nothing is kept of who has gone");
        let (_four, _same) = (enter("192.0.2.1"), enter("::ffff:192.0.2.1"));
        assert!(enter("192.0.2.1").is_none());
    }
}
