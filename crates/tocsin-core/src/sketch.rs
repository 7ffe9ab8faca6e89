//! How often keys were seen, in fixed memory: never too low, seldom too high.
//!
//! A count-min sketch with conservative update over stretches of event time as long as the rule's
//! window. It only decides which keys are worth exact counting once there is no room for all.

use serde::{Deserialize, Serialize};

use crate::limits::SKETCH_CELLS_MAX;
use crate::time::{Span, Timestamp};

/// Cells a key is counted in; they lie in one block, so that it costs one look into memory.
const CELLS_PER_KEY: usize = 4;
const BLOCK: usize = 64;

/// Cells that a stretch has at least: with fewer a sketch tells nothing.
const CELLS_MIN: usize = 1 << 10;

/// Stretches kept: the newest, the one a window reaches back into, and one for late events.
const STRETCHES: usize = 3;

/// The counts of one rule in one shard.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sketch {
    /// Length of a stretch.
    length: Span,
    /// Number of the newest stretch.
    newest: i64,
    /// Cells by stretch, its number modulo how many are kept.
    cells: [Vec<u8>; STRETCHES],
}

impl Sketch {
    /// An empty sketch for windows of this length, of no more than so many bytes.
    pub fn new(window: Span, bytes_max: usize) -> Sketch {
        let width = width_of(bytes_max);
        let cells = std::array::from_fn(|_| vec![0; width]);
        Sketch { length: Span(window.0.max(1)), newest: i64::MIN, cells }
    }

    /// Counts an event of the key with this hash; gives how many of its key there may be in any
    /// window that holds it, this one included.
    pub fn count(&mut self, hash: u64, time: Timestamp, weight: u32) -> u64 {
        let stretch = self.turn_to(time);
        let at = self.cells_of(hash);
        let cells = &mut self.cells[stretch];
        let least = at.iter().map(|cell| cells[*cell]).min().unwrap_or(0);
        let raised = (u32::from(least).saturating_add(weight)).min(u32::from(u8::MAX)) as u8;
        for cell in at {
            cells[cell] = cells[cell].max(raised);
        }
        self.estimate(hash)
    }

    /// How many events of a key there may be.
    pub fn estimate(&self, hash: u64) -> u64 {
        let at = self.cells_of(hash);
        let least = |cells: &Vec<u8>| at.iter().map(|cell| u64::from(cells[*cell])).min().unwrap_or(0);
        self.cells.iter().map(least).sum()
    }

    /// Whether nothing was counted in the window before a time, so that the sketch may go.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now.0.div_euclid(self.length.0) > self.newest.saturating_add(STRETCHES as i64)
    }

    /// Sees to it that a key is not estimated at less from the newest stretch on; of an empty sketch
    /// that is the one of a time.
    pub fn raise(&mut self, hash: u64, count: u64, time: Timestamp) {
        if self.newest == i64::MIN {
            self.turn_to(time);
        }
        let stretch = self.newest.rem_euclid(STRETCHES as i64) as usize;
        let least = u8::try_from(count).unwrap_or(u8::MAX);
        for cell in self.cells_of(hash) {
            self.cells[stretch][cell] = self.cells[stretch][cell].max(least);
        }
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        STRETCHES * self.cells[0].len()
    }

    /// Folds it until it takes no more than so many bytes. What a key may have never gets less: of
    /// two cells that become one, the higher one stays.
    pub fn fit(&mut self, bytes_max: usize) {
        let width = width_of(bytes_max);
        for cells in &mut self.cells {
            while cells.len() > width {
                let upper = cells.split_off(cells.len() / 2);
                cells.iter_mut().zip(upper).for_each(|(cell, other)| *cell = other.max(*cell));
                cells.shrink_to_fit();
            }
        }
    }

    /// Which cells hold the stretch of a time; forgets those that are too old.
    fn turn_to(&mut self, time: Timestamp) -> usize {
        let stretch = time.0.div_euclid(self.length.0);
        if self.newest == i64::MIN {
            self.newest = stretch;
        }
        let kept = STRETCHES as i64;
        let steps = stretch.saturating_sub(self.newest).min(kept);
        for step in 1..=steps {
            let begun = stretch - steps + step;
            self.cells[begun.rem_euclid(kept) as usize].fill(0);
        }
        self.newest = self.newest.max(stretch);
        let oldest = self.newest - kept + 1;
        stretch.max(oldest).rem_euclid(kept) as usize
    }

    /// The cells of a key, all in one block.
    fn cells_of(&self, hash: u64) -> [usize; CELLS_PER_KEY] {
        let block = (hash as usize & (self.cells[0].len() / BLOCK - 1)) * BLOCK;
        std::array::from_fn(|index| block + (hash >> (40 + 6 * index) & (BLOCK as u64 - 1)) as usize)
    }
}

/// Cells of a stretch, a power of two, of a sketch of so many bytes.
fn width_of(bytes_max: usize) -> usize {
    let cells = (bytes_max / STRETCHES).clamp(CELLS_MIN, SKETCH_CELLS_MAX);
    1 << cells.ilog2()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

    use super::*;

    fn hash(key: u64) -> u64 {
        BuildHasherDefault::<DefaultHasher>::default().hash_one(key)
    }

    #[test]
    fn an_estimate_is_never_too_low_and_seldom_high() {
        let mut sketch = Sketch::new(Span::seconds(10), usize::MAX);
        let mut truth: BTreeMap<u64, u64> = BTreeMap::new();
        let mut high = 0;
        for n in 0..200_000_u64 {
            let key = if n % 4 == 0 { n % 97 } else { n };
            let time = Timestamp(n as i64 * 50_000);
            let estimate = sketch.count(hash(key), time, 1);
            let count = truth.entry(key).or_default();
            *count += 1;
            assert!(estimate >= (*count).min(u64::from(u8::MAX)), "{key}");
            high += u64::from(estimate >= 5 && *count < 5);
        }
        assert!(high < 200, "{high}");
    }

    #[test]
    fn a_folded_sketch_is_never_too_low_either() {
        let mut sketch = Sketch::new(Span::seconds(10), usize::MAX);
        let count = |sketch: &mut Sketch, from: u64| {
            for n in from..from + 20_000 {
                sketch.count(hash(n / 4), Timestamp(0), 1);
            }
        };
        count(&mut sketch, 0);
        sketch.fit(100_000);
        assert!(sketch.bytes() <= 100_000, "{}", sketch.bytes());
        count(&mut sketch, 10_000);
        let truth = |key: u64| if (2_500..5_000).contains(&key) { 8 } else { 4 };
        assert!((0..7_500).all(|key| sketch.estimate(hash(key)) >= truth(key)));
        assert!((0..7_500).filter(|key| sketch.estimate(hash(*key)) > truth(*key)).count() < 750);
    }

    #[test]
    fn what_lies_behind_every_window_is_forgotten() {
        let mut sketch = Sketch::new(Span::seconds(10), usize::MAX);
        let second = |second: i64| Timestamp(second * 1_000_000_000);
        assert_eq!(sketch.count(1, second(5), 3), 3);
        assert_eq!(sketch.count(1, second(19), 1), 4);
        assert_eq!(sketch.count(1, second(4), 1), 5);
        assert_eq!(sketch.count(1, second(35), 1), 2);
        sketch.raise(2, 7, second(0));
        assert_eq!((sketch.estimate(2), sketch.count(2, second(36), 1)), (7, 8));
        let mut empty = Sketch::new(Span::seconds(10), 0);
        empty.raise(2, 7, second(35));
        assert_eq!((empty.count(2, second(36), 1), empty.is_over(second(40))), (8, false));
        assert!(!sketch.is_over(second(50)) && sketch.is_over(second(80)));
    }
}
