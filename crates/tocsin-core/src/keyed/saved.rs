//! State as bytes, and back.

use crate::detector::SnapshotError;
use crate::limits::PRESSED_ENTRIES_MAX;
use crate::machine::{Entries, Machine};
use crate::orphans::Orphans;
use crate::sketch::Sketch;

use super::Keyed;
use super::slab::Slab;
use super::state::{Held, Key, KeyState, Saved, Waiting, WaitingAt};
use super::wheel::{NO_BUCKET, Wheel};

/// All state of a rule in a shard.
pub(super) fn snapshot<M: Machine>(of: &Keyed<M>) -> Vec<u8> {
    let mut states: Vec<_> = of
        .states
        .iter()
        .flatten()
        .map(|state| Saved {
            key: &state.key,
            waiting: of.waiting.entries(state.waiting),
            machine: &state.machine,
            held: &state.held,
            bucket: state.bucket,
        })
        .collect();
    states.sort_unstable_by(|a, b| a.key.cmp(b.key));
    let counted = (of.evicted, of.sketched, &of.sketch);
    postcard::to_stdvec(&(counted, states, &of.orphans)).unwrap_or_default()
}

/// Replaces all state by what was saved.
pub(super) fn restore<M: Machine>(of: &mut Keyed<M>, bytes: &[u8]) -> Result<(), SnapshotError> {
    type Counted = (u64, u64, Option<Box<Sketch>>);
    type Restored<S> = (Counted, Vec<Saved<Key, Entries, S, Option<Box<Held<S>>>>>, Orphans);
    let (counted, states, orphans): Restored<M::State> =
        postcard::from_bytes(bytes).map_err(|error| SnapshotError(error.to_string()))?;
    (of.evicted, of.sketched, of.sketch) = counted;
    of.orphans = orphans;
    of.orphans.rehash(|key| of.hasher.hash_one(key));
    of.index.clear();
    of.wheel = Wheel::default();
    of.states = Slab::default();
    of.waiting = Waiting::default();
    of.heap_bytes = 0;
    of.long.clear();
    for saved in states {
        let Saved { key, waiting, machine, held, bucket } = saved;
        let mut at = WaitingAt::NOWHERE;
        of.waiting.put_back(&mut at, waiting);
        let hash = of.hasher.hash_one(&*key);
        let state = KeyState { key, machine, held, waiting: at, bucket, later: NO_BUCKET, heap_bytes: 0 };
        let slot = of.states.put(Some(state));
        of.wheel.push(bucket, slot);
        of.enter(slot, hash);
        of.weigh(slot);
        if of.waiting.len(at) >= PRESSED_ENTRIES_MAX {
            of.note_long(slot);
        }
    }
    Ok(())
}
