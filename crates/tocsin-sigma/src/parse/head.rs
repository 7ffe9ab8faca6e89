//! The metadata every kind of rule has (Sigma specification v2.1.0, rules).
//!
//! What only describes the rule is at most a warning; what decides whether and how it alerts is an
//! error.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use tocsin_core::rule::Level;

use super::{extension, fields, lists};
use crate::ast::{Head, Place};
use crate::finding::{Findings, advise};
use crate::limits::{DESCRIPTION_CHARS_MAX, NAME_CHARS_MAX};
use crate::yaml::{Data, Entry, Node, Piece};

const STATUSES: [&str; 5] = ["stable", "test", "experimental", "deprecated", "unsupported"];
const RELATIONS: [&str; 6] = ["derived", "obsolete", "obsoletes", "merged", "renamed", "similar"];

/// Reads the metadata of a document.
pub(super) fn read(
    findings: &mut Findings,
    root: &Node,
    piece: Piece<'_>,
    file: &Arc<PathBuf>,
) -> Option<Head> {
    let title = named(findings, root, "title");
    if root.entry("title").is_none() {
        fields::missing(findings, root.place, "title");
    }
    if let Some(description) = root.entry("description") {
        check_length(findings, description, DESCRIPTION_CHARS_MAX);
    }
    check_taxonomy(findings, root);
    check_dates(findings, root);
    check_related(findings, root);
    lists::check(findings, root);
    let head = Head {
        file: Arc::clone(file),
        place: root.place,
        text: own_text(piece.text).to_owned(),
        title: String::new(),
        id: id(findings, root),
        name: named(findings, root, "name"),
        status: status(findings, root),
        level: level(findings, root),
        tags: tags(findings, root),
        extension: extension::read(findings, root),
        exemplars: Vec::new(),
    };
    title.map(|title| Head { title, ..head })
}

/// A document's text without its markers, so that a hash does not depend on its neighbours.
fn own_text(text: &str) -> &str {
    let text = text.strip_prefix("---").unwrap_or(text).trim();
    text.strip_suffix("\n...").unwrap_or(text).trim_end()
}

/// A text of limited length.
fn named(findings: &mut Findings, root: &Node, key: &str) -> Option<String> {
    let entry = root.entry(key)?;
    check_length(findings, entry, NAME_CHARS_MAX);
    fields::text(findings, entry)
}

fn check_length(findings: &mut Findings, entry: &Entry, max: usize) {
    if entry.value.text().is_some_and(|text| text.chars().count() > max) {
        let reason = format!("`{}` is longer than {max} characters", entry.key);
        findings.error(entry.value.place, "too_long", reason);
    }
}

fn check_taxonomy(findings: &mut Findings, root: &Node) {
    if let Some(entry) = root.entry("taxonomy")
        && let Some(taxonomy) = fields::text(findings, entry)
        && taxonomy != "sigma"
    {
        let reason = format!("no mapping is known for the taxonomy `{taxonomy}`");
        findings.error(entry.value.place, "unknown_taxonomy", reason);
    }
}

fn id(findings: &mut Findings, root: &Node) -> Option<String> {
    let entry = root.entry("id")?;
    let id = fields::text(findings, entry)?;
    if !is_uuid(&id) {
        findings.warning(entry.value.place, "id_shape", format!("`{id}` is no UUID"));
    }
    Some(id)
}

/// 8-4-4-4-12 hexadecimal digits, of any version.
fn is_uuid(text: &str) -> bool {
    let mut lengths = text.split('-').map(str::len);
    [8, 4, 4, 4, 12].into_iter().all(|length| lengths.next() == Some(length))
        && lengths.next().is_none()
        && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

fn status(findings: &mut Findings, root: &Node) -> Option<String> {
    let entry = root.entry("status")?;
    let status = fields::text(findings, entry)?;
    if !STATUSES.contains(&status.as_str()) {
        let hint = advise(&status, &STATUSES);
        let reason = format!("unknown status `{status}`");
        findings.warning_with_hint(entry.value.place, "unknown_status", reason, hint);
    }
    Some(status)
}

fn level(findings: &mut Findings, root: &Node) -> Option<Level> {
    let entry = root.entry("level")?;
    let word = fields::text(findings, entry)?;
    let level = Level::parse(&word);
    if level.is_none() {
        let known = Level::ALL.map(Level::as_str);
        findings.unknown_word(entry.value.place, "unknown_level", "level", &word, &known);
    }
    level
}

fn tags(findings: &mut Findings, root: &Node) -> Vec<String> {
    let Some(entry) = root.entry("tags").filter(|entry| !entry.value.is_null()) else { return Vec::new() };
    let texts = fields::texts(findings, entry).unwrap_or_default();
    let mut tags: Vec<String> = Vec::with_capacity(texts.len());
    let mut seen = BTreeSet::new();
    for (tag, place) in texts {
        let tag = tactic_of_today(findings, tag, place);
        check_tag(findings, &tag, place);
        if seen.insert(tag.clone()) {
            tags.push(tag);
        } else {
            findings.warning(place, "duplicate_tag", format!("the tag `{tag}` stands here twice"));
        }
    }
    tags
}

/// A tactic of ATT&CK as version 2 of Sigma writes it: version 1 had underscores.
fn tactic_of_today(findings: &mut Findings, tag: String, place: Place) -> String {
    let tactic = tag.strip_prefix("attack.").filter(|name| name.contains('_') && !is_technique(name));
    let Some(tactic) = tactic else { return tag };
    let today = format!("attack.{}", tactic.replace('_', "-"));
    let reason = format!("the tag `{tag}` is taken as `{today}`");
    findings.info_with_hint(place, "old_tag", reason, format!("write `{today}`"));
    today
}

/// Whether a name is one of a technique, group, software or the like: a letter and digits.
fn is_technique(name: &str) -> bool {
    name.trim_start_matches(|first: char| first.is_ascii_alphabetic())
        .starts_with(|second: char| second.is_ascii_digit())
}

/// `namespace.name`, lower case.
fn check_tag(findings: &mut Findings, tag: &str, place: Place) {
    let is_name = |text: &str, dots: bool| {
        let allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
        !text.is_empty() && text.bytes().all(|byte| allowed(byte) || (dots && byte == b'.'))
    };
    let sound =
        tag.split_once('.').is_some_and(|(namespace, name)| is_name(namespace, false) && is_name(name, true));
    if !sound {
        let hint = "write `namespace.name` in lower case, for example `attack.t1110`";
        findings.warning_with_hint(place, "tag_shape", format!("`{tag}` is no tag"), hint);
    }
}

fn check_dates(findings: &mut Findings, root: &Node) {
    for key in ["date", "modified"] {
        if let Some(entry) = root.entry(key)
            && !entry.value.text().is_some_and(is_date)
        {
            let text = entry.value.text().unwrap_or_default();
            let old = text.replace('/', "-");
            let (reason, hint) = if is_date(&old) {
                (format!("`{key}` is written as version 1 of Sigma had it"), format!("write `{old}`"))
            } else {
                (format!("`{key}` is no date"), "write it as 2026-01-31".to_owned())
            };
            findings.warning_with_hint(entry.value.place, "date_shape", reason, hint);
        }
    }
}

/// Year, month and day with dashes between them.
fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut part = |length: usize| {
        let digits = parts.next()?;
        let sound = digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_digit());
        if sound { digits.parse::<u32>().ok() } else { None }
    };
    let (year, month, day) = (part(4), part(2), part(2));
    year.is_some()
        && month.is_some_and(|month| (1..=12).contains(&month))
        && day.is_some_and(|day| (1..=31).contains(&day))
        && parts.next().is_none()
}

/// `related` is for people: nothing in it stops a rule.
fn check_related(findings: &mut Findings, root: &Node) {
    let Some(entry) = root.entry("related") else { return };
    let Data::List(nodes) = &entry.value.data else {
        findings.warning(entry.value.place, "related_shape", "`related` is no list of `id` and `type`");
        return;
    };
    for node in nodes {
        match node.entry("type").filter(|_| node.entry("id").is_some()) {
            None => findings.warning(node.place, "related_shape", "`related` needs `id` and `type`"),
            Some(relation) => {
                let word = relation.value.text().unwrap_or_default();
                if word == "obsoletes" {
                    let reason = "`obsoletes` is the old name of a relation";
                    findings.warning_with_hint(
                        relation.value.place,
                        "related_shape",
                        reason,
                        "write `obsolete`",
                    );
                } else if !RELATIONS.contains(&word) {
                    let hint = advise(word, &RELATIONS);
                    let reason = format!("unknown relation `{word}`");
                    findings.warning_with_hint(relation.value.place, "related_shape", reason, hint);
                }
            }
        }
    }
}
