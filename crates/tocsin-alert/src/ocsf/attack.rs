//! ATT&CK entries of a rule's tags: `attack.credential-access`, `attack.t1110.001`.

use serde_json::{Value, json};

use super::{items, sparse};

/// Tactics, by their identifier in the Enterprise matrix.
const TACTICS: [(&str, &str); 14] = [
    ("Reconnaissance", "TA0043"),
    ("Resource Development", "TA0042"),
    ("Initial Access", "TA0001"),
    ("Execution", "TA0002"),
    ("Persistence", "TA0003"),
    ("Privilege Escalation", "TA0004"),
    ("Defense Evasion", "TA0005"),
    ("Credential Access", "TA0006"),
    ("Discovery", "TA0007"),
    ("Lateral Movement", "TA0008"),
    ("Collection", "TA0009"),
    ("Command and Control", "TA0011"),
    ("Exfiltration", "TA0010"),
    ("Impact", "TA0040"),
];

/// Characters of a technique's number, and of a sub-technique's behind the dot.
const TECHNIQUE_DIGITS: usize = 4;
const SUB_TECHNIQUE_DIGITS: usize = 3;

/// One entry for each technique. Tags do not say which of several tactics a technique served, so
/// only a single tactic joins the techniques; several have entries of their own.
pub(super) fn attacks(tags: &Value) -> Vec<Value> {
    let names = || items(tags).filter_map(|tag| tag.as_str()?.strip_prefix("attack."));
    let tactics: Vec<Value> = names().filter_map(tactic).collect();
    let techniques: Vec<Value> = names().filter_map(technique).collect();
    let shared = if tactics.len() == 1 && !techniques.is_empty() { tactics.first() } else { None };
    let of_their_own = tactics.iter().filter(|_| shared.is_none()).map(|tactic| json!({ "tactic": tactic }));
    let joined = techniques.into_iter().map(|mut entry| {
        entry["tactic"] = json!(shared);
        sparse(entry)
    });
    of_their_own.chain(joined).collect()
}

fn tactic(tag: &str) -> Option<Value> {
    let spelled = tag.replace(['-', '_'], " ");
    let (name, uid) = TACTICS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&spelled))?;
    Some(json!({ "name": name, "uid": uid }))
}

fn technique(tag: &str) -> Option<Value> {
    let number = tag.strip_prefix(['t', 'T'])?;
    let (number, sub) = number.split_once('.').map_or((number, None), |(number, sub)| (number, Some(sub)));
    let is = |text: &str, digits| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_one = is(number, TECHNIQUE_DIGITS) && sub.is_none_or(|sub| is(sub, SUB_TECHNIQUE_DIGITS));
    let sub = sub.map(|sub| json!({ "uid": format!("T{number}.{sub}") }));
    is_one.then(|| json!({ "technique": { "uid": format!("T{number}") }, "sub_technique": sub }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert;

    /// Entries as `tactic/technique/sub-technique`.
    fn of(tags: &[&str]) -> String {
        let part = |entry: &Value, name: &str| entry[name]["uid"].as_str().unwrap_or("-").to_string();
        let entries = attacks(&json!(tags));
        let entries = entries
            .iter()
            .map(|entry| ["tactic", "technique", "sub_technique"].map(|name| part(entry, name)).join("/"));
        entries.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn tags_become_entries() {
        for (tags, expect) in [
            (&["attack.t1110"][..], "-/T1110/-"),
            (&["attack.credential-access", "attack.T1110.001"], "TA0006/T1110/T1110.001"),
            (&["attack.credential_access", "attack.t1110", "attack.t1078"], "TA0006/T1110/- TA0006/T1078/-"),
            (&["attack.initial-access", "attack.t1190", "attack.impact"], "TA0001/-/- TA0040/-/- -/T1190/-"),
            (&["attack.impact"], "TA0040/-/-"),
            (&["attack.t111", "attack.t1110.1", "attack.tx110", "attack.s0001", "cve.2024.1", "t1110"], ""),
        ] {
            assert_eq!(of(tags), expect, "{tags:?}");
        }
        assert!(attacks(&json!(null)).is_empty());
        assert!(attacks(&json!([1, null, {}])).is_empty());
    }

    #[test]
    fn every_tactic_an_alert_can_name_has_an_identifier() {
        let tags = alert::TACTICS.map(|name| tactic(name).map(|found| found["uid"].clone()));
        assert_eq!(tags.iter().flatten().count(), tags.len(), "{tags:?}");
    }
}
