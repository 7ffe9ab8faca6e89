//! `tocsin scan` and inputs that are no lines: arrays of JSON, whole or cut off, and inputs that
//! must be decompressed or converted first.

use serde_json::json;

use crate::scan_support::{Scanned, failures, gzip, scan, with_rules};

const ADDRESS: &str = "203.0.113.9";
const NOT_CLOSED: &str = "tocsin: a: the JSON array is not closed; the input may be cut off";

fn scan_one(content: impl AsRef<[u8]>) -> Scanned {
    scan(&with_rules().with("a", content), &["a", "-r", "rules"])
}

/// What was told. An input's end is told when it is read, its records when they are decoded.
fn sorted(got: &Scanned) -> Vec<&str> {
    let mut told = got.told();
    told.sort_unstable();
    told
}

/// Eleven failed logins as elements of an array.
fn elements() -> String {
    failures(11, ADDRESS).trim_end().replace('\n', ",")
}

#[test]
fn elements_that_are_no_objects_are_told_and_counted() {
    let got = scan_one(format!("[[],5,{},\"x\"]", elements()));
    assert_eq!((got.code, &got.alert()["count"]), (0, &json!(11)), "{}", got.err);
    let told = |element| format!("a:{element}:1: an event must be a JSON object [not_an_object]");
    assert_eq!(got.told(), [told(1), told(2), told(14)]);
    let failed = r#"{"timestamp":"2026-11-19T12:00:00Z","outcome":"failure","event_type":"login_failed"}"#;
    let matched = scan(
        &with_rules().with("a", format!("[[],5,{failed},{failed}]")),
        &["a", "-r", "rules", "--matches"],
    );
    let lines: Vec<u64> = matched.matches().into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, [3, 4], "{}", matched.err);
}

#[test]
fn deep_arrays_are_one_refused_record() {
    let refused = "a:1:1: an event must be a JSON object [not_an_object]";
    let got = scan_one("[".repeat(1_000) + &"]".repeat(1_000));
    assert_eq!((got.code, got.told()), (0, vec![refused]), "{}", got.err);
    let got = scan_one("[".repeat(1_000));
    assert_eq!((got.code, sorted(&got)), (3, vec![refused, NOT_CLOSED]), "{}", got.err);
    let got = scan_one("[[]]\n");
    assert_eq!((got.code, got.told()), (0, vec![refused]), "{}", got.err);
}

#[test]
fn an_array_that_is_cut_off_is_told_after_what_came() {
    for rest in ["", ",", "\n", ",\n\n"] {
        let got = scan_one(format!("[{}{rest}", elements()));
        assert_eq!((got.code, got.told()), (3, vec![NOT_CLOSED]), "{}", got.err);
        assert_eq!(got.alert()["count"], 11, "{}", got.err);
    }
    let got = scan_one(format!("[{},{{\"user\":\"an", elements()));
    let told = sorted(&got);
    assert_eq!((got.code, told.len(), told[1]), (3, 2, NOT_CLOSED), "{}", got.err);
    assert!(told[0].contains("[truncated]") && got.alert()["count"] == 11, "{}", got.err);
    for whole in
        [format!("[{}]", elements()), format!("[{}]\n[]", elements()), elements().replace(',', "\n,")]
    {
        assert_eq!(scan_one(whole).code, 0);
    }
}

#[test]
fn other_json_among_lines_is_told_as_such() {
    for line in ["[1,2]", "7", "\"x\"", "null"] {
        let got = scan_one(failures(11, ADDRESS) + line + "\n");
        assert_eq!(got.told(), ["a:12:1: an event must be a JSON object [not_an_object]"], "{line}");
    }
    for line in ["[main] 7", "7 of 9", "\"a\",\"b\""] {
        let got = scan_one(failures(11, ADDRESS) + line + "\n");
        assert_eq!(got.summary()["rejected"], json!({"unknown_format": 1}), "{line}");
    }
}

#[test]
fn compressed_inputs_are_refused_at_once() {
    let lines = failures(11, ADDRESS);
    for (first, name, program) in [
        (&b"\xFD7zXZ\0\0\x04"[..], "xz", "xz"),
        (b"\x28\xB5\x2F\xFD\x04\x88", "zstd", "zstd"),
        (b"BZh91AY&SY\x01\x02", "bzip2", "bzip2"),
    ] {
        let content = [first, b"\nnoise\nnoise\n"].concat();
        let what = format!(
            "compressed with {name}: decompress it first, for example `{program} -dc FILE | tocsin scan -`"
        );
        let folder = with_rules().with("a", &content).with("b", &lines);
        let got = scan(&folder, &["a", "b", "-r", "rules"]);
        assert_eq!((got.code, got.told()), (3, vec![format!("tocsin: a: {what}").as_str()]), "{}", got.err);
        assert_eq!((&got.alert()["count"], &got.summary()["rejected"]), (&json!(11), &json!({})));
        let got: Scanned = folder.run_with_input(&["scan", "-", "-r", "rules"], &content).into();
        assert!(got.code == 3 && got.err.starts_with(&format!("tocsin: -: {what}\n")), "{}", got.err);
    }
    let twice = scan_one(gzip(gzip(&lines)));
    assert!(twice.code == 3 && twice.err.contains("a: compressed with gzip: "), "{}", twice.err);
}

#[test]
fn text_in_utf_16_is_refused_at_once() {
    let lines = failures(11, ADDRESS);
    let little: Vec<u8> =
        [0xFEFF].into_iter().chain(lines.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = [0xFEFF].into_iter().chain(lines.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    let told = "tocsin: a: text in UTF-16: convert it first, for example `iconv -f UTF-16 -t UTF-8 FILE | tocsin scan -`";
    for content in [&little, &big, &gzip(&little)] {
        let got = scan_one(content);
        assert_eq!((got.code, got.told()), (3, vec![told]), "{}", got.err);
    }
}

#[test]
fn matches_take_no_level_to_fail_on() {
    let folder = with_rules().with("a", failures(11, ADDRESS));
    let got = scan(&folder, &["a", "-r", "rules", "--matches", "--fail-on", "high"]);
    assert!(got.code == 2 && got.out.is_empty() && got.err.contains("--fail-on"), "{}", got.err);
}
