//! What a line becomes: every field of one event, for each format.

mod support;

use support::{FIELDS, decode, render};
use tocsin_core::batch::Notes;

const AS_OF: &str = "2026-06-01T00:00:00Z";

/// One line and everything it must say: time, weight, and all fields but `message`.
fn check(line: &str, time: &str, weight: u32, expect: &[&str]) {
    let batch = decode("auto", AS_OF, FIELDS, &[line.as_bytes()]);
    assert_eq!(batch.quarantined, [], "{line}");
    let event = &batch.events[0];
    let mut fields = render(&batch, event);
    fields.retain(|field| !field.starts_with("message="));
    assert_eq!(fields, expect, "{line}");
    assert_eq!((event.time.to_string().as_str(), event.weight), (time, weight), "{line}");
}

#[test]
fn a_failed_login_with_priority() {
    check(
        "<38>Mar 27 13:06:56 web1 sshd[1291]: Failed password for invalid user ann from 203.0.113.9 port 4242 ssh2",
        "2026-03-27T13:06:56Z",
        1,
        &[
            "event.action=ssh_login",
            "event.category=authentication",
            "event.outcome=failure",
            "host.name=web1",
            "log.syslog.facility.code=4",
            "log.syslog.facility.name=auth",
            "log.syslog.priority=38",
            "log.syslog.procid=1291",
            "log.syslog.severity.code=6",
            "log.syslog.severity.name=info",
            "logsource.product=linux",
            "logsource.service=sshd",
            "process.name=sshd",
            "process.pid=1291",
            "source.ip=203.0.113.9",
            "source.port=4242",
            "user.name=ann",
        ],
    );
}

#[test]
fn a_line_that_stands_for_five() {
    let line = "Jul  1 09:00:00 web1 sshd-session[7]: message repeated 5 times: [ Failed password for root from ::ffff:203.0.113.9 port 1 ssh2]";
    check(
        line,
        "2025-07-01T09:00:00Z",
        5,
        &[
            "event.action=ssh_login",
            "event.category=authentication",
            "event.outcome=failure",
            "host.name=web1",
            "log.syslog.procid=7",
            "logsource.product=linux",
            "logsource.service=sshd",
            "process.name=sshd-session",
            "process.pid=7",
            "source.ip=203.0.113.9",
            "source.port=1",
            "user.name=root",
        ],
    );
    let batch = decode("syslog", AS_OF, FIELDS, &[line.as_bytes()]);
    let message = support::field(&batch, &batch.events[0], "message");
    assert_eq!(message, "Failed password for root from ::ffff:203.0.113.9 port 1 ssh2");
    assert_eq!(batch.events[0].notes, Notes::YEAR_DERIVED);
}

#[test]
fn a_host_name_is_no_address() {
    let line = "2026-05-01T00:00:00+02:00 web1 sshd[7]: Accepted password for ann from client.example.net port 1 ssh2";
    check(
        line,
        "2026-04-30T22:00:00Z",
        1,
        &[
            "event.action=ssh_login",
            "event.category=authentication",
            "event.outcome=success",
            "host.name=web1",
            "log.syslog.procid=7",
            "logsource.product=linux",
            "logsource.service=sshd",
            "process.name=sshd",
            "process.pid=7",
            "source.domain=client.example.net",
            "source.port=1",
            "user.name=ann",
        ],
    );
    assert_eq!(decode("auto", AS_OF, FIELDS, &[line.as_bytes()]).events[0].notes, Notes::default());
}

#[test]
fn a_sudo_command() {
    check(
        "Mar 27 16:50:03 web1 sudo:     ann : TTY=pts/0 ; PWD=/srv ; USER=root ; COMMAND=/usr/bin/apt-get install zip",
        "2026-03-27T16:50:03Z",
        1,
        &[
            "event.action=sudo_command",
            "event.category=process",
            "host.name=web1",
            "logsource.product=linux",
            "logsource.service=sudo",
            "process.command_line=/usr/bin/apt-get install zip",
            "process.name=sudo",
            "process.tty.name=pts/0",
            "process.working_directory=/srv",
            "user.effective.name=root",
            "user.name=ann",
        ],
    );
}

#[test]
fn structured_data_and_an_unknown_program() {
    check(
        r#"<165>1 2026-05-01T00:00:00.5Z web1 app main-3 ID47 [a@1 b="c"] started"#,
        "2026-05-01T00:00:00.500Z",
        1,
        &[
            "host.name=web1",
            "log.syslog.facility.code=20",
            "log.syslog.facility.name=local4",
            "log.syslog.msgid=ID47",
            "log.syslog.priority=165",
            "log.syslog.procid=main-3",
            "log.syslog.severity.code=5",
            "log.syslog.severity.name=notice",
            r#"log.syslog.structured_data=[a@1 b="c"]"#,
            "logsource.product=linux",
            "logsource.service=syslog",
            "process.name=app",
        ],
    );
    let batch = decode("auto", AS_OF, FIELDS, &[b"<165>1 - - - - - - x"]);
    assert_eq!(batch.events[0].notes, Notes::NO_TIME);
}

#[test]
fn requests() {
    check(
        r#"example.com:443 203.0.113.9 - ann [17/May/2015:12:05:03 +0200] "POST /login?next=/ HTTP/1.1" 401 42 "http://h/" "curl/8""#,
        "2015-05-17T10:05:03Z",
        1,
        &[
            "event.category=web",
            "event.outcome=failure",
            "http.request.method=POST",
            "http.request.referrer=http://h/",
            "http.response.body.bytes=42",
            "http.response.status_code=401",
            "http.version=1.1",
            "source.ip=203.0.113.9",
            "url.domain=example.com",
            "url.original=/login?next=/",
            "url.path=/login",
            "url.query=next=/",
            "user.name=ann",
            "user_agent.original=curl/8",
        ],
    );
    check(
        r#"client.example.net - - [17/May/2015:10:05:03 +0000] "\x16\x03\x01" 400 - "-" "-""#,
        "2015-05-17T10:05:03Z",
        1,
        &[
            "event.category=web",
            "http.response.status_code=400",
            "source.domain=client.example.net",
            r"url.original=\x16\x03\x01",
        ],
    );
}

#[test]
fn names_of_sigma_rules() {
    let line = br#"203.0.113.9 - - [17/May/2015:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 42 "-" "curl/8""#;
    let fields = ["c-ip", "cs-method", "cs-uri-query", "cs-uri-stem", "cs-user-agent", "sc-status"];
    let batch = decode("access_log", AS_OF, &fields, &[line]);
    let expect = [
        "c-ip=203.0.113.9",
        "cs-method=GET",
        "cs-uri-query=/a?b",
        "cs-uri-stem=/a",
        "cs-user-agent=curl/8",
        "sc-status=200",
    ];
    assert_eq!(render(&batch, &batch.events[0]), expect);
    let line = b"Mar 27 16:50:03 h sudo: ann : USER=#-1 ; COMMAND=/bin/id";
    let batch = decode("syslog", AS_OF, &["USER", "COMMAND"], &[line]);
    assert_eq!(render(&batch, &batch.events[0]), ["COMMAND=/bin/id", "USER=#-1"]);
}
