//! The recording that is built in: lines of two logs in the order they happened, each with the place
//! of its time, so that all of them can be moved to another time by one constant.

use std::io::Read;
use std::ops::Range;

use anyhow::Context;
use flate2::read::GzDecoder;
use tocsin_core::time::{Civil, Span, Timestamp};

const AUTH: &[u8] = include_bytes!("../../../../demo/recording/auth.log.gz");
const ACCESS: &[u8] = include_bytes!("../../../../demo/recording/access.log.gz");
const AS_OF: &str = include_str!("../../../../demo/recording/as_of");

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Nanoseconds of a second: times in both logs are whole seconds.
const SECOND: i64 = 1_000_000_000;

/// How a log writes times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `Nov 20 14:23:41`, without a year, at the beginning.
    Syslog,
    /// `20/Nov/2026:14:23:41 +0000`, in brackets.
    Access,
}

/// One line of the recording.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it happened.
    pub at: Timestamp,
    text: String,
    stamp: Range<usize>,
    form: Form,
}

/// All lines, in order of time; those of the same second as they stand in their log.
///
/// # Errors
/// When what is built in is not a recording: a defect of the build.
pub fn lines() -> anyhow::Result<Vec<Line>> {
    let as_of = Timestamp::parse(AS_OF.trim().as_bytes()).context("the recording's time")?;
    let mut lines = Vec::new();
    for (packed, form) in [(AUTH, Form::Syslog), (ACCESS, Form::Access)] {
        let mut text = String::new();
        GzDecoder::new(packed).read_to_string(&mut text).context("the recording")?;
        for line in text.lines() {
            lines.push(Line::read(line, form, as_of).with_context(|| format!("the recording: {line}"))?);
        }
    }
    lines.sort_by_key(|line| line.at);
    Ok(lines)
}

impl Line {
    fn read(text: &str, form: Form, as_of: Timestamp) -> Option<Line> {
        let (stamp, civil) = match form {
            Form::Syslog => (0..15, syslog_time(text.get(..15)?, as_of.to_civil().year)?),
            Form::Access => {
                let start = text.find('[')? + 1;
                let stamp = start..start + 26;
                (stamp.clone(), access_time(text.get(stamp)?)?)
            }
        };
        Some(Line { at: Timestamp::from_civil(civil)?, text: text.to_string(), stamp, form })
    }

    /// The line as it would stand in the log had everything happened so much later.
    #[must_use]
    pub fn moved(&self, by: Span) -> String {
        let at = self.at.plus(by).to_civil();
        let month = MONTHS[at.month as usize - 1];
        let clock = format!("{:02}:{:02}:{:02}", at.hour, at.minute, at.second);
        let stamp = match self.form {
            Form::Syslog => format!("{month} {:>2} {clock}", at.day),
            Form::Access => format!("{:02}/{month}/{}:{clock} +0000", at.day, at.year),
        };
        let Range { start, end } = self.stamp;
        format!("{}{stamp}{}", &self.text[..start], &self.text[end..])
    }
}

/// By how much the recording is moved so that its last line is not later than `now`.
#[must_use]
pub fn shift(lines: &[Line], now: Timestamp) -> Span {
    let last = lines.last().map_or(now, |line| line.at);
    Span((now.0 - last.0).div_euclid(SECOND) * SECOND)
}

fn syslog_time(text: &str, year: i64) -> Option<Civil> {
    let (month, rest) = (month(text.get(..3)?)?, text.get(4..)?);
    let (hour, minute, second) = clock(rest.get(3..)?)?;
    Some(Civil { year, month, day: rest.get(..2)?.trim().parse().ok()?, hour, minute, second, nano: 0 })
}

fn access_time(text: &str) -> Option<Civil> {
    let (hour, minute, second) = clock(text.get(12..20)?)?;
    let (day, year) = (text.get(..2)?.parse().ok()?, text.get(7..11)?.parse().ok()?);
    Some(Civil { year, month: month(text.get(3..6)?)?, day, hour, minute, second, nano: 0 })
}

fn month(name: &str) -> Option<u32> {
    MONTHS.iter().position(|known| *known == name).map(|index| index as u32 + 1)
}

fn clock(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.splitn(3, ':').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_move_by_one_constant_and_nothing_else_changes() {
        let lines = lines().unwrap();
        assert_eq!(lines.len(), 454 + 8_688);
        for line in &lines {
            assert_eq!(line.moved(Span(0)), line.text);
        }
        let now = Timestamp::parse(b"2027-01-01T00:03:07.9Z").unwrap();
        let by = shift(&lines, now);
        let last = lines.last().unwrap();
        assert!(last.at.plus(by) <= now && last.at.plus(by) > now.minus(Span::seconds(1)));
        let auth = lines.iter().find(|line| line.form == Form::Syslog).unwrap();
        let access = lines.iter().find(|line| line.form == Form::Access).unwrap();
        assert!(auth.moved(by).starts_with("Dec 31 23:5"), "{}", auth.moved(by));
        assert!(access.moved(by).contains("[31/Dec/2026:23:5"), "{}", access.moved(by));
    }
}
