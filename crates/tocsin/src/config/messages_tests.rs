//! What is wrong with a configuration, and in which words it is told.

use std::ffi::OsString;
use std::path::Path;

use crate::cli::RunArgs;

use super::tests::{defaults, planned, planned_with, told};
use super::{check, for_run};

/// Files that cannot be used, and what is told about them after the file's name.
const WRONG: [(&str, &str); 26] = [
    (
        "listen: 8080",
        "1:9: error: `listen`: `8080` is not an address with a port [wrong_value] | write it as 127.0.0.1:8080, or [::1]:8080; 0.0.0.0 is every IPv4 address",
    ),
    (
        "listen: {port: 80}",
        "1:1: error: `listen`: a section is not an address with a port [wrong_value] | write one value",
    ),
    ("data: [a]", "1:7: error: `data`: a list is not a path [wrong_value] | write one value"),
    (
        "detct: {lateness: 5s}",
        "1:1: error: `detct`: there is no such key [unknown_key] | did you mean `detect`?",
    ),
    (
        "detect:\n  latness: 5s",
        "2:3: error: `detect.latness`: there is no such key [unknown_key] | did you mean `lateness`?",
    ),
    (
        "heartbeat: 5s",
        "1:1: error: `heartbeat`: there is no such key [unknown_key] | it is written as `stream.heartbeat`",
    ),
    (
        "detect:\n  banana: 5s",
        "2:3: error: `detect.banana`: there is no such key [unknown_key] | known: lateness, grace, idle, state_bytes_max",
    ),
    (
        "detect: 5s",
        "1:1: error: `detect`: this is a section, not a value [wrong_value] | its keys: lateness, grace, idle, state_bytes_max",
    ),
    (
        "detect:\n  lateness: 60",
        "2:13: error: `detect.lateness`: `60` is not a duration [wrong_value] | write a whole number with its unit, such as 250ms, 30s, 5m or 1h",
    ),
    (
        "detect: {lateness: 2h}",
        "1:20: error: `detect.lateness`: `2h` does not lie between 0s and 1h [wrong_value] | the default is 60s",
    ),
    (
        "ingest: {body_bytes_max: 1000}",
        "1:26: error: `ingest.body_bytes_max`: `1000` is not a size [wrong_value] | write a whole number with its unit, such as 512KiB, 64MiB or 10GB",
    ),
    (
        "ingest: {body_bytes_max: 1GiB}",
        "1:26: error: `ingest.body_bytes_max`: `1GiB` does not lie between 1KiB and 64MiB [wrong_value] | the default is 16MiB",
    ),
    (
        "stream: {queue: -1}",
        "1:17: error: `stream.queue`: `-1` is not a whole number [wrong_value] | write digits only, such as 256",
    ),
    (
        "stream: {queue: 0}",
        "1:17: error: `stream.queue`: `0` does not lie between 1 and 65536 [wrong_value] | the default is 256",
    ),
    (
        "stream: {token_in_url: yes}",
        "1:24: error: `stream.token_in_url`: `yes` is not true or false [wrong_value] | write `true` or `false`",
    ),
    (
        "stream: {unmask_from: analist}",
        "1:23: error: `stream.unmask_from`: unknown word `analist` [wrong_value] | did you mean `analyst`?",
    ),
    (
        "sources: {http: {format: xml}}",
        "1:26: error: `sources.http.format`: unknown word `xml` [wrong_value] | known: auto, access_log, cef, cloudtrail, evtx_json, json, logfmt, ocsf, syslog",
    ),
    (
        "sources: {http: {as_of: today}}",
        "1:25: error: `sources.http.as_of`: `today` is not a time [wrong_value] | write it as 2026-01-31T00:00:00Z",
    ),
    (
        "tenants: [a, b/c, [c]]",
        "1:14: error: `tenants`: `b/c` is not a tenant's name [wrong_value] | write 1 to 64 letters (a-z, A-Z), digits, `-`, `_` and `.`\n1:19: error: `tenants`: a list is not a tenant's name [wrong_value] | write 1 to 64 letters (a-z, A-Z), digits, `-`, `_` and `.`",
    ),
    ("tenants: [a, a]", "1:10: error: `tenants`: `a` is named twice [wrong_value] | name each tenant once"),
    (
        "tenants: {a: b}",
        "1:1: error: `tenants`: a section is not a list [wrong_value] | write its values as `- value`, one a line",
    ),
    (
        "auth: {jwt_secret: hunter2}",
        "1:20: error: `auth.jwt_secret`: a secret never stands in the configuration [inline_secret] | name a file with auth.jwt_secret_file, or set TOCSIN_AUTH__JWT_SECRET; this secret has been written down: make a new one",
    ),
    (
        "store: {journal_bytes_max: 64MiB}",
        "1:28: error: `store.journal_bytes_max`: this is less than two segments: the journal could never make room [wrong_value] | raise it, or lower store.journal_segment_bytes",
    ),
    (
        "batch:\n  size: 5\n  presett: x\nsinks:\nsources:\n  kafka: {brokers: x}",
        "1:1: error: `batch`: this comes with a later release [later_release] | remove it: nothing would use it yet\n4:1: error: `sinks`: this comes with a later release [later_release] | remove it: nothing would use it yet\n6:3: error: `sources.kafka`: this comes with a later release [later_release] | remove it: nothing would use it yet",
    ),
    (
        "a: [",
        "1:4: error: this is no YAML: unclosed bracket '[' [yaml_syntax] | check the indentation, and put values with special characters in quotes",
    ),
    (
        "log: {level: loud}\nlisten: x\nwhat: 1",
        "1:14: error: `log.level`: unknown word `loud` [wrong_value] | known: error, warn, info, debug, trace\n2:9: error: `listen`: `x` is not an address with a port [wrong_value] | write it as 127.0.0.1:8080, or [::1]:8080; 0.0.0.0 is every IPv4 address\n3:1: error: `what`: there is no such key [unknown_key] | known: listen, data, tenants, auth, ingest, sources, rules, placeholders, logsources, detect, alerts, store, stream, limits, log",
    ),
];

#[test]
fn what_does_not_fit_is_told_with_place_and_hint() {
    for (text, expect) in WRONG {
        let found: Vec<String> = told(&check(Path::new("my.yaml"), text));
        let expect: Vec<String> = expect.lines().map(|line| format!("my.yaml:{line}")).collect();
        assert_eq!(found, expect, "{text}");
        assert!(planned(text, &[]).is_err(), "{text}");
    }
}

#[test]
fn what_is_only_unwise_is_a_warning_and_the_plan_stands() {
    for (text, expect) in [
        (
            "store: {journal_bytes_max: 256MiB}",
            "my.yaml:1:28: warning: `store.journal_bytes_max`: the journal may be full before a checkpoint lets it make room [late_checkpoint] | lower store.checkpoint_bytes to half of store.journal_bytes_max",
        ),
        (
            "limits: {connections_max: 10000}",
            "my.yaml:1:27: warning: `limits.connections_max`: streams may take every connection, and nothing else gets in then [streams_take_all] | raise it above stream.max_total, or lower that",
        ),
    ] {
        assert_eq!(told(&check(Path::new("my.yaml"), text)), [expect], "{text}");
        assert!(planned(text, &[]).is_ok(), "{text}");
    }
}

#[test]
fn variables_are_told_by_name_and_unknown_ones_are_errors() {
    for (variables, expect) in [
        (
            &[("TOCSIN_DETECT__LATENESS", "5")][..],
            &[
                "error: `TOCSIN_DETECT__LATENESS`: `5` is not a duration [wrong_value] | write a whole number with its unit, such as 250ms, 30s, 5m or 1h",
            ][..],
        ),
        (
            &[("TOCSIN_DETECT__LATNESS", "5s")],
            &[
                "error: `TOCSIN_DETECT__LATNESS`: no setting has this name [unknown_variable] | did you mean `TOCSIN_DETECT__LATENESS`?",
            ],
        ),
        (
            &[("TOCSIN_DETECT_LATENESS", "5s")],
            &[
                "error: `TOCSIN_DETECT_LATENESS`: no setting has this name [unknown_variable] | sections and keys are set apart by two underscores: `TOCSIN_DETECT__LATENESS`",
            ],
        ),
        (
            &[("TOCSIN_DETECT__XYZZY", "1")],
            &[
                "error: `TOCSIN_DETECT__XYZZY`: no setting has this name [unknown_variable] | known: TOCSIN_DETECT__LATENESS, TOCSIN_DETECT__GRACE, TOCSIN_DETECT__IDLE, TOCSIN_DETECT__STATE_BYTES_MAX",
            ],
        ),
        (
            &[("TOCSIN_DETECT", "5s")],
            &[
                "error: `TOCSIN_DETECT`: this is a section, not a value [wrong_value] | its keys: lateness, grace, idle, state_bytes_max",
            ],
        ),
        (
            &[("TOCSIN_BATCH__SIZE", "5")],
            &[
                "error: `TOCSIN_BATCH__SIZE`: this comes with a later release [later_release] | remove it: nothing would use it yet",
            ],
        ),
        (
            &[("JWT_SECRET", "short")],
            &[
                "error: `JWT_SECRET`: a secret of 5 bytes can be guessed; 32 are the least [wrong_value] | make one with: openssl rand -base64 48",
            ],
        ),
        (
            &[("TOCSIN_LISTEN", "x"), ("TOCSIN_LOG__LEVEL", "x")],
            &[
                "error: `TOCSIN_LOG__LEVEL`: unknown word `x` [wrong_value] | known: error, warn, info, debug, trace",
                "error: `TOCSIN_LISTEN`: `x` is not an address with a port [wrong_value] | write it as 127.0.0.1:8080, or [::1]:8080; 0.0.0.0 is every IPv4 address",
            ],
        ),
    ] {
        let mut told = planned_with(RunArgs::default(), variables).unwrap_err();
        let mut expect = expect.to_vec();
        told.sort();
        expect.sort_unstable();
        assert_eq!(told, expect, "{variables:?}");
    }
}

#[test]
fn variables_of_others_and_of_chores_are_left_alone() {
    let harmless = [
        ("TOCSIN_CACHE", "x"),
        ("TOCSIN_TOOLS", "x"),
        ("TOCSIN_CRASH_AT", "x"),
        ("TOCSIN_SERVICE_HOST", "10.0.0.1"),
        ("TOCSIN_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("TOCSIN_STREAM__QUEUE", ""),
        ("LISTEN", "x"),
    ];
    assert_eq!(planned_with(RunArgs::default(), &harmless), Ok(defaults()));
    let names = ["BATCH_SIZE", "FLUSH_INTERVAL", "REDIS_URL", "KAFKA_BROKERS", "ELASTICSEARCH_URL"];
    let variables = names.map(|name| (OsString::from(name), OsString::from("x")));
    let told = told(&for_run(&RunArgs::default(), None, variables).unwrap().1);
    assert_eq!(told.len(), names.len());
    assert!(
        told.contains(
            &"warning: `REDIS_URL` is set and not used: Redis comes with a later release [unused_variable]"
                .to_owned()
        ),
        "{told:?}"
    );
}

#[test]
fn a_file_that_cannot_be_read_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("my.yaml");
    let of = |path: &Path| {
        planned_with(RunArgs { config: Some(path.to_owned()), ..RunArgs::default() }, &[]).unwrap_err()
    };
    assert!(of(&config)[0].contains("error: this cannot be read: No such file"), "{:?}", of(&config));
    std::fs::write(&config, b"data: a\nlisten: \xe9\n").unwrap();
    assert!(of(&config)[0].contains("my.yaml:2:1: error: this line is not UTF-8 [invalid_utf8]"));
    std::fs::write(&config, "a: [\n").unwrap();
    assert_eq!(of(&config).len(), 1);
}

#[test]
fn roles_are_all_or_left_out_for_now() {
    let of = |roles: &str| planned_with(RunArgs { roles: Some(roles.to_owned()), ..RunArgs::default() }, &[]);
    assert_eq!(of("detect,ingest,correlate,respond, serve"), Ok(defaults()));
    assert_eq!(
        of("ingest").unwrap_err(),
        [
            "error: `--roles`: a server with only some of the roles comes with a later release [later_release] | leave it out, or name all: ingest,detect,correlate,serve,respond"
        ]
    );
    assert_eq!(
        of("ingest,detekt").unwrap_err(),
        ["error: `--roles`: unknown role `detekt` [wrong_value] | did you mean `detect`?"]
    );
}
