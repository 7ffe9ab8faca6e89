//! Who may see what: the four roles in their order, the words an event may ask for, and the two
//! views of everything that leaves the house.

use serde::{Deserialize, Serialize};

/// The known roles, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees, masked.
    Viewer,
    /// Sees everything, triages.
    Analyst,
    /// Approves and reverts actions.
    Responder,
    /// Everything else.
    Admin,
}

impl Role {
    /// The role of that name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Role> {
        Some(match word {
            "viewer" => Role::Viewer,
            "analyst" => Role::Analyst,
            "responder" => Role::Responder,
            "admin" => Role::Admin,
            _ => return None,
        })
    }
}

/// The roles of a caller: known ones and other words, as the credential names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Roles {
    highest: Option<Role>,
    words: Vec<String>,
}

impl Roles {
    /// The roles of these words.
    #[must_use]
    pub fn of(words: &[String]) -> Roles {
        let highest = words.iter().filter_map(|word| Role::parse(word)).max();
        let words = words.iter().filter(|word| Role::parse(word).is_none()).cloned().collect();
        Roles { highest, words }
    }

    /// One known role.
    #[must_use]
    pub fn only(role: Role) -> Roles {
        Roles { highest: Some(role), words: Vec::new() }
    }

    /// The highest known role; a caller without one reads as viewer.
    #[must_use]
    pub fn highest(&self) -> Role {
        self.highest.unwrap_or(Role::Viewer)
    }

    /// Whether an event or alert may be shown. Without a known role nothing that asks for one is.
    #[must_use]
    pub fn may_see(&self, min_role: &MinRole) -> bool {
        let met = |word: &String| match (Role::parse(word), self.highest) {
            (_, None) => false,
            (Some(needed), Some(held)) => held >= needed,
            (None, Some(_)) => self.words.contains(word),
        };
        min_role.0.iter().all(met)
    }

    /// How this caller sees things in lists and single alerts.
    #[must_use]
    pub fn view(&self) -> View {
        if self.highest() >= Role::Analyst { View::Plain } else { View::Masked }
    }
}

/// What a caller must have to see something: every word of it. Nothing: everyone may.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MinRole(Vec<String>);

impl MinRole {
    /// What an event's `min_role` asks for. A value that is no text asks for what nobody has.
    #[must_use]
    pub fn of_event(event: &serde_json::Value) -> MinRole {
        let named = ["min_role", "event.min_role"].iter().find_map(|name| event.get(*name));
        let nested = event.get("event").and_then(|inner| inner.get("min_role"));
        let mut min_role = MinRole::default();
        match named.or(nested) {
            None | Some(serde_json::Value::Null) => {}
            Some(serde_json::Value::String(word)) => min_role.add(word),
            Some(_) => min_role.add("\u{0}"),
        }
        min_role
    }

    /// Asks for one more word. Of known roles the highest is kept.
    pub fn add(&mut self, word: &str) {
        if let Some(role) = Role::parse(word) {
            let known = self.0.iter().position(|held| Role::parse(held).is_some());
            match known {
                Some(at) if Role::parse(&self.0[at]) >= Some(role) => return,
                Some(at) => drop(self.0.remove(at)),
                None => {}
            }
        }
        if !self.0.iter().any(|held| held == word) {
            self.0.push(word.to_string());
            self.0.sort();
        }
    }

    /// Asks for everything another one asks for.
    pub fn join(&mut self, other: &MinRole) {
        other.0.iter().for_each(|word| self.add(word));
    }

    /// Whether everyone may see it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.is_empty()
    }
}

/// How something is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// As it is.
    Plain,
    /// Addresses, e-mail addresses and keys masked, secrets cut.
    Masked,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(words: &[&str]) -> Roles {
        Roles::of(&words.iter().map(|word| (*word).to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn known_roles_compare_and_other_words_are_membership() {
        for (held, asked, expect) in [
            (&["viewer"][..], "viewer", true),
            (&["viewer"], "analyst", false),
            (&["admin"], "analyst", true),
            (&["analyst", "legal"], "legal", true),
            (&["admin"], "legal", false),
            (&["legal"], "legal", false),
            (&[], "viewer", false),
            (&["Admin"], "viewer", false),
            (&["admin"], "", false),
        ] {
            let mut min_role = MinRole::default();
            min_role.add(asked);
            assert_eq!(roles(held).may_see(&min_role), expect, "{held:?} {asked}");
        }
        assert!(roles(&[]).may_see(&MinRole::default()));
    }

    #[test]
    fn several_demands_are_all_met_or_nothing_is_shown() {
        let mut min_role = MinRole::default();
        for word in ["viewer", "responder", "analyst", "legal"] {
            min_role.add(word);
        }
        assert_eq!(min_role.0, ["legal", "responder"]);
        assert!(roles(&["admin", "legal"]).may_see(&min_role));
        assert!(!roles(&["admin"]).may_see(&min_role));
        assert!(!roles(&["analyst", "legal"]).may_see(&min_role));
    }

    #[test]
    fn a_demand_that_is_no_text_is_met_by_nobody() {
        let of = |text: &str| MinRole::of_event(&serde_json::from_str(text).unwrap_or_default());
        assert!(of(r#"{"a":1}"#).is_open());
        assert!(of(r#"{"min_role":null}"#).is_open());
        for text in [r#"{"min_role":7}"#, r#"{"min_role":["viewer"]}"#, r#"{"event":{"min_role":{}}}"#] {
            assert!(!roles(&["admin"]).may_see(&of(text)), "{text}");
        }
        assert!(roles(&["analyst"]).may_see(&of(r#"{"event.min_role":"analyst"}"#)));
    }
}
