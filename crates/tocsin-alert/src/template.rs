//! Message templates: `{n}`, `{window}` and `{field.name}` replaced by values.

/// Replaces each `{name}` by what `value` gives for it; unknown names stay as written.
#[must_use]
pub fn render(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let Some(close) = rest.find('}') else { break };
        match value(&rest[1..close]) {
            Some(text) => out.push_str(&text),
            None => out.push_str(&rest[..=close]),
        }
        rest = &rest[close + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_values() {
        let value = |name: &str| (name == "n").then(|| "11".to_string());
        for (template, expect) in [
            ("{n} failed", "11 failed"),
            ("{n}{n}", "1111"),
            ("no names", "no names"),
            ("{unknown} {n}", "{unknown} 11"),
            ("open { brace", "open { brace"),
            ("", ""),
        ] {
            assert_eq!(render(template, value), expect);
        }
    }
}
