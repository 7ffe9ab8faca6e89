//! Syslog lines: RFC 5424, RFC 3164, and RFC 3164 with an ISO time as rsyslog and systemd write it.
//!
//! The header is read in [`crate::syslog_header`], what the message says in [`crate::messages`].
//! A line that begins in none of these ways is refused.

use tocsin_core::batch::{EventBatch, Notes, Reason};
use tocsin_core::time::Timestamp;

use crate::cef_parts::syslog_before;
use crate::format::{Format, FormatContext, Record, Refusal};
use crate::messages::{self, Said};
use crate::registry::FormatEntry;
use crate::row::{Row, Stated};
use crate::syslog_header::{self, Header, YEARLESS_AHEAD_MAX};
use crate::taxonomy::{Target, Taxonomy};
use crate::text::{Fill, SourceTargets, targets};

/// The registration of this format.
pub const ENTRY: FormatEntry = FormatEntry {
    name: "syslog",
    summary: "syslog lines (RFC 5424, RFC 3164, rsyslog with ISO time)",
    build: |context| Box::new(Syslog::new(context)),
    recognise: |text| syslog_header::looks_like_syslog(text) && syslog_before(text, Timestamp::MAX).is_none(),
};

/// Facilities by code: RFC 5424, table 1, in the short names of `syslog.h`.
const FACILITIES: [(&str, &str); 24] = [
    ("0", "kern"),
    ("1", "user"),
    ("2", "mail"),
    ("3", "daemon"),
    ("4", "auth"),
    ("5", "syslog"),
    ("6", "lpr"),
    ("7", "news"),
    ("8", "uucp"),
    ("9", "cron"),
    ("10", "authpriv"),
    ("11", "ftp"),
    ("12", "ntp"),
    ("13", "security"),
    ("14", "console"),
    ("15", "clock"),
    ("16", "local0"),
    ("17", "local1"),
    ("18", "local2"),
    ("19", "local3"),
    ("20", "local4"),
    ("21", "local5"),
    ("22", "local6"),
    ("23", "local7"),
];

/// Severities by code: RFC 5424, table 2.
const SEVERITIES: [(&str, &str); 8] = [
    ("0", "emerg"),
    ("1", "alert"),
    ("2", "crit"),
    ("3", "err"),
    ("4", "warning"),
    ("5", "notice"),
    ("6", "info"),
    ("7", "debug"),
];

/// Reads syslog lines.
struct Syslog {
    fields: HeaderTargets,
    said: SaidTargets,
}

struct HeaderTargets {
    priority: Vec<Target>,
    facility_code: Vec<Target>,
    facility_name: Vec<Target>,
    severity_code: Vec<Target>,
    severity_name: Vec<Target>,
    host: Vec<Target>,
    program: Vec<Target>,
    process: Vec<Target>,
    process_id: Vec<Target>,
    message_id: Vec<Target>,
    structured: Vec<Target>,
    message: Vec<Target>,
}

/// `USER`, `COMMAND`, `PWD` and `TTY` are the names by which Sigma rules for sudo go.
struct SaidTargets {
    source: SourceTargets,
    user: Vec<Target>,
    effective_user: Vec<Target>,
    group: Vec<Target>,
    command: Vec<Target>,
    directory: Vec<Target>,
    terminal: Vec<Target>,
}

impl Syslog {
    fn new(context: &FormatContext) -> Syslog {
        let taxonomy = &context.taxonomy;
        Syslog { fields: HeaderTargets::new(taxonomy), said: SaidTargets::new(taxonomy) }
    }
}

impl HeaderTargets {
    fn new(taxonomy: &Taxonomy) -> HeaderTargets {
        let of = |names: &[&str]| targets(taxonomy, names);
        HeaderTargets {
            priority: of(&["log.syslog.priority"]),
            facility_code: of(&["log.syslog.facility.code"]),
            facility_name: of(&["log.syslog.facility.name"]),
            severity_code: of(&["log.syslog.severity.code"]),
            severity_name: of(&["log.syslog.severity.name"]),
            host: of(&["host.name", "log.syslog.hostname"]),
            program: of(&["process.name", "log.syslog.appname"]),
            process: of(&["log.syslog.procid"]),
            process_id: of(&["process.pid"]),
            message_id: of(&["log.syslog.msgid"]),
            structured: of(&["log.syslog.structured_data"]),
            message: of(&["message"]),
        }
    }

    fn put(&self, fill: &mut Fill<'_, '_>, header: &Header<'_>) {
        fill.number(&self.priority, header.priority);
        if let Some(priority) = header.priority_value {
            self.put_priority(fill, priority);
        }
        fill.text(&self.host, header.host);
        fill.text(&self.program, header.program);
        fill.text(&self.process, header.process);
        if header.process.iter().all(u8::is_ascii_digit) {
            fill.number(&self.process_id, header.process);
        }
        fill.text(&self.message_id, header.message_id);
        fill.text(&self.structured, header.structured);
    }

    fn put_priority(&self, fill: &mut Fill<'_, '_>, priority: u32) {
        let (facility, severity) = (priority as usize / 8, priority as usize % 8);
        if let Some((code, name)) = FACILITIES.get(facility) {
            fill.computed(&self.facility_code, code);
            fill.computed(&self.facility_name, name);
        }
        if let Some((code, name)) = SEVERITIES.get(severity) {
            fill.computed(&self.severity_code, code);
            fill.computed(&self.severity_name, name);
        }
    }
}

impl SaidTargets {
    fn new(taxonomy: &Taxonomy) -> SaidTargets {
        let of = |names: &[&str]| targets(taxonomy, names);
        SaidTargets {
            source: SourceTargets::new(taxonomy, &["source.ip"]),
            user: of(&["user.name"]),
            effective_user: of(&["user.effective.name", "USER"]),
            group: of(&["group.name"]),
            command: of(&["process.command_line", "COMMAND"]),
            directory: of(&["process.working_directory", "PWD"]),
            terminal: of(&["process.tty.name", "TTY"]),
        }
    }

    fn put(&self, fill: &mut Fill<'_, '_>, said: &Said<'_>) {
        self.source.put(fill, said.source, said.port);
        fill.text(&self.user, said.user);
        fill.text(&self.effective_user, said.effective_user);
        fill.text(&self.group, said.group);
        fill.text(&self.command, said.command);
        fill.text(&self.directory, said.directory);
        fill.text(&self.terminal, said.terminal);
    }
}

impl Format for Syslog {
    fn read(&mut self, record: Record<'_>, row: &mut Row, batch: &mut EventBatch) -> Result<(), Refusal> {
        let header = syslog_header::read(record.text(), record.reference.plus(YEARLESS_AHEAD_MAX))
            .map_err(|at| Refusal::new(Reason::UnknownFormat, at))?;
        if let Some(time) = header.time {
            row.set_time(time);
        }
        if header.year_derived {
            row.note(Notes::YEAR_DERIVED);
        }
        let message = match messages::repeated(header.message) {
            Some((times, inner)) => {
                row.set_weight(times);
                inner
            }
            None => header.message,
        };
        let (service, said) = messages::read(header.program, message);
        let stated = said.map_or(Stated::default(), |said| said.stated);
        row.state(Stated { product: Some("linux"), service: Some(service), ..stated });
        let mut fill = Fill { row, batch, record };
        self.fields.put(&mut fill, &header);
        fill.text(&self.fields.message, message);
        if let Some(said) = said {
            self.said.put(&mut fill, &said);
        }
        Ok(())
    }
}
