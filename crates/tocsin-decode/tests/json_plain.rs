//! The JSON reader against one that reads byte by byte: the same values at the same places, the same
//! refusals at the same bytes, whatever was read before.

mod support {
    pub mod plain_json;
}

use std::sync::Arc;

use proptest::prelude::*;
use support::plain_json::{self, Refused, Seen};
use tocsin_core::batch::{RawBatch, Reason, RecordSpan};
use tocsin_core::decoder::Decoder;
use tocsin_core::field::FieldTable;
use tocsin_core::time::Timestamp;
use tocsin_decode::decoder::RecordDecoder;
use tocsin_decode::format::FormatContext;
use tocsin_decode::taxonomy::Taxonomy;

const LONG: &str = "a key that is longer than thirty-two bytes";

const FIELDS: [&str; 8] = ["a", "b", "a.b", "b.a", "a.b.a", "é", LONG, "process.name"];

fn decoder(format: &str) -> RecordDecoder {
    let taxonomy = Taxonomy::new(Arc::new(FieldTable::of(&FIELDS)));
    let context = FormatContext { taxonomy, as_of: Timestamp(0) };
    RecordDecoder::named(format, context).unwrap_or_else(|_| panic!("{format} is a format"))
}

/// Reads records that stand in one batch with `gap` between them.
fn read(decoder: &mut RecordDecoder, records: &[Vec<u8>], gap: &[u8]) -> Vec<Result<Vec<Seen>, Refused>> {
    let mut raw = RawBatch::default();
    for record in records {
        raw.records.push(RecordSpan { start: raw.bytes.len() as u32, len: record.len() as u32 });
        raw.bytes.extend_from_slice(record);
        raw.bytes.extend_from_slice(gap);
    }
    let batch = decoder.decode(raw);
    let mut read: Vec<_> = records.iter().map(|_| Ok(Vec::new())).collect();
    for event in &batch.events {
        let start = batch.raw.records[event.record as usize].start;
        let seen = batch.slots(event).iter().map(|slot| {
            let from = (slot.start - start) as usize;
            (batch.table.name(slot.field).to_string(), slot.kind, from, from + slot.len as usize)
        });
        read[event.record as usize] = Ok(seen.collect());
    }
    for refused in batch.quarantined {
        let field = refused.field.map(String::from);
        read[refused.record as usize] = Err((refused.reason, refused.at as usize, field));
    }
    read
}

fn plainly(record: &[u8]) -> Result<Vec<Seen>, Refused> {
    let mut seen = plain_json::read(record)?;
    for (path, ..) in &mut seen {
        // The taxonomy sees through spaces in names.
        if !FIELDS.contains(&path.as_str()) {
            path.retain(|char| char != ' ');
        }
    }
    seen.retain(|(path, ..)| FIELDS.contains(&path.as_str()));
    Ok(seen)
}

fn check(decoder: &mut RecordDecoder, records: &[Vec<u8>], gap: &[u8]) {
    for (record, got) in records.iter().zip(read(decoder, records, gap)) {
        assert_eq!(got, plainly(record), "{}", String::from_utf8_lossy(record));
    }
}

/// A value as it may be written, with spaces or without.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_string()),
        Just("true".to_string()),
        Just("false".to_string()),
        "-?(0|[1-9][0-9]{0,11})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?",
        "-?[0-9.eE+]{1,10}",
        r#""[a-c{}\[\]:, éx]{0,90}""#,
        r#""([a-d]|\\\\|\\"|\\n|\\/|\\u00e9|\\ud83d){0,40}""#,
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let pair = (key(), inner.clone());
        prop_oneof![
            (prop::collection::vec(inner, 0..4), space()).prop_map(|(values, space)| {
                format!("[{space}{}{space}]", values.join(&format!("{space},{space}")))
            }),
            object(prop::collection::vec(pair, 0..6)),
        ]
    })
}

fn object(pairs: impl Strategy<Value = Vec<(String, String)>>) -> impl Strategy<Value = String> {
    (pairs, space(), space()).prop_map(|(pairs, one, other)| {
        let pairs: Vec<String> =
            pairs.iter().map(|(key, value)| format!("{one}\"{key}\"{one}:{other}{value}{one}")).collect();
        format!("{{{other}{}}}", pairs.join(&format!(",{other}")))
    })
}

fn record() -> impl Strategy<Value = String> {
    object(prop::collection::vec((key(), value()), 0..10))
}

fn key() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec!["a", "b", "c", "é", "process", "name", "a.b", LONG]);
    prop_oneof![
        8 => known.prop_map(String::from),
        1 => "[a-c]{0,34}",
        1 => r#"(a|\\u0061|\\n|\\"){1,12}"#,
    ]
}

fn space() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 2 => Just(" ".to_string()), 1 => "[ \t\n\r]{0,3}"]
}

/// A record written several times over, each time with a few bytes changed.
fn damaged() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let byte = prop_oneof![prop::sample::select(&b"\"\\{}[]:,0129-+.eEtfn \n\t\x01\x80u"[..]), any::<u8>(),];
    let edit = (any::<prop::sample::Index>(), byte, 0..3_usize);
    let edits = prop::collection::vec(edit, 0..3);
    (record(), prop::collection::vec(edits, 2..5)).prop_map(|(record, copies)| {
        let damage = |edits: &Vec<(prop::sample::Index, u8, usize)>| {
            let mut record = record.clone().into_bytes();
            for (at, byte, how) in edits {
                let at = at.index(record.len());
                match how {
                    0 => record[at] = *byte,
                    1 => record.insert(at, *byte),
                    _ => record.truncate(at.max(1)),
                }
            }
            record
        };
        copies.iter().map(damage).collect()
    })
}

/// What stands between two records of a batch.
fn gap() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![&b"\n"[..], b"\r\n", b"", b",", b"\\\n"]).prop_map(<[u8]>::to_vec)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_of_any_kind(records in prop::collection::vec(record(), 1..5), gap in gap()) {
        let records: Vec<Vec<u8>> = records.into_iter().map(String::into_bytes).collect();
        check(&mut decoder("json"), &records, &gap);
    }

    #[test]
    fn records_damaged_anywhere(records in damaged(), gap in gap()) {
        check(&mut decoder("json"), &records, &gap);
    }
}

#[test]
fn every_beginning_of_a_known_record() {
    let record = format!(
        r#"{{"a": "C:\\x", "process":{{"name":"b","id":1207}} ,"b":[1,-2.5e3,null,{{"a":true}},[]],"{LONG}":"\u00e9"}}"#
    );
    let mut decoder = decoder("json");
    for end in 1..=record.len() {
        let records = [record.clone().into_bytes(), record.as_bytes()[..end].to_vec()];
        check(&mut decoder, &records, b"");
        check(&mut decoder, &records, b"\n");
    }
}

#[test]
fn every_byte_of_a_known_record_replaced() {
    let record = br#"{"a":"xy","b":1203,"process":{"name":"c:\\d"},"a.b":false,"c":[0,"q"]}"#;
    let mut decoder = decoder("json");
    for at in 0..record.len() {
        for byte in (0..=255).filter(|byte| *byte != b'\n') {
            let mut other = record.to_vec();
            other[at] = byte;
            check(&mut decoder, &[record.to_vec(), other, record.to_vec()], b"\n");
        }
    }
}

#[test]
fn depth_and_keys_have_bounds() {
    let nest = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels)).into_bytes();
    let lists =
        |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels)).into_bytes();
    let keys = |count: usize| {
        let keys: Vec<String> = (0..count).map(|key| format!("\"k{key}\":1")).collect();
        format!("{{{}}}", keys.join(",")).into_bytes()
    };
    let mut decoder = decoder("json");
    for _ in 0..2 {
        let records = [nest(64), nest(65), lists(63), lists(64), keys(1_024), keys(1_025), nest(64)];
        check(&mut decoder, &records, b"\n");
    }
    assert!(matches!(plainly(&nest(65)), Err((Reason::TooDeep, ..))));
    assert!(matches!(plainly(&keys(1_025)), Err((Reason::TooManyKeys, ..))));
}

/// More key sequences than the reader remembers, so that it forgets them on the way.
#[test]
fn forgetting_changes_nothing() {
    let mut decoder = decoder("json");
    for batch in 0..40_u32 {
        let records: Vec<Vec<u8>> = (0..1_000)
            .map(|n| format!("{{\"k{}\":1,\"a\":\"x\",\"b\":{n}}}", batch * 1_000 + n).into_bytes())
            .collect();
        check(&mut decoder, &records, b"\n");
    }
}
