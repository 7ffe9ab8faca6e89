//! `tocsin scan`: what comes out, in which shape and order, and the exit status.

use serde_json::{Value, json};

use crate::scan_support::{BRUTE_FORCE, FAILED, Scanned, failed_at, failures, gzip, noon, scan, with_rules};
use crate::support::Folder;

const BRUTE_FORCE_ID: &str = "10000000-0000-4000-8000-000000000002";
const ADDRESS: &str = "203.0.113.9";

#[test]
fn json_puts_alerts_alone_on_stdout_and_the_summary_last_on_stderr() {
    let folder = Folder::new().with("a.ndjson", failures(11, ADDRESS) + "nonsense\n");
    let got = scan(&folder, &["a.ndjson", "--json"]);
    assert_eq!(got.code, 0, "{}", got.err);
    assert!(got.objects().iter().all(|alert| alert["alert_id"].is_string()), "{}", got.out);
    assert_eq!(got.told(), ["a.ndjson:12:1: no known log format (name one with --format) [unknown_format]"]);
    let summary = got.summary();
    let count = |alert: &Value| (alert["rule"]["id"].as_str().map(str::to_string), json!(1));
    let by_rule: Vec<_> = got.objects().iter().map(count).collect();
    assert_eq!(by_rule.len(), 2, "by address and by user: {}", got.out);
    for (rule, count) in by_rule {
        assert_eq!(summary["alerts"][rule.unwrap_or_default()], count);
    }
    assert_eq!(summary["events"], 11);
    assert_eq!(summary["bytes"], (failures(11, ADDRESS) + "nonsense\n").len());
    assert_eq!(summary["rejected"], json!({"unknown_format": 1}));
    assert!(summary["seconds"].is_f64() && summary["load_seconds"].is_f64(), "{summary}");
}

#[test]
fn what_is_piped_is_json_without_being_asked() {
    let folder = with_rules().with("a.ndjson", failures(11, ADDRESS));
    let plain = scan(&folder, &["a.ndjson", "-r", "rules"]);
    assert_eq!(plain.out, scan(&folder, &["a.ndjson", "-r", "rules", "--json"]).out);
    assert_eq!(plain.alert()["count"], 11);
}

/// The whole alert as CONTRACT names it. `TOCSIN_BLESS=1` writes the expected file anew.
#[test]
fn an_alert_has_the_shape_of_the_contract() {
    let folder = with_rules().with("a.ndjson", failures(11, "192.168.1.1"));
    let alert = scan(&folder, &["a.ndjson", "-r", "rules"]).alert();
    let got = serde_json::to_string_pretty(&alert).unwrap_or_default() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/golden/brute_force.json");
    if std::env::var_os("TOCSIN_BLESS").is_some() {
        assert!(std::fs::write(path, &got).is_ok(), "cannot write {path}");
    }
    let expect = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(got, expect, "TOCSIN_BLESS=1 takes the new shape");
    assert_eq!(alert["message"], "11 failed logins from 192.168.1.1 within 5 minutes");
}

#[test]
fn matches_are_one_line_each_in_order() {
    let other = FAILED.replace("failed\n", "others\n").replace("failure", "success").replace("01\n", "03\n");
    let success = failed_at(2, ADDRESS).replace("login_failed", "login_success");
    let lines = format!("\n{}\n{success}\n\nnonsense\n{}", failed_at(0, ADDRESS), failed_at(5, ADDRESS));
    let folder = with_rules().with("rules/other.yml", other).with("a.ndjson", lines);
    let got = scan(&folder, &["a.ndjson", "-r", "rules", "--matches"]);
    assert_eq!(
        got.out,
        "\
{\"line\":2,\"rule\":\"10000000-0000-4000-8000-000000000001\"}
{\"line\":3,\"rule\":\"10000000-0000-4000-8000-000000000003\"}
{\"line\":6,\"rule\":\"10000000-0000-4000-8000-000000000001\"}
"
    );
    assert_eq!((got.code, &got.summary()["rejected"]), (0, &json!({"unknown_format": 1})));
}

#[test]
fn matches_name_the_file_where_there_are_several() {
    let folder = with_rules()
        .with("a.ndjson", failures(1, ADDRESS))
        .with("b.ndjson", "\n".to_string() + &failures(1, "::1"));
    let got = scan(&folder, &["b.ndjson", "a.ndjson", "-r", "rules", "--matches"]);
    assert_eq!(
        got.out,
        "\
{\"line\":1,\"rule\":\"10000000-0000-4000-8000-000000000001\",\"file\":\"a.ndjson\"}
{\"line\":2,\"rule\":\"10000000-0000-4000-8000-000000000001\",\"file\":\"b.ndjson\"}
"
    );
}

#[test]
fn in_an_array_the_line_is_the_element() {
    let (bad, good) = (r#"{"a":}"#, failed_at(0, ADDRESS));
    let folder = with_rules().with("a.json", format!("[\n{good},\n\n{bad},\n{{}},\n{good}\n]\n"));
    let got = scan(&folder, &["a.json", "-r", "rules", "--matches"]);
    let lines: Vec<u64> = got.matches().iter().map(|(line, _)| *line).collect();
    assert_eq!(
        (lines, got.told()),
        (vec![1, 4], vec!["a.json:2:6: field `a`: this is not valid JSON [malformed_json]"])
    );
}

#[test]
fn csv_has_a_header_and_a_row_per_alert() {
    let folder = with_rules().with("a.ndjson", failures(12, ADDRESS));
    let got = scan(&folder, &["a.ndjson", "-r", "rules", "--csv"]);
    let id = scan(&folder, &["a.ndjson", "-r", "rules"]).alert()["alert_id"].as_str().map(str::to_string);
    assert_eq!(
        got.out,
        format!(
            "timestamp,severity,type,title,message,count,first_seen,last_seen,source.ip,user.name,host.name,\
             confidence,rule_id,alert_id\n\
             {},critical,brute_force,Many failed logins,11 failed logins from {ADDRESS} within 5 minutes,12,\
             {},{},{ADDRESS},ann,web-1,0.9,{BRUTE_FORCE_ID},{}\n",
            noon(10),
            noon(0),
            noon(11),
            id.unwrap_or_default()
        )
    );
}

#[test]
fn a_table_says_when_what_and_how_often() {
    let folder =
        with_rules().with("a.ndjson", failures(12, ADDRESS)).with("quiet.ndjson", failures(2, ADDRESS));
    let got = scan(&folder, &["a.ndjson", "-r", "rules", "--table"]);
    let row = got.out.lines().find(|line| line.contains("critical")).unwrap_or_default();
    let cells: Vec<&str> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    let message = format!("11 failed logins from {ADDRESS} within 5 minutes");
    assert_eq!(
        cells,
        ["2026-11-19 12:00:10", "critical", &message, "12", "credential access"],
        "{}",
        got.out
    );
    assert!(got.err.starts_with("12 events in "), "{}", got.err);
    assert_eq!(scan(&folder, &["quiet.ndjson", "-r", "rules", "--table"]).out, "No alerts.\n");
}

#[test]
fn fail_on_asks_for_findings_at_or_above_a_level() {
    let high = BRUTE_FORCE.replace("critical", "high");
    let folder = Folder::new().with("rules/a.yml", FAILED).with("rules/b.yml", high);
    let folder = folder.with("a.ndjson", failures(11, ADDRESS)).with("quiet.ndjson", failures(1, ADDRESS));
    for (file, level, code) in [
        ("a.ndjson", "low", 1),
        ("a.ndjson", "high", 1),
        ("a.ndjson", "critical", 0),
        ("quiet.ndjson", "informational", 0),
    ] {
        let got = scan(&folder, &[file, "-r", "rules", "--fail-on", level]);
        assert_eq!(got.code, code, "{file} {level}: {}", got.err);
    }
}

#[test]
fn wrong_usage_is_2_and_says_what_is_wrong() {
    let folder = with_rules().with("a.ndjson", failures(1, ADDRESS)).with("bad.yml", "title: x\n");
    for (args, says) in [
        (
            &["a.ndjson", "--as-of", "yesterday"][..],
            "--as-of: `yesterday` is not a time such as 2026-01-31T00:00:00Z",
        ),
        (
            &["a.ndjson", "--format", "jsn"],
            "--format: there is no format `jsn`; there are auto, ndjson, access_log,",
        ),
        (&["a.ndjson", "--threads", "0"], "--threads: at least one is needed"),
        (&["a.ndjson", "-r", "missing"], "missing: No such file or directory"),
        (&["a.ndjson", "-r", "bad.yml"], "no rule is left to run"),
        (&["a.ndjson", "--fail-on", "bad"], "invalid value 'bad'"),
        (&["--json"], "required arguments were not provided"),
    ] {
        let got: Scanned = folder.run(&[&["scan"], args].concat()).into();
        assert_eq!((got.code, got.out.as_str()), (2, ""), "{args:?}: {}", got.err);
        assert!(got.err.contains(says), "{args:?}: {}", got.err);
    }
}

#[test]
fn a_missing_file_is_3_after_the_rest() {
    let folder = with_rules().with("a.ndjson", failures(11, ADDRESS));
    let got = scan(&folder, &["missing.log", "a.ndjson", "-r", "rules", "--fail-on", "low"]);
    assert_eq!((got.code, &got.alert()["count"]), (3, &json!(11)));
    assert_eq!(got.told(), ["tocsin: missing.log: No such file or directory (os error 2)"]);
    assert_eq!(scan(&folder, &["missing.log", "-r", "rules"]).code, 3);
}

#[test]
fn unreadable_records_and_a_broken_rule_change_no_exit_code() {
    let broken = FAILED.replace("condition: selection", "condition: selction");
    let folder = with_rules().with("rules/broken.yml", broken);
    let folder = folder.with("a.ndjson", "nonsense\n{\n".to_string() + &failures(11, ADDRESS));
    let got = scan(&folder, &["a.ndjson", "-r", "rules"]);
    assert_eq!((got.code, &got.alert()["count"]), (0, &json!(11)), "{}", got.err);
    assert_eq!(scan(&folder, &["a.ndjson", "-r", "rules", "--fail-on", "high"]).code, 1);
}

#[test]
fn rules_come_from_every_path_given() {
    let folder = with_rules().with("a.ndjson", failures(11, ADDRESS));
    let both = scan(&folder, &["a.ndjson", "-r", "rules/failed.yml", "-r", "rules/brute_force.yml"]);
    assert_eq!(both.out, scan(&folder, &["a.ndjson", "-r", "rules"]).out);
    assert_eq!(both.alert()["rule"]["id"], BRUTE_FORCE_ID);
}

#[test]
fn alerts_come_by_time_then_id() {
    let line = |n: u64| failed_at(n / 40 * 30, &format!("203.0.113.{}", n % 40)) + "\n";
    let lines: String = (0..1_200).map(line).collect();
    let folder = with_rules().with("a.ndjson", lines);
    let alerts = scan(&folder, &["a.ndjson", "-r", "rules"]).objects();
    let text = |alert: &Value, name: &str| alert[name].as_str().unwrap_or_default().to_string();
    let order: Vec<_> =
        alerts.iter().map(|alert| (text(alert, "timestamp"), text(alert, "alert_id"))).collect();
    assert_eq!(order.len(), 40);
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn the_literal_words_of_bruteforce_and_abnormal_traffic() {
    let entry = |second: u64, status: u16| {
        let time = noon(second / 10);
        format!(
            "{{\"timestamp\":\"{time}\",\"client_ip\":\"{ADDRESS}\",\"endpoint\":\"/api\",\"method\":\"GET\",\
             \"status_code\":{status}}}\n"
        )
    };
    let refused: String = (0..5).map(|n| entry(n, 401)).collect();
    let got = scan(&Folder::new().with("a.ndjson", refused), &["a.ndjson"]).alert();
    assert_eq!((&got["type"], &got["confidence"]), (&json!("bruteforce"), &json!(0.9)));
    assert_eq!(got["message"], format!("Brute force attack detected from IP: {ADDRESS}"));
    assert_eq!(got["detections"][0]["details"]["summary"], "5 consecutive 401 errors within 1 minute");
    let many: String = (0..101).map(|n| entry(n, 200)).collect();
    let got = scan(&Folder::new().with("a.ndjson", many), &["a.ndjson"]).alert();
    assert_eq!((&got["type"], &got["confidence"]), (&json!("abnormal_traffic"), &json!(0.9)));
    assert_eq!(got["message"], format!("High traffic detected from IP: {ADDRESS}"));
    assert_eq!(got["detections"][0]["details"]["summary"], "101 requests within 1 minute");
}

/// Enough lines for many batches, so that workers overtake each other.
#[test]
fn threads_change_nothing() {
    let line = |n: u64| failed_at(n / 4, &format!("198.51.100.{}", n * 13 % 50)) + "\n";
    let lines: String = (0..12_000).map(line).collect();
    let folder = with_rules().with("a.ndjson", &lines).with("b.ndjson.gz", gzip(&lines));
    for (mode, count) in [("--json", 50), ("--matches", 24_000), ("--csv", 51)] {
        let run = |threads| {
            scan(&folder, &["a.ndjson", "b.ndjson.gz", "-r", "rules", mode, "--threads", threads]).out
        };
        let one = run("1");
        assert_eq!(one.lines().count(), count, "{mode}");
        for threads in ["2", "4"] {
            assert!(run(threads) == one, "{mode} with {threads} threads differs");
        }
    }
}

#[test]
fn the_help_names_every_flag_and_status() {
    let help = Folder::new().run(&["scan", "--help"]).out;
    for word in
        ["--as-of", "--format", "--json", "--csv", "--matches", "--fail-on", "--threads", "Exit status: 0"]
    {
        assert!(help.contains(word), "{word}: {help}");
    }
}
