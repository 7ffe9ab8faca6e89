//! The lines that begin with `expect`.

use tocsin_core::rule::Level;
use tocsin_core::time::{Span, Timestamp};

use super::words::words;
use super::{Expected, ExpectedAlert, ExpectedMatches};

const ATTRIBUTES: &str = "at, confidence, count, first, key, last, severity, type";

/// What one `expect` line says.
#[derive(Debug, PartialEq)]
pub enum Said {
    /// Nothing may be raised.
    Nothing,
    /// This is expected.
    Expect(Expected),
    /// The message of the alert named last.
    Message(String),
    /// The details of the alert named last.
    Details(String),
}

/// Reads what follows the word `expect`.
///
/// # Errors
/// A sentence.
pub fn parse(text: &str, start: Timestamp, line: u32) -> Result<Said, String> {
    let list = words(text)?;
    let Some((first, rest)) = list.split_first() else {
        return Err("say what is expected: a rule's name, `match`, `message`, `details` or `nothing`".into());
    };
    match (first.as_str(), rest) {
        ("nothing", []) => Ok(Said::Nothing),
        ("nothing", _) => Err("nothing may follow `expect nothing`".into()),
        ("message", [text]) => Ok(Said::Message(text.clone())),
        ("details", [text]) => Ok(Said::Details(text.clone())),
        ("message" | "details", _) => Err(format!("`expect {first}` takes one text in double quotes")),
        ("match", [rule, count]) => matches(rule, count, line),
        ("match", _) => Err("write `expect match <rule> count=<number>`".into()),
        (rule, attributes) => alert(rule, attributes, start, line),
    }
}

fn matches(rule: &str, count: &str, line: u32) -> Result<Said, String> {
    let count = count.strip_prefix("count=").and_then(|number| number.parse().ok());
    let count = count.ok_or("write `expect match <rule> count=<number>`")?;
    Ok(Said::Expect(Expected::Matches(ExpectedMatches { line, rule: rule.to_string(), count })))
}

fn alert(rule: &str, attributes: &[String], start: Timestamp, line: u32) -> Result<Said, String> {
    let mut expected = ExpectedAlert { line, rule: rule.to_string(), ..ExpectedAlert::default() };
    for attribute in attributes {
        let (name, value) = attribute
            .split_once('=')
            .ok_or_else(|| format!("`{attribute}` is not of the form name=value (known: {ATTRIBUTES})"))?;
        set(&mut expected, name, value, start)?;
    }
    Ok(Said::Expect(Expected::Alert(expected)))
}

fn set(expected: &mut ExpectedAlert, name: &str, value: &str, start: Timestamp) -> Result<(), String> {
    let unreadable = || format!("`{value}` is not a value of `{name}`");
    match name {
        "key" => expected.key = Some(value.split(',').map(str::to_string).collect()),
        "at" => expected.at = Some(time(value, start)?),
        "first" => expected.first = Some(time(value, start)?),
        "last" => expected.last = Some(time(value, start)?),
        "count" => expected.count = Some(value.parse().map_err(|_| unreadable())?),
        "severity" => expected.severity = Some(Level::parse(value).ok_or_else(unreadable)?),
        "type" => expected.kind = Some(value.to_string()),
        "confidence" => expected.confidence = Some(value.parse().map_err(|_| unreadable())?),
        other => return Err(format!("an alert has no `{other}` (known: {ATTRIBUTES})")),
    }
    Ok(())
}

/// A time as an offset from the story's start.
///
/// # Errors
/// A sentence.
pub fn time(text: &str, start: Timestamp) -> Result<Timestamp, String> {
    // A span is never zero; the offset of a story's first event often is.
    let span = match text.strip_prefix('+') {
        Some("0s") => Some(Span(0)),
        Some(span) => Span::parse(span),
        None => None,
    };
    span.map(|span| start.plus(span))
        .ok_or_else(|| format!("`{text}` is no offset: write `+` and a sum of parts, such as `+5m1ns`"))
}
