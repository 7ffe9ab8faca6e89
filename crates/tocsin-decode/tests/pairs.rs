//! What a line of CEF or logfmt becomes, and what hostile ones do.

mod support;

use support::{decode, field, render};
use tocsin_core::batch::{Notes, Reason};

const AS_OF: &str = "2026-06-01T00:00:00Z";

const FIELDS: &[&str] = &[
    "Blocked By",
    "BlockedBy",
    "DeviceEventClassID",
    "DeviceProduct",
    "DeviceVendor",
    "Severity",
    "count",
    "cs1",
    "destination.ip",
    "destination.port",
    "destination.user.name",
    "event.action",
    "event.category",
    "event.outcome",
    "file.path",
    "host.name",
    "http.request.method",
    "log.level",
    "logsource.product",
    "message",
    "note",
    "source.ip",
    "source.port",
    "url.original",
    "url.path",
    "user.name",
];

/// One line and everything it must say: format, time and all fields.
fn check(line: &str, time: &str, expect: &[&str]) {
    let batch = decode("auto", AS_OF, FIELDS, &[line.as_bytes()]);
    assert_eq!(batch.quarantined, [], "{line}");
    let event = &batch.events[0];
    assert_eq!(render(&batch, event), expect, "{line}");
    assert_eq!(event.time.to_string(), time, "{line}");
}

const CEF: &str = r"CEF:0|Vendor \| Co|Guard|1.0|100|login failed|7|rt=1768464000000 src=203.0.113.9 spt=50022 dst=10.0.0.1 dpt=22 suser=ann duser=root act=login outcome=failure cs1Label=Blocked By cs1=rule \= 7 filePath=C:\\Temp\\x.exe request=http://h/?a=b&c=d";

const CEF_FIELDS: &[&str] = &[
    "Blocked By=rule = 7",
    "BlockedBy=rule = 7",
    "DeviceEventClassID=100",
    "DeviceProduct=Guard",
    "DeviceVendor=Vendor | Co",
    "Severity=7",
    "cs1=rule = 7",
    "destination.ip=10.0.0.1",
    "destination.port=22",
    "destination.user.name=root",
    "event.action=login",
    "event.category=authentication",
    "event.outcome=failure",
    r"file.path=C:\Temp\x.exe",
    "message=login failed",
    "source.ip=203.0.113.9",
    "source.port=50022",
    "url.original=http://h/?a=b&c=d",
    "user.name=ann",
];

#[test]
fn cef_by_itself_and_behind_every_syslog_header() {
    check(CEF, "2026-01-15T08:00:00Z", CEF_FIELDS);
    let bare = CEF.replace("rt=1768464000000 ", "");
    for (header, host, time) in [
        ("<134>", None, None),
        ("<134>Jan 15 09:00:00 fw-1 ", Some("fw-1"), Some("2026-01-15T09:00:00Z")),
        ("Jan 15 09:00:00 fw-1 ", Some("fw-1"), Some("2026-01-15T09:00:00Z")),
        ("Jan 15 09:00:00 ", None, Some("2026-01-15T09:00:00Z")),
        ("Jan 15 09:00:00 fw-1 agent[7]: ", Some("fw-1"), Some("2026-01-15T09:00:00Z")),
        ("2026-01-15T09:00:00+00:00 fw-1 ", Some("fw-1"), Some("2026-01-15T09:00:00Z")),
        ("<134>1 2026-01-15T09:00:00Z fw-1 app - - - ", Some("fw-1"), Some("2026-01-15T09:00:00Z")),
        (
            r#"<134>1 2026-01-15T09:00:00Z fw-1 app - - [a b="|"] "#,
            Some("fw-1"),
            Some("2026-01-15T09:00:00Z"),
        ),
    ] {
        let mut expect: Vec<String> = CEF_FIELDS.iter().map(|field| (*field).to_string()).collect();
        expect.extend(host.map(|host| format!("host.name={host}")));
        expect.sort();
        let expect: Vec<&str> = expect.iter().map(String::as_str).collect();
        check(&format!("{header}{CEF}"), "2026-01-15T08:00:00Z", &expect);
        if let Some(time) = time {
            check(&format!("{header}{bare}"), time, &expect);
        }
    }
}

#[test]
fn a_line_that_only_mentions_cef_stays_what_it_is() {
    let line = "Jan 15 08:00:00 h sshd[1]: Failed password for invalid user CEF:0|a|b|c|d|e|1|src=10.0.0.1 from 203.0.113.9 port 22 ssh2";
    let batch = decode("auto", AS_OF, FIELDS, &[CEF.as_bytes(), line.as_bytes(), CEF.as_bytes()]);
    let event = &batch.events[1];
    assert_eq!(field(&batch, event, "source.ip"), "203.0.113.9");
    assert_eq!(field(&batch, event, "event.outcome"), "failure");
    assert_eq!(field(&batch, event, "logsource.product"), "linux");
    let line = r#"{"timestamp":"2026-01-15T08:00:00Z","message":"CEF:0|a|b|c|d|e|1|src=10.0.0.1"}"#;
    let batch = decode("auto", AS_OF, FIELDS, &[CEF.as_bytes(), line.as_bytes()]);
    assert_eq!(field(&batch, &batch.events[1], "source.ip"), "");
}

#[test]
fn cef_times_and_the_message() {
    for (extension, time, message) in [
        ("end=Jan 15 2026 08:00:00 msg=m  n", "2026-01-15T08:00:00Z", "m  n"),
        ("start=Jan 15 08:00:00.250 rt=soon", "2026-01-15T08:00:00.250Z", "name"),
        ("rt=1768464000000 end=Jan 16 2026 08:00:00", "2026-01-15T08:00:00Z", "name"),
        ("rt=Jan 15 2026 09:00:00 GMT+01:00 src=10.0.0.1", "2026-01-15T08:00:00Z", "name"),
    ] {
        let line = format!("CEF:0|v|p|1|2|name|High|{extension}");
        let batch = decode("auto", AS_OF, FIELDS, &[line.as_bytes()]);
        let event = &batch.events[0];
        assert_eq!(event.time.to_string(), time, "{line}");
        assert_eq!(field(&batch, event, "message"), message, "{line}");
    }
    for (extension, note) in [("rt=soon", Notes::UNREADABLE_TIME), ("a=b", Notes::NO_TIME)] {
        let line = format!("CEF:0|v|p|1|2|name|3|{extension}");
        let batch = decode("cef", AS_OF, FIELDS, &[line.as_bytes()]);
        assert_eq!(batch.events[0].notes, note, "{line}");
    }
}

#[test]
fn cef_that_breaks_the_rules() {
    for (line, reason) in [
        ("CEF:0|v|p|1|2", Reason::Truncated),
        ("CEF:0|v|p|1|2\\|name|3", Reason::Truncated),
        ("CEF:0|", Reason::Truncated),
        ("CEF:0", Reason::UnknownFormat),
        ("CEF:x|v|p|1|2|n|3|", Reason::UnknownFormat),
        ("words CEF:0|v|p|1|2|n|3|", Reason::UnknownFormat),
        ("", Reason::UnknownFormat),
    ] {
        let batch = decode("cef", AS_OF, FIELDS, &[line.as_bytes(), CEF.as_bytes()]);
        let refused: Vec<Reason> = batch.quarantined.iter().map(|refused| refused.reason).collect();
        let expect = if line.is_empty() { vec![] } else { vec![reason] };
        assert_eq!((refused, batch.events.len()), (expect, 1), "{line}");
    }
    for (extension, expect) in [
        ("", ""),
        ("no pairs at all", ""),
        ("src=10.0.0.1 src=10.0.0.2", "10.0.0.1"),
        ("src=10.0.0.1\\", ""),
        ("src=\u{0}", ""),
        ("src==10.0.0.1", ""),
        ("\u{0}src=1 src=10.0.0.3", "10.0.0.3"),
        ("suser=\\x\\q\\= src=10.0.0.4", "10.0.0.4"),
    ] {
        let line = format!("CEF:0|v|p|1|2|name|3|{extension}");
        let batch = decode("auto", AS_OF, FIELDS, &[line.as_bytes()]);
        assert_eq!(batch.quarantined, [], "{extension:?}");
        assert_eq!(field(&batch, &batch.events[0], "source.ip"), expect, "{extension:?}");
    }
}

#[test]
fn logfmt_lines() {
    check(
        r#"ts=2026-01-15T08:00:00Z level=warn msg="login \"ann\" failed\n" client_ip=203.0.113.9 user=ann event_type=login_failed count=7 note="#,
        "2026-01-15T08:00:00Z",
        &[
            "count=7",
            "event.action=login_failed",
            "event.category=authentication",
            "event.outcome=failure",
            "log.level=warn",
            "message=login \"ann\" failed\n",
            "note=",
            "source.ip=203.0.113.9",
            "user.name=ann",
        ],
    );
    check(
        r#"time="2026-01-15T09:00:00+01:00" at=info method=GET path="/a?b=c" host=h.example.com fwd="203.0.113.9" status=401 note="C:\Temp" words"#,
        "2026-01-15T08:00:00Z",
        &[
            "event.category=api_access",
            "event.outcome=failure",
            "host.name=h.example.com",
            "http.request.method=GET",
            r"note=C:\Temp",
            "source.ip=203.0.113.9",
            "url.original=/a?b=c",
            "url.path=/a?b=c",
        ],
    );
    check("t=1768464000.5 note=a note=b", "2026-01-15T08:00:00.500Z", &["note=a"]);
}

#[test]
fn both_values_of_a_repeated_key_count() {
    for line in ["note=a note=b", "CEF:0|v|p|1|2|n|3|note=a note=b"] {
        let batch = decode("auto", AS_OF, &["note"], &[line.as_bytes()]);
        let values: Vec<_> = batch.slots(&batch.events[0]).iter().map(|slot| batch.value(slot)).collect();
        let values: Vec<_> = values.iter().filter_map(|value| value.as_text()).collect();
        assert_eq!(values, ["a", "b"], "{line}");
    }
}

#[test]
fn logfmt_that_breaks_the_rules() {
    for (line, reason, at, of) in [
        (r#"a=1 note="never closed"#, Reason::Truncated, 22, Some("note")),
        (r#"a=1 note="\""#, Reason::Truncated, 12, Some("note")),
        (r#"a=1 note="x"y"#, Reason::UnknownFormat, 12, None),
        ("only words", Reason::UnknownFormat, 0, None),
        ("=", Reason::UnknownFormat, 0, None),
    ] {
        let batch = decode("logfmt", AS_OF, FIELDS, &[line.as_bytes(), b"note=x b=c"]);
        assert_eq!(batch.events.len(), 1, "{line}");
        let refused = &batch.quarantined[0];
        assert_eq!((refused.reason, refused.at, refused.field.as_deref()), (reason, at, of), "{line}");
    }
    let batch = decode("logfmt", AS_OF, FIELDS, &[b"note=a\0b c=d"]);
    assert_eq!(field(&batch, &batch.events[0], "note"), "a\0b");
}

#[test]
fn more_pairs_than_an_object_may_have_are_refused() {
    for (count, events) in [(1_024, 1), (1_025, 0)] {
        let pairs: Vec<String> = (0..count).map(|number| format!("k{number}Label=k{number}")).collect();
        for (format, head) in [("logfmt", ""), ("cef", "CEF:0|v|p|1|2|n|3|")] {
            let line = format!("{head}{}", pairs.join(" "));
            let batch = decode(format, AS_OF, FIELDS, &[line.as_bytes()]);
            assert_eq!(batch.events.len(), events, "{format}");
            assert!(batch.quarantined.iter().all(|refused| refused.reason == Reason::TooManyKeys));
        }
    }
}

#[test]
fn eight_mebibytes_of_anything_end_with_an_answer() {
    for filling in ["x", "=", "a=", "|", "\\", "\" ", " ", "a=\\= ", "CEF:0|"] {
        let filling = filling.repeat((8 << 20) / filling.len() - 30);
        for head in ["", "a=1 b=", "a=1 b=\"", "CEF:0|v|p|1|2|n|3|a=", "CEF:0|", "Jan 15 08:00:00 h CEF:0|"] {
            let batch = decode("auto", AS_OF, FIELDS, &[format!("{head}{filling}").as_bytes()]);
            assert_eq!(batch.events.len() + batch.quarantined.len(), 1, "{head} and {:?}", &filling[..6]);
        }
    }
}
