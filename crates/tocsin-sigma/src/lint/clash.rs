//! Whether one value can meet two tests. When in doubt, it can.

use crate::ast::{Ordering, Part, Pattern, Test};
use crate::explain;
use crate::fold::fold;

/// Values named in a message.
const NAMED_MAX: usize = 3;

/// Whether some single value meets both tests.
pub(super) fn fits(one: &Test, other: &Test) -> bool {
    if absent(one) || absent(other) {
        return may_be_absent(one) && may_be_absent(other);
    }
    match (texts(one), texts(other)) {
        (Some(values), _) => values.iter().any(|value| met(other, value)),
        (None, Some(values)) => values.iter().any(|value| met(one, value)),
        (None, None) => may_overlap(one, other),
    }
}

/// What comparing a test costs, in comparisons of literal text: an expression is compiled first.
pub(super) fn cost(test: &Test) -> usize {
    if matches!(test, Test::Regex { .. }) { 1_000 } else { 1 }
}

/// Tests in words, for a message.
pub(super) fn phrase(tests: &[Test]) -> String {
    let words: Vec<String> = tests.iter().take(NAMED_MAX).map(explain::phrase).collect();
    let more = if tests.len() > NAMED_MAX { " …" } else { "" };
    format!("{}{more}", words.join(" or "))
}

/// Whether a test asks that the field is not there.
fn absent(test: &Test) -> bool {
    matches!(test, Test::Null | Test::Exists(false))
}

/// Whether a test may hold of a field that is absent or null.
fn may_be_absent(test: &Test) -> bool {
    // An event may have the field with a null in it.
    absent(test) || matches!(test, Test::Exists(true))
}

/// The only texts that meet a test, up to case.
fn texts(test: &Test) -> Option<Vec<&str>> {
    match test {
        Test::Pattern(pattern) => pattern.as_literal().map(|text| vec![text]),
        Test::Bool(true) => Some(vec!["true"]),
        Test::Bool(false) => Some(vec!["false"]),
        _ => None,
    }
}

/// Whether a text, or one that differs from it in case only, may meet a test.
fn met(test: &Test, text: &str) -> bool {
    match test {
        Test::Pattern(pattern) => Pattern { cased: false, ..pattern.clone() }.matches(text),
        Test::Regex { pattern, multi_line, dot_all, .. } => {
            let (pattern, multi_line, dot_all) = (pattern.clone(), *multi_line, *dot_all);
            explain::holds_for(&Test::Regex { pattern, ignore_case: true, multi_line, dot_all }, text)
        }
        Test::Number(..) | Test::Bool(_) | Test::Compare(..) | Test::DatePart(..) | Test::Cidr(_) => {
            explain::holds_for(test, text)
        }
        Test::Null | Test::Exists(_) | Test::FieldRef { .. } => true,
    }
}

fn may_overlap(one: &Test, other: &Test) -> bool {
    match (one, other) {
        (Test::Number(a, _), Test::Number(b, _)) => a == b,
        (Test::Number(number, _), Test::Compare(ordering, limit))
        | (Test::Compare(ordering, limit), Test::Number(number, _)) => within(*number, *ordering, *limit),
        (Test::Number(_, text), Test::Pattern(pattern)) | (Test::Pattern(pattern), Test::Number(_, text)) => {
            // `4625` is also written `4.625e3`; nobody does, and an event id has one spelling.
            pattern.matches(text)
        }
        (Test::Compare(a, x), Test::Compare(b, y)) => ranges_meet((*a, *x), (*b, *y)),
        (Test::Pattern(a), Test::Pattern(b)) => ends_agree(a, b),
        _ => true,
    }
}

fn within(number: f64, ordering: Ordering, limit: f64) -> bool {
    match ordering {
        Ordering::Lt => number < limit,
        Ordering::Lte => number <= limit,
        Ordering::Gt => number > limit,
        Ordering::Gte => number >= limit,
    }
}

fn ranges_meet(one: (Ordering, f64), other: (Ordering, f64)) -> bool {
    let is_lower = |ordering| matches!(ordering, Ordering::Gt | Ordering::Gte);
    let ((low, from), (high, to)) = match (is_lower(one.0), is_lower(other.0)) {
        (true, false) => (one, other),
        (false, true) => (other, one),
        _ => return true,
    };
    from < to || (from == to && low == Ordering::Gte && high == Ordering::Lte)
}

/// Whether the texts two patterns begin with, and those they end with, go together.
fn ends_agree(one: &Pattern, other: &Pattern) -> bool {
    let agree = |a: Option<String>, b: Option<String>, is_start: bool| match (a, b) {
        (Some(a), Some(b)) if is_start => a.starts_with(&b) || b.starts_with(&a),
        (Some(a), Some(b)) => a.ends_with(&b) || b.ends_with(&a),
        _ => true,
    };
    agree(literal(one.parts.first()), literal(other.parts.first()), true)
        && agree(literal(one.parts.last()), literal(other.parts.last()), false)
}

fn literal(part: Option<&Part>) -> Option<String> {
    match part {
        Some(Part::Literal(text)) => Some(fold(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::{Options, compile};
    use crate::lint::lint_conditions;

    /// What a Windows rule with this detection is told, as `line code`, lines counted from the
    /// detection's first.
    fn told(detection: &str) -> Vec<String> {
        let body: String = detection.lines().map(|line| format!("  {line}\n")).collect();
        let text = format!(
            "title: t\nlevel: low\nlogsource: {{product: windows, service: security}}\ndetection:\n{body}"
        );
        let (documents, diagnostics) = crate::parse(std::sync::Arc::default(), &text);
        assert_eq!(documents.len(), 1, "{diagnostics:?}");
        let (rules, _) = compile(documents, Options { gate: true });
        let line = |line: u32| line.saturating_sub(4);
        lint_conditions(&rules)
            .iter()
            .map(|found| format!("{} {}", line(found.place.line), found.code))
            .collect()
    }

    /// Two selections that must both hold.
    fn both(one: &str, other: &str) -> Vec<String> {
        told(&format!("one:\n  {one}\nother:\n  {other}\ncondition: one and other"))
    }

    #[test]
    fn requirements_that_shut_each_other_out() {
        for (one, other) in [
            ("EventID: 4624", "EventID: 4625"),
            ("EventID: 4624", "EventID: [4625, 4626]"),
            ("Image: 'C:\\a.exe'", "Image: 'C:\\b.exe'"),
            ("Image: 'C:\\a.exe'", "Image|endswith: '\\b.exe'"),
            ("Image|startswith: 'C:\\'", "Image|startswith: 'D:\\'"),
            ("Image|endswith: [a, b]", "Image|endswith: [c, d]"),
            ("Image|startswith: x", "Image: null"),
            ("Image|re: '^b'", "Image: abc"),
            ("Size|gt: 5", "Size|lt: 5"),
            ("Size|gte: 5", "Size: 4"),
            ("Size: 5", "Size|contains: '6'"),
            ("Ip|cidr: 10.0.0.0/8", "Ip: 192.168.0.1"),
            ("Image|exists: false", "Image: x"),
            ("Channel: System", "EventID: 1"),
        ] {
            let found = both(one, other);
            assert!(
                found.iter().any(|line| line.ends_with(" contradiction")),
                "{one} and {other}: {found:?}"
            );
            assert!(found.contains(&"0 rule_never_matches".to_string()), "{one} and {other}: {found:?}");
        }
    }

    #[test]
    fn requirements_that_go_together() {
        for (one, other) in [
            ("EventID: 4624", "EventID: [4624, 4625]"),
            ("Image: A", "Image|cased: a"),
            ("Image: ABC", "Image|re: '^a'"),
            ("Image|startswith: ab", "Image|startswith: a"),
            ("Image|startswith: a", "Image|endswith: b"),
            ("Image|contains: a", "Image|contains: b"),
            ("Image|contains|all: [a, b]", "Image|contains: c"),
            ("Size|gte: 5", "Size|lte: 5"),
            ("Image|exists: true", "Image: x"),
            ("Image: x", "Other: y"),
            ("Image|fieldref: Other", "Image: x"),
            ("When|hour: 3", "When|hour: 4"),
            ("Flag: true", "Flag: 'TRUE'"),
        ] {
            assert_eq!(both(one, other), [""; 0], "{one} and {other}");
        }
    }

    #[test]
    fn alternatives_are_looked_at_one_by_one() {
        let with = |condition: &str| {
            told(&format!("a: {{EventID: 1}}\nb: {{EventID: 2}}\nc: {{EventID: 3}}\ncondition: {condition}"))
        };
        assert_eq!(with("a or b or c"), [""; 0]);
        assert_eq!(with("a and (b or c)"), ["0 rule_never_matches", "2 contradiction", "3 contradiction"]);
        let one_of_two = "a: {EventID: 1}\nb: {EventID: 2}\nc: {X: 3}\ncondition: a and (b or c)";
        assert_eq!(told(one_of_two), ["2 contradiction"], "the other alternative is left");
    }

    #[test]
    fn a_filter_document_may_take_all_of_a_rule_away() {
        let of = |value: &str| {
            format!(
                "title: t\nname: r\nlevel: low\nlogsource: {{product: windows}}\ndetection: {{s: {{Image: a}},                  condition: s}}\n---\ntitle: f\nlogsource: {{product: windows}}\nfilter: {{rules: [r], s: {{Image:                  {value}}}, condition: not s}}\n"
            )
        };
        for (value, expect) in
            [("a", &["rule_never_matches"][..]), ("b", &[]), ("[a, b]", &["rule_never_matches"])]
        {
            let (documents, _) = crate::parse(std::sync::Arc::default(), &of(value));
            let (rules, _) = compile(documents, Options { gate: true });
            let told: Vec<_> = lint_conditions(&rules).iter().map(|found| found.code).collect();
            assert_eq!(told, expect, "{value}");
        }
    }

    #[test]
    fn filters_that_never_or_always_apply() {
        let with = |filter: &str, condition: &str| {
            told(&format!(
                "s:\n  Image|endswith: '\\a.exe'\n  EventID: 1\nfilter_x:\n{filter}\ncondition: {condition}"
            ))
        };
        let not = "s and not filter_x";
        assert_eq!(with("  Image: 'C:\\b.exe'", not), ["5 filter_never_applies"]);
        assert_eq!(with("  Image: 'C:\\b.exe'", "s and not 1 of filter_*"), ["5 filter_never_applies"]);
        assert_eq!(with("  Image: 'C:\\a.exe'", not), [""; 0]);
        assert_eq!(with("  - Image: 'C:\\b.exe'\n  - User: x", not), [""; 0], "one half of it applies");
        assert_eq!(with("  User: x", not), [""; 0]);
        assert_eq!(with("  EventID: 1", not), ["0 rule_never_matches", "5 contradiction"]);
        assert_eq!(with("  EventID: [1, 2]\n  User: x", not), [""; 0]);
    }
}
