//! From a line of a story to the record the decoder gets: placeholders, and the time of JSON.

use serde_json::{Map, Value};
use tocsin_core::time::Timestamp;

/// Names under which a JSON record may carry its time itself (`Event`: Windows, nested).
const TIME_KEYS: [&str; 8] =
    ["timestamp", "@timestamp", "time", "eventTime", "UtcTime", "TimeCreated", "SystemTime", "Event"];

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The record of one repetition (`number`, from 1) at its time.
///
/// # Errors
/// A sentence: an unknown placeholder, a fraction of a second where none can be written, or JSON
/// that is none.
pub fn render(template: &str, time: Timestamp, number: u64) -> Result<String, String> {
    let mut text = String::with_capacity(template.len() + 32);
    let mut has_time = false;
    let mut rest = template;
    while let Some(at) = rest.find("%{") {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let name = placeholder(rest);
        match name {
            Some("n") => text.push_str(&number.to_string()),
            Some(name) => {
                text.push_str(&written_time(name, time)?);
                has_time = true;
            }
            None => text.push_str("%{"),
        }
        rest = &rest[name.map_or(2, |name| name.len() + 3)..];
    }
    text.push_str(rest);
    if text.starts_with('{') { with_time(text, time, has_time) } else { Ok(text) }
}

/// The name of the placeholder a text begins with; `%{` followed by anything but small letters
/// and `}` is none (attacks contain it).
fn placeholder(text: &str) -> Option<&str> {
    let name = text.strip_prefix("%{")?.split_once('}')?.0;
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
    plain.then_some(name)
}

fn written_time(name: &str, time: Timestamp) -> Result<String, String> {
    let civil = time.to_civil();
    let month = MONTHS[(civil.month as usize - 1) % MONTHS.len()];
    let clock = format!("{:02}:{:02}:{:02}", civil.hour, civil.minute, civil.second);
    let text = match name {
        "iso" => return Ok(time.to_string()),
        "syslog" => format!("{month} {:2} {clock}", civil.day),
        "clf" => format!("{:02}/{month}/{:04}:{clock} +0000", civil.day, civil.year),
        other => {
            return Err(format!(
                "there is no placeholder `%{{{other}}}` (known: %{{clf}}, %{{iso}}, %{{n}}, %{{syslog}})"
            ));
        }
    };
    match civil.nano {
        0 => Ok(text),
        _ => Err(format!("`%{{{name}}}` writes whole seconds only, but the offset has a fraction")),
    }
}

/// Puts a `timestamp` in front of JSON that carries no time.
fn with_time(text: String, time: Timestamp, has_time: bool) -> Result<String, String> {
    let object: Map<String, Value> =
        serde_json::from_str(&text).map_err(|error| format!("this record is not valid JSON: {error}"))?;
    if has_time || TIME_KEYS.iter().any(|key| object.contains_key(*key)) {
        return Ok(text);
    }
    let comma = if object.is_empty() { "" } else { "," };
    Ok(format!("{{\"timestamp\":\"{time}\"{comma}{}", &text[1..]))
}
