//! What is kept of one key, and where the entries that wait for the watermark lie.

use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::episode::{Claim, Episode};
use crate::machine::{Entries, Entry, insert_sorted};
use crate::packed::Packed;
use crate::time::Timestamp;

use super::slab::Slab;

/// Keys up to this length, most addresses and names, lie inside their state.
const KEY_BYTES_INLINE: usize = 22;

/// The bytes of a group key.
#[derive(Clone, Debug)]
pub(super) enum Key {
    Short(u8, [u8; KEY_BYTES_INLINE]),
    Long(Box<[u8]>),
}

impl Key {
    #[inline]
    pub fn new(bytes: &[u8]) -> Key {
        let mut short = [0; KEY_BYTES_INLINE];
        match short.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                Key::Short(bytes.len() as u8, short)
            }
            None => Key::Long(bytes.into()),
        }
    }

    /// Bytes it takes beyond its own size.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Key::Short(..) => 0,
            Key::Long(bytes) => bytes.len(),
        }
    }
}

impl Deref for Key {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Key::Short(len, bytes) => &bytes[..usize::from(*len)],
            Key::Long(bytes) => bytes,
        }
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        Ok(Key::new(&Vec::<u8>::deserialize(deserializer)?))
    }
}

/// What is kept of one key. What every look-up reads comes first, so that it lies together.
#[derive(Debug)]
#[repr(C)]
pub(super) struct KeyState<S> {
    pub key: Key,
    /// Boxed: most keys never have any of it.
    pub held: Option<Box<Held<S>>>,
    /// Where its waiting entries lie.
    pub waiting: WaitingAt,
    /// Bucket of the wheel at which this key is looked at next.
    pub bucket: i32,
    /// A later bucket it stands in too, from before something fell due earlier.
    pub later: i32,
    /// Bytes it takes beyond its own size, when last visited.
    pub heap_bytes: u32,
    pub machine: S,
}

/// What a key has told or is about to tell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Held<S> {
    pub episode: Option<Episode>,
    pub claim: Option<Claim>,
    pub second: Option<Second<S>>,
    /// Up to when it was settled before the watermark was there, for want of room.
    pub settled: Option<Timestamp>,
}

/// The key's events once more, by when they were taken in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Second<S> {
    pub machine: S,
    pub episode: Option<Episode>,
}

impl<S> Default for Held<S> {
    fn default() -> Held<S> {
        Held { episode: None, claim: None, second: None, settled: None }
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

    pub fn set_settled(&mut self, settled: Option<Timestamp>) {
        if settled.is_some() || self.held.is_some() {
            self.held.get_or_insert_default().settled = settled;
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
        let empty = |held: &Held<S>| {
            let Held { episode, claim, second, settled } = held;
            episode.is_none() && claim.is_none() && second.is_none() && settled.is_none()
        };
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

/// Where a key's waiting entries lie; most keys have none most of the time, and then one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WaitingAt(u32);

/// Marks a place among the lists.
const LIST: u32 = 1 << 31;

enum Place {
    Nowhere,
    Single(u32),
    List(u32),
}

impl WaitingAt {
    pub const NOWHERE: WaitingAt = WaitingAt(u32::MAX);

    #[inline]
    fn place(self) -> Place {
        match self {
            WaitingAt::NOWHERE => Place::Nowhere,
            WaitingAt(at) if at & LIST != 0 => Place::List(at & !LIST),
            WaitingAt(at) => Place::Single(at),
        }
    }
}

/// The waiting entries of all keys of one rule, each in total order.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    singles: Slab<Packed>,
    lists: Slab<Entries>,
}

impl Waiting {
    /// The entries of a key.
    pub fn entries(&self, at: WaitingAt) -> Entries {
        match at.place() {
            Place::Nowhere => Entries::new(),
            Place::Single(at) => Entries::from_buf([self.singles.get(at).entry()]),
            Place::List(at) => self.lists.get(at).clone(),
        }
    }

    /// How many there are.
    pub fn len(&self, at: WaitingAt) -> usize {
        match at.place() {
            Place::Nowhere => 0,
            Place::Single(_) => 1,
            Place::List(at) => self.lists.get(at).len(),
        }
    }

    /// One of them.
    pub fn get(&self, at: WaitingAt, index: usize) -> Option<Entry> {
        match at.place() {
            Place::Nowhere => None,
            Place::Single(at) => (index == 0).then(|| self.singles.get(at).entry()),
            Place::List(at) => self.lists.get(at).get(index).copied(),
        }
    }

    /// Gives back the room of those that are gone.
    pub fn shrink(&mut self, at: WaitingAt) {
        if let Place::List(at) = at.place() {
            self.lists.get_mut(at).shrink_to_fit();
        }
    }

    #[inline]
    pub fn first(&self, at: WaitingAt) -> Option<Entry> {
        match at.place() {
            Place::Nowhere => None,
            Place::Single(at) => Some(self.singles.get(at).entry()),
            Place::List(at) => self.lists.get(at).first().copied(),
        }
    }

    #[inline]
    pub fn last(&self, at: WaitingAt) -> Option<Entry> {
        match at.place() {
            Place::Nowhere => None,
            Place::Single(at) => Some(self.singles.get(at).entry()),
            Place::List(at) => self.lists.get(at).last().copied(),
        }
    }

    /// Weight of those from a time on.
    pub fn weight_from(&self, at: WaitingAt, time: Timestamp) -> u64 {
        let weight = |entry: &Entry| if entry.time >= time { u64::from(entry.weight) } else { 0 };
        match at.place() {
            Place::Nowhere => 0,
            Place::Single(at) => weight(&self.singles.get(at).entry()),
            Place::List(at) => self.lists.get(at).iter().map(weight).sum(),
        }
    }

    /// Puts an entry where it belongs; gives the list it is in, if it is in one.
    #[inline]
    pub fn insert(&mut self, at: &mut WaitingAt, entry: Entry) -> Option<&mut Entries> {
        let list = match (at.place(), Packed::of(&entry)) {
            (Place::Nowhere, Some(packed)) => {
                *at = WaitingAt(self.singles.put(packed));
                return None;
            }
            (Place::Nowhere, None) => self.begin(at, Entries::new()),
            (Place::Single(single), _) => {
                let before = self.singles.release(single, Packed::default()).entry();
                self.begin(at, Entries::from_buf([before]))
            }
            (Place::List(list), _) => self.lists.get_mut(list),
        };
        insert_sorted(list, entry);
        Some(list)
    }

    fn begin(&mut self, at: &mut WaitingAt, list: Entries) -> &mut Entries {
        let place = self.lists.put(list);
        *at = WaitingAt(place | LIST);
        self.lists.get_mut(place)
    }

    /// Takes all entries away for a while; [`Waiting::put_back`] must follow.
    pub fn take(&mut self, at: &mut WaitingAt) -> Entries {
        match at.place() {
            Place::Nowhere => Entries::new(),
            Place::Single(single) => {
                *at = WaitingAt::NOWHERE;
                Entries::from_buf([self.singles.release(single, Packed::default()).entry()])
            }
            Place::List(list) => std::mem::take(self.lists.get_mut(list)),
        }
    }

    /// Puts entries back where they were; a list without entries gives up its place.
    pub fn put_back(&mut self, at: &mut WaitingAt, list: Entries) {
        match at.place() {
            Place::List(place) if list.is_empty() => {
                self.lists.release(place, Entries::new());
                *at = WaitingAt::NOWHERE;
            }
            Place::List(place) => *self.lists.get_mut(place) = list,
            Place::Nowhere | Place::Single(_) => list.into_iter().for_each(|entry| {
                self.insert(at, entry);
            }),
        }
    }

    /// Takes the one entry of a key that has but one, if it lies at or before a time.
    #[inline]
    pub fn take_single(&mut self, at: &mut WaitingAt, until: Timestamp) -> Single {
        let Place::Single(single) = at.place() else { return Single::Others };
        if self.singles.get(single).time() > until {
            return Single::Waits;
        }
        *at = WaitingAt::NOWHERE;
        Single::Passed(self.singles.release(single, Packed::default()).entry())
    }

    /// Lets go of a key's entries.
    pub fn forget(&mut self, at: WaitingAt) {
        let mut at = at;
        self.take(&mut at);
        self.put_back(&mut at, Entries::new());
    }

    /// Bytes a key's entries take.
    #[inline]
    pub fn bytes(&self, at: WaitingAt) -> usize {
        match at.place() {
            Place::Nowhere => 0,
            Place::Single(_) => size_of::<Packed>(),
            Place::List(at) => {
                let list = self.lists.get(at);
                let spilled = if list.spilled() { list.capacity() } else { 0 };
                size_of::<Entries>() + spilled * size_of::<Entry>()
            }
        }
    }
}

/// What waits of a key.
pub(super) enum Single {
    /// One entry, which the watermark has passed.
    Passed(Entry),
    /// One entry, which waits on.
    Waits,
    /// None or several.
    Others,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::DelayMs;
    use crate::offset::Position;
    use crate::window::Window;

    fn entry(second: i64, value: u64) -> Entry {
        let (position, delay) = (Position::default(), DelayMs::default());
        Entry { time: Timestamp(second), position, value, delay, role: 0, weight: 1 }
    }

    #[test]
    fn a_key_stays_small() {
        assert_eq!(size_of::<Option<KeyState<Window>>>(), 96);
        for len in [0, 1, KEY_BYTES_INLINE, KEY_BYTES_INLINE + 1, 500] {
            assert_eq!(*Key::new(&vec![7; len]), vec![7; len]);
        }
    }

    #[test]
    fn what_waits_is_kept_in_order_and_goes_as_it_came() {
        let (mut waiting, mut at) = (Waiting::default(), WaitingAt::NOWHERE);
        waiting.insert(&mut at, entry(3, 0));
        assert!(matches!(waiting.take_single(&mut at, Timestamp(2)), Single::Waits));
        assert_eq!((waiting.bytes(at), waiting.weight_from(at, Timestamp(4))), (20, 0));
        waiting.insert(&mut at, entry(1, 9));
        waiting.insert(&mut at, entry(2, 0));
        assert!(matches!(waiting.take_single(&mut at, Timestamp(5)), Single::Others));
        assert_eq!(waiting.entries(at).as_slice(), [entry(1, 9), entry(2, 0), entry(3, 0)]);
        assert_eq!((waiting.first(at), waiting.last(at)), (Some(entry(1, 9)), Some(entry(3, 0))));
        let all = waiting.take(&mut at);
        waiting.put_back(&mut at, all[2..].into());
        assert_eq!(waiting.entries(at).as_slice(), [entry(3, 0)]);
        waiting.forget(at);
        at = WaitingAt::NOWHERE;
        waiting.insert(&mut at, entry(4, 0));
        assert!(
            matches!(waiting.take_single(&mut at, Timestamp(4)), Single::Passed(passed) if passed == entry(4, 0))
        );
        assert_eq!(at, WaitingAt::NOWHERE);
    }
}
