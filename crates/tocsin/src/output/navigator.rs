//! Which techniques of MITRE ATT&CK rules are about, as a layer for the ATT&CK Navigator (layer
//! format 4.5).

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

/// Rules named in a technique's comment. Of more the number is told.
const TITLES_MAX: usize = 50;

/// Colours from one rule to the most rules of any technique.
const COLOURS: [&str; 2] = ["#ffe8a3", "#c92a2a"];

/// The layer for rules, each with its title and tags.
#[must_use]
pub fn layer<'r>(rules: impl Iterator<Item = (&'r str, &'r [String])>) -> Json {
    let mut by_technique: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut count = 0;
    for (title, tags) in rules {
        count += 1;
        for technique in tags.iter().filter_map(|tag| technique(tag)) {
            by_technique.entry(technique).or_default().push(title);
        }
    }
    let most = by_technique.values().map(Vec::len).max().unwrap_or(0).max(1);
    let entry = |(technique, titles): (&String, &Vec<&str>)| {
        json!({
            "techniqueID": technique,
            "score": titles.len(),
            "comment": comment(titles),
            "enabled": true,
        })
    };
    json!({
        "name": "Tocsin rules",
        "versions": { "navigator": "4.9.0", "layer": "4.5" },
        "domain": "enterprise-attack",
        "description": format!("{} techniques, covered by {count} rules", by_technique.len()),
        "sorting": 3,
        "layout": { "layout": "side", "expandedSubtechniques": "annotated" },
        "techniques": by_technique.iter().map(entry).collect::<Json>(),
        "gradient": { "colors": COLOURS, "minValue": 0, "maxValue": most },
        "legendItems": [
            { "label": "1 rule", "color": COLOURS[0] },
            { "label": format!("{most} rules"), "color": COLOURS[1] },
        ],
    })
}

/// The technique of a tag such as `attack.t1059.001`, as ATT&CK writes it.
fn technique(tag: &str) -> Option<String> {
    let (digits, sub) = match tag.strip_prefix("attack.t")?.split_once('.') {
        Some((digits, sub)) => (digits, Some(sub)),
        None => (tag.strip_prefix("attack.t")?, None),
    };
    let all_digits = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
    let sound = all_digits(digits, 4) && sub.is_none_or(|sub| all_digits(sub, 3));
    sound.then(|| format!("T{digits}{}", sub.map(|sub| format!(".{sub}")).unwrap_or_default()))
}

/// Titles one below the other.
fn comment(titles: &[&str]) -> String {
    let mut lines: Vec<&str> = titles.to_vec();
    lines.sort_unstable();
    let more = lines.len().saturating_sub(TITLES_MAX);
    lines.truncate(TITLES_MAX);
    let mut text = lines.join("\n");
    if more > 0 {
        text.push_str(&format!("\n… and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tags_of_techniques_count() {
        for (tag, expect) in [
            ("attack.t1059", Some("T1059")),
            ("attack.t1059.001", Some("T1059.001")),
            ("attack.execution", None),
            ("attack.g0049", None),
            ("attack.t105", None),
            ("attack.t1059.1", None),
            ("attack.t1059.", None),
            ("cve.2024-1", None),
        ] {
            assert_eq!(technique(tag).as_deref(), expect, "{tag}");
        }
    }

    #[test]
    fn a_long_comment_is_cut() {
        let titles = vec!["title"; TITLES_MAX + 2];
        assert_eq!(comment(&titles).lines().count(), TITLES_MAX + 1);
        assert!(comment(&titles).ends_with("… and 2 more"));
        assert_eq!(comment(&["b", "a"]), "a\nb");
    }
}
