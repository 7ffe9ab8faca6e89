//! Explanations in words.

use std::fmt::Write as _;

use tocsin_core::correlation::{
    Comparison, CorrelationSpec, ROLE_COUNTS, ROLE_FOLLOWS, ROLE_INTERRUPTS, SeenLogic, Windowing,
};
use tocsin_core::value::Value;

use super::{EventValues, written};
use crate::ast::{Cidr, LogSource, Ordering, Part, Pattern, Test};
use crate::parse::is_sequence;

/// A log source as the rule says it: `product windows, category process_creation`.
pub(super) fn log_source(source: &LogSource) -> String {
    let parts = [("product", &source.product), ("category", &source.category), ("service", &source.service)];
    let said = parts.iter().filter_map(|(key, value)| value.as_ref().map(|value| format!("{key} {value}")));
    said.collect::<Vec<_>>().join(", ")
}

/// A test as what follows the field's name: `contains "x"`.
pub(super) fn test(test: &Test, event: &EventValues<'_, '_>) -> String {
    match test {
        Test::Pattern(pattern) => text(pattern),
        Test::Number(_, written) => format!("is {written}"),
        Test::Bool(wanted) => format!("is {wanted}"),
        Test::Null => "is absent or null".to_string(),
        Test::Exists(true) => "is there".to_string(),
        Test::Exists(false) => "is absent".to_string(),
        Test::Compare(ordering, limit) => format!("{} {limit}", sign(*ordering)),
        Test::DatePart(part, ordering, number) => {
            let verb = ordering.map_or("is", sign);
            format!("{} in UTC {verb} {number}", part.as_str())
        }
        Test::Cidr(range) => format!("is in {}", network(range)),
        Test::Regex { pattern, ignore_case, multi_line, dot_all } => {
            let flags = [(ignore_case, 'i'), (multi_line, 'm'), (dot_all, 's')];
            let flags: String = flags.iter().filter(|(on, _)| **on).map(|(_, flag)| flag).collect();
            format!("matches /{pattern}/{flags}")
        }
        Test::FieldRef { field, open_start, open_end, cased } => {
            let others = (event.values)(field);
            let texts: Vec<&str> = others.iter().filter_map(Value::as_text).collect();
            let other = if texts.is_empty() { "absent".to_string() } else { quoted(&texts) };
            format!("{} the value of {field} ({other}){}", verb(*open_start, *open_end), case(*cased))
        }
    }
}

fn sign(ordering: Ordering) -> &'static str {
    match ordering {
        Ordering::Lt => "<",
        Ordering::Lte => "<=",
        Ordering::Gt => ">",
        Ordering::Gte => ">=",
    }
}

fn text(pattern: &Pattern) -> String {
    let (first, last) = (pattern.parts.first(), pattern.parts.last());
    let (open_start, open_end) = (first == Some(&Part::Any), last == Some(&Part::Any));
    let inner = pattern.parts.iter().filter(|part| **part != Part::Any);
    let case = case(pattern.cased);
    let dash = if pattern.parts.contains(&Part::Dash) { " with any dash" } else { "" };
    match inner.collect::<Vec<_>>().as_slice() {
        [] if open_start => "is anything".to_string(),
        [] => "is \"\"".to_string(),
        [Part::Literal(text)] => format!("{} \"{text}\"{case}", verb(open_start, open_end)),
        _ => format!("is like \"{}\"{dash}{case}", written(pattern)),
    }
}

fn verb(open_start: bool, open_end: bool) -> &'static str {
    match (open_start, open_end) {
        (false, false) => "is",
        (false, true) => "starts with",
        (true, false) => "ends with",
        (true, true) => "contains",
    }
}

fn case(cased: bool) -> &'static str {
    if cased { " in this case" } else { "" }
}

fn network(range: &Cidr) -> String {
    let address = std::net::Ipv6Addr::from_bits(range.network);
    let bits = range.mask.leading_ones();
    match address.to_ipv4_mapped().filter(|_| bits >= 96) {
        Some(address) => format!("{address}/{}", bits - 96),
        None => format!("{address}/{bits}"),
    }
}

fn quoted(texts: &[&str]) -> String {
    texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", ")
}

/// What a correlation asks for: `more than 10 events within 5 minutes per source.ip`.
#[must_use]
pub fn requirement(spec: &CorrelationSpec, group_by: &[String]) -> String {
    let numbers: Vec<String> = spec
        .condition
        .iter()
        .map(|(comparison, number)| format!("{} {number}", compared(*comparison)))
        .collect();
    let numbers = numbers.join(" and ");
    let all = match spec.references {
        1 => "the rule".to_string(),
        count => format!("all {count} rules"),
    };
    let what = match (spec.kind.as_str(), &spec.seen) {
        ("event_count", _) => format!("{numbers} events"),
        ("consecutive", _) => format!("{numbers} events in a row"),
        ("value_count", _) => format!("{numbers} different values"),
        ("value_sum", _) => format!("a sum of {numbers}"),
        ("value_avg", _) => format!("an average of {numbers}"),
        ("value_median", _) => format!("a median of {numbers}"),
        ("value_percentile", _) => {
            format!("a percentile {} of {numbers}", spec.percentile.unwrap_or_default())
        }
        ("leaky_bucket", _) => format!("{numbers} in a bucket"),
        ("temporal" | "temporal_ordered", Some(seen)) => seen_words(seen),
        ("temporal" | "temporal_ordered", None) if numbers.is_empty() => format!("{all} seen"),
        ("temporal" | "temporal_ordered", None) => format!("{numbers} of {all} seen"),
        (other, _) => format!("{numbers} ({other})").trim_start().to_string(),
    };
    let order = if spec.kind == "temporal_ordered" { ", in this order," } else { "" };
    let mut text = match spec.leak {
        Some(leak) => format!("{what} that loses one each {leak}"),
        None => format!("{what}{order} within {}", spec.timespan),
    };
    match spec.windowing {
        Windowing::Sliding => {}
        Windowing::Tumbling => text.push_str(" of the clock"),
        Windowing::Session { gap } => {
            let _ = write!(text, " without a gap of {gap}");
        }
    }
    if !group_by.is_empty() {
        let _ = write!(text, " per {}", group_by.join(", "));
    }
    if spec.followed {
        text.push_str(", then one that follows");
    }
    text
}

fn compared(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Gt => "more than",
        Comparison::Gte => "at least",
        Comparison::Lt => "fewer than",
        Comparison::Lte => "at most",
        Comparison::Eq => "exactly",
        Comparison::Neq => "other than",
    }
}

/// Which rules of a sequence must have been seen: `rule 1 and not rule 2 seen`.
fn seen_words(logic: &SeenLogic) -> String {
    format!("{} seen", condition_words(logic))
}

fn condition_words(logic: &SeenLogic) -> String {
    let inner = |part: &SeenLogic| match part {
        SeenLogic::And(_) | SeenLogic::Or(_) => format!("({})", condition_words(part)),
        SeenLogic::Seen(_) | SeenLogic::Not(_) => condition_words(part),
    };
    match logic {
        SeenLogic::Seen(role) => format!("rule {}", u32::from(*role) + 1),
        SeenLogic::Not(part) => format!("not {}", inner(part)),
        SeenLogic::And(parts) => parts.iter().map(inner).collect::<Vec<_>>().join(" and "),
        SeenLogic::Or(parts) => parts.iter().map(inner).collect::<Vec<_>>().join(" or "),
    }
}

/// The part a rule's matches play for a correlation; in a sequence each rule has its own.
#[must_use]
pub fn role(spec: &CorrelationSpec, role: u8) -> String {
    if is_sequence(&spec.kind) {
        return format!("is rule {}", u32::from(role) + 1);
    }
    let words = match role {
        ROLE_COUNTS => "counts",
        ROLE_INTERRUPTS => "interrupts the run",
        ROLE_FOLLOWS => "must follow",
        _ => "takes part",
    };
    words.to_string()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use tocsin_core::time::Span;

    use super::*;
    use crate::ast::{Expr, Item};
    use crate::test_support::detection;

    /// The words for each value of a line such as `a|contains: x`; the event's `other` is `seen`.
    fn words(line: &str) -> String {
        let rule = format!(
            "title: t\nlogsource: {{product: p, service: s}}\ndetection:\n  s:\n    {line}\n  condition: s\n"
        );
        let expr = detection(&rule).condition;
        let mut items = Vec::new();
        collect(&expr, &mut items);
        let values = |field: &str| match field {
            "other" => vec![Value::Text(Cow::Borrowed("seen"))],
            _ => Vec::new(),
        };
        let event = EventValues { values: &values, record: "" };
        let tests = items.iter().flat_map(|item| &item.tests);
        tests.map(|one| test(one, &event)).collect::<Vec<_>>().join("; ")
    }

    fn collect(expr: &Expr, items: &mut Vec<Item>) {
        match expr {
            Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| collect(part, items)),
            Expr::Not(inner) | Expr::Named(_, inner) => collect(inner, items),
            Expr::Item(item) => items.push(item.clone()),
        }
    }

    #[test]
    fn every_test_has_its_words() {
        for (line, expect) in [
            ("a: x", "is \"x\""),
            ("a: ''", "is \"\""),
            ("a: '*'", "is anything"),
            ("a|startswith: x", "starts with \"x\""),
            ("a|endswith|cased: x", "ends with \"x\" in this case"),
            (r"a|contains: ['x', 'C:\y']", r#"contains "x"; contains "C:\y""#),
            (r"a: 'x*y?\*'", r#"is like "x*y?\*""#),
            ("a|windash|contains: ' -x'", "is like \"* -x*\" with any dash"),
            ("a: 4625", "is 4625"),
            ("a: true", "is true"),
            ("a: null", "is absent or null"),
            ("a|exists: true", "is there"),
            ("a|exists: false", "is absent"),
            ("a|gte: 5", ">= 5"),
            ("a|lt: 0.5", "< 0.5"),
            ("a|hour: 3", "hour in UTC is 3"),
            ("a|week|gte: 52", "week in UTC >= 52"),
            ("a|cidr: 10.0.0.0/8", "is in 10.0.0.0/8"),
            ("a|cidr: fe80::/10", "is in fe80::/10"),
            ("a|cidr: '::/0'", "is in ::/0"),
            ("a|re|i|s: 'x.y'", "matches /x.y/is"),
            ("a|fieldref: other", "is the value of other (\"seen\")"),
            ("a|fieldref|endswith: none", "ends with the value of none (absent)"),
        ] {
            assert_eq!(words(line), expect, "{line}");
        }
    }

    #[test]
    fn a_correlation_says_what_it_needs() {
        let spec = |kind: &str, condition: Vec<(Comparison, f64)>, followed| CorrelationSpec {
            condition,
            followed,
            ..CorrelationSpec::new(kind, Span::seconds(300))
        };
        let by = ["source.ip".to_string(), "user.name".to_string()];
        assert_eq!(
            requirement(
                &spec("event_count", vec![(Comparison::Gt, 10.0), (Comparison::Lte, 20.0)], false),
                &by
            ),
            "more than 10 and at most 20 events within 5 minutes per source.ip, user.name"
        );
        assert_eq!(
            requirement(&spec("consecutive", vec![(Comparison::Gte, 5.0)], true), &[]),
            "at least 5 events in a row within 5 minutes, then one that follows"
        );
        let five = || vec![(Comparison::Gte, 5.0)];
        for (kind, condition, expect) in [
            ("value_count", five(), "at least 5 different values within 5 minutes"),
            ("value_sum", five(), "a sum of at least 5 within 5 minutes"),
            ("value_avg", five(), "an average of at least 5 within 5 minutes"),
            ("value_median", five(), "a median of at least 5 within 5 minutes"),
            ("temporal", Vec::new(), "all 3 rules seen within 5 minutes"),
            ("temporal", five(), "at least 5 of all 3 rules seen within 5 minutes"),
            ("temporal_ordered", Vec::new(), "all 3 rules seen, in this order, within 5 minutes"),
            ("of_tomorrow", Vec::new(), "(of_tomorrow) within 5 minutes"),
        ] {
            let spec = CorrelationSpec { references: 3, ..spec(kind, condition, false) };
            assert_eq!(requirement(&spec, &[]), expect);
        }
        let leak = CorrelationSpec { leak: Some(Span::seconds(10)), ..spec("leaky_bucket", five(), false) };
        assert_eq!(requirement(&leak, &[]), "at least 5 in a bucket that loses one each 10 seconds");
        let percentile =
            CorrelationSpec { percentile: Some(95.0), ..spec("value_percentile", five(), false) };
        assert_eq!(requirement(&percentile, &[]), "a percentile 95 of at least 5 within 5 minutes");
        let seen = |role| SeenLogic::Seen(role);
        let logic =
            SeenLogic::And(vec![SeenLogic::Or(vec![seen(0), seen(1)]), SeenLogic::Not(Box::new(seen(2)))]);
        let windowing = Windowing::Session { gap: Span::seconds(60) };
        let named = CorrelationSpec { seen: Some(logic), windowing, ..spec("temporal", Vec::new(), false) };
        assert_eq!(
            requirement(&named, &[]),
            "(rule 1 or rule 2) and not rule 3 seen within 5 minutes without a gap of 1 minute"
        );
        assert_eq!(
            (role(&named, 2).as_str(), role(&percentile, 1).as_str()),
            ("is rule 3", "interrupts the run")
        );
    }
}
