//! Which keys get state when there is no room for all.
//!
//! New keys take up to six eighths of the rule's bytes. Beyond that they are only counted in a
//! sketch; a key that may have half of what its condition needs is admitted to the last two
//! eighths, beginning at its estimate, so that nothing is missed and no flood of forged keys can
//! push out a slow attack. If that is full too, addresses are counted by their network.

use std::net::IpAddr;

use crate::key;
use crate::limits::STATE_FOR_ADMITTED_EIGHTHS;
use crate::machine::{Entry, Machine};
use crate::sketch::Sketch;

use super::Keyed;

/// What becomes of the event of a key without state.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// The key gets state, and begins with an estimate of so many events before this one.
    Exact(u64),
    /// The event counts for the network of its address.
    Network(Vec<u8>, u64),
    /// The event is counted in the sketch alone.
    Sketched,
}

/// Room that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    ForAll,
    ForAdmitted,
    ForNetworks,
    None,
}

impl<M: Machine> Keyed<M> {
    /// Decides about a key without state.
    pub(super) fn admit(&mut self, hash: u64, key: &[u8], entry: &Entry) -> Admission {
        let room = self.room();
        if room == Room::ForAll {
            let before = self.sketch.as_ref().map_or(0, |sketch| sketch.estimate(hash));
            return Admission::Exact(before);
        }
        self.pressed = self.pressed.min(Some(*entry)).or(Some(*entry));
        let Some(needed) = self.machine.admits_at() else { return Admission::Exact(0) };
        let window = self.machine.window();
        let sketch = self.sketch.get_or_insert_with(|| Box::new(Sketch::new(window)));
        let weight = u64::from(entry.weight);
        let estimate = sketch.count(hash, entry.time, entry.weight);
        if estimate < needed.div_ceil(2).min(u64::from(u8::MAX)) {
            return Admission::Sketched;
        }
        let before = estimate.saturating_sub(weight);
        match room {
            Room::ForAll | Room::ForAdmitted => Admission::Exact(before),
            Room::ForNetworks => match networks(key) {
                Some(networks) => Admission::Network(networks, before),
                None => Admission::Sketched,
            },
            Room::None => Admission::Sketched,
        }
    }

    fn room(&self) -> Room {
        let (used, eighth) = (self.total_bytes() + Keyed::<M>::KEY_BYTES, self.bytes_max / 8);
        if used <= self.bytes_max - STATE_FOR_ADMITTED_EIGHTHS * eighth {
            Room::ForAll
        } else if used <= self.bytes_max {
            Room::ForAdmitted
        } else if used <= self.bytes_max + eighth {
            Room::ForNetworks
        } else {
            Room::None
        }
    }
}

/// A key with every address in it replaced by its network, /24 or /64; `None` where it has none.
fn networks(of: &[u8]) -> Option<Vec<u8>> {
    let mut rolled = Vec::with_capacity(of.len() + 4);
    let mut has_address = false;
    for part in key::parts(of) {
        let part = part.unwrap_or_default();
        let network = part.parse().ok().map(network);
        has_address |= network.is_some();
        key::append_part(network.as_deref().unwrap_or(part), &mut rolled);
    }
    has_address.then_some(rolled)
}

fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_their_networks() {
        let key = |parts: &[&str]| {
            let mut out = Vec::new();
            parts.iter().for_each(|part| key::append_part(part, &mut out));
            out
        };
        assert_eq!(networks(&key(&["203.0.113.77", "alice"])), Some(key(&["203.0.113.0/24", "alice"])));
        assert_eq!(networks(&key(&["2001:db8:1:2:3::4"])), Some(key(&["2001:db8:1:2::/64"])));
        assert_eq!(networks(&key(&["alice"])), None);
    }
}
