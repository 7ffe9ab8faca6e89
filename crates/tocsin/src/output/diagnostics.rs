//! What `check` says about rules: for people with the line it is about, for machines as JSON.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use serde_json::json;
use tocsin_pipeline::plan::RuleFile;
use tocsin_sigma::ast::{Diagnostic, Place};

use crate::loading;
use crate::output::sanitise;

/// Characters of a source line shown. Of a longer one the part around the place is shown.
const SHOWN_CHARS_MAX: usize = 120;

/// Writes diagnostics for people: what and where, the line with a mark below it, and the hint.
///
/// # Errors
/// What the output says.
pub fn write_text(out: &mut impl Write, diagnostics: &[Diagnostic], files: &[RuleFile]) -> io::Result<()> {
    let texts: HashMap<&Path, &str> =
        files.iter().map(|file| (file.path.as_path(), file.text.as_str())).collect();
    for diagnostic in diagnostics {
        let first = loading::written(&Diagnostic { hint: None, ..diagnostic.clone() });
        writeln!(out, "{}", sanitise::text(&first))?;
        let text = texts.get(diagnostic.file.as_path());
        if let Some((line, mark)) = text.and_then(|text| excerpt(text, diagnostic.place)) {
            let number = diagnostic.place.line;
            writeln!(out, "{number:>6} | {line}")?;
            writeln!(out, "       | {:mark$}^", "")?;
        }
        if let Some(hint) = &diagnostic.hint {
            writeln!(out, "  hint: {}", sanitise::text(hint))?;
        }
    }
    Ok(())
}

/// Writes one JSON object per diagnostic.
///
/// # Errors
/// What the output says.
pub fn write_json(out: &mut impl Write, diagnostics: &[Diagnostic]) -> io::Result<()> {
    for diagnostic in diagnostics {
        let object = json!({
            "file": diagnostic.file.display().to_string(),
            "line": diagnostic.place.line,
            "column": diagnostic.place.column,
            "severity": diagnostic.severity.as_str(),
            "code": diagnostic.code,
            "reason": diagnostic.reason,
            "hint": diagnostic.hint,
        });
        writeln!(out, "{object}")?;
    }
    Ok(())
}

/// The line of a place, each character safe to show and one column wide, and how many characters
/// stand before the place.
fn excerpt(text: &str, place: Place) -> Option<(String, usize)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = text.lines().nth((place.line as usize).checked_sub(1)?)?;
    let column = (place.column as usize).checked_sub(1)?;
    let length = line.chars().count();
    let from = if length <= SHOWN_CHARS_MAX { 0 } else { column.saturating_sub(SHOWN_CHARS_MAX / 2) };
    let shown = line.chars().skip(from).take(SHOWN_CHARS_MAX).map(sanitise::one);
    Some((shown.collect::<String>().trim_end().to_string(), column - from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_with_its_place() {
        let long = format!("{}x", "é".repeat(300));
        for (text, line, column, expect) in [
            ("a\n  b: c\r\n", 2, 3, Some(("  b: c", 2))),
            ("\u{feff}a: b", 1, 1, Some(("a: b", 0))),
            ("a:\tb\u{1b}", 1, 4, Some(("a: b\u{fffd}", 3))),
            ("a", 0, 0, None),
            ("a", 2, 1, None),
            (&long, 1, 301, Some((&*format!("{}x", "é".repeat(60)), 60))),
        ] {
            let got = excerpt(text, Place { line, column });
            assert_eq!(got, expect.map(|(line, mark)| (line.to_string(), mark)), "{text}");
        }
    }
}
