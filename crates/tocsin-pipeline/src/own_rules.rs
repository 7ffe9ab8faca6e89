//! Rules of Tocsin's own, about itself: alerts like any other, with ids that begin with `tocsin.`.

use tocsin_core::alert_id::content_hash;
use tocsin_core::matcher::RuleIdx;
use tocsin_core::plan::PlannedRule;
use tocsin_core::rule::{Level, RuleMeta};
use tocsin_core::time::Span;
use tocsin_detect::registry::every_match;

/// Length of their episodes.
const EPISODE: Span = Span::seconds(3_600);

/// What an own rule says.
struct Words {
    /// What its id ends with.
    name: &'static str,
    title: &'static str,
    message: &'static str,
    actions: &'static [&'static str],
}

/// A rule's state has reached its bound.
pub fn state_pressure(rule: RuleIdx) -> PlannedRule {
    let words = Words {
        name: "state_pressure",
        title: "Too many keys for exact counting",
        message: "The state of rule {rule.id} is full: new keys are estimated before they are counted",
        actions: &["notify", "rate_limit"],
    };
    planned(rule, &words)
}

/// A rule was switched off, because it went on failing.
pub fn rule_disabled(rule: RuleIdx) -> PlannedRule {
    let words = Words {
        name: "rule_disabled",
        title: "A rule was switched off",
        message: "Rule {rule.id} went on failing and was switched off: it finds nothing until it is edited",
        actions: &["notify"],
    };
    planned(rule, &words)
}

/// One alert for each rule that something befell.
fn planned(rule: RuleIdx, words: &Words) -> PlannedRule {
    let meta = RuleMeta {
        id: format!("tocsin.{}", words.name),
        name: None,
        title: words.title.to_string(),
        level: Level::High,
        tags: Vec::new(),
        hash: content_hash(words.name.as_bytes()),
        logic_hash: content_hash(words.name.as_bytes()),
        kind: words.name.to_string(),
        confidence: 1.0,
        message: Some(words.message.to_string()),
        details: None,
        actions: words.actions.iter().map(ToString::to_string).collect(),
        key_fields: vec!["rule.id".to_string()],
        window: None,
        episode: EPISODE,
        alerts: true,
    };
    let detector = Some(every_match(rule, EPISODE));
    PlannedRule { meta, routes: Vec::new(), chains: Vec::new(), level: 0, detector, filters: Vec::new() }
}
