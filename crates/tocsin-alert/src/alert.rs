//! The alert's shape, as the contract gives it, and how one is made of a detection.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tocsin_core::alert_id::AlertId;
use tocsin_core::detection::{Clock, Detection, Phase};
use tocsin_core::key;
use tocsin_core::offset::Position;
use tocsin_core::rule::{Level, RuleMeta};
use tocsin_core::time::Timestamp;

use crate::template::render;

/// One alert. Field order is the wire's order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Derived id; equal for equal events.
    pub alert_id: String,
    /// The tenant.
    pub tenant_id: String,
    /// t0, RFC 3339.
    pub timestamp: String,
    /// First contributing event.
    pub first_seen: String,
    /// Last contributing event.
    pub last_seen: String,
    /// Distinct events that lay in a window while the condition held.
    pub count: u64,
    /// The alert's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Severity: the highest of its detections.
    pub severity: Level,
    /// Confidence, 0 to 1: the highest of its detections.
    pub confidence: f64,
    /// `open`, `withdrawn`, and what people set.
    pub status: String,
    /// Whether a late event may still move or remove it.
    pub provisional: bool,
    /// The alert that took its place, where a late event moved t0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// The rule's title.
    pub title: String,
    /// What happened, in a sentence.
    pub message: String,
    /// The rule.
    pub rule: RuleRef,
    /// The group key by field.
    pub key: Map<String, Value>,
    /// Its own claim and those of other rules about the same event, by rule id.
    pub detections: Vec<Claim>,
    /// The event that completed the condition.
    pub event: Value,
    /// The contributing events; beyond a bound by id only.
    pub evidence: Vec<EvidenceEvent>,
    /// Addresses, users and hosts concerned.
    pub entities: Vec<Entity>,
    /// What to do about it.
    pub recommended_actions: Vec<String>,
    /// Where it belongs.
    pub context: Context,
    /// Whether a count is an estimate.
    pub approximate: bool,
}

/// The rule an alert belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleRef {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Hash of its text.
    pub hash: String,
    /// Its level.
    pub level: Level,
    /// Its tags.
    pub tags: Vec<String>,
}

/// One rule's claim within an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The rule's alert type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its confidence.
    pub confidence: f64,
    /// Its message.
    pub description: String,
    /// Its numbers.
    pub details: Value,
    /// The rule's id.
    pub rule_id: String,
    /// The rule's level.
    pub severity: Level,
}

/// A contributing event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceEvent {
    /// Partition and offset.
    pub event_id: String,
    /// Event time.
    pub event_time: String,
    /// The event; absent beyond the bound, and where the record cannot be read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Value>,
}

/// Somebody or something concerned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entity {
    /// `address`, `host` or `user`.
    pub kind: String,
    /// Its name.
    pub value: String,
}

/// Where an alert belongs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// Hosts concerned.
    pub affected_assets: Vec<String>,
    /// Other alerts about the same entities.
    pub related_alerts: Vec<String>,
    /// The ATT&CK tactic of the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attack_chain_position: Option<String>,
    /// The incident it is part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident_id: Option<String>,
}

/// What an alert is made of.
#[derive(Clone, Copy, Debug)]
pub struct AlertSource<'a> {
    /// Name of the tenant.
    pub tenant: &'a str,
    /// The rule.
    pub meta: &'a RuleMeta,
    /// The detection.
    pub detection: &'a Detection,
}

/// Fields that name entities, and what kind.
const ENTITY_FIELDS: [(&str, &str); 3] =
    [("source.ip", "address"), ("user.name", "user"), ("host.name", "host")];

/// ATT&CK tactics in the order of a chain.
pub const TACTICS: [&str; 14] = [
    "reconnaissance",
    "resource_development",
    "initial_access",
    "execution",
    "persistence",
    "privilege_escalation",
    "defense_evasion",
    "credential_access",
    "discovery",
    "lateral_movement",
    "collection",
    "command_and_control",
    "exfiltration",
    "impact",
];

impl AlertSource<'_> {
    /// The alert's id.
    #[must_use]
    pub fn id(&self) -> AlertId {
        let AlertSource { tenant, meta, detection } = self;
        AlertId::derive(tenant, &meta.id, &meta.logic_hash, &detection.key, detection.t0, detection.clock)
    }

    /// The position of the event that completed the condition.
    #[must_use]
    pub fn completing(&self) -> Position {
        self.detection.completing
    }

    /// The alert. `event` is the completing event with `named` values of its taxonomy fields;
    /// `evidence` the contributing events, already read.
    #[must_use]
    pub fn alert(&self, event: Value, named: &Map<String, Value>, evidence: Vec<EvidenceEvent>) -> Alert {
        let (meta, detection) = (self.meta, self.detection);
        let key = self.key();
        let claim = self.claim(&key, named);
        let entities = entities(&key, named);
        let hosts = entities.iter().filter(|entity| entity.kind == "host");
        let context = Context {
            affected_assets: hosts.map(|host| host.value.clone()).collect(),
            attack_chain_position: tactic(&meta.tags),
            ..Context::default()
        };
        let status = if detection.phase == Phase::Withdrawn { "withdrawn" } else { "open" };
        Alert {
            alert_id: self.id().to_string(),
            tenant_id: self.tenant.to_string(),
            timestamp: detection.t0.to_string(),
            first_seen: detection.first_seen.to_string(),
            last_seen: detection.last_seen.to_string(),
            count: detection.count,
            kind: meta.kind.clone(),
            severity: meta.level,
            confidence: meta.confidence,
            status: status.to_string(),
            provisional: detection.phase == Phase::Provisional,
            superseded_by: None,
            title: meta.title.clone(),
            message: claim.description.clone(),
            rule: RuleRef {
                id: meta.id.clone(),
                title: meta.title.clone(),
                hash: meta.hash.clone(),
                level: meta.level,
                tags: meta.tags.clone(),
            },
            key,
            detections: vec![claim],
            event,
            evidence,
            entities,
            recommended_actions: meta.actions.clone(),
            context,
            approximate: detection.approximate,
        }
    }

    fn key(&self) -> Map<String, Value> {
        let parts = key::parts(&self.detection.key);
        let named = self.meta.key_fields.iter().zip(parts);
        named.filter_map(|(field, part)| Some((field.clone(), Value::from(part?)))).collect()
    }

    fn claim(&self, key: &Map<String, Value>, named: &Map<String, Value>) -> Claim {
        let (meta, detection) = (self.meta, self.detection);
        let value = |name: &str| match name {
            "n" => Some(detection.in_window.to_string()),
            "window" => meta.window.map(|window| window.to_string()),
            field => {
                let known = key.get(field).or_else(|| named.get(field)).and_then(Value::as_str);
                let absent = field.contains('.').then_some("unknown");
                known.or(absent).map(str::to_string)
            }
        };
        let description = match &meta.message {
            Some(template) => render(template, value),
            None => default_message(meta, key),
        };
        let mut details = json!({ "events": detection.in_window });
        if let Some(window) = meta.window {
            details["window_seconds"] = json!(window.0 / 1_000_000_000);
        }
        if let Some(template) = &meta.details {
            details["summary"] = json!(render(template, value));
        }
        if detection.late {
            details["late"] = json!(true);
        }
        if detection.clock == Clock::Ingest {
            details["clock"] = json!("ingest");
        }
        Claim {
            kind: meta.kind.clone(),
            confidence: meta.confidence,
            description,
            details,
            rule_id: meta.id.clone(),
            severity: meta.level,
        }
    }
}

fn default_message(meta: &RuleMeta, key: &Map<String, Value>) -> String {
    let named: Vec<String> =
        key.iter().filter_map(|(field, value)| Some(format!("{field} {}", value.as_str()?))).collect();
    if named.is_empty() { meta.title.clone() } else { format!("{} ({})", meta.title, named.join(", ")) }
}

fn entities(key: &Map<String, Value>, named: &Map<String, Value>) -> Vec<Entity> {
    let mut entities = Vec::new();
    for values in [key, named] {
        for (field, kind) in ENTITY_FIELDS {
            if let Some(value) = values.get(field).and_then(Value::as_str) {
                entities.push(Entity { kind: kind.to_string(), value: value.to_string() });
            }
        }
    }
    entities.sort();
    entities.dedup();
    entities
}

/// The tactic among a rule's tags that stands latest in a chain.
fn tactic(tags: &[String]) -> Option<String> {
    let spelled = |tag: &String| tag.strip_prefix("attack.").map(|name| name.replace('-', "_"));
    let known = tags.iter().filter_map(spelled).filter_map(|name| TACTICS.iter().position(|t| *t == name));
    known.max().map(|position| TACTICS[position].to_string())
}

/// RFC 3339 of a time, as alerts write it.
#[must_use]
pub fn written(time: Timestamp) -> Value {
    Value::from(time.to_string())
}
