//! What a rule is once it is loaded: the part every stage needs, whatever language wrote it.

use serde::{Deserialize, Serialize};

use crate::time::Span;

/// How bad it is, ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Marks events; raises no alert.
    Informational,
    /// Worth a look in bulk.
    Low,
    /// The level of a rule that names none.
    #[default]
    Medium,
    /// Somebody should look today.
    High,
    /// Somebody should look now.
    Critical,
}

impl Level {
    /// All levels in order.
    pub const ALL: [Level; 5] =
        [Level::Informational, Level::Low, Level::Medium, Level::High, Level::Critical];

    /// The level's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Informational => "informational",
            Level::Low => "low",
            Level::Medium => "medium",
            Level::High => "high",
            Level::Critical => "critical",
        }
    }

    /// The level of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.as_str() == name)
    }

    /// Confidence of a Sigma rule of this level that states none.
    #[must_use]
    pub fn confidence(self) -> f64 {
        match self {
            Level::Informational => 0.1,
            Level::Low => 0.3,
            Level::Medium => 0.5,
            Level::High => 0.7,
            Level::Critical => 0.9,
        }
    }
}

/// What an alert says about the rule that raised it.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleMeta {
    /// The rule's id: its `id`, else its `name`, else its title.
    pub id: String,
    /// Its short name, by which correlations and traces refer to it.
    pub name: Option<String>,
    /// Its title.
    pub title: String,
    /// Its level.
    pub level: Level,
    /// Its tags (`attack.t1110`).
    pub tags: Vec<String>,
    /// Hash of the rule's text.
    pub hash: String,
    /// Hash of its normalised logic with everything it refers to. State is keyed by it: an edited
    /// logic starts empty, an edited title does not.
    pub logic_hash: String,
    /// The alert's type (`brute_force`; `sigma` where the rule states none).
    pub kind: String,
    /// The alert's confidence, 0 to 1.
    pub confidence: f64,
    /// Template of the alert's message, `{n}`, `{window}` and `{field.name}` replaced.
    pub message: Option<String>,
    /// Template of the alert's one-line details.
    pub details: Option<String>,
    /// Recommended actions, from the closed list of the contract.
    pub actions: Vec<String>,
    /// Names of the fields of its group key, in order.
    pub key_fields: Vec<String>,
    /// Its window, where it has one.
    pub window: Option<Span>,
    /// Length of an episode: repeats of one key within it belong to one alert.
    pub episode: Span,
    /// Whether its detections become alerts (false for informational rules and for base rules
    /// that only feed a correlation).
    pub alerts: bool,
}

/// Confidence of an alert type whose rule states none; `None` for types not in the contract.
#[must_use]
pub fn confidence_of_kind(kind: &str) -> Option<f64> {
    Some(match kind {
        "brute_force" | "bruteforce" | "abnormal_traffic" => 0.9,
        "impossible_travel" => 0.95,
        "privilege_escalation" => 0.85,
        "data_exfiltration" => 0.8,
        "off_hours_access" => 0.7,
        "first_seen" => 0.5,
        _ => return None,
    })
}
