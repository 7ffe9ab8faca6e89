//! Tests of whole documents: metadata, kinds of rules, several in a file, and where findings stand.

use tocsin_core::rule::Level;
use tocsin_core::time::Span;

use super::*;
use crate::test_support::{detection, findings, load, show};

const DETECTION: &str = "logsource: {product: x}\ndetection: {s: {a: b}, condition: s}\n";

/// Findings of a detection with these lines behind its title, which is the first line.
fn with(lines: &str) -> Vec<String> {
    findings(&format!("title: t\n{lines}\n{DETECTION}"))
}

#[test]
fn a_head_holds_what_is_written() {
    let text = "title: A title\nid: 78d5cab4-557e-454f-9fb9-a222bd0d5edc\nname: short\nstatus: deprecated\n\
                level: high\ntags: [attack.t1110, attack.credential-access]\nauthor: x\ncustom: {y: z}\n\
                date: 2026-01-31\ntocsin:\n  type: brute_force\n  confidence: 0.9\n  message: '{n} failures'\n  \
                details: d\n  actions: [block_address, notify]\n  episode: 10m\n";
    let (documents, diagnostics) = load(&format!("{text}{DETECTION}"));
    assert_eq!(diagnostics, Vec::new());
    let head = &documents[0].head;
    assert_eq!(head.title, "A title");
    assert_eq!(head.id.as_deref(), Some("78d5cab4-557e-454f-9fb9-a222bd0d5edc"));
    assert_eq!(head.name.as_deref(), Some("short"));
    assert_eq!(head.status.as_deref(), Some("deprecated"));
    assert_eq!(head.level, Some(Level::High));
    assert_eq!(head.tags, ["attack.t1110", "attack.credential-access"]);
    assert_eq!(head.extension.kind.as_deref(), Some("brute_force"));
    assert_eq!(head.extension.confidence, Some(0.9));
    assert_eq!(head.extension.message.as_deref(), Some("{n} failures"));
    assert_eq!(head.extension.details.as_deref(), Some("d"));
    assert_eq!(head.extension.actions, ["block_address", "notify"]);
    assert_eq!(head.extension.episode, Some(Span::seconds(600)));
    assert_eq!(head.place, Place { line: 1, column: 1 });
}

#[test]
fn metadata_that_is_wrong() {
    let long = "x".repeat(257);
    for (lines, expect) in [
        ("id: abc", "2:5 warning id_shape"),
        ("level: hihg", "2:8 error unknown_level"),
        ("level: High", "2:8 error unknown_level"),
        ("status: old", "2:9 warning unknown_status"),
        ("date: 2026/01/31", "2:7 warning date_shape"),
        ("modified: 2026-13-01", "2:11 warning date_shape"),
        ("tags: [attack.t1110, T1110]", "2:22 warning tag_shape"),
        ("tags:\n  - attack.T1110", "3:5 warning tag_shape"),
        ("tags: [a.b, a.b]", "2:13 warning duplicate_tag"),
        ("tags: [attack.defense_evasion]", "2:8 info old_tag"),
        ("date: 2026/13/31", "2:7 warning date_shape"),
        ("references: [a, b, a]", "2:20 info duplicate_value"),
        ("fields: {a: b}", "2:9 warning list_shape"),
        ("falsepositives: [x]", "2:18 info too_short"),
        ("scope: [[a]]", "2:9 warning list_shape"),
        ("tags: {a: b}", "2:7 error wrong_type"),
        ("taxonomy: other", "2:11 error unknown_taxonomy"),
        (&format!("name: {long}"), "2:7 error too_long"),
        ("related: [{id: a, type: obsoletes}]", "2:25 warning related_shape"),
        ("related: [{id: a}]", "2:11 warning related_shape"),
        ("related: x", "2:10 warning related_shape"),
        ("tocsin: x", "2:9 error wrong_type"),
        ("tocsin: {typ: x}", "2:10 error unknown_key"),
        ("tocsin: {confidence: 1.1}", "2:22 error confidence_value"),
        ("tocsin: {confidence: high}", "2:22 error wrong_type"),
        ("tocsin: {actions: [block_adress]}", "2:20 error unknown_action"),
        ("tocsin: {episode: 10}", "2:19 error timespan_value"),
        ("tocsin: {episode: 0s}", "2:19 error timespan_value"),
    ] {
        assert_eq!(with(lines), vec![expect.to_owned()], "{lines}");
    }
    for lines in [
        "taxonomy: sigma",
        "level: informational",
        "related: [{id: a, type: similar}]",
        "tags:",
        "x: &a 1",
        "falsepositives: none known",
        "scope:",
        "tags: [attack.t1055.001, detection.threat-hunting, car.2016-04-005]",
    ] {
        assert_eq!(with(lines), Vec::<String>::new(), "{lines}");
    }
}

#[test]
fn tactics_of_version_one_are_taken_as_those_of_today() {
    let text = format!("title: t\ntags: [attack.defense_evasion, attack.t1055, attack.g0016]\n{DETECTION}");
    let (documents, diagnostics) = load(&text);
    assert_eq!(documents[0].head.tags, ["attack.defense-evasion", "attack.t1055", "attack.g0016"]);
    assert_eq!(diagnostics[0].hint.as_deref(), Some("write `attack.defense-evasion`"));
    let old = load(&format!("title: t\ndate: 2020/01/31\n{DETECTION}")).1;
    assert_eq!(old[0].hint.as_deref(), Some("write `2020-01-31`"));
}

#[test]
fn documents_that_are_no_rules() {
    for (text, expect) in [
        ("", "1:1 warning no_document"),
        ("# nothing\n", "1:1 warning no_document"),
        ("a: b\n", "1:1 error no_rule"),
        ("- a\n", "1:1 error no_rule"),
        ("text\n", "1:1 error no_rule"),
        ("title: t\ndetection: {}\ncorrelation: {}\n", "3:1 error two_kinds"),
        (
            "title: [t]\nlogsource: {product: x}\ndetection: {s: {a: b}, condition: s}\n",
            "1:8 error wrong_type",
        ),
        ("logsource: {product: x}\ndetection: {s: {a: b}, condition: s}\n", "1:1 error missing_key"),
        ("title: t\ndetection: {s: {a: b}, condition: s}\n", "1:1 error missing_key"),
        (
            "title: t\nlogsource: {definition: x}\ndetection: {s: {a: b}, condition: s}\n",
            "2:1 error empty_logsource",
        ),
        ("title: t\nlogsource: x\ndetection: {s: {a: b}, condition: s}\n", "2:12 error wrong_type"),
        ("title: t\nlogsource: {product: x}\ndetection: {s: {a: b}}\n", "3:1 error missing_key"),
        ("title: t\nlogsource: {product: x}\ndetection: x\n", "3:12 error wrong_type"),
        (
            "title: t\nlogsource: {product: x}\ndetection: {s: {}, condition: s}\n",
            "3:16 error empty_selection",
        ),
        (
            "title: t\nlogsource: {product: x}\ndetection: {s: [], condition: s}\n",
            "3:16 error empty_selection",
        ),
        (
            "title: t\nlogsource: {product: x}\ndetection:\n  s:\n  condition: s\n",
            "4:3 error empty_selection",
        ),
        (
            "title: t\nlogsource: {product: x}\ndetection: {s: [a, null], condition: s}\n",
            "3:20 error null_value",
        ),
        (
            "title: t\nlogsource: {product: x}\ndetection: {s: {a: b, a: c}, condition: s}\n",
            "3:23 error duplicate_key",
        ),
        (
            "title: t\nlogsource: {product: x}\ndetection: {s: {a: b}, timeframe: 5m, condition: s}\n",
            "3:24 warning timeframe_ignored",
        ),
    ] {
        assert_eq!(findings(text), vec![expect.to_owned()], "{text}");
    }
    assert_eq!(load("title: t\nfilter: {}\n").0.len(), 0);
}

#[test]
fn selections_nest() {
    for (selection, expect) in [
        ("{a: 1, b: 2}", "(and a=1(1) b=2(2))"),
        ("[{a: 1}, {b: 2}]", "(or a=1(1) b=2(2))"),
        ("[{a: 1, c: 3}, {b: 2}]", "(or (and a=1(1) c=3(3)) b=2(2))"),
        ("[x, {a: 1}]", "(or ANY=[*<x>*] a=1(1))"),
        ("[[{a: 1}, {b: 2}], [x, y]]", "(or (or a=1(1) b=2(2)) ANY=[*<x>*] | [*<y>*])"),
        ("{a|neq: 1, '|all': [x, y]}", "(and (not a=1(1)) ANY=[*<x>*] & [*<y>*])"),
    ] {
        let text =
            format!("title: t\nlogsource: {{product: X}}\ndetection:\n  s: {selection}\n  condition: s\n");
        let detection = detection(&text);
        assert_eq!(show(&detection.selections[0].1), expect, "{selection}");
        assert_eq!(detection.logsource.product.as_deref(), Some("x"));
    }
}

#[test]
fn one_bad_document_stops_no_other() {
    let good = |title: &str| format!("title: {title}\n{DETECTION}");
    let text = format!(
        "{}---\ntitle: 'open\n---\n{}---\ntitle: bad\nlogsource: {{product: x}}\n\
         detection: {{s: {{a|containz: b}}, condition: s}}\n...\n---\n{}",
        good("one"),
        good("two"),
        good("three")
    );
    let (documents, diagnostics) = load(&text);
    let titles: Vec<_> = documents.iter().map(|document| document.head.title.as_str()).collect();
    assert_eq!(titles, ["one", "two", "three"]);
    let places: Vec<_> = diagnostics.iter().map(|d| (d.place.line, d.place.column, d.code)).collect();
    assert_eq!(places, [(6, 1, "yaml_syntax"), (13, 17, "unknown_modifier")]);
    assert_eq!(documents[1].head.place, Place { line: 7, column: 1 });
}

#[test]
fn line_ends_and_markers_change_nothing() {
    let plain = format!("title: t\n{DETECTION}");
    let own = load(&plain).0.remove(0);
    for text in [
        plain.replace('\n', "\r\n"),
        format!("\u{feff}{plain}"),
        format!("---\n{plain}"),
        format!("---\n{plain}...\n"),
        format!("\n\n{plain}\n"),
    ] {
        let (documents, diagnostics) = load(&text);
        assert_eq!(diagnostics, Vec::new(), "{text}");
        assert_eq!(documents[0].head.text, own.head.text, "{text}");
    }
    assert_eq!(own.head.text, plain.trim_end());
}

#[test]
fn a_file_too_large_is_not_read() {
    let text = format!("title: t\n{DETECTION}# {}\n", "x".repeat(FILE_BYTES_MAX));
    assert_eq!(findings(&text), ["1:1 error file_too_large"]);
}

#[test]
fn what_is_not_utf8_is_told_with_its_place() {
    let text = "title: a\n---\ntitle: t\ndescription: é \u{fffd}\n";
    assert_eq!(findings(text)[1..], ["4:16 error invalid_utf8"]);
}
