//! Linux: syslog by service, Sysmon for Linux by category.

use super::{any_of, event_category};
use crate::ast::{Expr, LogSource, Unmapped};

/// Services of syslog that the decoder recognises, and the services they are called by.
const SERVICES: &[(&str, &[&str])] = &[
    ("auth", &["sshd", "sudo", "su", "syslog"]),
    ("cron", &["cron"]),
    ("sshd", &["sshd"]),
    ("su", &["su"]),
    ("sudo", &["sudo"]),
    ("syslog", &["sshd", "sudo", "su", "cron", "syslog"]),
];

/// Services that are programs, by the names they log under.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("auditd", &["audispd", "audit", "auditd"]),
    ("clamav", &["clamd", "clamav-daemon", "freshclam"]),
    ("guacamole", &["guacd"]),
    ("named", &["named"]),
    ("vsftpd", &["vsftpd"]),
];

/// Event ids of Sysmon for Linux.
const SYSMON_CATEGORIES: &[(&str, &[&str])] = &[
    ("file_delete", &["23"]),
    ("file_event", &["11"]),
    ("network_connection", &["3"]),
    ("process_access", &["10"]),
    ("process_creation", &["1"]),
    ("process_termination", &["5"]),
    ("raw_access_thread", &["9"]),
];

/// The conditions of a log source with `product: linux`.
pub(super) fn gate(source: &LogSource) -> Result<Expr, Unmapped> {
    let category = source.category.as_deref();
    if let Some((_, ids)) = SYSMON_CATEGORIES.iter().find(|(name, _)| Some(*name) == category) {
        let channel = any_of("Channel", &["Linux-Sysmon/Operational"]);
        return Ok(Expr::And(vec![channel, any_of("EventID", ids)]));
    }
    if source.service.as_deref() == Some("sysmon") {
        return Ok(Expr::And(vec![any_of("Channel", &["Linux-Sysmon/Operational"])]));
    }
    let mut conditions = vec![any_of("logsource.product", &["linux"])];
    if let Some(service) = source.service.as_deref() {
        let known = syslog_service(service).or_else(|| program(service));
        let reason = || Unmapped(format!("no format yields events of Linux service `{service}`"));
        conditions.push(known.ok_or_else(reason)?);
    }
    if let Some(category) = category {
        conditions.push(event_category(category)?);
    }
    Ok(Expr::And(conditions))
}

/// The condition of a service that the decoder recognises.
pub(super) fn syslog_service(service: &str) -> Option<Expr> {
    let (_, services) = SERVICES.iter().find(|(name, _)| *name == service)?;
    Some(any_of("logsource.service", services))
}

fn program(service: &str) -> Option<Expr> {
    let (_, names) = PROGRAMS.iter().find(|(name, _)| *name == service)?;
    Some(any_of("log.syslog.appname", names))
}
