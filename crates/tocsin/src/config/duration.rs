//! Durations as they are written: `250ms`, `30s`, `5m`, `1h`, `1h30m`, and `0s` for none.

use tocsin_core::time::Span;

/// Reads a duration: a sum of whole numbers with units (`ms`, `s`, `m`, `h`, `d`, `w`), or `0s`.
#[must_use]
pub fn read(text: &str) -> Option<Span> {
    if text == "0s" { Some(Span(0)) } else { Span::parse(text) }
}

/// The shortest spelling in one unit; two minutes and less stay seconds.
#[must_use]
pub fn show(span: Span) -> String {
    let units =
        [("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000)];
    let stays_seconds = |unit: &str| unit == "m" && span.0 <= 120_000_000_000;
    let fits = |&&(unit, size): &&(&str, i64)| span.0 % size == 0 && span.0 >= size && !stays_seconds(unit);
    match units.iter().find(fits) {
        Some((unit, size)) => format!("{}{unit}", span.0 / size),
        None if span.0 == 0 => "0s".to_owned(),
        None if span.0 % 1_000_000 == 0 => format!("{}ms", span.0 / 1_000_000),
        None => format!("{}ns", span.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_shown() {
        for (text, expect) in [
            ("250ms", Some("250ms")),
            ("30s", Some("30s")),
            ("60s", Some("60s")),
            ("1m", Some("60s")),
            ("5m", Some("5m")),
            ("90m", Some("90m")),
            ("1h30m", Some("90m")),
            ("3600s", Some("1h")),
            ("2d", Some("2d")),
            ("0s", Some("0s")),
            ("7ns", Some("7ns")),
            ("", None),
            ("5", None),
            ("0", None),
            ("-5s", None),
            ("1.5h", None),
            ("5 m", None),
            ("5min", None),
            ("99999999999h", None),
        ] {
            assert_eq!(read(text).map(show).as_deref(), expect, "{text}");
        }
    }
}
