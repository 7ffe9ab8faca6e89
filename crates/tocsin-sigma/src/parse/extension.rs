//! The custom top-level key `tocsin`: how a rule's alert is worded.

use super::fields;
use crate::ast::Extension;
use crate::finding::Findings;
use crate::yaml::Node;

/// The actions a rule may recommend.
pub const ACTIONS: [&str; 11] = [
    "block_address",
    "disable_account",
    "flag_account",
    "require_mfa",
    "revert_role",
    "revoke_tokens",
    "capture_forensics",
    "rate_limit",
    "request_access_review",
    "open_investigation",
    "notify",
];

// `tests` is read in `inline_tests`.
const KEYS: [&str; 7] = ["type", "confidence", "message", "details", "actions", "episode", "tests"];

/// Reads the extension. What is wrong in it keeps the rule from loading: its author wrote it for
/// this very program.
pub(super) fn read(findings: &mut Findings, root: &Node) -> Extension {
    let Some(entry) = root.entry("tocsin") else { return Extension::default() };
    if !fields::is_map(findings, entry) {
        return Extension::default();
    }
    fields::only_known_keys(findings, entry, &KEYS);
    let node = &entry.value;
    Extension {
        kind: fields::text_of(findings, node, "type"),
        confidence: confidence(findings, node),
        message: fields::text_of(findings, node, "message"),
        details: fields::text_of(findings, node, "details"),
        actions: actions(findings, node),
        episode: node.entry("episode").and_then(|entry| fields::span(findings, entry)),
    }
}

fn confidence(findings: &mut Findings, node: &Node) -> Option<f64> {
    let entry = node.entry("confidence")?;
    let number = fields::number(findings, entry)?;
    if !(0.0..=1.0).contains(&number) {
        findings.error(entry.value.place, "confidence_value", "`confidence` must be from 0 to 1");
    }
    Some(number)
}

fn actions(findings: &mut Findings, node: &Node) -> Vec<String> {
    let texts = node.entry("actions").and_then(|entry| fields::texts(findings, entry)).unwrap_or_default();
    for (action, place) in &texts {
        if !ACTIONS.contains(&action.as_str()) {
            findings.unknown_word(*place, "unknown_action", "action", action, &ACTIONS);
        }
    }
    texts.into_iter().map(|(action, _)| action).collect()
}
