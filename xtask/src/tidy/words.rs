//! What may not stand in a file, and what must.

use super::Finding;
use crate::tree::{File, Tree};

/// Marks of work left undone, in comments and texts.
const MARKERS: &[&str] = &["TODO", "FIXME", "XXX", "HACK"];

/// Macros that stand for work left undone.
const UNDONE: &[&str] = &["todo!", "unimplemented!"];

/// Constructors of queues without a bound (invariant I6).
const UNBOUNDED: &[&str] = &["mpsc::channel", "unbounded", "unbounded_channel"];

/// First folders of paths that exist on one machine only.
const MACHINE_FOLDERS: &[&str] = &["root", "home", "tmp", "work"];

/// Folders whose files are material: logs and patterns may hold any word and any path.
const MATERIAL: &[&str] = &["conformance/", "demo/recording/", "rules/"];

/// Every Rust file begins with a `//!` header.
pub fn headers(tree: &Tree, found: &mut Vec<Finding>) {
    for (file, _) in tree.rust() {
        if !file.text.starts_with("//! ") {
            let what = "begin with a `//!` header: what this room is for and what may not enter";
            found.push(Finding::new(&file.path, 1, what));
        }
    }
}

/// Every constant of a `limits.rs` says in its name that it is a bound, and has a doc comment.
pub fn limits(tree: &Tree, found: &mut Vec<Finding>) {
    for (file, source) in tree.rust().filter(|(file, _)| file.stem() == "limits") {
        let lines: Vec<&str> = file.text.lines().collect();
        for (line, code) in source.code_lines() {
            let Some(name) = constant(&code) else { continue };
            let documented = line >= 2 && lines[line - 2].trim_start().starts_with("///");
            if !name.ends_with("_MAX") {
                found.push(Finding::new(&file.path, line, format!("name `{name}` by its unit, then `_MAX`")));
            }
            if !documented {
                let what = format!("say above `{name}` what happens beyond it, in a `///` comment");
                found.push(Finding::new(&file.path, line, what));
            }
        }
    }
}

/// No file names a path of somebody's machine. In Rust only a literal that is a path counts: a log
/// line in a test may speak of any.
pub fn machine_paths(tree: &Tree, found: &mut Vec<Finding>) {
    for file in texts(tree) {
        let goes_before: fn(&str) -> bool =
            if file.rust.is_some() { |before| before.ends_with('"') } else { |before| !goes_on(before) };
        for (index, line) in file.text.lines().enumerate() {
            let named = |folder: &&&str| {
                let path = format!("/{folder}/");
                line.match_indices(&path).any(|(at, _)| goes_before(&line[..at]))
            };
            for folder in MACHINE_FOLDERS.iter().filter(named) {
                let what = format!("a path under /{folder} exists on one machine only: derive it");
                found.push(Finding::new(&file.path, index + 1, what));
            }
        }
    }
}

/// No mark of undone work is left behind.
pub fn markers(tree: &Tree, found: &mut Vec<Finding>) {
    let mut report = |file: &File, line: usize, word: &str| {
        let what = format!("`{word}`: do it now, or write an issue and take the mark away");
        found.push(Finding::new(&file.path, line, what));
    };
    for (file, source) in tree.rust() {
        for (line, code) in source.code_lines() {
            UNDONE.iter().filter(|word| has_word(&code, word)).for_each(|word| report(file, line, word));
        }
        for (line, comment) in source.comment_lines() {
            MARKERS.iter().filter(|word| has_word(&comment, word)).for_each(|word| report(file, line, word));
        }
    }
    for file in texts(tree).filter(|file| file.rust.is_none()) {
        for (index, line) in file.text.lines().enumerate() {
            MARKERS.iter().filter(|word| has_word(line, word)).for_each(|word| report(file, index + 1, word));
        }
    }
}

/// Nobody silences a lint without saying why.
pub fn silenced_lints(tree: &Tree, found: &mut Vec<Finding>) {
    for (file, source) in tree.rust() {
        for (line, attribute) in ["#[", "#!["].iter().flat_map(|start| source.bracketed(start)) {
            let silences = has_word(&attribute, "allow") || has_word(&attribute, "expect");
            if silences && !has_word(&attribute, "reason") {
                let what = "a silenced lint needs its `reason = \"…\"`; better, mend what it says";
                found.push(Finding::new(&file.path, line, what));
            }
        }
    }
}

/// Every queue has a bound (invariant I6).
pub fn unbounded_queues(tree: &Tree, found: &mut Vec<Finding>) {
    for (file, source) in tree.rust() {
        for (line, code) in source.code_lines() {
            // A bound is an argument; what has one is a queue of another kind under the same name.
            let called = |word: &&&str| {
                has_word(&code, word)
                    && [format!("{word}()"), format!("{word}::<")].iter().any(|call| code.contains(call))
            };
            if let Some(word) = UNBOUNDED.iter().find(called) {
                let what = format!("`{word}` makes a queue without a bound: give it one from limits.rs");
                found.push(Finding::new(&file.path, line, what));
            }
        }
    }
}

/// Nobody unwraps outside tests.
pub fn unwraps(tree: &Tree, found: &mut Vec<Finding>) {
    for (file, source) in tree.rust() {
        for (line, code) in source.code_lines() {
            if code.contains(".unwrap()") && !file.is_test_line(line) {
                let what = "`.unwrap()` outside a test: handle it, or `expect` with why it cannot fail";
                found.push(Finding::new(&file.path, line, what));
            }
        }
    }
}

/// Files people wrote, material excluded.
fn texts(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files.iter().filter(|file| !MATERIAL.iter().any(|folder| file.path.starts_with(folder)))
}

/// The name of the constant a line of code declares.
fn constant(code: &str) -> Option<&str> {
    let rest = code.trim_start();
    let rest = rest.strip_prefix("pub ").unwrap_or(rest).strip_prefix("const ")?;
    rest.split(':').next().map(str::trim)
}

/// Whether a word stands in a text, not inside a longer one.
fn has_word(text: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(is_word) && !text[at + word.len()..].starts_with(is_word))
}

/// Whether a path goes on after this text rather than beginning: `$X/…`, `a/…`, `https://x/…`.
fn goes_on(before: &str) -> bool {
    before.ends_with(|c: char| c.is_alphanumeric() || "._-/}*)".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    const NOTHING: [&str; 0] = [];

    #[test]
    fn a_missing_header_is_found() {
        assert_eq!(places(headers, &[("a.rs", "use b;\n"), ("c.rs", "//! C.\n")]), ["a.rs:1"]);
    }

    #[test]
    fn a_bare_limit_is_found() {
        let text = "//! Bounds.\n/// Fine.\npub const A_MAX: u8 = 1;\npub const B_MAX: u8 = 2;\n/// Odd.\nconst C: u8 = 3;\n";
        assert_eq!(
            places(limits, &[("x/limits.rs", text), ("x/other.rs", text)]),
            ["x/limits.rs:4", "x/limits.rs:6"]
        );
    }

    #[test]
    fn a_machine_path_is_found() {
        let path = |folder: &str| format!("a\ncd /{folder}/x\n");
        for folder in MACHINE_FOLDERS {
            assert_eq!(places(machine_paths, &[("a.sh", &path(folder))]), ["a.sh:2"], "{folder}");
        }
        let relative = format!("$HOME/{0}/a b/{0}/c ${{X}}/{0}/ x.org/{0}/\n", MACHINE_FOLDERS[2]);
        assert_eq!(places(machine_paths, &[("a.sh", &relative)]), NOTHING);
        assert_eq!(places(machine_paths, &[("rules/a.yml", &path("tmp"))]), NOTHING);
        let literals = format!("\"PWD=/{0}/x\"\n\"/{0}/x\"\n", MACHINE_FOLDERS[1]);
        assert_eq!(places(machine_paths, &[("a.rs", &literals)]), ["a.rs:2"]);
    }

    #[test]
    fn undone_work_is_found() {
        for marker in MARKERS {
            let comment = format!("//! A.\nfn f() {{}} // {marker}: later\n");
            assert_eq!(places(markers, &[("a.rs", &comment)]), ["a.rs:2"], "{marker}");
            assert_eq!(places(markers, &[("a.md", &format!("\n{marker}\n"))]), ["a.md:2"], "{marker}");
        }
        for call in UNDONE {
            assert_eq!(
                places(markers, &[("a.rs", &format!("fn f() {{ {call}() }}\n"))]),
                ["a.rs:1"],
                "{call}"
            );
        }
        let harmless = format!("const {0}S: &str = \"{0}\";\n", MARKERS[0]);
        assert_eq!(places(markers, &[("a.rs", &harmless)]), NOTHING);
    }

    #[test]
    fn a_lint_silenced_without_reason_is_found() {
        let text = "#[allow(dead_code)]\nfn a() {}\n#![expect(\n  dead_code,\n)]\n#[allow(dead_code, reason = \"why\")]\n#[derive(Debug)]\n";
        assert_eq!(places(silenced_lints, &[("a.rs", text)]), ["a.rs:1", "a.rs:3"]);
    }

    #[test]
    fn an_unbounded_queue_is_found() {
        let text = "let a = mpsc::channel();\nlet b = crossbeam_channel::unbounded::<u8>();\nlet c = bounded(4);\nfn unbounded_thing() {}\n";
        assert_eq!(places(unbounded_queues, &[("a.rs", text)]), ["a.rs:1", "a.rs:2"]);
    }

    #[test]
    fn an_unwrap_outside_tests_is_found() {
        let text = "fn f() {\n  a.unwrap();\n  \".unwrap()\";\n}\n#[cfg(test)]\nmod tests {\n  fn g() { a.unwrap() }\n}\n";
        assert_eq!(places(unwraps, &[("a.rs", text), ("tests/b.rs", text)]), ["a.rs:2"]);
    }
}
