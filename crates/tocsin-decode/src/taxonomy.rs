//! Names: from the path a value was sent under to the fields it fills.
//!
//! A name as sent is a field, and so is the taxonomy name (ECS) it maps to. The table below is the
//! whole mapping; of several names for one field the first present in row order wins. Paths are
//! resolved once, when a decoder meets them first, never per event.

use std::sync::Arc;

use tocsin_core::field::{FieldId, FieldTable};

use crate::schemas;

/// What a value at some path fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A field, under its own name: any kind of value.
    Named(FieldId),
    /// A taxonomy field, from one of its names: scalars only, the lowest rank wins.
    Alias(FieldId, u8),
    /// A taxonomy field that holds an address.
    Address(FieldId, u8),
    /// The event's time.
    Time(u8),
    /// The event's time, if a schema is recognised.
    SchemaTime(u8),
    /// A mark by which schemas are recognised, by its number.
    Mark(u8),
    /// The name in a pair of name and text.
    PairName,
    /// The text in such a pair.
    PairText,
    /// The pair itself: an object.
    Pair,
    /// What happened, from which category and outcome may follow.
    Action(u8),
    /// How it went.
    Outcome(u8),
    /// Path or method: the record is of a request, from which the category may follow.
    Request,
    /// Windows event id, from which category and outcome may follow.
    WindowsEventId,
}

/// Fields that are computed from others.
pub const DERIVED_FIELDS: [&str; 6] = [
    "event.action",
    "event.category",
    "event.outcome",
    "http.response.status_code",
    "logsource.product",
    "logsource.service",
];

pub(crate) const TIME_NAMES: [&str; 7] =
    ["timestamp", "@timestamp", "time", "eventTime", "UtcTime", "TimeCreated", "SystemTime"];
pub(crate) const ACTION_NAMES: [&str; 10] = [
    "event.action",
    "type",
    "event_type",
    "eventName",
    "action",
    "eventType",
    "eventtype",
    "operationName",
    "protoPayload.methodName",
    "activity_name",
];
pub(crate) const OUTCOME_NAMES: [&str; 4] = ["event.outcome", "status", "outcome", "status_code"];

/// Taxonomy fields and the names that fill them, in row order. The taxonomy name itself, which
/// stands first, is what recognised schemas send.
pub(crate) const ALIASES: &[(&str, &[&str])] = &[
    (
        "source.ip",
        &[
            "source.ip",
            "source_ip",
            "client_ip",
            "src_ip",
            "remote_addr",
            "sourceIPAddress",
            "IpAddress",
            "src_endpoint.ip",
            "client.ipAddress",
            "callerIpAddress",
            "ipAddress",
            "actor_ip",
            "ipaddr",
            "ClientIP",
            "protoPayload.requestMetadata.callerIp",
            "sourceIPs",
        ],
    ),
    ("source.port", &["source.port", "src_endpoint.port"]),
    ("destination.ip", &["destination.ip", "dst_endpoint.ip"]),
    ("destination.port", &["destination.port", "dst_endpoint.port"]),
    ("user.id", &["user.id", "user_id", "userIdentity.arn", "actor.user.uid"]),
    (
        "user.name",
        &[
            "user.name",
            "user",
            "username",
            "TargetUserName",
            "userIdentity.userName",
            "userIdentity.sessionContext.sessionIssuer.userName",
            "actor.user.name",
            "actor.alternateId",
            "actor.email",
            "actor",
            "actor_user_name",
            "userPrincipalName",
            "properties.userPrincipalName",
            "protoPayload.authenticationInfo.principalEmail",
            "UserId",
            "user_id",
            "userIdentity.arn",
            "user_email",
        ],
    ),
    ("user.email", &["user.email", "user_email", "user.email_addr", "actor.user.email_addr"]),
    (
        "host.name",
        &[
            "host.name",
            "asset_id",
            "host",
            "hostname",
            "Computer",
            "Hostname",
            "computer_name",
            "device.hostname",
        ],
    ),
    ("url.original", &["url.original", "endpoint", "path", "uri"]),
    ("url.path", &["url.path", "endpoint", "path", "uri"]),
    ("http.request.method", &["http.request.method", "method", "http_request.http_method"]),
    (
        "user_agent.original",
        &[
            "user_agent.original",
            "user_agent",
            "userAgent",
            "client.userAgent.rawUserAgent",
            "http_request.user_agent",
            "protoPayload.requestMetadata.callerSuppliedUserAgent",
        ],
    ),
    ("http.response.body.bytes", &["http.response.body.bytes", "bytes", "size"]),
    ("source.bytes", &["source.bytes", "bytes_out"]),
    ("process.command_line", &["process.command_line", "process.cmd_line"]),
    ("cloud.account.id", &["cloud.account.id", "recipientAccountId", "cloud.account.uid"]),
    ("cloud.region", &["cloud.region", "awsRegion"]),
    ("cloud.service.name", &["cloud.service.name", "eventSource", "protoPayload.serviceName"]),
    ("device.id", &["device.id", "device_id"]),
    ("session.id", &["session.id", "session_id"]),
    ("user.roles", &["user.roles", "role", "new_role"]),
    ("approval.id", &["approval.id", "approval_id"]),
    ("event.min_role", &["event.min_role", "min_role"]),
];

/// Where Windows events are nested, by exporter; what follows is the name rules use.
const WINDOWS_PREFIXES: [&str; 7] = [
    "Event.EventData.",
    "Event.System.",
    "winlog.event_data.",
    "event_data.",
    "EventData.",
    "System.",
    "winlog.",
];

/// Windows names that exporters spell differently from the rules.
const WINDOWS_NAMES: &[(&str, &str)] = &[
    ("event_id", "EventID"),
    ("EventID.#text", "EventID"),
    ("log_name", "Channel"),
    ("channel", "Channel"),
    ("computer_name", "Computer"),
    ("provider_name", "Provider_Name"),
    ("source_name", "Provider_Name"),
    ("SourceName", "Provider_Name"),
    ("Provider.#attributes.Name", "Provider_Name"),
    ("Provider.@Name", "Provider_Name"),
    ("TimeCreated.#attributes.SystemTime", "SystemTime"),
    ("TimeCreated.@SystemTime", "SystemTime"),
    ("Execution.#attributes.ProcessID", "Execution_ProcessID"),
    ("Security.#attributes.UserID", "Security_UserID"),
];

/// The wanted fields and how values reach them.
#[derive(Clone, Debug)]
pub struct Taxonomy {
    table: Arc<FieldTable>,
    wants_action: bool,
    wants_outcome: bool,
}

impl Taxonomy {
    /// A taxonomy that fills the fields of this table.
    #[must_use]
    pub fn new(table: Arc<FieldTable>) -> Taxonomy {
        let wants = |names: &[&str]| names.iter().any(|name| table.get(name).is_some());
        let wants_category = wants(&["event.category", "logsource.product", "logsource.service"]);
        Taxonomy {
            wants_action: wants_category || wants(&["event.action", "event.outcome"]),
            wants_outcome: wants(&["event.outcome", "http.response.status_code"]) || wants_category,
            table,
        }
    }

    /// The table of wanted fields.
    #[must_use]
    pub fn table(&self) -> &Arc<FieldTable> {
        &self.table
    }

    /// The id of a wanted field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<FieldId> {
        self.table.get(name)
    }

    /// Everything a value sent under a path fills. Empty when nobody wants it.
    #[must_use]
    pub fn targets(&self, path: &str) -> Vec<Target> {
        let mut targets = Vec::new();
        for name in names_of(path) {
            self.add_targets(&name, &mut targets);
        }
        targets.extend(pair_part(path));
        // What a sender could not map keeps its name, and fills nothing else.
        targets.extend(path.strip_prefix("unmapped.").and_then(|sent| self.named(sent)));
        targets
    }

    /// The field of exactly this name, unless it is one that several names fill.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<Target> {
        let is_alias = ALIASES.iter().any(|(field, _)| *field == name);
        let id = self.table.get(name).filter(|_| !is_alias && !DERIVED_FIELDS.contains(&name))?;
        Some(Target::Named(id))
    }

    fn add_targets(&self, name: &str, targets: &mut Vec<Target>) {
        let mut add = |target| {
            if !targets.contains(&target) {
                targets.push(target);
            }
        };
        if let Some(named) = self.named(name) {
            add(named);
        }
        for (field, names) in ALIASES {
            let rank = names.iter().position(|alias| *alias == name);
            if rank.is_some() && self.wants_action && matches!(*field, "url.path" | "http.request.method") {
                add(Target::Request);
            }
            if let (Some(rank), Some(id)) = (rank, self.table.get(field)) {
                let address = field.ends_with(".ip");
                let rank = rank as u8;
                add(if address { Target::Address(id, rank) } else { Target::Alias(id, rank) });
            }
        }
        if let Some(rank) = TIME_NAMES.iter().position(|time| *time == name) {
            add(Target::Time(rank as u8));
        }
        if let Some(rank) = schemas::TIME_NAMES.iter().position(|time| *time == name) {
            add(Target::SchemaTime(rank as u8));
        }
        for mark in schemas::marks_on(name) {
            add(Target::Mark(mark));
        }
        if let Some(rank) = ACTION_NAMES.iter().position(|n| *n == name).filter(|_| self.wants_action) {
            add(Target::Action(rank as u8));
        }
        if let Some(rank) = OUTCOME_NAMES.iter().position(|n| *n == name).filter(|_| self.wants_outcome) {
            add(Target::Outcome(rank as u8));
        }
        if name == "EventID" && self.wants_action {
            add(Target::WindowsEventId);
        }
        if matches!(name, "http.response.status_code" | "event.category")
            && let Some(id) = self.table.get(name)
        {
            add(Target::Alias(id, 0));
        }
    }
}

/// Exporters that give event data as a list of pairs spell the pair's name and text so.
const PAIR_NAMES: [&str; 5] = ["@Name", "#attributes.Name", "$.Name", "_Name", "Name"];
const PAIR_TEXTS: [&str; 5] = ["#text", "_", "__text", "text", "Value"];

/// What a path in a list of pairs of event data is: `{"Data":[{"@Name":"Image","#text":"x"}]}`.
fn pair_part(path: &str) -> Option<Target> {
    let inner = WINDOWS_PREFIXES.iter().find_map(|prefix| path.strip_prefix(prefix))?.strip_prefix("Data")?;
    match inner.strip_prefix('.') {
        Some(part) if PAIR_NAMES.contains(&part) => Some(Target::PairName),
        Some(part) if PAIR_TEXTS.contains(&part) => Some(Target::PairText),
        None if inner.is_empty() => Some(Target::Pair),
        _ => None,
    }
}

/// The names a path goes by: itself, without an exporter's prefix, in the rules' spelling, and
/// without spaces.
fn names_of(path: &str) -> Vec<String> {
    let mut names = vec![path.to_string()];
    let stripped = WINDOWS_PREFIXES.iter().find_map(|prefix| path.strip_prefix(prefix));
    let user_data = path.strip_prefix("Event.UserData.").and_then(|rest| rest.split_once('.'));
    let inner = stripped.or(user_data.map(|(_, rest)| rest)).or(schemas::inside_envelope(path));
    names.extend(inner.map(str::to_string));
    let base = inner.unwrap_or(path);
    let respelled = WINDOWS_NAMES.iter().find(|(sent, _)| *sent == base);
    names.extend(respelled.map(|(_, name)| (*name).to_string()));
    if base.contains(' ') {
        names.push(base.replace(' ', ""));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: &[&str], path: &str, expect: &[Target]) {
        let mut table = FieldTable::new();
        for name in wanted {
            table.intern(name).unwrap();
        }
        assert_eq!(Taxonomy::new(Arc::new(table)).targets(path), expect, "{path}");
    }

    #[test]
    fn a_name_as_sent_fills_itself_and_its_taxonomy_field() {
        let (ip, sent) = (FieldId(0), FieldId(1));
        check(&["source.ip", "client_ip"], "client_ip", &[Target::Named(sent), Target::Address(ip, 2)]);
        check(&["source.ip"], "source.ip", &[Target::Address(ip, 0)]);
        check(&["source.ip"], "nothing", &[]);
    }

    #[test]
    fn windows_nesting_is_looked_through() {
        let image = [Target::Named(FieldId(0))];
        for path in ["Image", "Event.EventData.Image", "event_data.Image", "winlog.event_data.Image"] {
            check(&["Image"], path, &image);
        }
        check(&["EventID"], "event_id", &image);
        check(&["EventID"], "Event.System.EventID.#text", &image);
        check(&["ProductName"], "Event.EventData.Product Name", &image);
        check(&["LogFileCleared"], "Event.UserData.X.LogFileCleared", &image);
    }
}
