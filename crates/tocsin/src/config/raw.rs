//! A configuration file as written: YAML becomes values with their paths and places, and nothing
//! is judged yet. What a key may hold is said where it is read, in the sections.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use tocsin_sigma::ast::Place;

use super::settings::{Item, Origin, Setting, Value};

/// Bytes of a configuration file. A longer one is refused before it is read as YAML.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// Nesting of sections and lists. A deeper file is refused; the deepest key lies three levels down.
const DEPTH_MAX: usize = 16;

/// Values of a file. One with more is refused: it is something else than a configuration.
const NODES_MAX: usize = 50_000;

/// Aliases of a file. One with more is refused: they are what makes small YAML files large.
const ALIASES_MAX: usize = 64;

/// What makes a file unreadable as a whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where; line 0 when it is about the file as a whole.
    pub place: Place,
    /// A short stable name.
    pub code: &'static str,
    /// What is wrong.
    pub reason: String,
    /// What to do about it.
    pub hint: &'static str,
}

/// The values of a file by dotted path, sections included.
///
/// # Errors
/// [`Unreadable`] when it is no YAML, or not a mapping.
pub fn read(text: &str) -> Result<BTreeMap<String, Setting>, Unreadable> {
    if text.len() > FILE_BYTES_MAX {
        return Err(Unreadable {
            place: Place::default(),
            code: "file_too_large",
            reason: format!("the file has {} bytes; 1 MiB is the most", text.len()),
            hint: "a configuration has a few kilobytes: is this the right file?",
        });
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_aliases: ALIASES_MAX,
            max_documents: 1,
        },
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    let root: Spanned<Tree> =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| broken(&error))?;
    let mut found = BTreeMap::new();
    match root.value {
        Tree::Empty => Ok(found),
        Tree::Map(entries) => {
            flatten("", entries, &mut found)?;
            Ok(found)
        }
        Tree::Scalar(_) | Tree::List(_) => Err(Unreadable {
            place: place(root.referenced),
            code: "no_mapping",
            reason: "a configuration is a mapping of keys to values".to_owned(),
            hint: "begin with a key, such as `listen: 127.0.0.1:8080`",
        }),
    }
}

fn broken(error: &serde_saphyr::Error) -> Unreadable {
    use serde_saphyr::Error;
    let place = error.location().map_or(Place::default(), place);
    let (code, reason, hint) = match error.without_snippet() {
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("?");
            ("duplicate_key", format!("the key `{key}` stands here twice"), "keep one of them")
        }
        Error::MultipleDocuments { .. }
        | Error::Budget { breach: serde_saphyr::budget::BudgetBreach::Documents { .. }, .. } => {
            ("yaml_syntax", "a configuration is one document".to_owned(), "remove what follows `---`")
        }
        Error::Budget { .. }
        | Error::AliasError { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => (
            "yaml_bounds",
            "the file nests, repeats or holds more than a configuration may".to_owned(),
            "write values out, in at most three levels: is this the right file?",
        ),
        other => {
            let told = other.to_string();
            // The parser writes the place into its words; here it has a field of its own.
            let told = told.split(" at line ").next().unwrap_or_default().to_owned();
            let hint = "check the indentation, and put values with special characters in quotes";
            ("yaml_syntax", format!("this is no YAML: {told}"), hint)
        }
    };
    Unreadable { place, code, reason, hint }
}

fn place(location: Location) -> Place {
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Place { line: number(location.line()), column: number(location.column()) }
}

/// Turns a tree into values by dotted path. A key may itself be a path: `detect.lateness: 60s`.
fn flatten(
    prefix: &str,
    entries: Vec<(Spanned<String>, Spanned<Tree>)>,
    found: &mut BTreeMap<String, Setting>,
) -> Result<(), Unreadable> {
    for (key, tree) in entries {
        let path = if prefix.is_empty() { key.value } else { format!("{prefix}.{}", key.value) };
        let (value, at) = match tree.value {
            Tree::Empty => (Value::Empty, key.referenced),
            Tree::Scalar(text) => (Value::Text(text), tree.referenced),
            Tree::List(items) => (Value::List(items.into_iter().map(item).collect()), tree.referenced),
            Tree::Map(inner) => {
                flatten(&path, inner, found)?;
                (Value::Section, key.referenced)
            }
        };
        let key = place(key.referenced);
        let setting = Setting { value, origin: Origin::File(place(at)), key };
        let is_section = setting.value == Value::Section;
        if found.insert(path.clone(), setting).is_some_and(|old| !(is_section && old.value == Value::Section))
        {
            return Err(Unreadable {
                place: key,
                code: "duplicate_key",
                reason: format!("the key `{path}` stands here twice"),
                hint: "keep one of them",
            });
        }
    }
    Ok(())
}

fn item(tree: Spanned<Tree>) -> Item {
    let text = match tree.value {
        Tree::Scalar(text) => Some(text),
        Tree::Empty | Tree::List(_) | Tree::Map(_) => None,
    };
    Item { text, origin: Origin::File(place(tree.referenced)) }
}

/// Any YAML value. Scalars keep their text: what they are is for the key to say.
#[derive(Debug)]
enum Tree {
    Empty,
    Scalar(String),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(AnyTree)
    }
}

struct AnyTree;

impl<'de> Visitor<'de> for AnyTree {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Empty)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Empty)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Scalar(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let at = |origin: &Origin| match origin {
            Origin::File(place) => format!("{}:{}", place.line, place.column),
            other => format!("{other:?}"),
        };
        let value = |value: &Value| match value {
            Value::Empty => "nothing".to_owned(),
            Value::Text(text) => format!("{text:?}"),
            Value::List(items) => format!(
                "[{}]",
                items
                    .iter()
                    .map(|item| format!("{:?} {}", item.text, at(&item.origin)))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            Value::Section => "section".to_owned(),
        };
        let found = read(text).unwrap();
        found
            .iter()
            .map(|(path, set)| format!("{path} = {} {}", value(&set.value), at(&set.origin)))
            .collect()
    }

    #[test]
    fn every_value_has_its_path_and_place() {
        let text = "\
listen: 127.0.0.1:8080
stream:
  queue: 0x10
  token_in_url: false
  é: yes
rules: [a, 'b', [c]]
auth:
sources.http.backfill: true
base: &base { issuer: me }
other: *base
";
        assert_eq!(
            shown(text),
            [
                "auth = nothing 7:1",
                "base = section 9:1",
                "base.issuer = \"me\" 9:23",
                "listen = \"127.0.0.1:8080\" 1:9",
                "other = section 10:1",
                "other.issuer = \"me\" 10:8",
                "rules = [Some(\"a\") 6:9, Some(\"b\") 6:12, None 6:17] 6:8",
                "sources.http.backfill = \"true\" 8:24",
                "stream = section 2:1",
                "stream.queue = \"16\" 3:10",
                "stream.token_in_url = \"false\" 4:17",
                "stream.é = \"yes\" 5:6",
            ]
        );
        assert_eq!(shown("# nothing\n"), [""; 0]);
    }

    #[test]
    fn what_is_no_configuration_is_refused_with_its_place() {
        let bomb = format!(
            "a: &a [x]\n{}",
            ('b'..='k')
                .zip('a'..)
                .map(|(to, from)| format!("{to}: &{to} [{}]\n", vec![format!("*{from}"); 8].join(",")))
                .collect::<String>()
        );
        let deep = format!("{}1{}", "{a: ".repeat(20), "}".repeat(20));
        let wide = format!("a: [{}]", "1,".repeat(NODES_MAX));
        for (text, place, code, reason) in [
            ("5", (1, 1), "no_mapping", "a configuration is a mapping of keys to values"),
            ("- a", (1, 1), "no_mapping", "a configuration is a mapping of keys to values"),
            ("a: 1\na: 2\n", (2, 1), "duplicate_key", "the key `a` stands here twice"),
            ("a:\n  b: 1\na.b: 2\n", (3, 1), "duplicate_key", "the key `a.b` stands here twice"),
            ("a: [\n", (1, 4), "yaml_syntax", "this is no YAML: unclosed bracket '['"),
            ("a: 1\n---\nb: 2\n", (2, 1), "yaml_syntax", "a configuration is one document"),
            (&bomb, (6, 20), "yaml_bounds", "the file nests, repeats or holds more than a configuration may"),
            (&deep, (1, 65), "yaml_bounds", "the file nests, repeats or holds more than a configuration may"),
            (
                &wide,
                (1, 99_999),
                "yaml_bounds",
                "the file nests, repeats or holds more than a configuration may",
            ),
            (
                &"#".repeat(FILE_BYTES_MAX + 1),
                (0, 0),
                "file_too_large",
                "the file has 1048577 bytes; 1 MiB is the most",
            ),
        ] {
            let error = read(text).err().unwrap();
            let shown = ((error.place.line, error.place.column), error.code, error.reason.as_str());
            assert_eq!(shown, (place, code, reason), "{}", text.get(..60).unwrap_or(text));
        }
    }
}
