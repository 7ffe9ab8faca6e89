//! Real recordings through `tocsin scan`, against what other tools found in them.
//!
//! The recordings are not part of this repository. Where they are absent, each test says so and
//! passes.

#![expect(clippy::print_stdout, reason = "a skipped test says why")]
#![expect(clippy::unwrap_used, reason = "a recording in an unexpected shape fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;

use serde_json::Value;

use crate::scan_support::Scanned;
use crate::support::Folder;

const AUTH: &str = "auth/elastic_examples_auth";
const WEB: &str = "web/apache_access_combined";

/// After the recordings of 2017, whose lines have no year.
const AFTER_AUTH: &str = "2018-01-01T00:00:00Z";

/// After every other recording.
pub const AFTER_ALL: &str = "2030-01-01T00:00:00Z";

/// The path of a recording; `None`, and one line saying so, when it is not there.
pub fn recording(name: &str) -> Option<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    match path.canonicalize() {
        Ok(path) => path.to_str().map(str::to_string),
        Err(_) => {
            println!("skipped: the recording {name} is not here");
            None
        }
    }
}

/// The text of a recording.
pub fn text_of(path: &str) -> String {
    let bytes = std::fs::read(path).unwrap();
    if !path.ends_with(".gz") {
        return String::from_utf8(bytes).unwrap();
    }
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
    text
}

/// The lines of a recording as JSON.
pub fn objects_of(path: &str) -> Vec<Value> {
    text_of(path).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn facts(name: &str) -> Option<Value> {
    recording(&format!("{name}.facts.json")).map(|path| serde_json::from_str(&text_of(&path)).unwrap())
}

/// A scan with these rules.
pub fn scan(files: &[&str], rules: &str, as_of: &str, mode: &str) -> Scanned {
    let folder = Folder::new().with("rules.yml", rules);
    let args = [&["scan"], files, &["-r", "rules.yml", "--as-of", as_of, mode]].concat();
    let got: Scanned = folder.run(&args).into();
    assert_eq!(got.code, 0, "{}", got.err);
    got
}

/// A base rule: its id is its name.
pub fn base(name: &str, logsource: &str, detection: &str) -> String {
    format!(
        "---\ntitle: {name}\nname: '{name}'\nid: '{}'\nlogsource: {{{logsource}}}\ndetection:\n{detection}level: informational\n",
        id(name)
    )
}

/// At least so many matches of a base rule from one address within a time.
fn at_least(name: &str, of: &str, count: u64, timespan: &str) -> String {
    format!(
        "---\ntitle: {name}\nid: '{}'\ncorrelation:\n  type: event_count\n  rules: ['{of}']\n  \
         group-by: [source.ip]\n  timespan: {timespan}\n  condition:\n    gte: {count}\nlevel: high\n",
        id(name)
    )
}

/// A rule id that tells the name.
pub fn id(name: &str) -> String {
    let hash = name.bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(1_099_511_628_211) ^ u64::from(byte));
    format!("10000000-0000-4000-8000-{:012x}", hash & 0xffff_ffff_ffff)
}

/// The addresses that raised an alert of a rule.
pub fn addresses(got: &Scanned, name: &str) -> BTreeSet<String> {
    let alerts = got.objects();
    let of_rule = alerts.iter().filter(|alert| alert["rule"]["id"] == id(name));
    of_rule.map(|alert| alert["key"]["source.ip"].as_str().unwrap().to_string()).collect()
}

/// The lines a rule matched, counted from 1.
fn lines_of(got: &Scanned, name: &str) -> Vec<usize> {
    let matches = got.matches();
    matches.iter().filter(|(_, rule)| *rule == id(name)).map(|(line, _)| *line as usize).collect()
}

const PASSWORD: &str = "  s:\n    event.action: ssh_login\n    event.outcome: failure\n    message|startswith: Failed password\n  condition: s\n";

/// The truth gives the largest weight of failed passwords in any window by address. A rule for
/// every such number, and for one more, must find exactly the addresses that reach it.
#[test]
fn sshd_windows_agree_with_the_facts_to_the_number() {
    let (Some(log), Some(facts)) = (recording(&format!("{AUTH}.log.gz")), facts(AUTH)) else { return };
    let mut rules = base("password", "product: linux, service: sshd", PASSWORD);
    let mut expect: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, truth) in facts["sliding_window_truth"].as_object().unwrap() {
        let (least, seconds) =
            name.trim_start_matches(">=").trim_end_matches('s').split_once("_failed_in_").unwrap();
        let most: Vec<(&String, u64)> = truth
            .as_object()
            .unwrap()
            .iter()
            .map(|(address, most)| (address, most.as_u64().unwrap()))
            .collect();
        let numbers = most.iter().flat_map(|(_, most)| [*most, most + 1]).chain([least.parse().unwrap()]);
        for number in numbers.collect::<BTreeSet<u64>>() {
            let rule = format!("{number} in {seconds}");
            let reach = most.iter().filter(|(_, most)| *most >= number);
            let reach: BTreeSet<String> = reach.map(|(address, _)| (*address).clone()).collect();
            if expect.insert(rule.clone(), reach).is_none() {
                rules += &at_least(&rule, "password", number, &format!("{seconds}s"));
            }
        }
    }
    let got = scan(&[&log], &rules, AFTER_AUTH, "--json");
    let reaching = |rule: &str| expect[rule].len();
    assert_eq!((expect.len(), reaching("5 in 60"), reaching("10 in 300")), (49, 101, 10));
    for (rule, reach) in expect {
        assert_eq!(addresses(&got, &rule), reach, "{rule}");
    }
}

#[test]
fn sshd_fields_and_counts_agree_with_the_facts() {
    let (Some(log), Some(facts)) = (recording(&format!("{AUTH}.log.gz")), facts(AUTH)) else { return };
    let sshd = "product: linux, service: sshd";
    // The facts count neither the lines that stand for several nor failures by key.
    let single =
        PASSWORD.replace("condition: s", "folded: [message repeated]\n  condition: s and not folded");
    let mut rules = base("password", sshd, PASSWORD) + &base("single", sshd, &single);
    let accepted = "  s:\n    event.action: ssh_login\n    event.outcome: success\n  condition: s\n";
    rules += &base("accepted", sshd, accepted);
    let invalid = "  s:\n    event.action: ssh_invalid_user\n  t:\n    message|startswith: 'input_userauth_request: invalid user'\n  condition: s or t\n";
    rules += &base("invalid", sshd, invalid);
    let top = facts["failed_by_ip_top"].as_array().unwrap();
    for pair in top {
        let address = pair[0].as_str().unwrap();
        rules +=
            &base(address, sshd, &single.replace("  s:\n", &format!("  s:\n    source.ip: {address}\n")));
    }
    for (index, line) in facts["accepted_lines"].as_array().unwrap().iter().enumerate() {
        let words: Vec<&str> = line.as_str().unwrap().split(' ').collect();
        let (user, address, port) = (words[8], words[10], words[12]);
        let fields =
            format!("  s:\n    user.name: {user}\n    source.ip: {address}\n    source.port: {port}\n");
        rules += &base(&format!("accepted {index}"), sshd, &accepted.replace("  s:\n", &fields));
    }
    let got = scan(&[&log], &rules, AFTER_AUTH, "--matches");
    assert_eq!(
        (&got.summary()["events"], &got.summary()["rejected"]),
        (&facts["lines"], &serde_json::json!({}))
    );
    assert_eq!(lines_of(&got, "single").len() as u64, facts["failed_password"]);
    assert_eq!(lines_of(&got, "password").len(), 628 + 85, "85 lines stand for several");
    assert_eq!(lines_of(&got, "accepted").len() as u64, facts["accepted"]);
    assert_eq!(lines_of(&got, "invalid").len() as u64, facts["invalid_user"]);
    for pair in top {
        assert_eq!(lines_of(&got, pair[0].as_str().unwrap()).len() as u64, pair[1], "{pair}");
    }
    let log = text_of(&log);
    let log: Vec<&str> = log.lines().collect();
    for (index, line) in facts["accepted_lines"].as_array().unwrap().iter().enumerate() {
        let found: Vec<&str> =
            lines_of(&got, &format!("accepted {index}")).iter().map(|line| log[line - 1]).collect();
        assert!(found.contains(&line.as_str().unwrap()), "{line}: {found:?}");
    }
}

#[test]
fn access_log_fields_and_counts_agree_with_the_facts() {
    let (Some(log), Some(facts)) = (recording(&format!("{WEB}.log.gz")), facts(WEB)) else { return };
    let web = "category: webserver";
    let field = |name: &str, value: &str| format!("  s:\n    {name}: {value}\n  condition: s\n");
    let mut rules = base("any", web, "  s:\n    source.ip|exists: true\n  condition: s\n");
    for status in facts["status"].as_object().unwrap().keys() {
        rules += &base(status, web, &field("http.response.status_code", status));
    }
    for pair in facts["top_ips"].as_array().unwrap() {
        let address = pair[0].as_str().unwrap();
        rules += &base(address, web, &field("source.ip", address));
    }
    for pair in facts["top_4xx_ips"].as_array().unwrap() {
        let address = pair[0].as_str().unwrap();
        let refused = format!(
            "{address}\n    http.response.status_code|gte: 400\n    http.response.status_code|lt: 500"
        );
        rules += &base(&format!("4xx {address}"), web, &field("source.ip", &refused));
    }
    let got = scan(&[&log], &rules, AFTER_ALL, "--matches");
    assert_eq!(
        (&got.summary()["events"], &got.summary()["rejected"]),
        (&facts["lines"], &serde_json::json!({}))
    );
    for (status, count) in facts["status"].as_object().unwrap() {
        assert_eq!(lines_of(&got, status).len() as u64, *count, "{status}");
    }
    for (name, prefix) in [("top_ips", ""), ("top_4xx_ips", "4xx ")] {
        for pair in facts[name].as_array().unwrap() {
            let rule = format!("{prefix}{}", pair[0].as_str().unwrap());
            assert_eq!(lines_of(&got, &rule).len() as u64, pair[1], "{name} {pair}");
        }
    }
    let each = base("any", web, "  s:\n    source.ip|exists: true\n  condition: s\n")
        + &at_least("each", "any", 1, "1h");
    let got = scan(&[&log], &each, AFTER_ALL, "--json");
    assert_eq!(addresses(&got, "each").len() as u64, facts["distinct_ips"]);
}
