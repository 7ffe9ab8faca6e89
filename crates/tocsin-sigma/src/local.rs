//! What a house adds to the language: values for placeholders, log sources of its own.
//!
//! Files are read by whoever runs rules; here is what they mean.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::ast::{Diagnostic, Place};
use crate::finding::Findings;
use crate::limits::{FILE_BYTES_MAX, LOCAL_NODES_MAX, PLACEHOLDER_VALUES_MAX};
use crate::logsource::OwnSources;
use crate::parse::{fields, plain_text};
use crate::yaml::{self, Data, Node};

/// What a house adds to the language.
#[derive(Clone, Debug, Default)]
pub struct Local {
    /// Values for `%placeholders%`.
    pub placeholders: Placeholders,
    /// Log sources besides those Tocsin knows.
    pub logsources: OwnSources,
}

/// Values by the name of their placeholder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placeholders {
    values: BTreeMap<String, Vec<String>>,
}

impl Placeholders {
    /// Reads a mapping of names to a value or a list of values. What is wrong is left out and told.
    #[must_use]
    pub fn read(file: &Arc<PathBuf>, text: &str) -> (Placeholders, Vec<Diagnostic>) {
        let mut findings = Findings::new(Arc::clone(file));
        let mut placeholders = Placeholders::default();
        match root(&mut findings, text) {
            Some(root) if matches!(root.data, Data::Map(_)) => {
                for entry in root.entries() {
                    let texts = fields::texts(&mut findings, entry).unwrap_or_default();
                    let values: Vec<String> = texts.into_iter().map(|(text, _)| text).collect();
                    if values.len() > PLACEHOLDER_VALUES_MAX {
                        let reason = format!("`{}` has more than {PLACEHOLDER_VALUES_MAX} values", entry.key);
                        findings.error(entry.key_place, "too_many_values", reason);
                    } else if !values.is_empty() {
                        placeholders.values.insert(entry.key.clone(), values);
                    }
                }
            }
            Some(root) => {
                let hint = "write `name: value` or `name: [value, value]`";
                findings.error_with_hint(root.place, "wrong_type", "placeholders are a mapping", hint);
            }
            None => {}
        }
        (placeholders, findings.into_list())
    }

    /// The values of a placeholder, as Sigma text (or expressions, where they stand for those).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[String]> {
        self.values.get(name).map(Vec::as_slice)
    }

    /// The names there are, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

/// The first document of a file.
pub(crate) fn root(findings: &mut Findings, text: &str) -> Option<Node> {
    let start = Place { line: 1, column: 1 };
    if text.len() > FILE_BYTES_MAX {
        findings.error(start, "file_too_large", format!("the file is larger than {FILE_BYTES_MAX} bytes"));
        return None;
    }
    let text = plain_text(text);
    let Some(piece) = yaml::split(&text).first().copied() else {
        findings.warning(start, "no_document", "the file holds no document");
        return None;
    };
    yaml::read(findings, piece, LOCAL_NODES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Placeholders, Vec<String>) {
        let (placeholders, found) = Placeholders::read(&Arc::default(), text);
        let line = |found: &Diagnostic| format!("{}:{} {}", found.place.line, found.place.column, found.code);
        (placeholders, found.iter().map(line).collect())
    }

    #[test]
    fn values_stand_alone_or_in_lists() {
        let (placeholders, found) = read("admins: [root, 'adm*']\nport: 22\n");
        assert_eq!(found, Vec::<String>::new());
        assert_eq!(placeholders.get("admins"), Some(&["root".to_owned(), "adm*".to_owned()][..]));
        assert_eq!(placeholders.get("port"), Some(&["22".to_owned()][..]));
        assert_eq!(placeholders.get("nobody"), None);
        assert_eq!(placeholders.names().collect::<Vec<_>>(), ["admins", "port"]);
    }

    #[test]
    fn what_is_wrong_is_told_and_the_rest_stays() {
        for (text, expect) in [
            ("", "1:1 no_document"),
            ("- a\n", "1:1 wrong_type"),
            ("a: {b: c}\nd: e\n", "1:4 wrong_type"),
            ("a: [x\n", "1:4 yaml_syntax"),
        ] {
            assert_eq!(read(text).1.first().map(String::as_str), Some(expect), "{text}");
        }
        assert_eq!(read("a: {b: c}\nd: e\n").0.names().collect::<Vec<_>>(), ["d"]);
    }
}
