//! The paths of rules, which may stand under `rules.paths` or directly under `rules`.

use super::tests::{defaults, planned};

fn rules(text: &str, variables: &[(&str, &str)]) -> String {
    let plan = planned(text, variables).unwrap();
    let from = plan.find(", rules: ").unwrap();
    let upto = plan.find(", api: ").unwrap();
    plan[from + 2..upto].replace(", local: LocalArgs { placeholders: None, logsources: None }", "")
}

#[test]
fn paths_stand_under_a_key_of_their_own_or_directly() {
    let both = "rules: [\"a\", \"b\"], rules_watch: true";
    assert_eq!(rules("rules: [a, b]", &[]), both);
    assert_eq!(rules("rules: {paths: [a, b]}", &[]), both);
    assert_eq!(rules("rules.paths: [a, b]", &[]), both);
    assert_eq!(rules("", &[("TOCSIN_RULES", "a,b")]), both);
    assert_eq!(rules("", &[("TOCSIN_RULES__PATHS", "a,b")]), both);
    assert_eq!(rules("rules: {paths: [c]}", &[("TOCSIN_RULES", "a,b")]), both);
    assert_eq!(rules("rules: [c]", &[("TOCSIN_RULES__PATHS", "a,b")]), both);
    assert_eq!(rules("rules: {watch: false, paths: a}", &[]), "rules: [\"a\"], rules_watch: false");
    assert_eq!(
        rules("rules: [a]", &[("TOCSIN_RULES__WATCH", "false")]),
        "rules: [\"a\"], rules_watch: false"
    );
    assert_eq!(planned("rules:\n", &[]), Ok(defaults()));
    let told = planned("rules: {path: a}", &[]).unwrap_err();
    assert_eq!(told.len(), 1);
    assert!(
        told[0].contains("`rules.path`: there is no such key") && told[0].contains("`paths`"),
        "{told:?}"
    );
}
