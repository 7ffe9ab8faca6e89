//! The time of an event under construction.

use tocsin_core::batch::Notes;
use tocsin_core::time::{TimeReader, Timestamp};
use tocsin_core::value::Kind;

use crate::row::Found;

/// The best time found so far: its rank, and the time unless it cannot be read.
#[derive(Clone, Copy, Debug, Default)]
pub struct BestTime(Option<(u8, Option<Timestamp>)>);

impl BestTime {
    /// A time read by the format itself: nothing outranks it.
    #[must_use]
    pub fn of(time: Timestamp) -> BestTime {
        BestTime(Some((0, Some(time))))
    }

    /// No time, though there may be what should be one.
    #[must_use]
    pub fn none(unreadable: bool) -> BestTime {
        BestTime(unreadable.then_some((0, None)))
    }

    /// Takes a value that should be a time, unless one of its rank or better was readable.
    #[inline(never)]
    pub fn offer(&mut self, rank: u8, found: &Found<'_>, times: &mut TimeReader) {
        if self.0.is_some_and(|(best, time)| best <= rank && time.is_some()) {
            return;
        }
        let parsed = match found.kind {
            Kind::Text => times.parse(found.bytes).or_else(|| epoch(found.bytes)),
            Kind::Number => epoch(found.bytes),
            Kind::Null => return,
            _ => None,
        };
        if parsed.is_some() || self.0.is_none() {
            self.0 = Some((rank, parsed));
        }
    }

    /// This time if it can be read, else the other.
    #[must_use]
    pub fn or(self, other: BestTime) -> BestTime {
        if matches!(self.0, Some((_, Some(_)))) { self } else { other }
    }

    /// The time.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn get(self) -> Result<Timestamp, Notes> {
        let (_, time) = self.0.ok_or(Notes::NO_TIME)?;
        time.ok_or(Notes::UNREADABLE_TIME)
    }
}

/// A number since 1970: seconds, milliseconds, microseconds or nanoseconds, told by its size.
#[must_use]
pub fn epoch(bytes: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(bytes).ok()?;
    match text.parse::<i64>() {
        Ok(whole) => Timestamp::from_epoch_integer(whole),
        Err(_) => Timestamp::from_epoch(text.parse().ok()?),
    }
}
