//! What follows from what was sent: category, action, outcome.
//!
//! The rules are those of the event contract: an action that names a category sets the category;
//! `login…`, `logon…`, `sign_in…`, `auth…` are authentication; endings like `_failed` or
//! `_success` tell the outcome unless a status says otherwise.

use crate::row::Stated;
use crate::schemas;

/// Values that others follow from; empty where absent.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// A category named where an action could stand.
    pub category: &'a [u8],
    /// The action as sent.
    pub action: &'a [u8],
    /// The status or outcome as sent.
    pub outcome: &'a [u8],
    /// The HTTP status code as sent.
    pub status_code: &'a [u8],
    /// `EventID` of a Windows event.
    pub windows_event_id: &'a [u8],
    /// Whether there is a path or a method: a request.
    pub has_request: bool,
    /// The marks of schemas that hold ([`schemas`]).
    pub marks: u128,
}

/// What follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Derivation {
    /// `event.category`.
    pub category: Option<&'static str>,
    /// `event.action`, where it differs from the one sent.
    pub action: Option<&'static str>,
    /// `event.outcome`.
    pub outcome: Option<&'static str>,
    /// Sigma's log source product.
    pub product: Option<&'static str>,
    /// Sigma's log source service.
    pub service: Option<&'static str>,
}

/// The categories an event may name.
pub const CATEGORIES: [&str; 11] = [
    "api_access",
    "authentication",
    "authorization",
    "config_change",
    "data_access",
    "database",
    "file",
    "network",
    "process",
    "session",
    "web",
];

/// Beginnings of actions and the category they belong to, first match wins.
const CATEGORY_BY_BEGINNING: &[(&str, &str)] = &[
    ("login", "authentication"),
    ("logon", "authentication"),
    ("sign_in", "authentication"),
    ("signin", "authentication"),
    ("auth", "authentication"),
    ("role_", "authorization"),
    ("privilege", "authorization"),
    ("permission", "authorization"),
    ("grant", "authorization"),
    ("config", "config_change"),
    ("api_", "api_access"),
    ("data_", "data_access"),
    ("download", "data_access"),
    ("export", "data_access"),
    ("file_", "data_access"),
    ("process", "process"),
    ("network", "network"),
    ("connection", "network"),
];

const OUTCOME_BY_ENDING: &[(&str, &str)] = &[
    ("_failed", FAILURE),
    ("_failure", FAILURE),
    ("_denied", FAILURE),
    ("_blocked", FAILURE),
    ("_success", SUCCESS),
];

const SUCCESS: &str = "success";
const FAILURE: &str = "failure";

/// Windows event ids that mean the same in every channel's rules: (id, category, action, outcome).
const WINDOWS: &[(&str, &str, &str, Option<&str>)] = &[
    ("4624", "authentication", "logon", Some(SUCCESS)),
    ("4625", "authentication", "logon", Some(FAILURE)),
    ("4768", "authentication", "kerberos_ticket_request", None),
    ("4769", "authentication", "kerberos_service_ticket_request", None),
    ("4771", "authentication", "kerberos_preauthentication", Some(FAILURE)),
    ("4688", "process", "process_created", None),
    ("4720", "authorization", "user_created", None),
    ("4728", "authorization", "group_member_added", None),
    ("4732", "authorization", "group_member_added", None),
    ("4756", "authorization", "group_member_added", None),
    ("1102", "config_change", "log_cleared", None),
];

/// Derives everything there is to derive.
#[must_use]
pub fn derive(sent: &Sent<'_>, stated: Stated) -> Derivation {
    let mut derivation = Derivation {
        category: stated.category,
        action: stated.action,
        outcome: stated.outcome,
        product: stated.product,
        service: stated.service,
    };
    let action = lower(sent.action);
    if !sent.windows_event_id.is_empty() {
        derivation.product = derivation.product.or(Some("windows"));
        derive_windows(sent.windows_event_id, &mut derivation);
    }
    if sent.marks != 0 {
        schemas::fill(sent.marks, &mut derivation);
    }
    derivation.outcome = derivation
        .outcome
        .or_else(|| outcome_of_status(sent.outcome))
        .or_else(|| outcome_of_status(sent.status_code));
    derivation.category = derivation.category.or_else(|| category_named(sent.category));
    if action.is_empty() {
        if derivation.category.is_none() && sent.has_request {
            derivation.category = Some("api_access");
        }
        return derivation;
    }
    let by_beginning = CATEGORY_BY_BEGINNING.iter().find(|(start, _)| action.starts_with(start));
    derivation.category = derivation.category.or(by_beginning.map(|(_, category)| *category));
    let by_ending = OUTCOME_BY_ENDING.iter().find(|(end, _)| action.ends_with(end));
    derivation.outcome = derivation.outcome.or(by_ending.map(|(_, outcome)| *outcome));
    derivation
}

/// Whether a word is a category's name, and therefore no action.
#[must_use]
pub fn names_category(word: &[u8]) -> bool {
    category_named(word).is_some()
}

fn category_named(word: &[u8]) -> Option<&'static str> {
    CATEGORIES.into_iter().find(|category| word.eq_ignore_ascii_case(category.as_bytes()))
}

fn derive_windows(id: &[u8], derivation: &mut Derivation) {
    if let Some((_, category, action, outcome)) = WINDOWS.iter().find(|(known, ..)| known.as_bytes() == id) {
        derivation.category = derivation.category.or(Some(category));
        derivation.action = derivation.action.or(Some(action));
        derivation.outcome = derivation.outcome.or(*outcome);
    }
}

const FAILURE_WORDS: [&str; 8] = ["failed", "failure", "fail", "denied", "deny", "blocked", "401", "403"];
const SUCCESS_WORDS: [&str; 5] = ["success", "succeeded", "ok", "allowed", "allow"];

/// The outcome a status word or an HTTP status code tells.
fn outcome_of_status(status: &[u8]) -> Option<&'static str> {
    let is_in = |words: &[&str]| words.iter().any(|word| status.eq_ignore_ascii_case(word.as_bytes()));
    match status {
        b"" => None,
        [b'2', b'0'..=b'9', b'0'..=b'9'] => Some(SUCCESS),
        _ if is_in(&FAILURE_WORDS) => Some(FAILURE),
        _ if is_in(&SUCCESS_WORDS) => Some(SUCCESS),
        _ => None,
    }
}

fn lower(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent<'a>(action: &'a str, outcome: &'a str) -> Sent<'a> {
        let named = names_category(action.as_bytes());
        Sent {
            category: if named { action.as_bytes() } else { b"" },
            action: if named { b"" } else { action.as_bytes() },
            outcome: outcome.as_bytes(),
            status_code: b"",
            windows_event_id: b"",
            has_request: false,
            marks: 0,
        }
    }

    fn check(action: &str, outcome: &str, expect: (Option<&str>, Option<&str>)) {
        let got = derive(&sent(action, outcome), Stated::default());
        assert_eq!((got.category, got.outcome), expect, "{action} {outcome}");
    }

    #[test]
    fn actions_tell_category_and_outcome() {
        let authentication = Some("authentication");
        check("login", "failed", (authentication, Some(FAILURE)));
        check("login_failed", "", (authentication, Some(FAILURE)));
        check("login_failed", "success", (authentication, Some(SUCCESS)));
        check("LOGON_SUCCESS", "", (authentication, Some(SUCCESS)));
        check("api_blocked", "", (Some("api_access"), Some(FAILURE)));
        check("config_change", "", (Some("config_change"), None));
        check("authentication", "denied", (authentication, Some(FAILURE)));
        check("coffee", "", (None, None));
    }

    #[test]
    fn a_category_and_an_action_tell_together() {
        let both = Sent { category: b"authentication", ..sent("login_failed", "") };
        let got = derive(&both, Stated::default());
        assert_eq!((got.category, got.outcome), (Some("authentication"), Some(FAILURE)));
    }

    #[test]
    fn a_bare_401_is_access_not_a_login() {
        let request = Sent { has_request: true, ..sent("", "401") };
        let got = derive(&request, Stated::default());
        assert_eq!((got.category, got.outcome), (Some("api_access"), Some(FAILURE)));
    }

    #[test]
    fn a_status_code_tells_where_the_word_says_nothing() {
        let failed = Sent { status_code: b"401", ..sent("", "error") };
        assert_eq!(derive(&failed, Stated::default()).outcome, Some(FAILURE));
    }
}
