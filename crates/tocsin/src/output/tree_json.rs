//! An explanation for machines.

use serde_json::{Value as Json, json};
use tocsin_core::value::Value;
use tocsin_sigma::explain::{Fed, Node, What, requirement, role};
use tocsin_sigma::ruleset::{Rule, RuleSet};

use crate::output::tree::takes_part;

/// A stateless rule with its tree.
#[must_use]
pub fn stateless(rule: &Rule, tree: &Node<'_>) -> Json {
    let mut object = head(rule);
    object["matches"] = tree.holds.into();
    object["tree"] = tree.children.iter().map(node).collect();
    object
}

/// What an event means for a correlation; `matched` tells which rules match it.
#[must_use]
pub fn correlation(rules: &RuleSet, rule: &Rule, feeds: &[Fed<'_>], matched: &[bool]) -> Json {
    let mut object = head(rule);
    let fed = |fed: &Fed<'_>| {
        let base = &rules.rules[fed.rule.index()].meta;
        let seen = |fields: &[(String, Option<Value<'_>>)]| {
            let pairs =
                fields.iter().map(|(field, seen)| (field.clone(), seen.as_ref().map_or(Json::Null, value)));
            pairs.collect::<serde_json::Map<String, Json>>()
        };
        let mut object = json!({
            "rule": base.id,
            "role": rule.stateful.as_ref().map(|(spec, _)| role(spec, fed.role)),
            "matches": matched[fed.rule.index()],
            "key": seen(&fed.key),
        });
        if !fed.value.is_empty() {
            object["value"] = seen(&fed.value).into();
        }
        object
    };
    object["takes_part"] = feeds.iter().any(|fed| takes_part(fed, matched)).into();
    object["fed_by"] = feeds.iter().map(fed).collect();
    if let Some((spec, _)) = &rule.stateful {
        object["needs"] = requirement(spec, &rule.meta.key_fields).into();
    }
    object
}

fn head(rule: &Rule) -> Json {
    let (meta, head) = (&rule.meta, &rule.document.head);
    json!({
        "id": meta.id,
        "name": meta.name,
        "title": meta.title,
        "file": head.file.display().to_string(),
        "line": head.place.line,
    })
}

fn node(tree: &Node<'_>) -> Json {
    let mut object = json!({ "what": kind(&tree.what), "holds": tree.holds });
    match &tree.what {
        What::LogSource(text) | What::Unmapped(text) | What::Test(text) => {
            object["text"] = text.as_str().into();
        }
        What::Selection(name) => object["name"] = (**name).into(),
        What::Item(seen) => {
            object["field"] = seen.field.as_deref().into();
            object["all"] = seen.all.into();
            if seen.place.line > 0 {
                object["line"] = seen.place.line.into();
            }
            if seen.field.is_some() {
                object["seen"] = seen.values.iter().map(value).collect();
            }
        }
        What::Rule | What::Condition | What::All | What::Any | What::Not => {}
    }
    if !tree.children.is_empty() {
        object["children"] = tree.children.iter().map(node).collect();
    }
    object
}

fn kind(what: &What<'_>) -> &'static str {
    match what {
        What::Rule => "rule",
        What::LogSource(_) => "log_source",
        What::Unmapped(_) => "unmapped",
        What::Condition => "condition",
        What::All => "all",
        What::Any => "any",
        What::Not => "not",
        What::Selection(_) => "selection",
        What::Item(_) => "item",
        What::Test(_) => "test",
    }
}

fn value(value: &Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Text(text) => text.as_ref().into(),
        Value::EmptyList => Json::Array(Vec::new()),
        Value::Number(text) | Value::Object(text) => {
            serde_json::from_str(text).unwrap_or_else(|_| (*text).into())
        }
    }
}
