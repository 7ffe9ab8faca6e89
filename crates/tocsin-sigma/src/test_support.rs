//! What the tests of parsing share: the only place of theirs that touches shapes.

use std::path::PathBuf;
use std::sync::Arc;

use crate::ast::{Body, Correlation, Detection, Diagnostic, Document, Expr, Part, Pattern, Test};

/// Parses a file's text.
pub fn load(text: &str) -> (Vec<Document>, Vec<Diagnostic>) {
    crate::parse(Arc::new(PathBuf::from("rule.yml")), text)
}

/// The findings of a file, one per line: `line:column severity code`.
pub fn findings(text: &str) -> Vec<String> {
    let line = |finding: &Diagnostic| {
        let severity = finding.severity.as_str();
        format!("{}:{} {severity} {}", finding.place.line, finding.place.column, finding.code)
    };
    load(text).1.iter().map(line).collect()
}

/// The only rule of a file, which must be a detection.
pub fn detection(text: &str) -> Detection {
    let (documents, diagnostics) = load(text);
    match documents.into_iter().map(|document| document.body).next() {
        Some(Body::Detection(detection)) => detection,
        other => panic!("{text}: {other:?} {diagnostics:?}"),
    }
}

/// The only rule of a file, which must be a correlation.
pub fn correlation(text: &str) -> Correlation {
    let (documents, diagnostics) = load(text);
    match documents.into_iter().map(|document| document.body).next() {
        Some(Body::Correlation(correlation)) => correlation,
        other => panic!("{text}: {other:?} {diagnostics:?}"),
    }
}

/// An expression in one line; names of search identifiers in front of a colon.
pub fn show(expr: &Expr) -> String {
    let list = |members: &[Expr]| members.iter().map(show).collect::<Vec<_>>().join(" ");
    match expr {
        Expr::And(members) => format!("(and {})", list(members)),
        Expr::Or(members) => format!("(or {})", list(members)),
        Expr::Not(inner) => format!("(not {})", show(inner)),
        Expr::Named(name, inner) => format!("{name}:{}", show(inner)),
        Expr::Item(item) => {
            let tests: Vec<String> = item.tests.iter().map(show_test).collect();
            let field = item.field.as_deref().unwrap_or("ANY");
            format!("{field}={}", tests.join(if item.all { " & " } else { " | " }))
        }
    }
}

fn show_test(test: &Test) -> String {
    match test {
        Test::Pattern(pattern) if pattern.cased => format!("cased{}", show_pattern(pattern)),
        Test::Pattern(pattern) => show_pattern(pattern),
        Test::Regex { pattern, ignore_case, multi_line, dot_all } => {
            let flag = |on: &bool, name: &'static str| if *on { name } else { "" };
            format!("/{pattern}/{}{}{}", flag(ignore_case, "i"), flag(multi_line, "m"), flag(dot_all, "s"))
        }
        Test::Number(number, text) => format!("{number}({text})"),
        Test::Bool(truth) => truth.to_string(),
        Test::Null => "null".to_owned(),
        Test::Exists(wanted) => format!("exists({wanted})"),
        Test::Compare(ordering, number) => format!("{ordering:?}({number})"),
        Test::DatePart(part, ordering, number) => {
            let ordering = ordering.map_or("Eq".to_owned(), |ordering| format!("{ordering:?}"));
            format!("{}.{ordering}({number})", part.as_str())
        }
        Test::Cidr(cidr) => format!("cidr({:x}/{})", cidr.network, cidr.mask.leading_ones()),
        Test::FieldRef { field, open_start, open_end, cased } => {
            let star = |open: &bool| if *open { "*" } else { "" };
            format!(
                "{}field({field}){}{}",
                star(open_start),
                star(open_end),
                if *cased { "cased" } else { "" }
            )
        }
    }
}

/// A pattern's parts, written so that no backslash can be mistaken: `*` `?` `~` are wildcards and
/// dash, `<…>` is literal text.
pub fn show_pattern(pattern: &Pattern) -> String {
    let part = |part: &Part| match part {
        Part::Literal(text) => format!("<{text}>"),
        Part::Any => "*".to_owned(),
        Part::One => "?".to_owned(),
        Part::Dash => "~".to_owned(),
    };
    format!("[{}]", pattern.parts.iter().map(part).collect::<String>())
}
