//! Folders of rules in which something is wrong: each problem is told in one line with what to do,
//! and the other rules work.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::json;

use crate::scan_support::{BRUTE_FORCE, FAILED, failures, scan, with_rules};
use crate::support::{Folder, Outcome};

const ADDRESS: &str = "203.0.113.9";

/// The folder of rules with bad company, and eleven failed logins.
fn in_bad_company() -> Folder {
    let folder = with_rules()
        .with("a.log", failures(11, ADDRESS))
        .with("elsewhere/x.yml", FAILED)
        .with("rules/sub/deeper/readme.txt", "");
    let rules = folder.path().join("rules");
    symlink("nowhere", rules.join("dangling.yml")).unwrap();
    symlink("nowhere", rules.join("dangling.txt")).unwrap();
    symlink("/dev/zero", rules.join("device.yml")).unwrap();
    symlink("failed.yml", rules.join("same.yml")).unwrap();
    symlink("..", rules.join("sub/up")).unwrap();
    symlink("../..", rules.join("sub/further_up")).unwrap();
    symlink("deeper", rules.join("sub/beside")).unwrap();
    symlink("../elsewhere", rules.join("link")).unwrap();
    symlink("loop.yml", rules.join("loop.yml")).unwrap();
    assert!(Command::new("mkfifo").arg(rules.join("pipe.yml")).status().unwrap().success());
    folder
}

const TOLD: [&str; 5] = [
    "rules/dangling.yml: warning: the link leads nowhere [unreadable_path]",
    "rules/device.yml: warning: this is no plain file and is not read [unreadable_path]",
    "rules/link: warning: a link to a folder is not followed; name the folder itself [unreadable_path]",
    "rules/loop.yml: warning: ",
    "rules/pipe.yml: warning: this is no plain file and is not read [unreadable_path]",
];

fn check_told(lines: &[&str]) {
    assert_eq!(lines.len(), TOLD.len(), "{lines:?}");
    for (line, begin) in lines.iter().zip(TOLD) {
        assert!(line.starts_with(begin), "{line}");
    }
}

#[test]
fn what_cannot_be_read_in_a_folder_hides_no_rule() {
    let folder = in_bad_company();
    let got = scan(&folder, &["a.log", "-r", "rules"]);
    assert_eq!((got.code, &got.alert()["count"]), (0, &json!(11)), "{}", got.err);
    check_told(&got.told());
    let checked = folder.run(&["check", "rules"]);
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    check_told(&checked.out.lines().collect::<Vec<_>>());
    let explained =
        folder.with("event.json", failures(1, ADDRESS)).run(&["explain", "-r", "rules", "event.json"]);
    assert_eq!(explained.code, 0, "{}", explained.err);
    check_told(&explained.err.lines().collect::<Vec<_>>());
}

#[test]
fn tests_beside_rules_run_in_bad_company() {
    let folder = Folder::new().with("rules/bad.trace", "nonsense");
    symlink("nowhere", folder.path().join("rules/gone.trace")).unwrap();
    symlink("bad.trace", folder.path().join("rules/same.trace")).unwrap();
    symlink(".", folder.path().join("rules/loop")).unwrap();
    let outcome = folder.run(&["test", "rules"]);
    assert_eq!(
        (outcome.code, outcome.out.lines().last()),
        (1, Some("0 passed, 1 failed")),
        "{}",
        outcome.out
    );
    assert_eq!(outcome.err, "rules/gone.trace: warning: the link leads nowhere [unreadable_path]\n");
}

#[test]
fn a_rule_named_twice_is_read_once() {
    let folder = with_rules().with("a.log", failures(11, ADDRESS));
    let args = ["a.log", "-r", "rules", "-r", "rules/failed.yml", "-r", "./rules/../rules"];
    let got = scan(&folder, &args);
    assert_eq!((got.told().len(), &got.alert()["count"]), (0, &json!(11)), "{}", got.err);
}

#[test]
fn a_path_that_is_named_must_be_readable() {
    let folder = with_rules().with("a.log", "");
    symlink("nowhere", folder.path().join("dangling.yml")).unwrap();
    for path in ["missing", "dangling.yml", "rules/failed.yml/x"] {
        for args in [&["scan", "a.log", "-r", "rules", "-r", path][..], &["check", "rules", path]] {
            let Outcome { code, err, .. } = folder.run(args);
            assert!(code == 2 && err.contains(path), "{args:?}: {code} {err}");
        }
    }
    symlink("rules", folder.path().join("linked")).unwrap();
    assert_eq!(folder.run(&["check", "linked"]).code, 0, "a link to a folder can be named");
}

#[test]
fn a_folder_with_nothing_but_problems_is_wrong_usage() {
    let folder = Folder::new().with("rules/readme.txt", "");
    symlink("nowhere", folder.path().join("rules/a.yml")).unwrap();
    let outcome = folder.run(&["check", "rules"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.out.starts_with("rules/a.yml: warning: the link leads nowhere"), "{}", outcome.out);
}

/// The diagnostics of one rule file: the first lines and their hints.
fn checked(text: &str) -> String {
    let outcome = Folder::new().with("a.yml", text).run(&["check", "a.yml"]);
    let shown = |line: &&str| line.starts_with("a.yml:") || line.starts_with("  hint: ");
    outcome.out.lines().filter(shown).collect::<Vec<_>>().join("\n")
}

#[test]
fn broken_rules_come_with_a_hint() {
    let with = |item: &str| checked(&FAILED.replace("event.outcome: failure", item));
    for (told, code, hint) in [
        (checked("title: x: y\n"), "yaml_syntax", "put a value that holds `: ` in quotes"),
        (checked("title: x\n\tdetection: 1\n"), "yaml_syntax", "indent with spaces"),
        (checked("title: [x\n"), "yaml_syntax", "close every bracket"),
        (checked("title: \"a\u{7}b\"\n"), "a control character: `\\u{7}'", "remove it"),
        (checked("a:\n  b: 1\n c: 2\n"), "yaml_syntax", "check the indentation"),
        (with("source.ip|cidr: nonsense"), "cidr_value", "write a network such as `10.0.0.0/8`"),
        (with("source.ip|cidr: 10.0.0.0/99"), "cidr_value", "write a length from 0 to 32"),
        (with("user.name|re: 'a('"), "regex_value", "close every `(`"),
        (with("user.name|re: '*a'"), "regex_value", r"write `\*`"),
        (
            with("user.name|expand: '%admins%'"),
            "unknown_placeholder",
            "give it values, `admins: [value, value]`",
        ),
        (checked(&format!("{FAILED}# {}\n", "x".repeat(2 << 20))), "file_too_large", "split it"),
    ] {
        assert!(told.contains(code) && told.contains(&format!("\n  hint: {hint}")), "{told}");
    }
}

#[test]
fn rings_of_correlations_are_told_as_such() {
    let named = |name: &str, digit: &str, rules: &str| {
        let text = BRUTE_FORCE.replace("[failed]", rules).replace("02\n", &format!("{digit}\n"));
        format!("name: {name}\n{text}---\n")
    };
    let itself = checked(&named("a", "11", "[a]"));
    assert!(itself.contains("the correlation refers to itself [correlation_cycle]"), "{itself}");
    let ring = named("a", "11", "[b]") + &named("b", "12", "[c]") + &named("c", "13", "[a]");
    let ring = checked(&ring);
    for name in ["a", "b", "c"] {
        assert!(
            ring.contains(&format!("`{name}` refers back to this correlation [correlation_cycle]")),
            "{ring}"
        );
    }
    let chain = checked(&(named("a", "11", "[b]") + &named("b", "12", "[failed]") + FAILED));
    assert!(!chain.contains("error"), "one upon the other is no ring: {chain}");
    let unknown = checked(&named("a", "11", "[nobody]"));
    assert!(unknown.contains("hint: name the file or folder that holds it too"), "{unknown}");
}

#[test]
fn one_broken_file_does_not_bury_the_others() {
    let folder =
        with_rules().with("a.log", failures(11, ADDRESS)).with("rules/bad.yml", "a: b: c\n---\n".repeat(500));
    let more = "rules/bad.yml: error: … and 480 more in this file [more]";
    let got = scan(&folder, &["a.log", "-r", "rules"]);
    let of_file = got.told().iter().filter(|line| line.starts_with("rules/bad.yml:")).count();
    assert_eq!((of_file, &got.alert()["count"]), (21, &json!(11)), "{}", got.err);
    assert!(got.told().contains(&more), "{}", got.err);
    let outcome = folder.run(&["check", "rules"]);
    assert_eq!(
        (outcome.code, outcome.out.lines().filter(|line| *line == more).count()),
        (1, 1),
        "{}",
        outcome.out
    );
}
