//! Every shipped rule lies beside its test.

use super::Finding;
use crate::tree::Tree;

/// `rules/**/x.yml` and `rules/**/x.trace` come in pairs.
pub fn traces(tree: &Tree, found: &mut Vec<Finding>) {
    for file in tree.files.iter().filter(|file| file.path.starts_with("rules/")) {
        let pair = match file.path.rsplit_once('.') {
            Some((stem, "yml")) => format!("{stem}.trace"),
            Some((stem, "trace")) => format!("{stem}.yml"),
            Some((_, "yaml")) => {
                found.push(Finding::new(&file.path, 1, "rules end in `.yml`"));
                continue;
            }
            _ => continue,
        };
        if tree.get(&pair).is_none() {
            found.push(Finding::new(
                &file.path,
                1,
                format!("{pair} is missing: a rule and its trace come together"),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    #[test]
    fn a_lone_rule_or_trace_is_found() {
        let files = [
            ("rules/a/b.yml", ""),
            ("rules/a/b.trace", ""),
            ("rules/c.yml", ""),
            ("rules/d.trace", ""),
            ("rules/e.yaml", ""),
        ];
        assert_eq!(places(traces, &files), ["rules/c.yml:1", "rules/d.trace:1", "rules/e.yaml:1"]);
    }
}
