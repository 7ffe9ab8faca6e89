//! `tocsin scan` and input nobody wants: each is told with file, line, field and reason, the rest
//! goes on, and nothing crashes or fills the memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::scan_support::{AS_OF, BRUTE_FORCE, FAILED, Scanned, failed_at, failures, gzip, scan, with_rules};
use crate::support::Folder;

const ADDRESS: &str = "203.0.113.9";

/// What a scan may hold at most, in kibibytes.
const MEMORY_KIB_MAX: u64 = 100 << 10;

/// Scans one bad record among eleven good ones; all eleven must count.
fn scan_among_good(bad: impl AsRef<[u8]>) -> Scanned {
    let lines = failures(11, ADDRESS);
    let (before, after) = lines.split_at(lines.len() / 11 * 5);
    let content = [before.as_bytes(), bad.as_ref(), b"\n", after.as_bytes()].concat();
    let got = scan(&with_rules().with("a.log", content), &["a.log", "-r", "rules"]);
    assert_eq!((got.code, &got.alert()["count"]), (0, &json!(11)), "{}", got.err);
    assert!(!got.err.contains("panicked"), "{}", got.err);
    got
}

/// A bad record is told in one line and counted under its reason.
fn check_rejected(bad: impl AsRef<[u8]>, told: &str) {
    let got = scan_among_good(bad);
    let expect = format!("a.log:6:{told}");
    assert_eq!(got.told(), [expect.as_str()]);
    let reason = told.rsplit_once('[').map(|(_, reason)| reason.trim_end_matches(']')).unwrap_or_default();
    assert_eq!(got.summary()["rejected"], json!({reason: 1}), "{told}");
}

/// A record with odd values is an event all the same; what it could not give is told.
fn check_odd(odd: &str, told: &[&str]) {
    let got = scan_among_good(odd);
    let expect: Vec<String> = told.iter().map(|told| format!("a.log:6: {told}")).collect();
    assert_eq!(got.told(), expect);
    assert_eq!((&got.summary()["events"], &got.summary()["rejected"]), (&json!(12), &json!({})), "{odd}");
}

#[test]
fn malformed_json_is_told_with_its_field_and_column() {
    check_rejected(r#"{"user":"ann","port":}"#, "22: field `port`: this is not valid JSON [malformed_json]");
    check_rejected(r#"{"user":"ann" "port":1}"#, "15: field `user`: this is not valid JSON [malformed_json]");
    check_rejected(r#"{"user":tru}"#, "9: field `user`: this is not valid JSON [malformed_json]");
    check_rejected(r#"{"user":"\x"}"#, "10: field `user`: this is not valid JSON [malformed_json]");
    check_rejected(r#"{"n":01}"#, "8: field `n`: this is not valid JSON [malformed_json]");
    check_rejected(r#"{"user":"ann"} x"#, "16: this is not valid JSON [malformed_json]");
    check_rejected(r#"{"user":"an"#, "12: field `user`: the input ends inside this record [truncated]");
    check_rejected("nonsense", "1: no known log format (name one with --format) [unknown_format]");
}

#[test]
fn a_broken_first_line_does_not_hide_the_lines_after_it() {
    for broken in [r#"{"user":"an"#, r#"{"user":{"#, r#"{"user":"#, "[", "[[", "{", r#"{"a":1"#] {
        let folder = with_rules().with("a.log", format!("{broken}\n{}", failures(11, ADDRESS)));
        let got = scan(&folder, &["a.log", "-r", "rules"]);
        assert_eq!(got.alert()["count"], 11, "{broken}: {}", got.err);
    }
}

#[test]
fn what_is_no_object_is_told() {
    let lines = "[1,2]\n\"x\"\n7\nnull\n".to_string() + &failures(11, ADDRESS);
    let got = scan(
        &with_rules().with("a", &lines).with("b", lines.replacen("[1,2]", "3", 1)),
        &["b", "-r", "rules", "--format", "json"],
    );
    assert_eq!(
        (&got.alert()["count"], &got.summary()["rejected"]),
        (&json!(11), &json!({"not_an_object": 4}))
    );
    assert_eq!(got.told()[0], "b:1:1: an event must be a JSON object [not_an_object]");
}

#[test]
fn control_characters_and_other_encodings_are_told() {
    check_rejected(
        "{\"user\":\"a\0b\"}",
        "11: field `user`: contains a control character [control_character]",
    );
    check_rejected(b"{\"user\":\"\xff\"}", "10: the record is not UTF-8 [invalid_utf8]");
    check_rejected(b"Nov 19 12:00:00 web-1 sshd[7]: \xc3\x28", "32: the record is not UTF-8 [invalid_utf8]");
    check_rejected("\0\0\0", "1: no known log format (name one with --format) [unknown_format]");
}

#[test]
fn keys_twice_or_too_many_are_told() {
    check_rejected(
        r#"{"user":"a","user":"b"}"#,
        "13: field `user`: the same key occurs twice in one object [duplicate_key]",
    );
    check_rejected(
        r#"{"user":"a","\u0075ser":"b"}"#,
        "13: field `\\u0075ser`: the same key occurs twice in one object [duplicate_key]",
    );
    let keys: Vec<String> = (0..100_000).map(|n| format!("\"k{n}\":1")).collect();
    let many = format!("{{{}}}", keys.join(","));
    check_rejected(many, "9132: field `k1024`: more than 1,024 keys in one object [too_many_keys]");
}

#[test]
fn depth_has_a_bound() {
    let told = "nested deeper than 64 levels [too_deep]";
    check_rejected("{\"a\":".repeat(1_000) + "1" + &"}".repeat(1_000), &format!("321: {told}"));
    check_rejected(
        "{\"a\":".to_string() + &"[".repeat(100_000) + &"]".repeat(100_000) + "}",
        &format!("69: {told}"),
    );
    let shallow = "{\"a\":".repeat(60) + "1" + &"}".repeat(60);
    assert_eq!(scan_among_good(shallow).summary()["rejected"], json!({}));
}

#[test]
fn values_of_the_wrong_type_are_told_and_left_out() {
    let time = "field `event_time`: not a time; the newest time before it is taken [unreadable_time]";
    let address = "field `source.ip`: not an address; the field stays empty [not_an_address]";
    check_odd(
        r#"{"timestamp":[],"event_type":{"a":1},"source_ip":7,"user":false,"status":null}"#,
        &[time, address],
    );
    check_odd(
        r#"{"timestamp":"yesterday","event_type":"login_failed","source_ip":"999.1.1.1"}"#,
        &[time, address],
    );
    check_odd(r#"{"timestamp":"9999-01-01T00:00:00Z","event_type":"login_failed"}"#, &[time]);
    check_odd(r#"{"timestamp":true,"source_ip":"203.0.113.9; drop"}"#, &[time, address]);
    for odd in [r#"{"a":1}"#, "{}", "[]", "[[{}]]", "[false]", "false"] {
        check_odd(&format!(r#"{{"timestamp":{odd},"user":"ann"}}"#), &[time]);
        let another = format!(r#"{{"timestamp":{odd},"user":"ann","time":"2026-11-19T12:00:00Z"}}"#);
        check_odd(&another, &[]);
    }
    let clamped = "field `event_time`: later than the reference time; the newest time before it is taken [time_clamped]";
    check_odd(r#"{"timestamp":"2200-01-01T00:00:00Z","event_type":"login_failed"}"#, &[clamped]);
}

#[test]
fn huge_numbers_and_lone_surrogates_are_values() {
    let time = "field `event_time`: not a time; the newest time before it is taken [unreadable_time]";
    check_odd(r#"{"timestamp":1e999,"event_type":"x","status":1e999,"bytes":-0}"#, &[time]);
    let digits = "9".repeat(400);
    check_odd(&format!(r#"{{"timestamp":"2026-11-19T12:00:00Z","status":{digits},"bytes":-{digits}}}"#), &[]);
    check_odd(r#"{"timestamp":"2026-11-19T12:00:00Z","user":"\ud800","host":"\udc00\ud800x"}"#, &[]);
}

#[test]
fn a_lone_surrogate_reaches_the_alert_as_a_mark() {
    let lines = failures(11, ADDRESS).replace("\"ann\"", r#""\ud800ann""#);
    let alert = scan(&with_rules().with("a", lines), &["a", "-r", "rules"]).alert();
    assert_eq!(alert["count"], 11);
}

#[test]
fn long_strings_are_values_and_longer_records_are_refused() {
    let long = failed_at(0, ADDRESS).replace("ann", &"u".repeat(1 << 20));
    let folder = with_rules().with("a", long + "\n" + &failures(10, ADDRESS));
    assert_eq!(scan(&folder, &["a", "-r", "rules"]).alert()["count"], 11);
    let record = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes));
    check_rejected(record(9 << 20), "8388609: longer than 8 MiB [record_too_large]");
    for bytes in [(8 << 20) + 400_000, 17 << 20] {
        let good = failures(11, ADDRESS).trim_end().replace('\n', ",");
        let folder = with_rules().with("a", format!("[{},{good}]", record(bytes)));
        let got = scan(&folder, &["a", "-r", "rules"]);
        assert_eq!(got.told(), ["a:1:8388609: longer than 8 MiB [record_too_large]"], "in an array");
        assert_eq!(got.alert()["count"], 11, "in an array");
    }
}

#[test]
fn half_a_file_bad_is_told_twenty_times_and_counted() {
    let lines: String = (0..200).map(|n| failed_at(n, ADDRESS) + "\n" + "nonsense\n").collect();
    let got = scan(&with_rules().with("a", lines), &["a", "-r", "rules"]);
    assert_eq!(
        (&got.alert()["count"], &got.summary()["rejected"]),
        (&json!(200), &json!({"unknown_format": 200}))
    );
    assert_eq!((got.told().len(), got.told()[20]), (21, "… and 180 more unreadable records"));
    assert_eq!(got.told()[19], "a:40:1: no known log format (name one with --format) [unknown_format]");
}

#[test]
fn nothing_at_all_is_fine() {
    for content in ["", "\n", "\n  \n\r\n\t\n", "\u{feff}\n", "\u{feff}", "[]", "[\n]\n"] {
        let got = scan(&with_rules().with("a", content), &["a", "-r", "rules"]);
        assert_eq!((got.code, got.out.as_str(), got.told().len()), (0, "", 0), "{content:?}: {}", got.err);
        assert_eq!(got.summary()["events"], 0, "{content:?}");
    }
}

#[test]
fn folders_and_unreadable_files_are_3_after_the_rest() {
    let folder = with_rules().with("a", failures(11, ADDRESS)).with("sub/x", "");
    for (name, told) in [
        ("sub", "tocsin: sub: this is a folder; name the files in it"),
        ("a/x", "tocsin: a/x: Not a directory (os error 20)"),
        ("/proc/self/mem", "tocsin: /proc/self/mem: Input/output error (os error 5)"),
    ] {
        let got = scan(&folder, &[name, "a", "-r", "rules"]);
        assert_eq!((got.code, got.told(), &got.alert()["count"]), (3, vec![told], &json!(11)));
    }
}

#[test]
fn a_gzip_file_cut_in_half_is_told_and_what_came_is_used() {
    let whole = gzip(failures(2_000, ADDRESS));
    let folder = with_rules().with("a.gz", &whole[..whole.len() / 2]).with("b.gz", b"\x1f\x8bnonsense");
    let got = scan(&folder, &["a.gz", "-r", "rules"]);
    let told = "tocsin: a.gz: the gzip stream is damaged or cut off: ";
    assert!(got.code == 3 && got.told().len() == 1 && got.told()[0].starts_with(told), "{}", got.err);
    let count = got.alert()["count"].as_u64().unwrap();
    assert_eq!(
        (&got.summary()["events"], &got.summary()["rejected"]),
        (&json!(count), &json!({})),
        "no half record"
    );
    assert!((100..2_000).contains(&count), "{count}");
    let got = scan(&folder, &["b.gz", "-r", "rules"]);
    assert!(got.code == 3 && got.err.starts_with("tocsin: b.gz: the gzip stream"), "{}", got.err);
}

fn start(folder: &Folder, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_tocsin"))
        .args(["scan", "--as-of", AS_OF, "-r", "rules"])
        .args(args)
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn finish(child: Child) -> Scanned {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Scanned { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// Two named pipes hold the scan between opening the file and reading it.
#[test]
fn a_file_that_shrinks_while_it_is_read_is_told() {
    let folder = with_rules().with("a.log", failures(50, ADDRESS));
    for pipe in ["b.pipe", "c.pipe"] {
        assert!(Command::new("mkfifo").arg(folder.path().join(pipe)).status().unwrap().success());
    }
    let open = |name: &str| OpenOptions::new().write(true).open(folder.path().join(name)).unwrap();
    let child = start(&folder, &["a.log", "b.pipe", "c.pipe"]);
    let first = open("b.pipe");
    let log = OpenOptions::new().write(true).open(folder.path().join("a.log")).unwrap();
    let size = log.metadata().unwrap().len();
    log.set_len(size / 2 + 10).unwrap();
    drop((first, open("c.pipe")));
    let got = finish(child);
    let told = format!(
        "tocsin: a.log: the file shrank while it was read: it had {size} bytes, only {} came",
        size / 2 + 10
    );
    assert_eq!(
        (got.code, got.told(), &got.alert()["count"]),
        (3, vec![told.as_str()], &json!(25)),
        "{}",
        got.err
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let many = "title: Any\nlogsource:\n  category: authentication\ndetection:\n  s:\n    user.name: ann\n  condition: s\n";
    let folder = Folder::new().with("rules/a.yml", many).with("a", failures(20_000, ADDRESS));
    for mode in ["--json", "--matches", "--csv", "--table"] {
        let mut child = start(&folder, &["a", mode]);
        drop(child.stdout.take());
        let got = finish(child);
        assert_eq!(got.code, 0, "{mode}: {}", got.err);
        assert!(got.told().is_empty() && !got.err.contains("panicked"), "{mode}: {}", got.err);
    }
    let mut child = start(&folder, &["a", "--matches"]);
    drop(child.stderr.take());
    let got = finish(child);
    assert_eq!((got.code, got.out.lines().count()), (0, 20_000), "nobody listens to the messages");
}

#[test]
fn a_broken_rule_is_told_once_and_the_others_run() {
    let folder = with_rules()
        .with(
            "rules/broken.yml",
            FAILED.replace("condition: selection", "condition: selction").replace("01\n", "09\n"),
        )
        .with("a", failures(11, ADDRESS));
    let got = scan(&folder, &["a", "-r", "rules"]);
    assert_eq!((got.code, &got.alert()["count"]), (0, &json!(11)), "{}", got.err);
    let told = got.told();
    assert!(told[0].starts_with("rules/broken.yml:9:14: error: "), "{}", got.err);
    assert!(told.iter().any(|line| line.contains("hint: ") && line.contains("`selection`")), "{}", got.err);
    assert_eq!(told.iter().filter(|line| line.contains(": error: ")).count(), 1, "{}", got.err);
}

#[test]
fn rule_files_that_are_bombs_or_nonsense_are_told_and_the_others_run() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_string();
    for n in 1..12 {
        let before = format!("*a{}, ", n - 1).repeat(10);
        bomb += &format!("a{n}: &a{n} [{}]\n", before.trim_end_matches(", "));
    }
    for content in [
        (bomb + FAILED).into_bytes(),
        b"\xff\xfe\0".to_vec(),
        "[".repeat(100_000).into_bytes(),
        format!("{FAILED}description: {}\n", "x".repeat(2 << 20)).into_bytes(),
        b"title: x\n\tdetection: 1\n".to_vec(),
        b"&a [*a]".to_vec(),
    ] {
        let folder = with_rules().with("rules/bad.yml", content).with("a", failures(11, ADDRESS));
        let got = scan(&folder, &["a", "-r", "rules"]);
        assert_eq!((got.code, &got.alert()["count"]), (0, &json!(11)), "{}", got.err);
        let told = got.told();
        assert!(told[0].starts_with("rules/bad.yml:") && told[0].contains(": error: "), "{}", got.err);
    }
}

#[test]
fn escapes_of_a_terminal_are_shown_and_not_obeyed() {
    let lines = failures(11, ADDRESS).replace("ann", "\\u001b[31mann\\u001b[0m\\u202e\\u0007\\nx");
    let by_user =
        BRUTE_FORCE.replace("[source.ip]", "[user.name]").replace("from {source.ip}", "of {user.name}");
    let folder = Folder::new().with("rules/a.yml", FAILED).with("rules/b.yml", by_user).with("a", &lines);
    let shown = "11 failed logins of \\u{1b}[31mann\\u{1b}[0m\\u{202e}\\u{7}\\nx within 5 minutes";
    for mode in ["--table", "--csv"] {
        let got = scan(&folder, &["a", "-r", "rules", mode]);
        assert!(got.out.contains(shown), "{mode}: {}", got.out);
        assert!(!got.out.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{mode}: {}", got.out);
    }
    let folder = folder.with("b\u{1b}[31m.log", "{\"a\u{1b}]0;x\":}\n");
    let got = scan(&folder, &["b\u{1b}[31m.log", "missing\u{1b}[2J", "-r", "rules"]);
    assert!(got.err.contains("b\\u{1b}[31m.log:1:") && !got.err.contains('\u{1b}'), "{}", got.err);
}

/// The most memory the process has held so far, in kibibytes.
fn peak_kib(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Feeds a scan piece by piece. The pipe holds 64 KiB, so that nearly all is taken in when the
/// memory is looked at.
fn check_memory(pieces: impl Iterator<Item = Vec<u8>>) -> Scanned {
    let folder = with_rules();
    let mut child = start(&folder, &["-", "--threads", "2"]);
    let mut stdin = child.stdin.take().unwrap();
    for piece in pieces {
        stdin.write_all(&piece).unwrap();
    }
    let peak = peak_kib(&child);
    drop(stdin);
    assert!(peak <= MEMORY_KIB_MAX, "{peak} KiB");
    finish(child)
}

#[test]
fn a_line_without_an_end_does_not_fill_the_memory() {
    let piece = vec![b'x'; 1 << 20];
    let end = format!("\n{}", failures(11, ADDRESS)).into_bytes();
    let got = check_memory((0..200).map(|_| piece.clone()).chain([end]));
    assert_eq!(got.told(), ["-:1:8388609: longer than 8 MiB [record_too_large]"]);
    assert_eq!(
        (&got.alert()["count"], &got.summary()["bytes"]),
        (&json!(11), &json!((200 << 20) + 1 + failures(11, ADDRESS).len()))
    );
}

#[test]
fn many_lines_that_cannot_be_read_twice_do_not_fill_the_memory() {
    let line = |n: u64| {
        let (time, address) = (1_763_000_000 + n, n % 250);
        format!(
            "{{\"time\":{time},\"type\":\"login_failed\",\"source_ip\":\"198.51.100.{address}\",\"user\":\"ann\"}}\n"
        )
    };
    let got = check_memory(
        (0..400).map(|n| (0..1_000).map(|m| line(n * 1_000 + m)).collect::<String>().into_bytes()),
    );
    assert_eq!((&got.summary()["events"], &got.summary()["late"]), (&json!(400_000), &json!(0)));
}

#[test]
fn a_flood_of_keys_fits_its_bytes_and_hides_no_attack_of_its_time() {
    let flood = |n: u32| {
        let address = format!("2001:db8::{:x}:{:x}", n >> 16, n & 0xffff);
        failed_at(u64::from(n) / 5_000, &address) + "\n"
    };
    let pieces = (0..15).map(|piece| (piece * 10_000..(piece + 1) * 10_000).map(flood).collect::<String>());
    let attack = failures(11, ADDRESS).into_bytes();
    let got = check_memory(pieces.map(String::into_bytes).chain([attack]));
    assert_eq!((&got.summary()["state_evicted"], &got.summary()["state_sketched"]), (&json!(0), &json!(0)));
    let alert = got.alert();
    assert_eq!((&alert["key"]["source.ip"], &alert["count"]), (&json!(ADDRESS), &json!(11)));
}
