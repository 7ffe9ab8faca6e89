//! How many connections there are, in all and of each peer.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::HttpLimits;

/// The connections that are open.
#[derive(Clone, Debug)]
pub struct Peers {
    open: Arc<Mutex<Open>>,
    total_max: usize,
    per_peer_max: usize,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_peer: HashMap<IpAddr, usize>,
}

/// A connection's place. It is free again when this goes.
#[derive(Debug)]
pub struct Admission {
    peers: Peers,
    peer: IpAddr,
}

impl Peers {
    /// Nobody is here yet.
    #[must_use]
    pub fn new(limits: &HttpLimits) -> Peers {
        Peers {
            open: Arc::default(),
            total_max: limits.connections_max,
            per_peer_max: limits.connections_per_peer_max,
        }
    }

    /// A place for a connection, unless there are too many.
    #[must_use]
    pub fn admit(&self, peer: IpAddr) -> Option<Admission> {
        let peer = whole_peer(peer);
        let mut open = self.lock();
        let reason = if open.total >= self.total_max {
            "too_many"
        } else if open.by_peer.get(&peer).is_some_and(|count| *count >= self.per_peer_max) {
            "too_many_of_peer"
        } else {
            open.total += 1;
            *open.by_peer.entry(peer).or_default() += 1;
            metrics::gauge!("tocsin_http_connections").set(open.total as f64);
            return Some(Admission { peers: self.clone(), peer });
        };
        metrics::counter!("tocsin_http_connections_refused_total", "reason" => reason).increment(1);
        None
    }

    /// A panic elsewhere leaves whole numbers behind.
    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut open = self.peers.lock();
        open.total -= 1;
        metrics::gauge!("tocsin_http_connections").set(open.total as f64);
        let count = open.by_peer.get_mut(&self.peer).map(|count| {
            *count -= 1;
            *count
        });
        if count == Some(0) {
            open.by_peer.remove(&self.peer);
        }
    }
}

/// Who an address stands for: an IPv6 peer has a whole /64 of them.
fn whole_peer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(peers: &Peers, address: &str) -> Option<Admission> {
        peers.admit(address.parse().expect("an address"))
    }

    #[test]
    fn places_are_bounded_in_all_and_by_peer_and_become_free_again() {
        let limits = HttpLimits { connections_max: 3, connections_per_peer_max: 2, ..HttpLimits::default() };
        let peers = Peers::new(&limits);
        let first = admitted(&peers, "2001:db8::1");
        let _second = admitted(&peers, "2001:db8::2:1");
        assert!(admitted(&peers, "2001:db8:0:0:ffff::9").is_none(), "one /64 is one peer");
        let third = admitted(&peers, "192.0.2.1");
        assert!(third.is_some());
        assert!(admitted(&peers, "192.0.2.2").is_none(), "three are there");
        drop(first);
        assert!(admitted(&peers, "2001:db8::3").is_some());
        drop(third);
        assert!(admitted(&peers, "::ffff:192.0.2.1").is_some());
        assert_eq!(peers.lock().by_peer.len(), 1);
    }
}
