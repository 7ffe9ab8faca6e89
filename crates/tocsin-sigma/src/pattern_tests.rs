//! Tests of Sigma text: escapes, wildcards, case folding, dashes.

use super::*;
use crate::test_support::show_pattern;

/// A pattern's parts without the brackets around them.
fn show(pattern: &Pattern) -> String {
    let shown = show_pattern(pattern);
    shown[1..shown.len() - 1].to_owned()
}

#[test]
fn every_escape_of_the_specification() {
    for (text, expect) in [
        ("", ""),
        ("plain", "<plain>"),
        (r"\*", "<*>"),
        (r"\?", "<?>"),
        (r"\\", r"<\>"),
        (r"\\x", r"<\x>"),
        (r"\x", r"<\x>"),
        (r"C:\Windows\system32", r"<C:\Windows\system32>"),
        (r"trailing\", r"<trailing\>"),
        (r"\", r"<\>"),
        (r"\\*", r"<\>*"),
        (r"\\?", r"<\>?"),
        (r"\\\*", r"<\*>"),
        (r"\\\?", r"<\?>"),
        (r"\\\\", r"<\\>"),
        (r"\\\\*", r"<\\>*"),
        (r"\\\x", r"<\\x>"),
        (r"\\\\x", r"<\\x>"),
        (r"\\\\\x", r"<\\\x>"),
        (r"\\*\\", r"<\>*<\>"),
        ("*", "*"),
        ("**", "*"),
        ("*?*", "*?*"),
        ("a*b?c", "<a>*<b>?<c>"),
        ("*a", "*<a>"),
        ("a??", "<a>??"),
        ("%x%", "<%x%>"),
        ("a\nb", "<a\nb>"),
    ] {
        assert_eq!(show(&Pattern::parse(text)), expect, "{text}");
    }
}

#[test]
fn the_whole_value_must_match() {
    for (text, value, expect) in [
        ("", "", true),
        ("", "a", false),
        ("a", "", false),
        ("abc", "abc", true),
        ("abc", "abcd", false),
        ("abc", "xabc", false),
        ("*", "", true),
        ("*", "a\nb\r\n", true),
        ("a*c", "a\n\nc", true),
        ("a*c", "ac", true),
        ("a*c", "acb", false),
        ("a*b*c", "a.c.b.c", true),
        ("*ab", "aab", true),
        ("*aab*", "aaab", true),
        ("?", "", false),
        ("?", "\n", true),
        ("?", "é", true),
        ("?", "ab", false),
        ("a??", "abc", true),
        ("*?", "", false),
        ("*?", "x", true),
        (r"\*", "*", true),
        (r"\*", "x", false),
        (r"*\cmd.exe", r"C:\Windows\cmd.exe", true),
        (r"\\\\host\\*", r"\\host\share", true),
    ] {
        assert_eq!(Pattern::parse(text).matches(value), expect, "{text} on {value}");
    }
}

#[test]
fn case_folds_by_simple_folding_unless_cased() {
    for (text, value, folded, cased) in [
        ("CMD.exe", "cmd.EXE", true, false),
        ("straße", "STRASSE", false, false),
        ("Ärger", "äRGER", true, false),
        ("σ", "ς", true, false),
        ("k", "\u{212a}", true, false),
        ("ſ", "S", true, false),
        ("İ", "i", false, false),
        ("a[b", "A{B", false, false),
        ("same", "same", true, true),
    ] {
        let mut pattern = Pattern::parse(text);
        assert_eq!(pattern.matches(value), folded, "{text} on {value}");
        pattern.cased = true;
        assert_eq!(pattern.matches(value), cased, "{text} on {value}, cased");
    }
}

#[test]
fn open_ends_are_added_once() {
    for (text, start, end, both) in [
        ("a", "*<a>", "<a>*", "*<a>*"),
        ("*a*", "*<a>*", "*<a>*", "*<a>*"),
        ("", "*", "*", "*"),
        ("?", "*?", "?*", "*?*"),
        (r"\*a", "*<*a>", "<*a>*", "*<*a>*"),
    ] {
        let open = |at_start: bool, at_end: bool| {
            let mut pattern = Pattern::parse(text);
            if at_start {
                pattern.open_start();
            }
            if at_end {
                pattern.open_end();
            }
            show(&pattern)
        };
        assert_eq!(open(true, false), start, "{text}");
        assert_eq!(open(false, true), end, "{text}");
        assert_eq!(open(true, true), both, "{text}");
    }
}

#[test]
fn a_dash_that_begins_an_option_is_any_dash() {
    for (text, expect) in [
        ("-foo", "~<foo>"),
        ("/foo", "~<foo>"),
        (" -foo /bar", "< >~<foo >~<bar>"),
        ("foo-bar", "<foo-bar>"),
        ("foo -", "<foo ->"),
        ("--foo", "<->~<foo>"),
        ("a -b-c", "<a >~<b-c>"),
        ("*-x", "*~<x>"),
        ("a?-x", "<a>?~<x>"),
        ("-*", "<->*"),
        ("-\u{e9}", "~<\u{e9}>"),
        ("_-x", "<_-x>"),
        ("- x", "<- x>"),
    ] {
        assert_eq!(show(&Pattern::parse(text).with_dashes()), expect, "{text}");
    }
    let pattern = Pattern::parse("a -b /c").with_dashes();
    for first in DASHES {
        for second in DASHES {
            assert!(pattern.matches(&format!("A {first}B {second}C")));
        }
    }
    assert!(!pattern.matches("a +b /c"));
}

#[test]
fn literals_are_told_from_patterns() {
    assert_eq!(Pattern::parse(r"a\*b").as_literal(), Some("a*b"));
    assert_eq!(Pattern::parse("").as_literal(), Some(""));
    assert_eq!(Pattern::parse("a*").as_literal(), None);
    assert_eq!(show(&Pattern::literal("a*")), "<a*>");
    assert_eq!(show(&Pattern::literal("")), "");
}
