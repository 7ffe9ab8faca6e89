//! Parts of a time, in UTC: what the modifiers `minute`, `hour`, `day`, `week`, `month` and `year`
//! look at.

use tocsin_core::time::Timestamp;

use crate::ast::{DatePart, Ordering};

const DAY_NANOS: i64 = 86_400_000_000_000;

/// Days from a Monday to day 0, 1970-01-01, which was a Thursday.
const EPOCH_WEEKDAY: i64 = 3;

impl DatePart {
    /// The modifier's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DatePart::Minute => "minute",
            DatePart::Hour => "hour",
            DatePart::Day => "day",
            DatePart::Week => "week",
            DatePart::Month => "month",
            DatePart::Year => "year",
        }
    }

    /// The least and the greatest it can be.
    #[must_use]
    pub fn range(self) -> (f64, f64) {
        match self {
            DatePart::Minute => (0.0, 59.0),
            DatePart::Hour => (0.0, 23.0),
            DatePart::Day => (1.0, 31.0),
            DatePart::Week => (1.0, 53.0),
            DatePart::Month => (1.0, 12.0),
            DatePart::Year => (1_678.0, 2_262.0),
        }
    }

    /// This part of a time.
    #[must_use]
    pub fn of(self, time: Timestamp) -> i64 {
        let civil = time.to_civil();
        match self {
            DatePart::Minute => i64::from(civil.minute),
            DatePart::Hour => i64::from(civil.hour),
            DatePart::Day => i64::from(civil.day),
            DatePart::Week => week(time),
            DatePart::Month => i64::from(civil.month),
            DatePart::Year => civil.year,
        }
    }

    /// Whether this part of the time a value's text tells compares so with a number. False where
    /// the text tells no time.
    #[must_use]
    pub fn holds(self, text: &str, ordering: Option<Ordering>, number: f64) -> bool {
        let Some(time) = read(text) else { return false };
        let part = self.of(time) as f64;
        match ordering {
            None => part == number,
            Some(Ordering::Lt) => part < number,
            Some(Ordering::Lte) => part <= number,
            Some(Ordering::Gt) => part > number,
            Some(Ordering::Gte) => part >= number,
        }
    }
}

/// The time a value's text tells, as the decoder reads the time of an event: a timestamp, or an
/// epoch number in seconds, milliseconds, microseconds or nanoseconds.
#[must_use]
pub fn read(text: &str) -> Option<Timestamp> {
    let epoch = || match text.parse::<i64>() {
        Ok(whole) => Timestamp::from_epoch_integer(whole),
        Err(_) => Timestamp::from_epoch(text.parse().ok()?),
    };
    Timestamp::parse(text.as_bytes()).or_else(epoch)
}

/// The week of ISO 8601: weeks begin on Monday and belong to the year of their Thursday.
fn week(time: Timestamp) -> i64 {
    let day = time.0.div_euclid(DAY_NANOS);
    let weekday = (day + EPOCH_WEEKDAY).rem_euclid(7);
    let thursday = day - weekday + 3;
    let civil = Timestamp(thursday.saturating_mul(DAY_NANOS)).to_civil();
    (day_of_year(civil.year, civil.month, civil.day) - 1) / 7 + 1
}

/// The number of a day in its year, from 1.
fn day_of_year(year: i64, month: u32, day: u32) -> i64 {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    BEFORE[month as usize - 1] + i64::from(day) + i64::from(leap && month > 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_in_utc() {
        let text = "2026-01-15T23:59:30+02:00";
        for (part, expect) in [
            (DatePart::Minute, 59),
            (DatePart::Hour, 21),
            (DatePart::Day, 15),
            (DatePart::Week, 3),
            (DatePart::Month, 1),
            (DatePart::Year, 2026),
        ] {
            assert_eq!(read(text).map(|time| part.of(time)), Some(expect), "{}", part.as_str());
        }
    }

    #[test]
    fn weeks_follow_iso_8601() {
        for (date, expect) in [
            ("2020-12-31", 53),
            ("2021-01-01", 53),
            ("2021-01-03", 53),
            ("2021-01-04", 1),
            ("2024-12-30", 1),
            ("2024-02-29", 9),
            ("2026-12-31", 53),
            ("2027-01-04", 1),
            ("1969-12-29", 1),
            ("1968-12-29", 52),
        ] {
            let time = read(&format!("{date}T12:00:00Z"));
            assert_eq!(time.map(|time| DatePart::Week.of(time)), Some(expect), "{date}");
        }
    }

    #[test]
    fn times_in_text_and_numbers() {
        for (text, expect) in [
            ("1768500000", Some(18)),
            ("1768500000123", Some(18)),
            ("1768500000.5", Some(18)),
            ("2026-01-15 18:00:00.1234567", Some(18)),
            ("18", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(read(text).map(|time| DatePart::Hour.of(time)), expect, "{text}");
        }
        assert!(DatePart::Hour.holds("1768500000", Some(Ordering::Gte), 18.0));
        assert!(!DatePart::Hour.holds("1768500000", None, 17.0));
        assert!(!DatePart::Hour.holds("never", Some(Ordering::Lt), 99.0));
    }
}
