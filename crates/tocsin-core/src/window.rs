//! The exact sliding window over event time: how many events lie in [t − W, t].
//!
//! Closed on both sides: an event exactly W earlier counts, one nanosecond more does not. Nothing is
//! bucketed. Whether a window holds N events depends on its last N alone, so once the condition
//! holds no more than N entries are kept.
//!
//! Most windows of most rules hold an entry or two, and there may be a million of them: two lie
//! inside the window itself, packed.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits::WINDOW_ENTRIES_MAX;
use crate::machine::{Contributing, Entry};
use crate::packed::{Packed, Rows};
use crate::time::{Span, Timestamp};

/// Entries a window holds without memory of its own.
const FEW: usize = 2;

/// Entries of the current window, in total order.
#[derive(Clone, Debug)]
pub struct Window(Held);

#[derive(Clone, Debug)]
enum Held {
    Few { len: u8, handed_out: u8, entries: [Packed; FEW] },
    Many(Box<Many>),
}

#[derive(Clone, Debug, Default)]
struct Many {
    rows: Rows,
    /// Weight of all entries; at its most it is only a bound.
    weight: u32,
    /// How many entries at the front were handed out as contributing.
    handed_out: u32,
    /// Whether entries had to be joined.
    joined: bool,
}

/// A window as it is saved: its entries, how many of them were handed out, whether some were joined.
#[derive(Serialize, Deserialize)]
struct Saved(Vec<Entry>, u32, bool);

impl Default for Window {
    fn default() -> Window {
        Window(Held::Few { len: 0, handed_out: 0, entries: [Packed::default(); FEW] })
    }
}

impl Window {
    /// Adds the next entry in order and drops what lies more than `length` before it.
    pub fn push(&mut self, entry: Entry, length: Span) {
        self.drop_before(entry.time.minus(length));
        self.append(entry);
    }

    fn append(&mut self, entry: Entry) {
        if let Held::Few { len, entries, .. } = &mut self.0
            && let Some(place) = entries.get_mut(usize::from(*len))
            && let Some(packed) = Packed::of(&entry)
        {
            *place = packed;
            *len += 1;
            return;
        }
        let many = self.many();
        many.rows.push(&entry);
        many.weight = many.weight.saturating_add(entry.weight);
        many.bound();
    }

    /// Begins with so many events more than were seen, as new as the entry.
    pub fn begin_at(&mut self, entry: &Entry, weight: u64) {
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        let many = self.many();
        many.rows.push(&Entry { weight, ..*entry });
        many.weight = many.weight.saturating_add(weight);
        many.joined = true;
    }

    /// Bytes it takes beyond its own size.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Held::Few { .. } => 0,
            Held::Many(many) => size_of::<Many>() + many.rows.heap_bytes(),
        }
    }

    /// Adds an entry from behind the newest one, if it can still share a window with it. Returns
    /// whether it was added.
    pub fn insert_late(&mut self, entry: Entry, length: Span) -> bool {
        let newest = self.newest().unwrap_or(Timestamp::MIN);
        if entry.time > newest {
            self.push(entry, length);
            return true;
        }
        if entry.time < newest.minus(length) {
            return false;
        }
        let many = self.many();
        let at = many.rows.insert(&entry);
        many.weight = many.weight.saturating_add(entry.weight);
        if at < many.handed_out as usize {
            many.handed_out += 1;
        }
        many.bound();
        true
    }

    /// Drops everything before a time.
    pub fn drop_before(&mut self, time: Timestamp) {
        let gone = match &self.0 {
            Held::Few { len, entries, .. } => {
                entries.iter().take(usize::from(*len)).take_while(|row| row.time() < time).count()
            }
            Held::Many(many) if many.rows.first_time().is_some_and(|first| first < time) => {
                many.rows.iter_from(0).take_while(|row| row.time < time).count()
            }
            Held::Many(_) => 0,
        };
        self.drop_first(gone);
    }

    fn drop_first(&mut self, gone: usize) {
        match &mut self.0 {
            _ if gone == 0 => {}
            Held::Few { len, handed_out, entries } => {
                entries.rotate_left(gone.min(FEW));
                *len = len.saturating_sub(gone as u8);
                *handed_out = handed_out.saturating_sub(gone as u8);
            }
            Held::Many(many) if many.rows.len() <= gone => self.clear(),
            Held::Many(many) => many.drop_first(gone),
        }
    }

    fn handed_out(&self) -> usize {
        match &self.0 {
            Held::Few { handed_out, .. } => usize::from(*handed_out),
            Held::Many(many) => many.handed_out as usize,
        }
    }

    fn set_handed_out(&mut self, count: usize) {
        match &mut self.0 {
            Held::Few { handed_out, .. } => *handed_out = count as u8,
            Held::Many(many) => many.handed_out = count as u32,
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Window::default();
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Held::Few { len, .. } => usize::from(*len),
            Held::Many(many) => many.rows.len(),
        }
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = Entry> {
        self.iter_from(0)
    }

    fn iter_from(&self, start: usize) -> impl Iterator<Item = Entry> {
        (start..self.len()).filter_map(|at| self.get(at))
    }

    fn get(&self, at: usize) -> Option<Entry> {
        match &self.0 {
            Held::Few { len, entries, .. } => entries[..usize::from(*len)].get(at).map(|row| row.entry()),
            Held::Many(many) => many.rows.get(at),
        }
    }

    /// Weight of all entries.
    #[must_use]
    pub fn weight(&self) -> u64 {
        match &self.0 {
            Held::Few { len, entries, .. } => {
                entries.iter().take(usize::from(*len)).map(|row| u64::from(row.weight())).sum()
            }
            Held::Many(many) => u64::from(many.weight),
        }
    }

    /// Time of the newest entry.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        match &self.0 {
            Held::Few { len, entries, .. } => entries[..usize::from(*len)].last().map(|row| row.time()),
            Held::Many(many) => many.rows.get(many.rows.len().wrapping_sub(1)).map(|row| row.time),
        }
    }

    /// Whether entries had to be joined, so that the weight of a window is an estimate.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        matches!(&self.0, Held::Many(many) if many.joined)
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether some entries were handed out before: the condition has held within this window.
    #[must_use]
    pub fn has_handed_out(&self) -> bool {
        self.handed_out() > 0
    }

    /// Appends entries to `out`, and keeps the last `keep` entries. Where the condition has held
    /// within this window before, those last ones are all there are.
    pub fn hand_out(&mut self, which: Contributing, keep: usize, out: &mut Vec<Entry>) {
        match which {
            Contributing::All => {
                if self.has_handed_out() {
                    self.keep_last(keep);
                }
                out.extend(self.iter());
            }
            Contributing::Fresh => out.extend(self.iter_from(self.handed_out())),
        }
        self.keep_last(keep);
        self.set_handed_out(self.len());
    }

    fn keep_last(&mut self, keep: usize) {
        self.drop_first(self.len().saturating_sub(keep));
    }

    /// The window with memory of its own.
    fn many(&mut self) -> &mut Many {
        if let Held::Few { handed_out, .. } = &self.0 {
            let mut many = Many { handed_out: u32::from(*handed_out), ..Many::default() };
            self.iter().for_each(|entry| many.rows.push(&entry));
            many.weight = self.weight() as u32;
            self.0 = Held::Many(Box::new(many));
        }
        match &mut self.0 {
            Held::Many(many) => many,
            Held::Few { .. } => unreachable!("it was given memory of its own above"),
        }
    }
}

impl Many {
    /// Drops the first entries, not all.
    fn drop_first(&mut self, gone: usize) {
        let full = self.weight == u32::MAX;
        let weight: u64 = (0..gone).filter_map(|_| self.rows.pop_first()).map(u64::from).sum();
        self.weight = if full { self.total() } else { self.weight - weight as u32 };
        self.handed_out = self.handed_out.saturating_sub(gone as u32);
    }

    fn total(&self) -> u32 {
        self.rows.iter_from(0).fold(0, |sum, entry| sum.saturating_add(entry.weight))
    }

    /// Joins neighbours in the older half, at the later one's time, when there are too many.
    fn bound(&mut self) {
        if self.rows.len() <= WINDOW_ENTRIES_MAX {
            return;
        }
        let older: Vec<Entry> = self.rows.iter_from(0).take(WINDOW_ENTRIES_MAX / 2).collect();
        let mut rows = Rows::default();
        for pair in older.chunks(2) {
            let weight = pair.iter().fold(0_u32, |sum, entry| sum.saturating_add(entry.weight));
            rows.push(&Entry { weight, ..pair[pair.len() - 1] });
        }
        self.handed_out = self.handed_out.saturating_sub((older.len() - rows.len()) as u32);
        self.joined = true;
        self.rows.iter_from(older.len()).for_each(|entry| rows.push(&entry));
        self.rows = rows;
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Saved(self.iter().collect(), self.handed_out() as u32, self.is_joined()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Window, D::Error> {
        let Saved(entries, handed_out, joined) = Saved::deserialize(deserializer)?;
        let mut window = Window::default();
        entries.into_iter().for_each(|entry| window.append(entry));
        if joined {
            window.many().joined = true;
        }
        window.set_handed_out(handed_out as usize);
        Ok(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_stay_small() {
        assert_eq!(size_of::<Window>(), 48);
    }
}
