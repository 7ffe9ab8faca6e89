//! How much room there is, and which keys get state when there is not enough for all.
//!
//! New keys take up to six eighths of the rule's bytes. Beyond that they are only counted in a
//! sketch; a key that may have half of what its condition needs is admitted to the last two
//! eighths, beginning at its estimate, so that nothing is missed and no flood of forged keys can
//! push out a slow attack. If that is full too, addresses are counted by their network.

use std::net::IpAddr;

use crate::detection::{Evidence, Phase};
use crate::detector::{Found, StepContext};
use crate::key;
use crate::machine::{Entry, Machine};
use crate::shard::room_for_all;
use crate::sketch::Sketch;
use crate::time::Timestamp;

use super::Keyed;
use super::state::{Held, KeyState};

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
    /// Bytes of one key, its places in the tables included.
    pub(super) const KEY_BYTES: usize = size_of::<Option<KeyState<M::State>>>() + 3 * size_of::<u32>();

    pub(super) fn total_bytes(&self) -> usize {
        let sketch = if self.sketch.is_some() { Sketch::bytes() } else { 0 };
        self.index.len() * Keyed::<M>::KEY_BYTES + self.heap_bytes + sketch
    }

    /// Weighs a key anew.
    pub(super) fn weigh(&mut self, slot: u32) {
        let Some(state) = self.states.get_mut(slot) else { return };
        let held = state.held.as_ref().map_or(0, |held| {
            let evidence = held.episode.as_ref().map_or(0, |episode| episode.evidence.capacity());
            size_of::<Held<M::State>>() + evidence * size_of::<Evidence>()
        });
        let key = state.key.heap_bytes();
        let bytes = held + key + self.waiting.bytes(state.waiting) + self.machine.heap_bytes(&state.machine);
        self.heap_bytes = self.heap_bytes + bytes - state.heap_bytes as usize;
        state.heap_bytes = bytes as u32;
    }

    /// Drops keys that would expire first until the rest fits, and tells what they had to tell.
    pub(super) fn make_room(&mut self, context: &StepContext, out: &mut Found) {
        let bound = self.bytes_max.saturating_add(self.bytes_max / 8);
        while self.total_bytes() > bound
            && let Some((id, slot)) = self.wheel.pop_first()
        {
            if !self.leaves(slot, id) {
                continue;
            }
            self.settle(slot, Timestamp::MAX, context, out);
            self.visit_second(slot, &StepContext { now: Timestamp::MAX, ..*context }, out);
            if let Some(state) = self.states.get_mut(slot)
                && let Some(cut) = state.take_episode_if(|_| true)
            {
                out.detections.push(cut.detection(self.rule, self.owner.tenant, &state.key, Phase::Closed));
            }
            self.remove(slot);
            self.evicted += 1;
        }
    }

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
        if used <= room_for_all(self.bytes_max) {
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
