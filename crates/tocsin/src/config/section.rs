//! How a section reads its keys: one line per key, which is at once the key's name, its kind, its
//! default and its bounds. A value that does not fit is told, and the default stands in so that
//! the rest can be looked at too.

use std::fmt::Display;
use std::ops::RangeInclusive;

use tocsin_sigma::ast::{Place, Severity};
use tocsin_sigma::finding::advise;

use super::kinds::Kind;
use super::settings::{Item, Origin, Secrets, Setting, Settings, Value};

/// Characters of a wrong value that are shown. Of a longer one the beginning is.
const SHOWN_CHARS_MAX: usize = 60;

/// A section while it is read.
pub struct Section<'a> {
    settings: &'a mut Settings,
    name: &'static str,
}

impl<'a> Section<'a> {
    /// A section of these settings; an empty name is the top.
    pub fn new(settings: &'a mut Settings, name: &'static str) -> Section<'a> {
        Section { settings, name }
    }

    /// A value with a default.
    pub fn value<T: Kind>(&mut self, key: &str, default: T) -> T {
        self.read(key).unwrap_or(default)
    }

    /// A value with a default and bounds, both of which it may reach.
    pub fn within<T: Kind + PartialOrd>(&mut self, key: &str, default: T, range: RangeInclusive<T>) -> T {
        let Some(value) = self.read::<T>(key) else { return default };
        if range.contains(&value) {
            return value;
        }
        let (low, high) = (range.start().show(), range.end().show());
        let reason = format!("`{}` does not lie between {low} and {high}", value.show());
        self.refuse(key, &reason, format!("the default is {}", default.show()));
        default
    }

    /// A value that may be left out.
    pub fn optional<T: Kind>(&mut self, key: &str) -> Option<T> {
        self.read(key)
    }

    /// A word of a closed list.
    pub fn choice<T: Copy>(&mut self, key: &str, words: &[(&'static str, T)], default: T) -> T {
        self.note(key);
        let Some(text) = self.text(key, "a word") else { return default };
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).unwrap_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.refuse(key, &format!("unknown word `{}`", clipped(&text)), advise(&text, &known));
            default
        })
    }

    /// Several values; a single one is a list too, and a variable sets its values apart by commas.
    pub fn list<T: Kind>(&mut self, key: &str, default: Vec<T>, values_max: usize) -> Vec<T> {
        self.note(key);
        let Some(items) = self.items(key) else { return default };
        if items.len() > values_max {
            let reason = format!("{} values are too many", items.len());
            self.refuse(key, &reason, format!("name at most {values_max}"));
            return default;
        }
        let mut values = Vec::new();
        for Item { text, origin } in items {
            match text.as_deref().map(T::read) {
                Some(Some(value)) => values.push(value),
                _ => {
                    let shown = text.map_or("a list".to_owned(), |text| format!("`{}`", clipped(&text)));
                    self.refuse_at(&origin, key, &format!("{shown} is not {}", T::WHAT), T::HINT.to_owned());
                }
            }
        }
        values
    }

    /// Notes a key and gives what was set for it, whatever it is.
    pub fn raw(&mut self, key: &str) -> Option<Setting> {
        self.note(key);
        self.settings.get(&self.path(key)).filter(|setting| setting.value != Value::Empty).cloned()
    }

    /// Whether a key was set.
    #[must_use]
    pub fn is_set(&self, key: &str) -> bool {
        self.settings.get(&self.path(key)).is_some_and(|setting| setting.value != Value::Empty)
    }

    /// Whether files with secrets are opened.
    #[must_use]
    pub fn secrets(&self) -> Secrets {
        self.settings.secrets
    }

    /// Tells that the value of a key cannot stand, for itself or beside others.
    pub fn refuse(&mut self, key: &str, reason: &str, hint: impl Display) {
        self.tell(Severity::Error, "wrong_value", key, reason, hint);
    }

    /// Tells something about the value of a key.
    pub fn tell(
        &mut self,
        severity: Severity,
        code: &'static str,
        key: &str,
        reason: &str,
        hint: impl Display,
    ) {
        let path = self.path(key);
        let place = Origin::File(Place::default());
        let origin = self.settings.get(&path).map_or(place, |setting| setting.origin.clone());
        self.settings.tell(severity, code, (&origin, &path), reason, Some(hint.to_string()));
    }

    fn read<T: Kind>(&mut self, key: &str) -> Option<T> {
        self.note(key);
        let text = self.text(key, T::WHAT)?;
        let value = T::read(&text);
        if value.is_none() {
            self.refuse(key, &format!("`{}` is not {}", clipped(&text), T::WHAT), T::HINT);
        }
        value
    }

    /// The text of a key, if one was set; anything but a text is told.
    fn text(&mut self, key: &str, what: &str) -> Option<String> {
        let other = match &self.settings.get(&self.path(key))?.value {
            Value::Empty => return None,
            Value::Text(text) => return Some(text.clone()),
            Value::List(_) => "a list",
            Value::Section => "a section",
        };
        self.refuse(key, &format!("{other} is not {what}"), "write one value");
        None
    }

    fn items(&mut self, key: &str) -> Option<Vec<Item>> {
        let Setting { value, origin, .. } = self.settings.get(&self.path(key))?.clone();
        match value {
            Value::Empty => None,
            Value::List(items) => Some(items),
            Value::Text(text) => {
                let item = |text: &str| Item { text: Some(text.trim().to_owned()), origin: origin.clone() };
                let in_file = matches!(origin, Origin::File(_));
                Some(if in_file { vec![item(&text)] } else { text.split(',').map(item).collect() })
            }
            Value::Section => {
                self.refuse(key, "a section is not a list", "write its values as `- value`, one a line");
                None
            }
        }
    }

    fn refuse_at(&mut self, origin: &Origin, key: &str, reason: &str, hint: String) {
        let path = self.path(key);
        self.settings.tell(Severity::Error, "wrong_value", (origin, &path), reason, Some(hint));
    }

    fn note(&mut self, key: &str) {
        let path = self.path(key);
        self.settings.ask(path);
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }
}

fn clipped(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
