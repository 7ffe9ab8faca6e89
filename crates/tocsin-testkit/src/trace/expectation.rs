//! The lines that begin with `expect`.

use tocsin_core::rule::Level;
use tocsin_core::time::{Span, Timestamp};
use tocsin_sigma::ast::Severity;

use super::words::words;
use super::{Expected, ExpectedAlert, ExpectedFinding, ExpectedMatches};

const ATTRIBUTES: &str = "at, confidence, count, first, key, last, severity, type";

/// The words for what is told of a rule.
const SEVERITIES: [(&str, Severity); 3] =
    [("refused", Severity::Error), ("warning", Severity::Warning), ("note", Severity::Info)];

const MATCH_FORM: &str = "write `expect match <rule> count=<number>` or `at=<offset>,<offset>…`";

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
        return Err("say what is expected: a rule's name, `nothing`, `match`, `message`, `details`, \
                    `refused`, `warning`, `note` or `clean`"
            .into());
    };
    if let Some((_, severity)) = SEVERITIES.iter().find(|(word, _)| word == first) {
        return finding(first, *severity, rest, line);
    }
    match (first.as_str(), rest) {
        ("nothing", []) => Ok(Said::Nothing),
        ("nothing", _) => Err("nothing may follow `expect nothing`".into()),
        ("message", [text]) => Ok(Said::Message(text.clone())),
        ("details", [text]) => Ok(Said::Details(text.clone())),
        ("message" | "details", _) => Err(format!("`expect {first}` takes one text in double quotes")),
        ("clean", []) => Ok(Said::Expect(Expected::Clean(line))),
        ("clean", _) => Err("nothing may follow `expect clean`".into()),
        ("match", [rule, how]) => matches(rule, how, start, line),
        ("match", _) => Err(MATCH_FORM.into()),
        (rule, attributes) => alert(rule, attributes, start, line),
    }
}

fn matches(rule: &str, how: &str, start: Timestamp, line: u32) -> Result<Said, String> {
    let mut expected = ExpectedMatches { line, rule: rule.to_string(), ..ExpectedMatches::default() };
    match how.split_once('=') {
        Some(("count", number)) => {
            expected.count = Some(number.parse().map_err(|_| MATCH_FORM.to_string())?);
        }
        Some(("at", offsets)) => {
            let mut times =
                offsets.split(',').map(|text| time(text, start)).collect::<Result<Vec<_>, String>>()?;
            times.sort_unstable();
            expected.at = Some(times);
        }
        _ => return Err(MATCH_FORM.into()),
    }
    Ok(Said::Expect(Expected::Matches(expected)))
}

fn finding(word: &str, severity: Severity, rest: &[String], line: u32) -> Result<Said, String> {
    let (code, words) = match rest {
        [code] => (code.clone(), String::new()),
        [code, words] => (code.clone(), words.clone()),
        _ => return Err(format!("write `expect {word} <code>`, and words of it in double quotes")),
    };
    Ok(Said::Expect(Expected::Finding(ExpectedFinding { line, severity, code, words })))
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
