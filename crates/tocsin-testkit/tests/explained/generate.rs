//! Random rules and records over few fields and few characters, so that they often meet.

use proptest::prelude::*;
use proptest::sample::select;
use tocsin_sigma::ast::{Cidr, DatePart, Expr, Item, Ordering, Pattern, Place, Test};

/// A generated rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Category of its log source.
    pub category: &'static str,
    /// Its condition.
    pub condition: Expr,
}

const FIELDS: [&str; 5] = ["a", "b", "c.d", "src", "message"];

/// Text as rules and events hold it: few characters, among them those that fold in odd ways.
fn text() -> impl Strategy<Value = String> {
    let common = select(vec!["a", "A", "b", "B", "-", "\\", "/", " ", "1", "ab", "aB", "*", "?"]);
    let rare = select(vec![
        "k", "K", "\u{212a}", "s", "S", "ſ", "σ", "ς", "Σ", "é", "É", "ß", "ẞ", "İ", "i", "ı", "\u{2013}",
        "\"", "\n", "\t", "😀", "Ω", "\u{2126}", "ǅ", "ǆ", "ῼ", "ῳ", "n", "u0061", ".", "true",
    ]);
    let piece = prop_oneof![4 => common, 1 => rare];
    let pieces = prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    let whole = select(vec![
        "true",
        "FALSE",
        "True",
        "null",
        "1",
        "1.0",
        "1e0",
        "+1",
        "-5",
        "-5.0",
        ".5",
        "0",
        "-0",
        "007",
        "nan",
        "inf",
        "-inf",
        "1e400",
        "0x1F",
        "0X1f",
        "10",
        " 10",
        "10.0.0.1",
        "10.0.0.01",
        "::ffff:10.0.0.1",
        "fe80::1",
        "FE80::1",
        "2001:db8::1",
        "::1",
        "255.255.255.255",
        "2026-01-01T00:00:00Z",
        "2021-01-03 23:59:59",
        "1768500000",
        "-foo /bar",
        "C:\\temp\\new",
        "",
    ]);
    prop_oneof![3 => pieces, 2 => whole.prop_map(str::to_string), 3 => tiny(vec!["a", "b", "A", "-"])]
}

/// Text of so few characters that wildcards have several ways to match it.
fn tiny(characters: Vec<&'static str>) -> impl Strategy<Value = String> {
    prop::collection::vec(select(characters), 0..6).prop_map(|pieces| pieces.concat())
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let ends = select(vec![(false, false), (false, false), (true, false), (false, true), (true, true)]);
    let text = prop_oneof![text(), tiny(vec!["a", "a", "b", "b", "*", "*", "?", "-"])];
    (text, prop::bool::weighted(0.2), ends, prop::bool::weighted(0.2), prop::bool::weighted(0.2)).prop_map(
        |(text, literal, (open_start, open_end), windash, cased)| {
            let mut pattern = if literal { Pattern::literal(&text) } else { Pattern::parse(&text) };
            if windash {
                pattern = pattern.with_dashes();
            }
            if open_start {
                pattern.open_start();
            }
            if open_end {
                pattern.open_end();
            }
            pattern.cased = cased;
            pattern
        },
    )
}

fn regex() -> impl Strategy<Value = Test> {
    let patterns = select(vec![
        "a",
        "^a",
        "b$",
        "A+b?",
        ".",
        "^.$",
        "^.*$",
        "(?i)k",
        "ſ",
        "σ",
        "[^a]",
        r"\\",
        "",
        "x|b",
        "^1$",
        "a.b",
        "(?x) a # b",
        "a|(?i)B",
        r"\bab\b",
        r"\d+",
        "é",
        "^$",
    ]);
    (patterns, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(pattern, ignore_case, multi_line, dot_all)| Test::Regex {
            pattern: pattern.to_string(),
            ignore_case,
            multi_line,
            dot_all,
        },
    )
}

fn number() -> impl Strategy<Value = Test> {
    let numbers =
        [(1.0, "1"), (1.0, "1.0"), (-5.0, "-5"), (31.0, "0x1F"), (10.0, "1e1"), (0.0, "0"), (0.5, "0.5")];
    select(numbers.to_vec()).prop_map(|(number, text)| Test::Number(number, text.to_string()))
}

fn compare() -> impl Strategy<Value = Test> {
    let orderings = select(vec![Ordering::Lt, Ordering::Lte, Ordering::Gt, Ordering::Gte]);
    (orderings, select(vec![-5.0, 0.0, 0.5, 1.0, 10.0]))
        .prop_map(|(ordering, limit)| Test::Compare(ordering, limit))
}

fn cidr() -> impl Strategy<Value = Test> {
    let ranges = [
        "10.0.0.0/8",
        "10.0.0.1",
        "0.0.0.0/0",
        "::/0",
        "fe80::/10",
        "::ffff:0:0/96",
        "::ffff:10.0.0.0/104",
        "2001:db8::/32",
        "::/80",
        "::1",
    ];
    select(ranges.to_vec()).prop_map(|range| Test::Cidr(Cidr::parse(range).unwrap()))
}

fn date_part() -> impl Strategy<Value = Test> {
    use DatePart::{Day, Hour, Minute, Month, Week, Year};
    let parts = select(vec![Minute, Hour, Day, Week, Month, Year]);
    let orderings =
        select(vec![None, Some(Ordering::Lt), Some(Ordering::Lte), Some(Ordering::Gt), Some(Ordering::Gte)]);
    (parts, orderings, select(vec![0.0, 1.0, 18.0, 53.0, 59.0, 2026.0]))
        .prop_map(|(part, ordering, number)| Test::DatePart(part, ordering, number))
}

fn field_ref() -> impl Strategy<Value = Test> {
    (select(FIELDS.to_vec()), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(field, open_start, open_end, cased)| Test::FieldRef {
            field: field.to_string(),
            open_start,
            open_end,
            cased,
        },
    )
}

fn field_test() -> impl Strategy<Value = Test> {
    prop_oneof![
        6 => pattern().prop_map(Test::Pattern),
        1 => number(),
        1 => any::<bool>().prop_map(Test::Bool),
        1 => Just(Test::Null),
        1 => any::<bool>().prop_map(Test::Exists),
        1 => compare(),
        1 => cidr(),
        1 => date_part(),
        2 => regex(),
        1 => field_ref(),
    ]
}

fn keyword_test() -> impl Strategy<Value = Test> {
    let opened = pattern().prop_map(|mut pattern| {
        pattern.open_start();
        pattern.open_end();
        Test::Pattern(pattern)
    });
    prop_oneof![4 => opened, 1 => regex()]
}

fn item(field: Option<&'static str>, tests: impl Strategy<Value = Test>) -> impl Strategy<Value = Expr> {
    (prop::collection::vec(tests, 1..4), any::<bool>()).prop_map(move |(tests, all)| {
        let (field, place) = (field.map(str::to_string), Place::default());
        Expr::Item(Item { field, written: String::new(), tests, all, place })
    })
}

fn items() -> impl Strategy<Value = Expr> {
    let field = select(FIELDS.to_vec()).prop_flat_map(|field| item(Some(field), field_test()));
    prop_oneof![6 => field, 1 => item(None, keyword_test())]
}

fn condition() -> impl Strategy<Value = Expr> {
    items().prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Expr::And),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Expr::Or),
            inner.clone().prop_map(|inner| Expr::Not(Box::new(inner))),
            inner.prop_map(|inner| Expr::Named("selection".into(), Box::new(inner))),
        ]
    })
}

fn around(conditions: impl Strategy<Value = Expr>) -> impl Strategy<Value = Rule> {
    let category = select(vec!["application", "application", "application", "authentication"]);
    (category, conditions).prop_map(|(category, condition)| Rule { category, condition })
}

/// A rule with a tree for a condition.
pub fn rule() -> impl Strategy<Value = Rule> {
    around(condition())
}

/// A rule of one item.
pub fn single_test() -> impl Strategy<Value = Rule> {
    around(items())
}

/// A JSON value as text.
fn json() -> impl Strategy<Value = String> {
    let numbers = [
        "1",
        "1.0",
        "1e0",
        "-5",
        "-0",
        "10",
        "0.5",
        "31",
        "1e400",
        "1E1",
        "4625",
        "1768500000",
        "1609718399000",
    ];
    let scalar = prop_oneof![
        6 => (text(), any::<u8>()).prop_map(|(text, escapes)| quoted(&text, escapes)),
        2 => select(numbers.to_vec()).prop_map(str::to_string),
        1 => select(vec!["true", "false", "null"]).prop_map(str::to_string),
    ];
    scalar.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(", "))),
            inner.prop_map(|inner| format!("{{\"d\":{inner}}}")),
        ]
    })
}

/// A JSON string; bits of `escapes` choose characters to be escaped though they need not be.
fn quoted(text: &str, escapes: u8) -> String {
    let mut out = String::from('"');
    for (index, character) in text.chars().enumerate() {
        let forced = escapes >> (index % 8) & 1 != 0 && escapes & 3 == 3;
        if forced || character.is_control() {
            let mut units = [0; 2];
            out.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else if matches!(character, '"' | '\\') {
            out.extend(['\\', character]);
        } else {
            out.push(character);
        }
    }
    out.push('"');
    out
}

/// A record: mostly an object, sometimes a line of syslog.
pub fn record() -> impl Strategy<Value = String> {
    let names = ["a", "b", "c", "src", "message", "type"];
    let kind = select(vec!["\"login_failed\"", "\"coffee\"", "\"login\""]).prop_map(str::to_string);
    let value = prop_oneof![5 => json(), 1 => kind];
    let members = prop::collection::vec(prop::option::of(value), names.len());
    let object = members.prop_map(move |values| {
        let present = names.iter().zip(values).filter_map(|(name, value)| Some((name, value?)));
        let members: Vec<String> = present.map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    });
    let line = text().prop_map(|text| {
        let text: String = text.chars().filter(|character| !character.is_control()).collect();
        format!("2026-01-15T08:00:00Z host prog: x{text}")
    });
    prop_oneof![8 => object, 1 => line]
}
