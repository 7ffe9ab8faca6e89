//! The JSON reader against serde_json: the same texts are accepted, and the same values seen.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should stop")]

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value as Json;
use tocsin_core::batch::{EventBatch, RawBatch, Reason, RecordSpan};
use tocsin_core::decoder::Decoder;
use tocsin_core::field::FieldTable;
use tocsin_core::time::Timestamp;
use tocsin_core::value::Value;
use tocsin_decode::decoder::RecordDecoder;
use tocsin_decode::format::FormatContext;
use tocsin_decode::taxonomy::Taxonomy;

const FIELDS: [&str; 8] = ["a", "b", "a.b", "b.a", "a.b.a", "EventID", "Image", "source.ip"];

fn decode(format: &str, records: &[&[u8]]) -> EventBatch {
    let taxonomy = Taxonomy::new(Arc::new(FieldTable::of(&FIELDS)));
    let mut decoder = RecordDecoder::named(format, FormatContext { taxonomy, as_of: Timestamp(0) }).unwrap();
    let mut raw = RawBatch::default();
    for record in records {
        raw.records.push(RecordSpan { start: raw.bytes.len() as u32, len: record.len() as u32 });
        raw.bytes.extend_from_slice(record);
        raw.bytes.push(b'\n');
    }
    decoder.decode(raw)
}

fn check(text: &str, expect: Result<&[(&str, &str)], Reason>) {
    let batch = decode("json", &[text.as_bytes()]);
    let got = batch.events.first().map(|event| {
        let shown = |slot| (batch.table.name(slot_field(slot)).to_string(), show(&batch.value(slot)));
        batch.slots(event).iter().map(shown).collect::<Vec<_>>()
    });
    match expect {
        Ok(values) => {
            let values: Vec<_> = values.iter().map(|(f, v)| ((*f).to_string(), (*v).to_string())).collect();
            assert_eq!(got, Some(values), "{text}");
        }
        Err(reason) => {
            assert_eq!(got, None, "{text}");
            assert_eq!(batch.quarantined[0].reason, reason, "{text}");
        }
    }
}

fn slot_field(slot: &tocsin_core::value::Slot) -> tocsin_core::field::FieldId {
    slot.field
}

fn show(value: &Value<'_>) -> String {
    match value {
        Value::Object(text) => format!("object {text}"),
        Value::EmptyList => "empty list".to_string(),
        Value::Null => "null".to_string(),
        other => other.as_text().unwrap().to_string(),
    }
}

#[test]
fn values_under_paths_are_seen() {
    check(r#"{"a":"x","b":1.5}"#, Ok(&[("a", "x"), ("b", "1.5")]));
    check(
        r#"{ "a" : { "b" : [ 1 , null , "z" ] } }"#,
        Ok(&[("a.b", "1"), ("a.b", "null"), ("a.b", "z"), ("a", "object { \"b\" : [ 1 , null , \"z\" ] }")]),
    );
    check(
        r#"{"a":[{"b":"1"},{"b":"2"}]}"#,
        Ok(&[("a.b", "1"), ("a", "object {\"b\":\"1\"}"), ("a.b", "2"), ("a", "object {\"b\":\"2\"}")]),
    );
    check(r#"{"a.b":true,"b":[]}"#, Ok(&[("a.b", "true"), ("b", "empty list")]));
    check(r#"{"a":"C:\\Windows\\x \u00e9"}"#, Ok(&[("a", "C:\\Windows\\x é")]));
    check(r#"{"c":1}"#, Ok(&[]));
}

#[test]
fn evtx_json_is_looked_through_flat_and_nested() {
    for text in [
        r#"{"EventID":1,"Image":"C:\\x.exe"}"#,
        r#"{"Event":{"System":{"EventID":1},"EventData":{"Image":"C:\\x.exe"}}}"#,
        r#"{"event_id":1,"event_data":{"Image":"C:\\x.exe"}}"#,
        r#"{"winlog":{"event_id":1,"event_data":{"Image":"C:\\x.exe"}}}"#,
        r##"{"Event":{"System":{"EventID":{"#text":1,"#attributes":{"Qualifiers":0}}},"EventData":{"Image":"C:\\x.exe"}}}"##,
    ] {
        let batch = decode("evtx_json", &[text.as_bytes()]);
        let event = &batch.events[0];
        let get = |name: &str| batch.get(event, batch.table.get(name).unwrap()).map(|v| show(&v));
        assert_eq!(get("EventID").as_deref(), Some("1"), "{text}");
        assert_eq!(get("Image").as_deref(), Some(r"C:\x.exe"), "{text}");
    }
}

#[test]
fn what_is_no_event_is_refused_with_its_reason() {
    for (text, reason) in [
        ("[1]", Reason::NotAnObject),
        ("1", Reason::NotAnObject),
        ("{", Reason::Truncated),
        (r#"{"a":"x"#, Reason::Truncated),
        (r#"{"a":1}}"#, Reason::MalformedJson),
        (r#"{"a":1,}"#, Reason::MalformedJson),
        (r#"{"a":01}"#, Reason::MalformedJson),
        (r#"{"a":1.}"#, Reason::MalformedJson),
        (r#"{"a":+1}"#, Reason::MalformedJson),
        (r#"{"a":tru}"#, Reason::MalformedJson),
        (r#"{"a":"\x"}"#, Reason::MalformedJson),
        (r#"{"a":"\u12g4"}"#, Reason::MalformedJson),
        (r#"{a:1}"#, Reason::MalformedJson),
        ("{\"a\":\"\u{1}\"}", Reason::ControlCharacter),
        (r#"{"a":1,"a":2}"#, Reason::DuplicateKey),
        (r#"{"a":1,"\u0061":2}"#, Reason::DuplicateKey),
        (r#"{"x":{"k":1,"l":2,"k":3}}"#, Reason::DuplicateKey),
    ] {
        check(text, Err(reason));
    }
    let deep = format!("{}1{}", "{\"a\":".repeat(65), "}".repeat(65));
    check(&deep, Err(Reason::TooDeep));
    let hostile = "{\"a\":".repeat(100_000);
    check(&hostile, Err(Reason::TooDeep));
}

#[test]
fn a_bad_record_leaves_nothing_behind() {
    let records: [&[u8]; 4] =
        [br#"{"a":"1"}"#, br#"{"a":"2","b":"x","a":1}"#, b"{\"a\":\"\xff\"}", br#"{"a":"3"}"#];
    let batch = decode("json", &records);
    let seen: Vec<usize> = batch.events.iter().map(|event| batch.slots(event).len()).collect();
    assert_eq!(seen, [1, 1]);
    let reasons: Vec<Reason> = batch.quarantined.iter().map(|q| q.reason).collect();
    assert_eq!(reasons, [Reason::DuplicateKey, Reason::InvalidUtf8]);
    assert_eq!(batch.quarantined[0].field.as_deref(), Some("a"));
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        r#"[a-c\\"\n\u{e9}\u{1F600}]{0,70}"#.prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map("[ab]|a\\.b|[c-f\"]{1,20}", inner, 0..5)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// Every value under a path, as text, the slow way.
fn collect(value: &Json, path: &str, out: &mut Vec<(String, String)>) {
    match value {
        Json::Object(map) => {
            for (key, inner) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(inner, &path, out);
            }
        }
        Json::Array(list) => list.iter().for_each(|inner| collect(inner, path, out)),
        Json::String(text) => out.push((path.to_string(), text.clone())),
        Json::Number(number) => out.push((path.to_string(), number.to_string())),
        Json::Bool(flag) => out.push((path.to_string(), flag.to_string())),
        Json::Null => {}
    }
}

proptest! {
    #[test]
    fn sees_what_serde_sees(events in prop::collection::vec(json(), 1..6)) {
        let texts: Vec<String> = events.iter().map(Json::to_string).collect();
        let records: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        let batch = decode("json", &records);
        let objects: Vec<&Json> = events.iter().filter(|event| event.is_object()).collect();
        prop_assert_eq!(batch.events.len(), objects.len());
        for (event, sent) in batch.events.iter().zip(objects) {
            let mut expect = Vec::new();
            collect(sent, "", &mut expect);
            expect.retain(|(path, _)| FIELDS.contains(&path.as_str()));
            let mut got: Vec<(String, String)> = batch.slots(event).iter().filter_map(|slot| {
                let text = batch.value(slot).as_text()?.to_string();
                Some((batch.table.name(slot.field).to_string(), text))
            }).collect();
            expect.sort();
            got.sort();
            prop_assert_eq!(got, expect);
        }
    }

    #[test]
    fn accepts_what_serde_accepts(mut text in json().prop_map(|value| value.to_string().into_bytes()), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let index = at.index(text.len());
        if cut { text.truncate(index) } else { text[index] = byte }
        prop_assume!(!text.contains(&b'\n') && !text.is_empty());
        let batch = decode("json", &[&text]);
        let serde = serde_json::from_slice::<Json>(&text);
        let accepted = !batch.events.is_empty();
        let reason = batch.quarantined.first().map(|q| q.reason);
        // Where we are stricter on purpose, and where serde is (numbers beyond f64).
        let stricter = matches!(reason, Some(Reason::DuplicateKey | Reason::NotAnObject));
        match serde {
            Ok(value) if value.is_object() => prop_assert!(accepted || stricter, "{:?} {:?}", reason, String::from_utf8_lossy(&text)),
            Ok(_) => prop_assert!(!accepted),
            Err(error) => prop_assert!(!accepted || error.to_string().contains("number out of range") || error.to_string().contains("surrogate") || error.to_string().contains("hex escape"), "{} {:?}", error, String::from_utf8_lossy(&text)),
        }
    }
}
