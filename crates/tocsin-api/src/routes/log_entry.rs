//! One access-log entry, checked in one pass over its bytes. A good one costs no allocation; a bad
//! one is told everything that is wrong with it.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, json};
use tocsin_core::time::Timestamp;

/// Characters of an HTTP method. Above it the entry is refused.
const METHOD_CHARS_MAX: usize = 32;

/// The fields of an entry, all required.
const FIELDS: [Field; 5] =
    [Field::Timestamp, Field::ClientIp, Field::Endpoint, Field::Method, Field::StatusCode];

/// Checks an entry; the errors are `{field, reason}`, or `{reason}` when it is no object at all.
///
/// # Errors
/// Everything that is wrong with it, in the order of the fields.
pub fn check(body: &[u8]) -> Result<(), Vec<Value>> {
    let mut entry = Entry::default();
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = reader.deserialize_map(EntryVisitor(&mut entry)).and_then(|()| reader.end());
    if let Err(error) = read {
        return Err(vec![json!({ "field": Value::Null, "reason": unreadable(&error) })]);
    }
    if entry.reasons.iter().all(Option::is_none) && entry.seen == [true; FIELDS.len()] {
        return Ok(());
    }
    Err(entry.errors())
}

fn unreadable(error: &serde_json::Error) -> String {
    if error.is_data() { "must be a JSON object".to_string() } else { format!("is not JSON: {error}") }
}

#[derive(Clone, Copy)]
enum Field {
    Timestamp,
    ClientIp,
    Endpoint,
    Method,
    StatusCode,
}

impl Field {
    fn named(name: &str) -> Option<Field> {
        Some(match name {
            "timestamp" => Field::Timestamp,
            "client_ip" => Field::ClientIp,
            "endpoint" => Field::Endpoint,
            "method" => Field::Method,
            "status_code" => Field::StatusCode,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Field::Timestamp => "timestamp",
            Field::ClientIp => "client_ip",
            Field::Endpoint => "endpoint",
            Field::Method => "method",
            Field::StatusCode => "status_code",
        }
    }

    /// What a value must be and is not.
    fn fault(self, value: &Scalar<'_>) -> Option<&'static str> {
        let (holds, reason) = match (self, value) {
            (Field::Timestamp, Scalar::Text(text)) => {
                (is_rfc_3339(text), "must be an RFC 3339 time with a zone, such as 2026-01-31T08:00:00Z")
            }
            (Field::ClientIp, Scalar::Text(text)) => {
                (text.parse::<IpAddr>().is_ok(), "must be an IPv4 or IPv6 address")
            }
            (Field::Endpoint, Scalar::Text(text)) => {
                let plain = !text.chars().any(char::is_control);
                (text.starts_with('/') && plain, "must begin with / and have no control characters")
            }
            (Field::Method, Scalar::Text(text)) => (is_token(text), "must be an HTTP method"),
            (Field::StatusCode, Scalar::Integer(code)) => {
                ((100..=599).contains(code), "must be from 100 to 599")
            }
            (Field::StatusCode, _) => (false, "must be an integer"),
            (_, _) => (false, "must be a string"),
        };
        (!holds).then_some(reason)
    }
}

/// Whether a time is written as RFC 3339 has it, zone and all.
fn is_rfc_3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    let has_t = bytes.get(10).is_some_and(|byte| byte.eq_ignore_ascii_case(&b't'));
    let has_zone = match bytes {
        [.., b'Z' | b'z'] => true,
        [.., b'+' | b'-', _, _, b':', _, _] => bytes.len() > 20,
        _ => false,
    };
    has_t && has_zone && Timestamp::parse(bytes).is_some()
}

/// Whether a text is a token of RFC 9110.
fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=METHOD_CHARS_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

#[derive(Default)]
struct Entry {
    seen: [bool; FIELDS.len()],
    reasons: [Option<&'static str>; FIELDS.len()],
}

impl Entry {
    fn errors(&self) -> Vec<Value> {
        let fault = |field: &Field| {
            let missing = (!self.seen[*field as usize]).then_some("is missing");
            let reason = self.reasons[*field as usize].or(missing)?;
            Some(json!({ "field": field.name(), "reason": reason }))
        };
        FIELDS.iter().filter_map(fault).collect()
    }
}

struct EntryVisitor<'e>(&'e mut Entry);

impl<'de> Visitor<'de> for EntryVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let entry = self.0;
        while let Some(name) = map.next_key_seed(ScalarSeed)? {
            let Scalar::Text(name) = name else { return Err(A::Error::custom("a name must be text")) };
            let Some(field) = Field::named(&name) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value_seed(ScalarSeed)?;
            let again = std::mem::replace(&mut entry.seen[field as usize], true);
            entry.reasons[field as usize] = if again { Some("is there twice") } else { field.fault(&value) };
        }
        Ok(())
    }
}

/// A value as far as it matters.
enum Scalar<'de> {
    Text(Cow<'de, str>),
    Integer(i64),
    Other,
}

struct ScalarSeed;

impl<'de> DeserializeSeed<'de> for ScalarSeed {
    type Value = Scalar<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, value: D) -> Result<Scalar<'de>, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ScalarSeed {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_string())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar<'de>, E> {
        Ok(i64::try_from(number).map_or(Scalar::Other, Scalar::Integer))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Integer(number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(body: &str) -> String {
        let fault = |error: &Value| {
            let reason = error["reason"].as_str().unwrap_or_default();
            format!("{} {}", error["field"].as_str().unwrap_or("-"), &reason[..reason.len().min(16)])
        };
        check(body.as_bytes()).map_or_else(
            |errors| errors.iter().map(fault).collect::<Vec<_>>().join(", "),
            |()| "good".to_string(),
        )
    }

    fn with(field: &str, value: &str) -> String {
        let of =
            |name: &str, usual: &str| format!("\"{name}\":{}", if name == field { value } else { usual });
        let fields = [
            of("timestamp", "\"2026-01-31T08:00:00Z\""),
            of("client_ip", "\"192.0.2.1\""),
            of("endpoint", "\"/login\""),
            of("method", "\"GET\""),
            of("status_code", "401"),
        ];
        format!("{{{}}}", fields.join(","))
    }

    #[test]
    fn entries_are_taken_exactly_as_the_contract_has_them() {
        for (field, value, expect) in [
            ("", "", "good"),
            ("timestamp", "\"2026-01-31T08:00:00.123456789+05:30\"", "good"),
            ("timestamp", "\"2026-01-31t08:00:00z\"", "good"),
            ("timestamp", "\"2026-01-31T08:00:00\"", "timestamp must be an RFC "),
            ("timestamp", "\"2026-01-31 08:00:00Z\"", "timestamp must be an RFC "),
            ("timestamp", "\"2026-01-31\"", "timestamp must be an RFC "),
            ("timestamp", "\"2026-02-30T08:00:00Z\"", "timestamp must be an RFC "),
            ("timestamp", "\"2026-01-31T08:00:00-0500\"", "timestamp must be an RFC "),
            ("timestamp", "1769846400", "timestamp must be a string"),
            ("timestamp", "null", "timestamp must be a string"),
            ("client_ip", "\"2001:db8::1\"", "good"),
            ("client_ip", "\"192.0.2.1:80\"", "client_ip must be an IPv4 "),
            ("client_ip", "\"192.0.2.01\"", "client_ip must be an IPv4 "),
            ("client_ip", "\" 192.0.2.1\"", "client_ip must be an IPv4 "),
            ("client_ip", "\"example.com\"", "client_ip must be an IPv4 "),
            ("endpoint", "\"login\"", "endpoint must begin with "),
            ("endpoint", "\"\"", "endpoint must begin with "),
            ("endpoint", "\"/a\\u0000b\"", "endpoint must begin with "),
            ("endpoint", "\"/\\u00e4\"", "good"),
            ("method", "\"PROPFIND\"", "good"),
            ("method", "\"get it\"", "method must be an HTTP"),
            ("method", "\"\"", "method must be an HTTP"),
            ("status_code", "100", "good"),
            ("status_code", "599", "good"),
            ("status_code", "99", "status_code must be from 100"),
            ("status_code", "600", "status_code must be from 100"),
            ("status_code", "-401", "status_code must be from 100"),
            ("status_code", "401.0", "status_code must be an integ"),
            ("status_code", "\"401\"", "status_code must be an integ"),
            ("status_code", "[401]", "status_code must be an integ"),
            ("status_code", "{\"a\":1}", "status_code must be an integ"),
            ("status_code", "18446744073709551615", "status_code must be an integ"),
        ] {
            let got = faults(&with(field, value));
            assert!(got.starts_with(expect), "{field} {value}: {got}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        for (body, expect) in [
            (
                "{}",
                "timestamp is missing, client_ip is missing, endpoint is missing, method is missing, \
                 status_code is missing",
            ),
            (
                r#"{"timestamp":1,"client_ip":"x","endpoint":"/","method":"GET"}"#,
                "timestamp must be a string, client_ip must be an IPv4 , status_code is missing",
            ),
            ("[]", "- must be a JSON o"),
            ("7", "- must be a JSON o"),
            ("", "- is not JSON: EOF"),
            ("{\"a\":1} x", "- is not JSON: tra"),
            ("{\"a\":}", "- is not JSON: exp"),
            ("{\"a\":\"\u{1}\"}", "- is not JSON: con"),
        ] {
            assert_eq!(faults(body), expect, "{body}");
        }
        let twice = with("", "").replace("\"method\"", "\"method\":\"GET\",\"method\"");
        assert_eq!(faults(&twice), "method is there twice");
        let more = with("", "").replace("\"method\"", "\"user_agent\":[{\"a\":null}],\"method\"");
        assert_eq!(faults(&more), "good");
        let hidden = with("", "").replace("\"method\"", "\"\\u006dethod\"");
        assert_eq!(faults(&hidden), "good");
        let deep = format!("{{\"a\":{}}}", "[".repeat(100_000));
        assert_eq!(faults(&deep), "- is not JSON: exp");
        assert!(check(b"{\"a\":\"\xff\"}").is_err());
    }
}
