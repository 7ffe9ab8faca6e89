//! Tests of the YAML tree: places, scalar kinds, splitting, refusals.

use std::path::PathBuf;
use std::sync::Arc;

use super::*;

fn read_text(text: &str) -> (Option<Node>, Vec<String>) {
    let mut findings = Findings::new(Arc::new(PathBuf::from("rule.yml")));
    let node = split(text).into_iter().map(|piece| read(&mut findings, piece, 1_000)).next_back().flatten();
    let shown = findings
        .into_list()
        .into_iter()
        .map(|finding| format!("{}:{} {}", finding.place.line, finding.place.column, finding.code))
        .collect();
    (node, shown)
}

/// The tree in one line with places: `line:column`, then the value.
fn show(node: &Node) -> String {
    let at = format!("{}:{}", node.place.line, node.place.column);
    match &node.data {
        Data::Scalar(scalar) => format!("{at} {:?}={}", scalar.kind(), scalar.text),
        Data::List(nodes) => format!("{at} [{}]", nodes.iter().map(show).collect::<Vec<_>>().join(", ")),
        Data::Map(entries) => {
            let entry = |entry: &Entry| {
                format!(
                    "{}@{}:{} -> {}",
                    entry.key,
                    entry.key_place.line,
                    entry.key_place.column,
                    show(&entry.value)
                )
            };
            format!("{at} {{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
    }
}

fn check(text: &str, expect: &str) {
    let (node, findings) = read_text(text);
    assert_eq!(node.as_ref().map(show).as_deref(), Some(expect), "{text}");
    assert_eq!(findings, Vec::<String>::new(), "{text}");
}

#[test]
fn every_node_knows_its_place() {
    check(
        "a: 1\nb:\n  - x\n  - 'y'\n",
        "1:1 {a@1:1 -> 1:4 Number(1.0)=1, b@2:1 -> 3:3 [3:5 Text=x, 4:5 Text=y]}",
    );
    check("é: \"ü\" \n", "1:1 {é@1:1 -> 1:4 Text=ü}");
    check("a:\nb: ~\n", "1:1 {a@1:1 -> 1:1 Null=, b@2:1 -> 2:4 Null=~}");
    check("{a: [1, {b: c}]}\n", "1:1 {a@1:2 -> 1:5 [1:6 Number(1.0)=1, 1:9 {b@1:10 -> 1:13 Text=c}]}");
    check("a: |\n  x\n  y\n", "1:1 {a@1:1 -> 2:3 Text=x\ny\n}");
    check("a: x\n  y\n", "1:1 {a@1:1 -> 1:4 Text=x y}");
    check("# c\n---\n# d\na: b\n", "4:1 {a@4:1 -> 4:4 Text=b}");
}

#[test]
fn scalars_follow_the_core_schema() {
    for (text, expect) in [
        ("null", Kind::Null),
        ("~", Kind::Null),
        ("", Kind::Null),
        ("Null", Kind::Null),
        ("nUll", Kind::Text),
        ("true", Kind::Bool(true)),
        ("FALSE", Kind::Bool(false)),
        ("yes", Kind::Text),
        ("no", Kind::Text),
        ("on", Kind::Text),
        ("4625", Kind::Number(4625.0)),
        ("-12", Kind::Number(-12.0)),
        ("+7", Kind::Number(7.0)),
        ("0123", Kind::Number(123.0)),
        ("0o17", Kind::Number(15.0)),
        ("0x1F", Kind::Number(31.0)),
        ("0x", Kind::Text),
        ("0xfg", Kind::Text),
        ("1.5", Kind::Number(1.5)),
        (".5", Kind::Number(0.5)),
        ("5.", Kind::Number(5.0)),
        ("1e3", Kind::Number(1000.0)),
        ("1_000", Kind::Text),
        ("10.0.0.1", Kind::Text),
        ("2024-01-31", Kind::Text),
        (".inf", Kind::Text),
        ("inf", Kind::Text),
        ("nan", Kind::Text),
        ("infinity", Kind::Text),
        ("e5", Kind::Text),
        (".", Kind::Text),
        ("-", Kind::Text),
    ] {
        let scalar = |plain| Scalar { text: text.to_owned(), plain };
        assert_eq!(scalar(true).kind(), expect, "{text}");
        assert_eq!(scalar(false).kind(), Kind::Text, "'{text}'");
    }
    check("a: !!str 12\n", "1:1 {a@1:1 -> 1:10 Text=12}");
}

#[test]
fn a_file_is_cut_at_its_markers() {
    for (text, expect) in [
        ("", vec![]),
        ("# only\n\n", vec![]),
        ("---\n---\n", vec![]),
        ("a: 1\n", vec![(1, "a: 1\n")]),
        ("a: 1", vec![(1, "a: 1")]),
        ("---\na: 1\n---\nb: 2\n", vec![(1, "---\na: 1\n"), (3, "---\nb: 2\n")]),
        ("%YAML 1.2\n---\na: 1\n", vec![(2, "---\na: 1\n")]),
        ("a: 1\n...\n# x\nb: 2\n", vec![(1, "a: 1\n...\n"), (3, "# x\nb: 2\n")]),
        ("--- {a: 1}\n", vec![(1, "--- {a: 1}\n")]),
        ("a: |\n  ---\n----\n", vec![(1, "a: |\n  ---\n----\n")]),
        ("--- # c\n", vec![]),
    ] {
        let pieces: Vec<_> = split(text).iter().map(|piece| (piece.first_line, piece.text)).collect();
        assert_eq!(pieces, expect, "{text}");
    }
}

#[test]
fn what_is_refused_says_where() {
    let deep = format!("a: {}1{}\n", "[".repeat(80), "]".repeat(80));
    for (text, expect) in [
        ("a: 1\na: 2\n", "2:1 duplicate_key"),
        ("a: &x 1\nb: *x\n", "2:4 yaml_alias"),
        ("a: !thing 1\n", "1:11 yaml_tag"),
        ("a: b: c\n", "1:5 yaml_syntax"),
        ("a: [1\n", "1:4 yaml_syntax"),
        ("x: 1\n---\ny:\n  - 'open\n", "5:1 yaml_syntax"),
        ("? [a]\n: 1\n", "1:3 yaml_key"),
        (deep.as_str(), "1:68 yaml_syntax"),
    ] {
        assert_eq!(read_text(text).1, vec![expect.to_owned()], "{text}");
    }
}
