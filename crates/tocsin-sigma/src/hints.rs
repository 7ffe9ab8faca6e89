//! What to do about an error whose message says what is wrong and leaves open what would be right.
//! A finding that knows better brings a hint of its own.

use crate::ast::Severity;

/// Hints by code, in order.
const HINTS: &[(&str, &str)] = &[
    ("chain_group_by", "group by a field that every rule the correlation counts has"),
    ("compare_value", "write a number; text is compared with `startswith`, `contains` or `re`"),
    ("condition_never", "write bounds that a number can meet, the lower one below the upper one"),
    ("condition_syntax", "join selections by `and`, `or`, `not`, `1 of`, `all of`; close what is opened"),
    ("condition_too_deep", "leave out parentheses, or name parts as selections and join those"),
    ("condition_too_large", "write several rules"),
    ("condition_value", "write a whole number, such as `gte: 10`"),
    ("duplicate_key", "keep one of them, or write their values as a list under one"),
    ("duplicate_rule", "name each rule once; `temporal_ordered` alone may repeat one"),
    ("empty_logsource", "name at least one of `product`, `category` and `service`"),
    ("empty_selection", "write `field: value` under it, or a list of keywords"),
    ("encoded_value", "encode a text once, long enough to be told from others"),
    ("exists_value", "write `true` where the field must be there, `false` where it must not"),
    ("fieldref_value", "write the other field's name as it stands in events"),
    ("file_too_large", "split it into several files"),
    ("missing_key", "add it; docs/rules.md shows what a rule holds"),
    ("modifier_order", "write what changes a value before what encodes it, and that before `contains`"),
    ("no_field", "write the field's name before the first `|`"),
    ("no_rule", "a rule has `detection`, `correlation` or `filter`"),
    ("no_selection", "add a search identifier beside `condition`"),
    ("no_value", "write at least one value, or take the key out"),
    ("null_value", "`null` stands alone, under a field without modifiers"),
    ("too_long", "shorten it"),
    ("too_many_fields", "count by fewer fields, or split the rules into several sets"),
    ("too_many_logsources", "leave out those that no rule needs"),
    ("too_many_rules", "count some of them in a correlation of their own, and count that one"),
    ("too_many_selections", "write several rules"),
    ("too_many_values", "write several rules, or one value with wildcards"),
    ("unknown_key", "take the key out, or choose the type of correlation that has it"),
    ("value_shape", "write one value, or a plain list of values"),
    ("window_value", "take `window` out"),
    ("wrong_type", "docs/rules.md shows what belongs there"),
    ("yaml_key", "write keys as plain words"),
    ("yaml_tag", "take the tag out; quote a value that is text"),
];

/// What to do about an error with this code, where its finding does not say.
pub(crate) fn of(severity: Severity, code: &str) -> Option<String> {
    if severity != Severity::Error {
        return None;
    }
    let at = HINTS.binary_search_by_key(&code, |(known, _)| known).ok()?;
    Some(HINTS[at].1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hint_is_found() {
        let found = |code| of(Severity::Error, code);
        assert!(HINTS.iter().all(|(code, hint)| found(code).as_deref() == Some(*hint)));
        assert_eq!((found("none_of_them"), of(Severity::Warning, "no_value")), (None, None));
    }
}
