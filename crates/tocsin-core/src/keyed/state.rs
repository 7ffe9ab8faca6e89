//! What is kept of one key, and where the entries that wait for the watermark lie.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::episode::{Claim, Episode};
use crate::machine::{Entries, Entry};

/// Keys up to this length, most addresses and names, lie inside their state.
pub(super) const KEY_BYTES_INLINE: usize = 24;

/// The bytes of a group key.
pub(super) type Key = SmallVec<[u8; KEY_BYTES_INLINE]>;

/// What is kept of one key.
#[derive(Debug)]
pub(super) struct KeyState<S> {
    pub key: Key,
    pub machine: S,
    /// Boxed: most keys never have any of it.
    pub held: Option<Box<Held<S>>>,
    /// Where its waiting entries lie.
    pub waiting: WaitingAt,
    /// Bucket of the wheel this key stands in.
    pub bucket: i32,
    /// Bytes it takes beyond its own size, when last visited.
    pub heap_bytes: u32,
}

/// What a key has told or is about to tell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Held<S> {
    pub episode: Option<Episode>,
    pub claim: Option<Claim>,
    pub second: Option<Second<S>>,
}

/// The key's events once more, by when they were taken in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Second<S> {
    pub machine: S,
    pub episode: Option<Episode>,
}

impl<S> Default for Held<S> {
    fn default() -> Held<S> {
        Held { episode: None, claim: None, second: None }
    }
}

impl<S> KeyState<S> {
    pub fn episode(&self) -> Option<&Episode> {
        self.held.as_ref()?.episode.as_ref()
    }

    pub fn episode_mut(&mut self) -> Option<&mut Episode> {
        self.held.as_mut()?.episode.as_mut()
    }

    pub fn claim(&self) -> Option<Claim> {
        self.held.as_ref()?.claim
    }

    pub fn set_episode(&mut self, episode: Episode) {
        self.held.get_or_insert_default().episode = Some(episode);
    }

    pub fn set_claim(&mut self, claim: Option<Claim>) {
        match (&mut self.held, claim) {
            (Some(held), claim) => held.claim = claim,
            (None, Some(claim)) => self.held.get_or_insert_default().claim = Some(claim),
            (None, None) => {}
        }
        self.tidy();
    }

    pub fn second(&self) -> Option<&Second<S>> {
        self.held.as_ref()?.second.as_ref()
    }

    pub fn second_mut(&mut self) -> Option<&mut Second<S>> {
        self.held.as_mut()?.second.as_mut()
    }

    pub fn set_second(&mut self, second: Option<Second<S>>) {
        if second.is_some() || self.held.is_some() {
            self.held.get_or_insert_default().second = second;
        }
        self.tidy();
    }

    /// Takes the episode out if it is of that kind.
    pub fn take_episode_if(&mut self, is: impl FnOnce(&Episode) -> bool) -> Option<Episode> {
        let taken = self.held.as_mut()?.episode.take_if(|episode| is(episode));
        self.tidy();
        taken
    }

    fn tidy(&mut self) {
        let empty = |held: &Held<S>| held.episode.is_none() && held.claim.is_none() && held.second.is_none();
        if self.held.as_deref().is_some_and(empty) {
            self.held = None;
        }
    }
}

/// A key as it is saved.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved<K, W, S, H> {
    pub key: K,
    pub waiting: W,
    pub machine: S,
    pub held: H,
    pub bucket: i32,
}

/// Where a key's waiting entries lie; most keys have none most of the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WaitingAt(u32);

impl WaitingAt {
    pub const NOWHERE: WaitingAt = WaitingAt(u32::MAX);
}

/// The waiting entries of all keys of one rule, each in total order.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    lists: Vec<Entries>,
    free: Vec<u32>,
    nothing: Entries,
}

impl Waiting {
    pub fn of(&self, at: WaitingAt) -> &Entries {
        if at == WaitingAt::NOWHERE { &self.nothing } else { &self.lists[at.0 as usize] }
    }

    /// The list of a key, begun if there is none.
    pub fn of_mut(&mut self, at: &mut WaitingAt) -> &mut Entries {
        if *at == WaitingAt::NOWHERE {
            *at = WaitingAt(self.free.pop().unwrap_or_else(|| {
                self.lists.push(Entries::new());
                (self.lists.len() - 1) as u32
            }));
        }
        &mut self.lists[at.0 as usize]
    }

    /// Takes the list away for a while; [`Waiting::put_back`] must follow.
    pub fn take(&mut self, at: WaitingAt) -> Entries {
        if at == WaitingAt::NOWHERE { Entries::new() } else { std::mem::take(&mut self.lists[at.0 as usize]) }
    }

    /// Puts a list back where it was; one without entries gives up its place.
    pub fn put_back(&mut self, at: &mut WaitingAt, list: Entries) {
        if *at == WaitingAt::NOWHERE {
            return;
        }
        if list.is_empty() {
            self.free.push(at.0);
            self.lists[at.0 as usize] = Entries::new();
            *at = WaitingAt::NOWHERE;
        } else {
            self.lists[at.0 as usize] = list;
        }
    }

    /// Lets go of a key's list.
    pub fn forget(&mut self, at: WaitingAt) {
        let mut at = at;
        self.put_back(&mut at, Entries::new());
    }

    /// Bytes a key's list takes.
    pub fn bytes(&self, at: WaitingAt) -> usize {
        if at == WaitingAt::NOWHERE {
            return 0;
        }
        let list = &self.lists[at.0 as usize];
        let spilled = if list.spilled() { list.capacity() } else { 0 };
        size_of::<Entries>() + spilled * size_of::<Entry>()
    }
}
