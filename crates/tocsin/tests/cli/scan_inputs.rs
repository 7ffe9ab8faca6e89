//! `tocsin scan`: the inputs it takes, and how it reads their times, weights and forms.

use serde_json::{Value, json};

use crate::scan_support::{AS_OF, Scanned, failed_at, failures, gzip, noon, scan, with_rules};
use crate::support::Folder;

const ADDRESS: &str = "203.0.113.9";

fn ssh_failure(time: &str) -> String {
    format!("{time} web-1 sshd[7]: Failed password for ann from {ADDRESS} port 50022 ssh2\n")
}

/// The scan of one input with the rules of these tests.
fn scan_one(name: &str, content: impl AsRef<[u8]>) -> Scanned {
    scan(&with_rules().with(name, content), &[name, "-r", "rules"])
}

fn without_event_ids(alert: &Value) -> Value {
    let mut alert = alert.clone();
    alert["event"]["event_id"].take();
    for event in alert["evidence"].as_array_mut().into_iter().flatten() {
        event["event_id"].take();
        event["event"]["event_id"].take();
    }
    alert
}

#[test]
fn several_files_are_merged_by_event_time() {
    let part = |rest: u64| -> String {
        (0..12).filter(|n| n % 2 == rest).map(|n| failed_at(n * 20, ADDRESS) + "\n").collect()
    };
    let folder = with_rules().with("a.ndjson", part(0)).with("b.ndjson", part(1));
    let got = scan(&folder, &["a.ndjson", "b.ndjson", "-r", "rules"]);
    let alert = got.alert();
    assert_eq!((&alert["count"], &alert["timestamp"]), (&json!(12), &json!(noon(200))));
    assert_eq!((&alert["first_seen"], &alert["last_seen"]), (&json!(noon(0)), &json!(noon(220))));
    assert_eq!(scan(&folder, &["b.ndjson", "a.ndjson", "-r", "rules"]).out, got.out, "in any order");
    assert_eq!(
        scan(&folder, &["b.ndjson", "a.ndjson", "a.ndjson", "-r", "rules"]).out,
        got.out,
        "named twice"
    );
}

/// One file is long, so that it is read in several pieces, and the other lies in the middle of it.
#[test]
fn a_long_file_does_not_run_ahead_of_a_short_one() {
    let quiet = |second| failed_at(second, &format!("198.51.100.{}", second % 250)) + "\n";
    let long: String = (0..9_000).map(quiet).collect();
    let short: String = (0..11).map(|n| failed_at(4_500 + n, ADDRESS) + "\n").collect();
    let folder = with_rules().with("a.ndjson", long).with("b.ndjson", short);
    let got = scan(&folder, &["a.ndjson", "b.ndjson", "-r", "rules"]);
    assert_eq!((&got.alert()["count"], &got.summary()["late"]), (&json!(11), &json!(0)));
}

#[test]
fn standard_input_and_gzip_give_what_the_file_gives() {
    let lines = failures(30, ADDRESS);
    let folder =
        with_rules().with("a.ndjson", &lines).with("a.ndjson.gz", gzip(&lines)).with("odd.log", gzip(&lines));
    let two_members = [gzip(&lines[..1_000]), gzip(&lines[1_000..])].concat();
    let folder = folder.with("two.gz", two_members);
    let plain = scan(&folder, &["a.ndjson", "-r", "rules"]).out;
    assert!(!plain.is_empty());
    for file in ["a.ndjson.gz", "odd.log", "two.gz"] {
        assert_eq!(scan(&folder, &[file, "-r", "rules"]).out, plain, "{file}");
    }
    let args = ["scan", "-", "-r", "rules", "--as-of", AS_OF];
    assert_eq!(folder.run_with_input(&args, lines.as_bytes()).out, plain, "standard input");
    assert_eq!(folder.run_with_input(&args, &gzip(&lines)).out, plain, "gzip on standard input");
}

#[test]
fn line_ends_marks_and_blank_lines_change_nothing() {
    let lines = failures(11, ADDRESS);
    let expect = without_event_ids(&scan_one("a", &lines).alert());
    for (what, content) in [
        ("carriage returns", lines.replace('\n', "\r\n")),
        ("a byte order mark", format!("\u{feff}{lines}")),
        ("no last line end", lines.trim_end().to_string()),
        ("blank lines", lines.replace('\n', "\n\n  \n\r\n")),
        ("spaces around", lines.replace('\n', " \n\t ")),
    ] {
        let got = scan_one("a", content);
        assert_eq!(without_event_ids(&got.alert()), expect, "{what}");
        assert_eq!(got.summary()["events"], 11, "{what}");
    }
}

#[test]
fn json_comes_in_lines_arrays_and_pretty_printed() {
    let lines = failures(11, ADDRESS);
    let objects: Vec<Value> = scan_one("a", &lines).alert()["evidence"]
        .as_array()
        .map(|events| events.iter().map(|event| event["event"].clone()).collect())
        .unwrap_or_default();
    assert_eq!(objects.len(), 11);
    let pretty: Vec<String> = objects.iter().map(|object| format!("{object:#}")).collect();
    for (what, content) in [
        ("an array", json!(objects).to_string()),
        ("a pretty array", format!("{:#}", json!(objects))),
        ("one object after the other", pretty.join("\n")),
        ("objects without anything between", pretty.concat()),
        ("an array of lines", format!("[\n{}\n]\n", lines.trim_end().replace('\n', ",\n"))),
        ("an array with a byte order mark", format!("\u{feff}{}", json!(objects))),
    ] {
        let got = scan_one("a", content);
        assert_eq!((&got.alert()["count"], got.told().len()), (&json!(11), 0), "{what}: {}", got.err);
        assert_eq!(got.alert()["evidence"][10]["event"]["user"], "ann", "{what}: {}", got.out);
    }
}

/// The latest year that puts the time at or before the reference time + 24 h.
#[test]
fn lines_without_a_year_lie_before_the_reference_time() {
    let december: String = (50..56).map(|second| ssh_failure(&format!("Dec 31 23:59:{second}"))).collect();
    let january: String = (0..5).map(|second| ssh_failure(&format!("Jan  1 00:00:0{second}"))).collect();
    let folder = with_rules().with("auth.log", december + &january);
    for (as_of, first, last) in [
        ("2026-01-01T00:10:00Z", "2025-12-31T23:59:50Z", "2026-01-01T00:00:04Z"),
        ("2025-12-31T23:59:56Z", "2025-12-31T23:59:50Z", "2026-01-01T00:00:04Z"),
        ("2026-11-20T00:00:00Z", "2025-12-31T23:59:50Z", "2026-01-01T00:00:04Z"),
    ] {
        let got: Scanned = folder.run(&["scan", "auth.log", "-r", "rules", "--as-of", as_of]).into();
        let alert = got.alert();
        assert_eq!((&alert["first_seen"], &alert["last_seen"]), (&json!(first), &json!(last)), "{as_of}");
        assert_eq!(
            (&alert["count"], &got.summary()["notes"]),
            (&json!(11), &json!({"year_derived": 11})),
            "{as_of}"
        );
    }
}

#[test]
fn times_beyond_the_reference_time_are_clamped_and_flagged() {
    let late = failures(1, ADDRESS).replace("2026-11-19T12", "2100-01-01T00");
    let got = scan_one("a", failures(10, ADDRESS) + &late);
    assert_eq!(
        (&got.alert()["last_seen"], &got.summary()["notes"]),
        (&json!(noon(9)), &json!({"time_clamped": 1}))
    );
    let told = "a:11: field `event_time`: later than the reference time; the newest time before it is taken \
                [time_clamped]";
    assert_eq!(got.told(), [told]);
    let near = failures(1, ADDRESS).replace("2026-11-19T12:00:00Z", "2026-11-20T00:01:00Z");
    assert_eq!(scan_one("a", near).summary()["notes"], json!({}), "60 seconds are allowed");
}

/// A record's ingest time is the newest event time so far.
#[test]
fn ingest_time_is_the_newest_event_time_so_far() {
    let seconds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 30, 9];
    let lines: String = seconds.map(|second| failed_at(second, ADDRESS) + "\n").concat();
    let alert = scan_one("a", lines).alert();
    let times = |event: &Value| (event["event_time"].clone(), event["event"]["processed_at"].clone());
    let got: Vec<_> = alert["evidence"].as_array().into_iter().flatten().map(times).collect();
    let expect = |event, ingest| (json!(noon(event)), json!(noon(ingest)));
    assert_eq!(got[8..], [expect(8, 8), expect(9, 30), expect(30, 30)], "in order of event time");
}

#[test]
fn a_repeated_message_has_its_weight_and_one_line() {
    let repeated = format!(
        "Nov 19 12:00:01 web-1 sshd[7]: message repeated 10 times: [ Failed password for ann from {ADDRESS} port 50022 ssh2]\n"
    );
    let folder = with_rules().with("auth.log", ssh_failure("Nov 19 12:00:00") + &repeated);
    let got = scan(&folder, &["auth.log", "-r", "rules"]);
    assert_eq!(got.alert()["count"], 11);
    assert_eq!(got.alert()["message"], format!("11 failed logins from {ADDRESS} within 5 minutes"));
    let matches = scan(&folder, &["auth.log", "-r", "rules", "--matches"]);
    assert_eq!(matches.matches().iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2]);
}

/// One alert per episode: repeats raise `count` and `last_seen`.
#[test]
fn repeats_raise_count_and_last_seen() {
    let got = scan_one("a", failures(40, ADDRESS)).alert();
    assert_eq!((&got["count"], &got["timestamp"]), (&json!(40), &json!(noon(10))));
    assert_eq!((&got["first_seen"], &got["last_seen"]), (&json!(noon(0)), &json!(noon(39))));
    assert_eq!(got["message"], format!("11 failed logins from {ADDRESS} within 5 minutes"));
    let evidence = got["evidence"].as_array().map(Vec::len);
    let whole = got["evidence"].as_array().into_iter().flatten().filter(|event| event["event"].is_object());
    assert_eq!((evidence, whole.count()), (Some(40), 20), "the rest by id");
}

#[test]
fn a_format_by_name_reads_nothing_else() {
    let folder = with_rules().with("a", failures(11, ADDRESS) + &ssh_failure("Nov 19 12:00:20"));
    for (format, events, rejected) in [
        ("auto", 12, json!({})),
        ("json", 11, json!({"malformed_json": 1})),
        ("ndjson", 11, json!({"malformed_json": 1})),
        ("syslog", 1, json!({"unknown_format": 11})),
    ] {
        let summary = scan(&folder, &["a", "-r", "rules", "--format", format]).summary();
        assert_eq!((&summary["events"], &summary["rejected"]), (&json!(events), &rejected), "{format}");
    }
}

#[test]
fn names_as_sent_and_those_of_the_taxonomy_both_work() {
    let by_sent_name = "\
title: By the name as sent
id: 10000000-0000-4000-8000-000000000007
logsource:
  category: authentication
detection:
  selection:
    source_ip: 203.0.113.9
    source.ip|cidr: 203.0.113.0/24
    user: ann
    user.name: ANN
    host.name: web-1
  condition: selection
";
    let folder = Folder::new().with("r.yml", by_sent_name).with("a", failures(1, ADDRESS));
    assert_eq!(scan(&folder, &["a", "-r", "r.yml", "--matches"]).matches().len(), 1);
}
