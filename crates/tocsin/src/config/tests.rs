//! The configuration as a whole: every key and every variable does something, and the example and
//! the page say what the code does.

use std::ffi::OsString;
use std::path::Path;

use tocsin_sigma::ast::Diagnostic;

use super::settings::Value;
use super::*;

const EXAMPLE: &str = include_str!("../../../../config/tocsin.yaml");
const PAGE: &str = include_str!("../../../../docs/config.md");

/// Keys with a value that is not their default.
const OTHER_VALUES: [(&str, &str); 39] = [
    ("listen", "0.0.0.0:9000"),
    ("data", "elsewhere"),
    ("tenants", "acme"),
    ("rules", "my-rules"),
    ("placeholders", "names.yml"),
    ("logsources", "sources.yml"),
    ("auth.issuer", "me"),
    ("auth.audience", "you"),
    ("ingest.body_bytes_max", "1MiB"),
    ("sources.http.format", "syslog"),
    ("sources.http.backfill", "true"),
    ("sources.http.as_of", "2026-01-31T00:00:00Z"),
    ("detect.lateness", "0s"),
    ("detect.grace", "1h"),
    ("detect.idle", "5s"),
    ("detect.state_bytes_max", "64MiB"),
    ("alerts.log_view", "viewer"),
    ("store.journal_segment_bytes", "1MiB"),
    ("store.journal_bytes_max", "1GiB"),
    ("store.checkpoint_bytes", "1MiB"),
    ("store.checkpoint_interval", "5s"),
    ("stream.max_per_user", "6"),
    ("stream.max_per_tenant", "501"),
    ("stream.max_total", "10001"),
    ("stream.heartbeat", "31s"),
    ("stream.keepalive", "16s"),
    ("stream.queue", "257"),
    ("stream.retry_ms", "500"),
    ("stream.unmask_from", "analyst"),
    ("stream.token_in_url", "true"),
    ("limits.connections_max", "20000"),
    ("limits.connections_per_address_max", "10"),
    ("limits.header_timeout", "6s"),
    ("limits.idle_timeout", "6s"),
    ("limits.stall_timeout", "6s"),
    ("limits.body_grace", "6s"),
    ("limits.body_timeout", "6s"),
    ("limits.stop_timeout", "6s"),
    ("log.format", "json"),
];

pub fn told(findings: &[Diagnostic]) -> Vec<String> {
    findings.iter().map(|finding| crate::loading::written(finding).replace("\n  hint: ", " | ")).collect()
}

/// What a file of this text and these variables come to, as text.
pub fn planned(text: &str, variables: &[(&str, &str)]) -> Result<String, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("my.yaml");
    std::fs::write(&config, text).unwrap();
    planned_with(RunArgs { config: Some(config), ..RunArgs::default() }, variables)
        .map_err(|told| told.iter().map(|line| line.replace(&*folder.path().to_string_lossy(), "")).collect())
}

pub fn planned_with(flags: RunArgs, variables: &[(&str, &str)]) -> Result<String, Vec<String>> {
    let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    match for_run(&flags, None, variables) {
        Ok((plan, _)) => Ok(format!("{plan:?} secret: {:?}", String::from_utf8_lossy(&plan.api.auth.secret))),
        Err(findings) => Err(told(&findings)),
    }
}

pub fn defaults() -> String {
    planned_with(RunArgs::default(), &[]).unwrap()
}

/// `a.b.c: value` as nested YAML.
fn nested(path: &str, value: &str) -> String {
    let mut text = String::new();
    for (depth, name) in path.split('.').enumerate() {
        text.push_str(&format!("{}{name}:\n", "  ".repeat(depth)));
    }
    format!("{} {value}\n", text.trim_end())
}

fn known_keys() -> Vec<String> {
    let mut settings = Settings::new(Arc::default(), Secrets::Leave);
    sections::run_plan(&mut settings);
    settings.finish().1.into_iter().filter(|key| key != "auth.jwt_secret").collect()
}

#[test]
fn every_key_does_something_in_the_file_and_as_a_variable() {
    let mut keys: Vec<&str> = OTHER_VALUES.iter().map(|(path, _)| *path).collect();
    // Those that the tests below are about.
    keys.extend(["auth.jwt_secret_file", "log.level"]);
    keys.sort_unstable();
    let mut known = known_keys();
    known.sort();
    assert_eq!(keys, known, "each key stands in the table once");
    let defaults = defaults();
    for (path, value) in OTHER_VALUES {
        let by_file = planned(&nested(path, value), &[]).unwrap();
        assert_ne!(by_file, defaults, "{path} has no effect");
        let variable = environment::variable(path);
        let by_variable = planned("", &[(&variable, value)]).unwrap();
        assert_eq!(by_variable, by_file, "{variable}");
        let by_both = planned(&nested(path, "[[]]"), &[(&variable, value)]).unwrap();
        assert_eq!(by_both, by_file, "{variable} goes first");
    }
}

#[test]
fn the_example_holds_every_key_at_its_default() {
    assert_eq!(planned(EXAMPLE, &[]), Ok(defaults()));
    let written = raw::read(EXAMPLE).unwrap();
    let mut keys: Vec<&str> = written
        .iter()
        .filter(|(_, set)| set.value != Value::Section)
        .map(|(path, _)| path.as_str())
        .collect();
    let mut known = known_keys();
    keys.sort_unstable();
    known.sort();
    assert_eq!(keys, known);
}

#[test]
fn the_page_has_a_row_for_every_key_with_its_default() {
    for (path, setting) in raw::read(EXAMPLE).unwrap() {
        let default = match setting.value {
            Value::Text(text) => format!("`{text}`"),
            Value::List(items) => {
                items.iter().filter_map(|item| item.text.clone()).map(|text| format!("`{text}`")).collect()
            }
            Value::Empty => String::new(),
            Value::Section => continue,
        };
        let row = format!("| `{path}` | {default} |").replace("|  |", "| |");
        assert!(PAGE.contains(&row), "docs/config.md has no row beginning {row}");
    }
}

#[test]
fn the_defaults_are_these() {
    let plan = for_run(&RunArgs::default(), None, []).unwrap().0;
    assert_eq!(
        (plan.listen.to_string().as_str(), plan.data.as_path(), &plan.tenants[..], &plan.rules[..]),
        ("127.0.0.1:8080", Path::new("./tocsin-data"), &["default".to_owned()][..], &[][..])
    );
    let (limits, stream, auth) = (&plan.api.limits, &plan.api.stream, &plan.api.auth);
    let shown = [
        format!("{:?}", plan.http),
        format!("{:?} {:?}", plan.detect, plan.log_view),
        format!("{:?}", plan.store),
        format!("{:?} keepalive {:?}", plan.log, plan.keepalive),
        format!(
            "streams {} {} {}, queue {}",
            stream.max_per_user, stream.max_per_tenant, stream.max_total, stream.queue
        ),
        format!(
            "{:?} {} ms {:?} {}",
            stream.heartbeat, stream.retry_ms, stream.unmask_from, stream.token_in_url
        ),
        format!(
            "{} bytes, {} connections, {} each",
            limits.body_bytes_max, limits.connections_max, limits.connections_per_peer_max
        ),
        format!("{:?} {:?} {:?}", limits.head_patience, limits.idle_patience, limits.stall_patience),
        format!("{:?} {:?} {:?}", limits.body_grace, limits.body_patience, limits.stop_patience),
        format!("{:?} {:?} {:?}", auth.secret, auth.issuer, auth.audience),
    ];
    assert_eq!(
        shown,
        [
            "HttpSourcePlan { format: None, backfill: false, as_of: None }",
            "DetectPlan { lateness: Span(60000000000), grace: Span(300000000000), idle: Span(60000000000), state_bytes_max: 268435456 } Plain",
            "StorePlan { journal_segment_bytes: 67108864, journal_bytes_max: 10737418240, checkpoint_bytes: 268435456, checkpoint_interval: 60s }",
            "LogPlan { level: Level(Info), format: Text } keepalive 15s",
            "streams 5 500 10000, queue 256",
            "30s 3000 ms None false",
            "16777216 bytes, 12288 connections, 4096 each",
            "5s 75s 10s",
            "5s 120s 10s",
            "[] None None",
        ]
    );
}

#[test]
fn flags_go_before_variables_and_variables_before_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("my.yaml");
    std::fs::write(&config, "listen: 127.0.0.1:1\ndata: one\n").unwrap();
    let variables = [("TOCSIN_LISTEN", "127.0.0.1:2"), ("TOCSIN_DATA", "two")];
    let of = |args: &RunArgs, data: Option<&str>, variables: &[(&str, &str)]| {
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let plan = for_run(args, data.map(Path::new), variables).unwrap().0;
        (plan.listen.port(), plan.data.display().to_string())
    };
    let file = RunArgs { config: Some(config), ..RunArgs::default() };
    let flags = RunArgs { listen: Some("127.0.0.1:3".to_owned()), ..file.clone() };
    assert_eq!(of(&file, None, &[]), (1, "one".to_owned()));
    assert_eq!(of(&file, None, &variables), (2, "two".to_owned()));
    assert_eq!(of(&flags, Some("three"), &variables), (3, "three".to_owned()));
}

#[test]
fn secrets_come_from_variables_and_files() {
    let long = "0123456789abcdef0123456789abcdef";
    let other = "another secret of thirty-two bytes";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, format!("{long}\r\n")).unwrap();
    let by_file = nested("auth.jwt_secret_file", &file.display().to_string());
    let secret = |text: &str, variables: &[(&str, &str)]| {
        planned(text, variables)
            .map(|plan| plan.rsplit_once("secret: ").unwrap().1.trim_matches('"').to_owned())
    };
    assert_eq!(secret("", &[]).as_deref(), Ok(""));
    assert_eq!(secret("", &[("JWT_SECRET", long)]).as_deref(), Ok(long));
    assert_eq!(secret("", &[("JWT_SECRET", long), ("TOCSIN_AUTH__JWT_SECRET", other)]).as_deref(), Ok(other));
    assert_eq!(secret(&by_file, &[]).as_deref(), Ok(long), "without its line end");
    assert_eq!(secret(&by_file, &[("JWT_SECRET", other)]).as_deref(), Ok(other));
    assert_eq!(
        check(Path::new("my.yaml"), "auth: {jwt_secret_file: /nowhere}"),
        [],
        "check opens no secrets"
    );
    std::fs::write(&file, &long[1..]).unwrap();
    let told = secret(&by_file, &[]).unwrap_err();
    assert!(
        told[0].contains("a secret of 31 bytes can be guessed; 32 are the least")
            && !told[0].contains(&long[1..]),
        "{told:?}"
    );
    std::fs::write(&file, vec![b'x'; 5_000]).unwrap();
    assert!(secret(&by_file, &[]).unwrap_err()[0].contains("holds more than 4096 bytes"));
    std::fs::remove_file(&file).unwrap();
    let told = secret(&by_file, &[]).unwrap_err();
    assert!(
        told[0].starts_with("/my.yaml:2:20: error: `auth.jwt_secret_file`: ")
            && told[0].contains("cannot be read"),
        "{told:?}"
    );
}

#[test]
fn a_configuration_is_told_from_rules() {
    for (path, text, expect) in [
        ("x/tocsin.yaml", "title: a rule?", true),
        ("a.yml", "listen: 127.0.0.1:80\n", true),
        ("a.yml", "# words\nstream:\n  queue: [\n", true),
        ("a.yml", "title: T\nlogsource:\n  product: x\n", false),
        ("a.yml", "title: T\nrules: x\n", false),
        ("a.yml", "", false),
        ("a.yml", "  listen: x\n", false),
    ] {
        assert_eq!(is_config(Path::new(path), text), expect, "{path} {text}");
    }
    let mut tops: Vec<String> =
        known_keys().iter().map(|key| key.split('.').next().unwrap().to_owned()).collect();
    tops.sort();
    tops.dedup();
    assert!(tops.iter().all(|top| TOP_KEYS.contains(&top.as_str())), "{tops:?}");
}
