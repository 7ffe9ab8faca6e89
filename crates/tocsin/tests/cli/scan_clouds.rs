//! `tocsin scan` and the files that clouds and appliances write.

use serde_json::{Value, json};

use crate::scan_support::{AS_OF, Scanned, gzip, noon, scan, with_rules};
use crate::support::Folder;

const ADDRESS: &str = "203.0.113.9";

/// Failed console logins of one address, with so many bytes of padding each.
fn logins(count: u64, padding: usize) -> Vec<Value> {
    let login = |second| {
        json!({
            "eventTime": noon(second),
            "eventSource": "signin.amazonaws.com",
            "eventName": "ConsoleLogin",
            "eventID": format!("login-{second}"),
            "sourceIPAddress": ADDRESS,
            "requestParameters": { "padding": "x".repeat(padding) },
            "responseElements": { "ConsoleLogin": "Failure" },
        })
    };
    (0..count).map(login).collect()
}

/// Eleven failed logins are found, and the alert shows them one by one.
fn check(got: &Scanned) {
    assert_eq!((got.code, &got.told()), (0, &Vec::new()), "{}", got.err);
    let alert = got.alert();
    assert_eq!((&alert["count"], &alert["key"]), (&json!(11), &json!({ "source.ip": ADDRESS })));
    let shown = alert["evidence"].as_array().into_iter().flatten();
    let ids: Vec<&Value> = shown.map(|one| &one["event"]["eventID"]).collect();
    let expect: Vec<Value> = (0..11).map(|second| format!("login-{second}").into()).collect();
    assert_eq!(ids, expect.iter().collect::<Vec<_>>());
}

fn scan_one(content: impl AsRef<[u8]>, more: &[&str]) -> Scanned {
    scan(&with_rules().with("a", content), &[&["a", "-r", "rules"], more].concat())
}

#[test]
fn a_file_of_records_is_opened_however_large_its_line() {
    let one_line = json!({ "Records": logins(11, 1 << 20) }).to_string();
    assert!(one_line.len() > 11 << 20 && !one_line.contains('\n'));
    check(&scan_one(&one_line, &[]));
    check(&scan_one(gzip(&one_line), &["--format", "cloudtrail"]));
    let args = ["scan", "--as-of", AS_OF, "-", "-r", "rules"];
    check(&with_rules().run_with_input(&args, one_line.as_bytes()).into());
}

#[test]
fn records_are_found_on_lines_in_events_and_in_files_one_after_the_other() {
    let records = logins(11, 0);
    let envelope = |records: &[Value]| json!({ "Records": records, "NextToken": "}]" });
    let (first, second) = records.split_at(4);
    let event = |detail: &Value| json!({ "time": noon(30), "detail": detail }).to_string() + "\n";
    for content in [
        records.iter().map(|record| format!("{record}\n")).collect::<String>(),
        records.iter().map(event).collect(),
        format!("{:#}", envelope(&records)),
        format!("{}\n{}\n", envelope(first), envelope(second)),
        format!("{}{:#}", envelope(first), envelope(second)),
        format!("\u{feff}{}\n{}", envelope(first), second.iter().map(Value::to_string).collect::<String>()),
    ] {
        let got = scan_one(&content, &[]);
        assert_eq!(got.summary()["events"], 11, "{}", got.err);
        assert_eq!(got.alert()["count"], 11, "{content}");
    }
}

#[test]
fn a_file_of_records_that_is_cut_off_is_told_after_what_came() {
    let whole = json!({ "Records": logins(12, 0) }).to_string();
    for (len, rejected) in [
        (whole.len() - 1, json!({})),
        (whole.len() - 2, json!({})),
        (whole.len() - 60, json!({"truncated": 1})),
    ] {
        let got = scan_one(&whole[..len], &[]);
        assert!(got.err.contains("is not closed"), "{}", got.err);
        assert_eq!((got.code, &got.summary()["rejected"]), (3, &rejected), "{}", got.err);
    }
}

#[test]
fn a_named_format_refuses_what_is_not_of_it() {
    let line = "level=info msg=x\n";
    for (format, told) in [
        ("cloudtrail", "a:1:1: this is not valid JSON [malformed_json]"),
        ("ocsf", "a:1:1: this is not valid JSON [malformed_json]"),
        ("cef", "a:1:1: not of the format named with --format [unknown_format]"),
    ] {
        let got = scan_one(line, &["--format", format]);
        assert_eq!((got.code, got.told()), (0, vec![told]), "{format}");
    }
    let got = scan_one("{\"a\":1}\n", &["--format", "cloudtrail"]);
    assert_eq!(
        got.told(),
        ["a:1:1: field `eventName`: not of the format named with --format [unknown_format]"]
    );
    let got = Folder::new().run(&["scan", "--format", "cloudtrial", "a"]);
    let names = "auto, ndjson, access_log, cef, cloudtrail, evtx_json, json, logfmt, ocsf, syslog";
    assert!(got.code == 2 && got.err.contains(names), "{}", got.err);
}

#[test]
fn lines_of_every_format_may_be_mixed() {
    let cef = |second| {
        format!(
            "<134>Nov 19 12:00:{second:02} fw-1 CEF:0|v|p|1|7|login failed|5|src={ADDRESS} suser=ann act=login outcome=failure\n"
        )
    };
    let logfmt = |second| {
        format!("ts={} msg=\"no\" client_ip={ADDRESS} user=ann event_type=login_failed\n", noon(second))
    };
    let sshd = |second| {
        format!(
            "<38>Nov 19 12:00:{second:02} web-1 sshd[7]: Failed password for ann from {ADDRESS} port 7 ssh2\n"
        )
    };
    let ocsf = |second: u64| {
        let time = 1_795_089_600_000 + second * 1_000;
        format!(
            "{{\"class_uid\":3002,\"category_uid\":3,\"time\":{time},\"status_id\":2,\"src_endpoint\":{{\"ip\":\"{ADDRESS}\"}}}}\n"
        )
    };
    let mixed: String =
        (0..3).map(|at| cef(at * 4) + &logfmt(at * 4 + 1) + &sshd(at * 4 + 2) + &ocsf(at * 4 + 3)).collect();
    let got = scan_one(mixed, &[]);
    assert_eq!((got.code, &got.summary()["rejected"]), (0, &json!({})), "{}", got.err);
    let alert = got.alert();
    assert_eq!((&alert["count"], &alert["last_seen"]), (&json!(12), &json!("2026-11-19T12:00:11Z")));
}
