//! Masks: what a view leaves of a value. Every string anywhere in it is searched, keys of objects
//! too; what stands under a telling name is masked even where it looks harmless, and is then looked
//! for in all other texts of the same value, so that a message repeats no key.
//!
//! Nothing is told apart by trust: a value that cannot be read as what its name says is cut.

mod address;
mod email;
mod escapes;
mod fields;
mod known;
mod named;
mod secret;
mod text;

use serde_json::{Map, Value};

use self::fields::Class;
use self::known::Known;
use crate::role::View;

/// What stands for a secret.
const CUT: &str = "***";

/// Characters shown of a value that is cut.
const SHOWN: usize = 4;

/// Values of fewer characters show none.
const SHOWN_FROM: usize = 8;

impl View {
    /// Makes a value fit to be shown in this view. Applied twice it changes nothing more.
    pub fn apply(self, value: &mut Value) {
        match self {
            View::Plain => {}
            View::Masked => {
                let known = Known::of(value);
                Mask { known: &known }.walk(value, Class::Free, "");
            }
        }
    }
}

struct Mask<'a> {
    known: &'a Known,
}

impl Mask<'_> {
    fn walk(&self, value: &mut Value, class: Class, name: &str) {
        match (class, &mut *value) {
            (_, Value::Null) => {}
            (Class::Hidden, _) | (Class::Key, Value::Array(_) | Value::Object(_)) => *value = CUT.into(),
            (_, Value::Array(items)) => items.iter_mut().for_each(|item| self.walk(item, class, name)),
            (_, Value::Object(map)) => self.object(map, class, name),
            (Class::Free, Value::String(text)) => {
                if let Some(masked) = self.text(text) {
                    *text = masked;
                }
            }
            (_, Value::String(text)) => *text = field(text, class),
            (Class::Free, Value::Bool(_) | Value::Number(_)) => {}
            (_, Value::Bool(_) | Value::Number(_)) => *value = cut(&value.to_string()).into(),
        }
    }

    /// Names are masked too; both as sent and as shown they say what they hold.
    fn object(&self, map: &mut Map<String, Value>, class: Class, name: &str) {
        let is_address = map.get("kind").and_then(Value::as_str) == Some("address");
        for (key, mut value) in std::mem::take(map) {
            let shown = self.text(&key);
            let renamed = shown.as_deref().map_or(Class::Free, |shown| fields::class(name, shown));
            let entity = if is_address && key == "value" { Class::Address } else { class };
            let told = fields::class(name, &key).or(renamed).or(entity);
            let key = shown.unwrap_or(key);
            self.walk(&mut value, told, &key);
            map.insert(unused(map, key), value);
        }
    }

    /// What is shown of a text; none where nothing in it is to be hidden.
    fn text(&self, text: &str) -> Option<String> {
        match self.document(text) {
            Some(shown) => Some(text::masked(&shown, self.known).unwrap_or(shown)),
            None => text::masked(text, self.known),
        }
    }

    /// A text that is itself a JSON document is masked as one: its names say what its values are.
    fn document(&self, text: &str) -> Option<String> {
        let before = document(text)?;
        let mut after = before.clone();
        self.walk(&mut after, Class::Free, "");
        (after != before).then(|| after.to_string())
    }
}

/// The object or array a text holds, where it is one.
fn document(text: &str) -> Option<Value> {
    let trimmed = text.trim();
    let ends = (trimmed.bytes().next()?, trimmed.bytes().next_back()?);
    let is_one = matches!(ends, (b'{', b'}') | (b'[', b']'));
    if is_one { serde_json::from_str(trimmed).ok() } else { None }
}

/// A name that no entry has yet: masked names may fall together, their values may not.
fn unused(map: &Map<String, Value>, name: String) -> String {
    if !map.contains_key(&name) {
        return name;
    }
    let mut numbered = (2_u64..).map(|number| format!("{name} ({number})"));
    numbered.find(|numbered| !map.contains_key(numbered)).unwrap_or(name)
}

/// What is shown of a text under a telling name.
fn field(text: &str, class: Class) -> String {
    if text.is_empty() {
        return String::new();
    }
    let cut_off = || cut(text::without_addresses(text).as_deref().unwrap_or(text));
    as_named(text, class).unwrap_or_else(cut_off)
}

/// What is shown of a text that is what its field's name says.
fn as_named(text: &str, class: Class) -> Option<String> {
    match class {
        Class::Address => list(text, address::whole),
        Class::Email => list(text, email::whole),
        Class::Free | Class::Key | Class::Hidden => None,
    }
}

/// A text of one or several values with commas between, each as `shown` has it; none where one of
/// them is not what it should be.
fn list(text: &str, shown: fn(&str) -> Option<String>) -> Option<String> {
    let parts: Option<Vec<String>> = text.split(',').map(|part| shown(part.trim())).collect();
    Some(parts?.join(", "))
}

/// The first four characters and `***`; of a value under eight characters `***` only.
fn cut(text: &str) -> String {
    let head_of_cut = text.strip_suffix(CUT).filter(|head| head.chars().nth(SHOWN).is_none());
    if head_of_cut.is_some() {
        return text.to_string();
    }
    let shown = if text.chars().nth(SHOWN_FROM - 1).is_some() { SHOWN } else { 0 };
    text.chars().take(shown).chain(CUT.chars()).collect()
}
