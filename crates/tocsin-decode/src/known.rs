//! Which field names Tocsin knows, for hints about rules: a name that is not here may still be
//! sent in JSON.

use crate::formats::{cef, logfmt};
use crate::schemas;
use crate::taxonomy::{ACTION_NAMES, ALIASES, DERIVED_FIELDS, OUTCOME_NAMES, TIME_NAMES};

/// Fields that formats of text fill, beyond those that other names map to; some also go by the
/// names that rules for web servers and Linux use.
const TEXT_FIELDS: &[&str] = &[
    "COMMAND",
    "DeviceEventClassID",
    "DeviceProduct",
    "DeviceVendor",
    "DeviceVersion",
    "Name",
    "PWD",
    "Severity",
    "TTY",
    "USER",
    "c-ip",
    "c-uri",
    "c-uri-query",
    "c-uri-stem",
    "c-useragent",
    "cs-host",
    "cs-method",
    "cs-referer",
    "cs-referrer",
    "cs-uri",
    "cs-uri-query",
    "cs-uri-stem",
    "cs-user-agent",
    "cs-username",
    "cs-version",
    "event.code",
    "event.severity",
    "group.name",
    "http.request.referrer",
    "http.version",
    "log.syslog.appname",
    "log.syslog.facility.code",
    "log.syslog.facility.name",
    "log.syslog.hostname",
    "log.syslog.msgid",
    "log.syslog.priority",
    "log.syslog.procid",
    "log.syslog.severity.code",
    "log.syslog.severity.name",
    "log.syslog.structured_data",
    "message",
    "observer.product",
    "observer.vendor",
    "observer.version",
    "process.command_line",
    "process.name",
    "process.pid",
    "process.tty.name",
    "process.working_directory",
    "sc-bytes",
    "sc-status",
    "source.domain",
    "source.port",
    "url.domain",
    "url.original",
    "url.query",
    "user.effective.name",
];

/// All names that are known.
pub fn names() -> impl Iterator<Item = &'static str> {
    let sent = [
        &TIME_NAMES[..],
        &ACTION_NAMES,
        &OUTCOME_NAMES,
        &DERIVED_FIELDS,
        &schemas::TIME_NAMES,
        &schemas::CLOUDTRAIL_NAMES,
        TEXT_FIELDS,
    ];
    let mapped = [ALIASES, cef::NAMES, logfmt::NAMES].into_iter().flatten();
    let mapped = mapped.flat_map(|(field, names)| std::iter::once(*field).chain(names.iter().copied()));
    sent.into_iter().flatten().copied().chain(mapped)
}

/// Whether any format fills a field of this name, or maps it to one.
#[must_use]
pub fn is_known(name: &str) -> bool {
    names().any(|known| known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that the reader of a format asks the taxonomy for, from its source.
    fn asked_for(source: &str) -> Vec<&str> {
        let calls = source.split("of(&[").skip(1).chain(source.split("SourceTargets::new(").skip(1));
        let list = |call: &str| call.find("])").unwrap_or(0);
        calls.flat_map(|call| call[..list(call)].split('"').skip(1).step_by(2)).collect()
    }

    #[test]
    fn every_field_a_text_format_fills_is_known() {
        let sources = [
            include_str!("formats/syslog.rs"),
            include_str!("formats/access_log.rs"),
            include_str!("formats/cef.rs"),
        ];
        let mut count = 0;
        for name in sources.into_iter().flat_map(asked_for) {
            assert!(is_known(name), "add `{name}` to TEXT_FIELDS");
            count += 1;
        }
        assert!(count > 30, "only {count} names were found in the sources");
    }

    #[test]
    fn names_as_sent_are_known_and_slips_of_the_pen_are_not() {
        for (name, expect) in [
            ("source.ip", true),
            ("client_ip", true),
            ("event.category", true),
            ("timestamp", true),
            ("process.command_line", true),
            ("source.ipp", false),
            ("", false),
        ] {
            assert_eq!(is_known(name), expect, "{name}");
        }
    }
}
