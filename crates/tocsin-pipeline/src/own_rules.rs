//! Rules of Tocsin's own, about itself: alerts like any other, with ids that begin with `tocsin.`.

use tocsin_core::alert_id::content_hash;
use tocsin_core::matcher::RuleIdx;
use tocsin_core::plan::PlannedRule;
use tocsin_core::rule::{Level, RuleMeta};
use tocsin_core::time::Span;
use tocsin_detect::registry::every_match;

/// Length of their episodes.
const EPISODE: Span = Span::seconds(3_600);

/// A rule's state has reached its bound.
pub fn state_pressure(rule: RuleIdx) -> PlannedRule {
    let text = "state_pressure";
    let meta = RuleMeta {
        id: "tocsin.state_pressure".to_string(),
        name: None,
        title: "Too many keys for exact counting".to_string(),
        level: Level::High,
        tags: Vec::new(),
        hash: content_hash(text.as_bytes()),
        logic_hash: content_hash(text.as_bytes()),
        kind: "state_pressure".to_string(),
        confidence: 1.0,
        message: Some(
            "The state of rule {rule.id} is full: new keys are estimated before they are counted".to_string(),
        ),
        details: None,
        actions: vec!["notify".to_string(), "rate_limit".to_string()],
        key_fields: vec!["rule.id".to_string()],
        window: None,
        episode: EPISODE,
        alerts: true,
    };
    let detector = Some(every_match(rule, EPISODE));
    PlannedRule { meta, routes: Vec::new(), chains: Vec::new(), level: 0, detector }
}
