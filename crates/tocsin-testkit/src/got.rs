//! Alerts and expectations in the words of a trace, so that both read alike.

use tocsin_alert::Alert;
use tocsin_core::rule::Level;
use tocsin_core::time::{Span, Timestamp};

use crate::trace::ExpectedAlert;

/// An alert as far as a story can speak about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Got {
    /// Id of its rule.
    pub rule: String,
    /// Name of its rule, by which a story calls it.
    pub name: String,
    /// The parts of its key that have a value, in order.
    pub key: Vec<String>,
    /// t0.
    pub at: Timestamp,
    /// First contributing event.
    pub first: Timestamp,
    /// Last contributing event.
    pub last: Timestamp,
    /// Contributing events.
    pub count: u64,
    /// Severity.
    pub severity: Level,
    /// Type.
    pub kind: String,
    /// Confidence.
    pub confidence: f64,
    /// Message.
    pub message: String,
    /// Details, empty where there are none.
    pub details: String,
}

impl Got {
    /// What a story can say about an alert of a rule of this name.
    #[must_use]
    pub fn new(alert: &Alert, name: &str) -> Got {
        let time = |text: &str| Timestamp::parse(text.as_bytes()).unwrap_or_default();
        let own = alert.detections.iter().find(|claim| claim.rule_id == alert.rule.id);
        let details = own.and_then(|claim| claim.details.get("summary")).and_then(|text| text.as_str());
        Got {
            rule: alert.rule.id.clone(),
            name: name.to_string(),
            key: alert.key.values().filter_map(|part| part.as_str()).map(str::to_string).collect(),
            at: time(&alert.timestamp),
            first: time(&alert.first_seen),
            last: time(&alert.last_seen),
            count: alert.count,
            severity: alert.severity,
            kind: alert.kind.clone(),
            confidence: alert.confidence,
            message: alert.message.clone(),
            details: details.unwrap_or_default().to_string(),
        }
    }

    /// Everything about it, as an expectation would say it.
    #[must_use]
    pub fn as_expected(&self) -> ExpectedAlert {
        let full = ExpectedAlert {
            line: 0,
            rule: self.name.clone(),
            key: Some(self.key.clone()),
            at: Some(self.at),
            first: Some(self.first),
            last: Some(self.last),
            count: Some(self.count),
            severity: Some(self.severity),
            kind: Some(self.kind.clone()),
            confidence: Some(self.confidence),
            message: Some(self.message.clone()),
            details: Some(self.details.clone()),
        };
        ExpectedAlert { details: full.details.clone().filter(|text| !text.is_empty()), ..full }
    }

    /// The attributes in which it differs from an expectation, each as expected and as got.
    #[must_use]
    pub fn differences(&self, expected: &ExpectedAlert, start: Timestamp) -> Vec<(String, String)> {
        let wanted = attributes(expected, start);
        let all = attributes(&self.as_expected(), start);
        let same_name = |name: &str| all.iter().find(|(other, _)| *other == name);
        let value = |name: &str| same_name(name).map_or(String::new(), |(_, value)| value.clone());
        wanted
            .into_iter()
            .map(|(name, wanted)| (format!("{name}={wanted}"), format!("{name}={}", value(name))))
            .filter(|(wanted, got)| wanted != got)
            .collect()
    }
}

/// An expectation as one line of a trace, with its message and details behind it.
#[must_use]
pub fn written(expected: &ExpectedAlert, start: Timestamp) -> String {
    let mut line = quoted(&expected.rule);
    for (name, value) in attributes(expected, start) {
        line.push_str(&format!(" {name}={value}"));
    }
    line
}

/// What an expectation says, attribute by attribute, in one fixed order and spelling.
fn attributes(expected: &ExpectedAlert, start: Timestamp) -> Vec<(&'static str, String)> {
    let time = |time: Option<Timestamp>| time.map(|time| offset(start, time));
    let all = [
        ("key", expected.key.as_ref().map(|parts| quoted(&parts.join(",")))),
        ("at", time(expected.at)),
        ("first", time(expected.first)),
        ("last", time(expected.last)),
        ("count", expected.count.map(|count| count.to_string())),
        ("severity", expected.severity.map(|level| level.as_str().to_string())),
        ("type", expected.kind.as_deref().map(quoted)),
        ("confidence", expected.confidence.map(|confidence| confidence.to_string())),
        ("message", expected.message.as_deref().map(always_quoted)),
        ("details", expected.details.as_deref().map(always_quoted)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// A time as an offset from the start of its story; a time before it as it is.
#[must_use]
pub fn offset(start: Timestamp, time: Timestamp) -> String {
    let Some(mut rest) = time.0.checked_sub(start.0).filter(|nanos| *nanos >= 0) else {
        return time.to_string();
    };
    let mut text = String::from("+");
    for (unit, name) in [("1h", "h"), ("1m", "m"), ("1s", "s"), ("1ms", "ms"), ("1us", "us"), ("1ns", "ns")] {
        let unit = Span::parse(unit).unwrap_or(Span(1)).0;
        if rest >= unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if text.len() == 1 { "+0s".to_string() } else { text }
}

fn quoted(text: &str) -> String {
    let plain = !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '"');
    if plain { text.to_string() } else { always_quoted(text) }
}

fn always_quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
