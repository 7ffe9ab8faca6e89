//! The parser of event streams against the vectors of the suites clients are tested with.
//!
//! The vectors are not part of this repository. Where they are absent, the test says so and passes.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tocsin_testkit::sse::{Message, Parser};

/// The bytes of a base64 text.
fn decoded(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("{byte} is no digit of base64"),
    };
    let digits: Vec<u8> = text.trim_end_matches('=').bytes().map(digit).collect();
    let bits = |group: &[u8]| group.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit));
    let bytes = |group: &[u8]| {
        let whole = bits(group) << (6 * (4 - group.len()));
        whole.to_be_bytes()[1..group.len()].to_vec()
    };
    digits.chunks(4).flat_map(bytes).collect()
}

fn shown(message: &Message) -> Value {
    json!({ "type": message.kind, "data": message.data, "lastEventId": message.last_event_id })
}

#[test]
fn the_parser_reads_every_vector_as_its_suite_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/sse/vectors.jsonl");
    let Ok(vectors) = fs::read_to_string(path) else {
        println!("skipped: the vectors of event streams are not here");
        return;
    };
    for line in vectors.lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let mut parser = Parser::default();
        let mut got = Vec::new();
        for chunk in vector["chunks_b64"].as_array().unwrap() {
            let messages = parser.feed(&decoded(chunk.as_str().unwrap()));
            got.extend(messages.iter().map(shown));
        }
        let got = json!({ "events": got, "retry": parser.retry_ms() });
        let expect = json!({ "events": vector["expected_events"], "retry": vector["expected_retry_ms"] });
        assert_eq!(got, expect, "{}", vector["name"]);
    }
}
