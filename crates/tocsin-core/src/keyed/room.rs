//! How much room there is, and which keys get state when there is not enough for all.
//!
//! New keys take up what their shard leaves all of them. Beyond that they are only counted in a
//! sketch, which has room of its own; a key that may have half of what its condition needs is
//! admitted to what is kept for such keys, beginning at its estimate. If that is full too,
//! addresses are counted by their network, and then the keys that would expire first make room.
//! Those are remembered in the sketch: nothing is missed, and no flood of forged keys can make a
//! slow attack forgotten.

use std::net::IpAddr;

use crate::detection::{Evidence, Phase};
use crate::detector::{Found, StateRoom, StepContext};
use crate::key;
use crate::machine::{Entry, Machine};
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

    /// Bytes of all keys.
    pub(super) fn key_bytes(&self) -> usize {
        self.index.len() * Keyed::<M>::KEY_BYTES + self.heap_bytes
    }

    /// Bytes of all keys and of the sketch.
    pub(super) fn all_bytes(&self) -> usize {
        self.key_bytes() + self.sketch.as_ref().map_or(0, |sketch| sketch.bytes())
    }

    /// Takes what room there is from now on.
    pub(super) fn take_room(&mut self, room: StateRoom) {
        self.room = room;
        self.sketch.iter_mut().for_each(|sketch| sketch.fit(room.for_sketch));
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

    /// Settles early what waits of keys with much of it, so that it takes no room from others; then
    /// drops keys that would expire first until the rest fits, and tells what they had to tell.
    pub(super) fn make_room(&mut self, context: &StepContext, out: &mut Found) {
        // What is kept for the keys that sketches admit is not for rules that have none.
        let admits = self.machine.admits_at().is_some();
        let bound = if admits { self.room.for_kept } else { self.room.for_all };
        while self.key_bytes() > self.room.for_all && self.settle_longest(context, out) {}
        while self.key_bytes() > bound
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
            self.remember(slot, context.watermark);
            self.remove(slot);
            self.evicted += 1;
        }
    }

    /// Counts a key that loses its state in the sketch, so that what it did is not forgotten.
    fn remember(&mut self, slot: u32, now: Timestamp) {
        let Some(state) = self.states.get(slot) else { return };
        if self.machine.admits_at().is_some() && self.machine.in_window(&state.machine) > 0 {
            let count = self.machine.in_window(&state.machine);
            let (hash, window) = (self.hasher.hash_one(&*state.key), self.machine.window());
            let bytes = self.room.for_sketch;
            let sketch = self.sketch.get_or_insert_with(|| Box::new(Sketch::new(window, bytes)));
            sketch.raise(hash, count, now);
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
        let (window, sketch_bytes) = (self.machine.window(), self.room.for_sketch);
        let sketch = self.sketch.get_or_insert_with(|| Box::new(Sketch::new(window, sketch_bytes)));
        let weight = u64::from(entry.weight);
        let estimate = sketch.count(hash, entry.time, entry.weight);
        if estimate < needed.div_ceil(2).min(u64::from(u8::MAX)) {
            return Admission::Sketched;
        }
        let before = estimate.saturating_sub(weight);
        // Where even networks have no room, a key that expires sooner makes it, and is remembered.
        match networks(key).filter(|_| room == Room::ForNetworks) {
            Some(networks) => Admission::Network(networks, before),
            None => Admission::Exact(before),
        }
    }

    /// State of a key of which so many events may have come before.
    pub(super) fn begin(&mut self, hash: u64, key: &[u8], entry: &Entry, before: u64) -> u32 {
        let slot = self.create(hash, key);
        if let Some(state) = self.states.get_mut(slot).as_mut().filter(|_| before > 0) {
            self.machine.begin_at(&mut state.machine, entry, before);
        }
        slot
    }

    fn room(&self) -> Room {
        let (used, most) = (self.key_bytes() + Keyed::<M>::KEY_BYTES, self.room.for_admitted);
        if used <= self.room.for_all {
            Room::ForAll
        } else if used <= most {
            Room::ForAdmitted
        } else if used <= most.saturating_add(most / 8) {
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
