//! Event time: nanoseconds since the Unix epoch, UTC. Nothing here reads a clock.
//!
//! Calendar arithmetic follows Howard Hinnant, "chrono-compatible low-level date algorithms"
//! (proleptic Gregorian calendar). Parsing is on the hot path, one time per event: `time/rfc3339.rs`.

mod rfc3339;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use rfc3339::TimeReader;

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z (years 1678 to 2262).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

/// A length of time in nanoseconds; never negative in rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span(pub i64);

const NANOS: i64 = 1_000_000_000;
const DAY_SECONDS: i64 = 86_400;

/// A calendar time without zone, as written in a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year, for example 2026.
    pub year: i64,
    /// Month, 1 to 12.
    pub month: u32,
    /// Day of the month, 1 to 31.
    pub day: u32,
    /// Hour, 0 to 23.
    pub hour: u32,
    /// Minute, 0 to 59.
    pub minute: u32,
    /// Second, 0 to 59.
    pub second: u32,
    /// Nanosecond within the second.
    pub nano: u32,
}

impl Timestamp {
    /// The earliest time there is; older than any event.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// The latest time there is; as a watermark it means "no more events".
    pub const MAX: Timestamp = Timestamp(i64::MAX);

    /// This time plus a span, held at the ends of the range.
    #[must_use]
    pub fn plus(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }

    /// This time minus a span, held at the ends of the range.
    #[must_use]
    pub fn minus(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }

    /// The UTC time of a civil time, or `None` for a date that does not exist or does not fit.
    #[must_use]
    pub fn from_civil(civil: Civil) -> Option<Timestamp> {
        if civil.nano >= 1_000_000_000 {
            return None;
        }
        let nanos = civil.whole_seconds()?.checked_mul(NANOS)?.checked_add(i64::from(civil.nano))?;
        Some(Timestamp(nanos))
    }

    /// The civil UTC time of this point.
    #[must_use]
    pub fn to_civil(self) -> Civil {
        let seconds = self.0.div_euclid(NANOS);
        let nano = self.0.rem_euclid(NANOS);
        let (year, month, day) = civil_from_days(seconds.div_euclid(DAY_SECONDS));
        let rest = seconds.rem_euclid(DAY_SECONDS);
        Civil {
            year,
            month,
            day,
            hour: (rest / 3_600) as u32,
            minute: (rest / 60 % 60) as u32,
            second: (rest % 60) as u32,
            nano: nano as u32,
        }
    }

    /// An epoch number whose unit is told by its size: seconds, milliseconds, microseconds or
    /// nanoseconds. `None` when it fits none of them between 1971 and 2262.
    #[must_use]
    pub fn from_epoch(number: f64) -> Option<Timestamp> {
        let magnitude = number.abs();
        let factor = match magnitude {
            m if m < 1e8 => return None,
            m if m < 1e11 => 1e9,
            m if m < 1e14 => 1e6,
            m if m < 1e17 => 1e3,
            m if m < 9.2e18 => 1.0,
            _ => return None,
        };
        let nanos = number * factor;
        (nanos.abs() < 9.2e18).then_some(Timestamp(nanos as i64))
    }

    /// An epoch number in whole units, exact (no rounding through floating point).
    #[must_use]
    pub fn from_epoch_integer(number: i64) -> Option<Timestamp> {
        let factor = match number.unsigned_abs() {
            0..100_000_000 => return None,
            100_000_000..100_000_000_000 => NANOS,
            100_000_000_000..100_000_000_000_000 => 1_000_000,
            100_000_000_000_000..100_000_000_000_000_000 => 1_000,
            _ => 1,
        };
        number.checked_mul(factor).map(Timestamp)
    }
}

impl Civil {
    /// Seconds since the epoch, in UTC; `None` for a date that does not exist.
    fn whole_seconds(self) -> Option<i64> {
        let in_range = (1..=12).contains(&self.month)
            && self.day >= 1
            && self.day <= days_in_month(self.year, self.month)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
            && (1_000..=9_999).contains(&self.year);
        let days = || days_from_civil(self.year, self.month, self.day);
        let seconds = i64::from(self.hour * 3_600 + self.minute * 60 + self.second);
        in_range.then(|| days() * DAY_SECONDS + seconds)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with as many fraction digits (0, 3, 6 or 9) as the value needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.to_civil();
        write!(f, "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", c.year, c.month, c.day, c.hour, c.minute, c.second)?;
        match c.nano {
            0 => {}
            n if n % 1_000_000 == 0 => write!(f, ".{:03}", n / 1_000_000)?,
            n if n % 1_000 == 0 => write!(f, ".{:06}", n / 1_000)?,
            n => write!(f, ".{n:09}")?,
        }
        f.write_str("Z")
    }
}

impl Span {
    /// Whole seconds.
    #[must_use]
    pub const fn seconds(n: i64) -> Span {
        Span(n * NANOS)
    }

    /// Parses a Sigma timespan (`90s`, `5m`, `1h`, `7d`, `2w`) or a sum of such parts, also with
    /// `ms`, `us` and `ns` (`5m1ns`). `None` for anything else, and for zero.
    #[must_use]
    pub fn parse(text: &str) -> Option<Span> {
        let bytes = text.as_bytes();
        let mut at = 0;
        let mut total: i64 = 0;
        while at < bytes.len() {
            let start = at;
            while at < bytes.len() && bytes[at].is_ascii_digit() {
                at += 1;
            }
            let number: i64 = text[start..at].parse().ok()?;
            let unit_start = at;
            while at < bytes.len() && bytes[at].is_ascii_alphabetic() {
                at += 1;
            }
            let unit = match &text[unit_start..at] {
                "ns" => 1,
                "us" => 1_000,
                "ms" => 1_000_000,
                "s" => NANOS,
                "m" => 60 * NANOS,
                "h" => 3_600 * NANOS,
                "d" => DAY_SECONDS * NANOS,
                "w" => 7 * DAY_SECONDS * NANOS,
                _ => return None,
            };
            total = total.checked_add(number.checked_mul(unit)?)?;
        }
        (total > 0).then_some(Span(total))
    }
}

impl fmt::Display for Span {
    /// In words, the way an alert says it: `5 minutes`, `1 hour`, `90 seconds`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [
            (7 * DAY_SECONDS * NANOS, "week"),
            (DAY_SECONDS * NANOS, "day"),
            (3_600 * NANOS, "hour"),
            (60 * NANOS, "minute"),
            (NANOS, "second"),
            (1_000_000, "millisecond"),
            (1_000, "microsecond"),
            (1, "nanosecond"),
        ];
        let (size, name) =
            units.iter().find(|(size, _)| self.0 >= *size && self.0 % size == 0).unwrap_or(&units[7]);
        let count = self.0 / size;
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "{count} {name}{plural}")
    }
}

/// Days since the epoch of a civil date.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Civil date of a day count since the epoch.
fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u32;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Number of days in a month.
fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoch_units_by_magnitude() {
        let expect = Timestamp::parse(b"2026-01-15T08:00:00Z");
        for number in [1_768_464_000, 1_768_464_000_000, 1_768_464_000_000_000, 1_768_464_000_000_000_000] {
            assert_eq!(Timestamp::from_epoch_integer(number), expect, "{number}");
        }
        assert_eq!(Timestamp::from_epoch_integer(12), None);
        assert_eq!(Timestamp::from_epoch(1_768_464_000.0), expect);
    }

    #[test]
    fn spans_as_sigma_writes_them() {
        assert_eq!(Span::parse("5m"), Some(Span::seconds(300)));
        assert_eq!(Span::parse("5m1ns"), Some(Span(300 * NANOS + 1)));
        assert_eq!(Span::parse("5"), None);
        assert_eq!(Span::parse("m"), None);
        assert_eq!(Span::parse(""), None);
        assert_eq!(Span::seconds(300).to_string(), "5 minutes");
        assert_eq!(Span::seconds(60).to_string(), "1 minute");
        assert_eq!(Span::seconds(90).to_string(), "90 seconds");
    }

    proptest::proptest! {
        #[test]
        fn civil_and_back(nanos in i64::MIN / 2..i64::MAX / 2) {
            let time = Timestamp(nanos);
            proptest::prop_assert_eq!(Timestamp::from_civil(time.to_civil()), Some(time));
            proptest::prop_assert_eq!(Timestamp::parse(time.to_string().as_bytes()), Some(time));
        }
    }
}
