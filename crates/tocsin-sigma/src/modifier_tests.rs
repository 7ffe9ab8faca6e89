//! Tests of modifiers: what each makes of its values, and which uses are refused, and where.

use crate::test_support::{detection, findings, show};

/// A rule whose only search identifier has this one line, which stands at 5:5.
fn rule(line: &str) -> String {
    format!("title: t\nlogsource: {{product: x}}\ndetection:\n  s:\n    {line}\n  condition: s\n")
}

fn check(line: &str, expect: &str) {
    let shown = show(&detection(&rule(line)).condition);
    assert_eq!(shown.strip_prefix("s:"), Some(expect), "{line}");
}

fn refused(line: &str, expect: &str) {
    assert_eq!(findings(&rule(line)), vec![expect.to_owned()], "{line}");
}

#[test]
fn values_keep_their_type() {
    check("F: text", "F=[<text>]");
    check("F: 4625", "F=4625(4625)");
    check("F: 0x10", "F=16(0x10)");
    check("F: '4625'", "F=[<4625>]");
    check("F: true", "F=true");
    check("F: 'true'", "F=[<true>]");
    check("F: yes", "F=[<yes>]");
    check("F: null", "F=null");
    check("F: ~", "F=null");
    check("F:", "F=null");
    check("F: ''", "F=[]");
    check("F: [a, 1, false]", "F=[<a>] | 1(1) | false");
    check("F|all: [a*, '*b']", "F=[<a>*] & [*<b>]");
    check("'some field': a", "some field=[<a>]");
    check("a.b-c_d: a", "a.b-c_d=[<a>]");
    check("F | contains: a", "F=[*<a>*]");
}

#[test]
fn ends_are_opened() {
    check("F|contains: a", "F=[*<a>*]");
    check("F|startswith: a", "F=[<a>*]");
    check("F|endswith: a", "F=[*<a>]");
    check("F|contains: '*a*'", "F=[*<a>*]");
    check("F|contains: 4625", "F=[*<4625>*]");
    check("F|contains: true", "F=[*<true>*]");
    check(r"F|endswith: '\cmd.exe'", r"F=[*<\cmd.exe>]");
    check(r"F|endswith: 'a\'", r"F=[*<a\>]");
    check(r"F|startswith: 'a\*'", r"F=[<a*>*]");
    check("F|contains|all: [a, b]", "F=[*<a>*] & [*<b>*]");
    check("F|all|contains: [a, b]", "F=[*<a>*] & [*<b>*]");
    check("F|cased: aB", "F=cased[<aB>]");
    check("F|contains|cased: aB", "F=cased[*<aB>*]");
    check("F|cased: 12", "F=12(12)");
}

#[test]
fn negation_is_around_all_values() {
    check("F|neq: a", "(not F=[<a>])");
    check("F|neq: [a, 1]", "(not F=[<a>] | 1(1))");
    check("F|contains|neq: a", "(not F=[*<a>*])");
    check("F|neq: null", "(not F=null)");
    check("F|fieldref|neq: G", "(not F=field(G))");
    check("F|neq|cidr: 10.0.0.0/8", "(not F=cidr(ffff0a000000/104))");
}

#[test]
fn dashes_of_options() {
    check("F|windash: -x", "F=[~<x>]");
    check("F|windash|contains: ' /x -y'", "F=[*< >~<x >~<y>*]");
    check("F|contains|windash: ' -x'", "F=[*< >~<x>*]");
    check("F|windash|base64: -a", "F=[<LWE=>] | [<L2E=>] | [<4oCTYQ==>] | [<4oCUYQ==>] | [<4oCVYQ==>]");
}

#[test]
fn encodings() {
    check("F|base64: foobar", "F=[<Zm9vYmFy>]");
    check("F|base64: 1", "F=[<MQ==>]");
    check(r"F|base64: 'a\*'", "F=[<YSo=>]");
    check("F|base64offset|contains: foobar", "F=[*<Zm9vYmFy>*] | [*<Zvb2Jhc>*] | [*<mb29iYX>*]");
    check(
        "F|base64offset|contains|all: [abc, def]",
        "(and F=[*<YWJj>*] | [*<FiY>*] | [*<hYm>*] F=[*<ZGVm>*] | [*<RlZ>*] | [*<kZW>*])",
    );
    check("F|wide|base64: ab", "F=[<YQBiAA==>]");
    check("F|utf16le|base64: ab", "F=[<YQBiAA==>]");
    check("F|utf16be|base64: ab", "F=[<AGEAYg==>]");
    check("F|utf16|base64: ab", "F=[<//5hAGIA>]");
    check("F|wide|base64: é", "F=[<6QA=>]");
    check("F|wide|contains: ab", "F=[*<a\0b\0>*]");
    check("F|base64|cased: ab", "F=cased[<YWI=>]");
}

#[test]
fn expressions_numbers_networks_and_references() {
    check(r"F|re: '\d+\.exe*'", r"F=/\d+\.exe*/");
    check("F|re: 12", "F=/12/");
    check("F|re|i: a", "F=/a/i");
    check("F|re|ignorecase|multiline|dotall: a", "F=/a/ims");
    check("F|re|i|m|s: [a, b]", "F=/a/ims | /b/ims");
    check("F|re|contains: a", "F=/a/");
    check(r"F|re: '\${?x'", r"F=/\$\{?x/");
    check("F|gt: 1.5", "F=Gt(1.5)");
    check("F|gte: -1", "F=Gte(-1)");
    check("F|lt: [1, 2]", "F=Lt(1) | Lt(2)");
    check("F|lte: 0x10", "F=Lte(16)");
    check("F|exists: true", "F=exists(true)");
    check("F|exists: false", "F=exists(false)");
    check("F|cidr: 10.0.0.0/8", "F=cidr(ffff0a000000/104)");
    check(
        "F|cidr: [fe80::/10, 1.2.3.4]",
        "F=cidr(fe800000000000000000000000000000/10) | cidr(ffff01020304/128)",
    );
    check("F|fieldref: G", "F=field(G)");
    check("F|fieldref|startswith: G", "F=field(G)*");
    check("F|fieldref|endswith: G", "F=*field(G)");
    check("F|fieldref|contains|cased: G", "F=*field(G)*cased");
}

#[test]
fn parts_of_a_time() {
    check("F|hour: 3", "F=hour.Eq(3)");
    check("F|hour|gte: 22", "F=hour.Gte(22)");
    check("F|hour|lt: [6, 7]", "F=hour.Lt(6) | hour.Lt(7)");
    check("F|week: 53", "F=week.Eq(53)");
    check("F|neq|day: 1", "(not F=day.Eq(1))");
    check("F|minute|lte: 59", "F=minute.Lte(59)");
    check("F|month: 12", "F=month.Eq(12)");
    check("F|year|gt: 2025", "F=year.Gt(2025)");
    refused("F|hour: '3'", "5:13 error date_value");
    refused("F|hour: 24", "5:13 error date_value");
    refused("F|hour: 1.5", "5:13 error date_value");
    refused("F|month: [1, 0]", "5:18 error date_value");
    refused("F|day|gt: x", "5:15 error date_value");
}

#[test]
fn placeholders() {
    let text = "admins: [root, 'adm*']\nnets: [10.0.0.0/8, 192.168.0.0/16]\nword: '[a-z]+'\n";
    let (placeholders, _) = crate::local::Placeholders::read(&std::sync::Arc::default(), text);
    let local = crate::local::Local { placeholders, ..Default::default() };
    let check = |line: &str, expect: &str| {
        let (documents, diagnostics) = crate::parse_with(std::sync::Arc::default(), &rule(line), &local);
        let crate::ast::Body::Detection(detection) = &documents[0].body else { panic!("{diagnostics:?}") };
        assert_eq!(show(&detection.condition).strip_prefix("s:"), Some(expect), "{line}");
    };
    check("F|expand: '%admins%'", "F=[<root>] | [<adm>*]");
    check("F|contains|expand: '%admins%'", "F=[*<root>*] | [*<adm>*]");
    check("F|expand|startswith: 'x%admins%'", "F=[<xroot>*] | [<xadm>*]");
    check("F|expand|all: ['%admins%', b]", "(and F=[<root>] | [<adm>*] F=[<b>])");
    check("F|cidr|expand: '%nets%'", "F=cidr(ffff0a000000/104) | cidr(ffffc0a80000/112)");
    check("F|re|expand: '^%word%$'", "F=/^(?:[a-z]+)$/");
    check("F|expand: plain", "F=[<plain>]");
    check("F: '%admins%'", "F=[<%admins%>]");
    check(r"F|expand: '\%admins\%'", "F=[<%admins%>]");
    check("'|expand': '%admins%'", "ANY=[*<root>*] | [*<adm>*]");
    refused("F|expand: '%admins%'", "5:15 error unknown_placeholder");
    refused("F|re|expand: '%admins%'", "5:18 error unknown_placeholder");
    refused("F|expand: ['x', '%a%']", "5:21 error unknown_placeholder");
}

#[test]
fn keywords_stand_anywhere() {
    let keywords = |selection: &str| {
        let rule =
            format!("title: t\nlogsource: {{product: x}}\ndetection:\n  s: {selection}\n  condition: s\n");
        show(&detection(&rule).condition)
    };
    assert_eq!(keywords("[a, 'b*c', 12]"), "s:ANY=[*<a>*] | [*<b>*<c>*] | [*<12>*]");
    assert_eq!(keywords("a"), "s:ANY=[*<a>*]");
    assert_eq!(keywords("{'|all': [a, b]}"), "s:ANY=[*<a>*] & [*<b>*]");
    assert_eq!(keywords("{'|re': 'a+'}"), "s:ANY=/a+/");
    assert_eq!(keywords("{'|contains|cased': a}"), "s:ANY=cased[*<a>*]");
}

#[test]
fn chains_that_make_no_sense() {
    refused("F|startwith: a", "5:5 error unknown_modifier");
    refused("F|: a", "5:5 error unknown_modifier");
    refused("F|gt|hour: 3", "5:5 error modifier_order");
    refused("F|hour|gt|lt: 3", "5:5 error modifier_order");
    refused("F|hour|day: 3", "5:5 error modifier_order");
    refused("F|hour|contains: 3", "5:5 error modifier_order");
    refused("'|hour': 3", "5:5 error no_field");
    refused("F|base64|expand: '%x%'", "5:5 error modifier_order");
    refused("F|expand|re: '%x%'", "5:5 error modifier_order");
    refused("F|exists|expand: true", "5:5 error modifier_order");
    refused("F|contains|re: a", "5:5 error modifier_order");
    refused("F|i: a", "5:5 error modifier_order");
    refused("F|re|base64: a", "5:5 error modifier_order");
    refused("F|re|windash: a", "5:5 error modifier_order");
    refused("F|re|cased: a", "5:5 error modifier_order");
    refused("F|contains|cidr: a", "5:5 error modifier_order");
    refused("F|cidr|contains: 10.0.0.0/8", "5:5 error modifier_order");
    refused("F|gt|lt: 1", "5:5 error modifier_order");
    refused("F|exists|neq: true", "5:5 error modifier_order");
    refused("F|contains|fieldref: G", "5:5 error modifier_order");
    refused("'|exists': true", "5:5 error no_field");
    refused("'|startswith': a", "5:5 error no_field");
    refused("'': a", "5:5 error no_field");
    refused("F|all: a", "5:5 warning all_single_value");
    refused("F|base64offset: abc", "5:5 warning offset_without_contains");
}

#[test]
fn values_that_make_no_sense() {
    refused("F: []", "5:5 error no_value");
    refused("F: [a, null]", "5:12 error null_in_list");
    refused("F: [a, [b]]", "5:12 error value_shape");
    refused("F: {G: a}", "5:8 error value_shape");
    refused("F|contains: null", "5:17 error null_value");
    refused("F|exists: 'true'", "5:15 error exists_value");
    refused("F|exists: yes", "5:15 error exists_value");
    refused("F|gt: '5'", "5:11 error compare_value");
    refused("F|gt: five", "5:11 error compare_value");
    refused("F|cidr: 10.0.0.1/8", "5:13 error cidr_value");
    refused("F|cidr: [10.0.0.0/8, nonsense]", "5:26 error cidr_value");
    refused("F|fieldref: G*", "5:17 error fieldref_value");
    refused("F|fieldref: ''", "5:17 error fieldref_value");
    refused("F|re: '('", "5:11 error regex_value");
    refused("F|re: '(?=a)'", "5:11 error regex_value");
    refused(r"F|re: '(a)\1'", "5:11 error regex_value");
    refused("F|base64: a*", "5:15 error encoded_value");
    refused("F|windash|base64: -a -b -c -d", "5:23 error encoded_value");
    refused("F|contains|base64: a", "5:24 error encoded_value");
    refused("F|wide|utf16be: a", "5:21 error encoded_value");
    refused("F|utf16: a", "5:14 error encoded_value");
    refused("F|base64offset|contains: a", "5:30 error encoded_value");
}

#[test]
fn hints_say_what_to_do() {
    for (line, expect) in [
        ("F|startwith: a", "did you mean `startswith`?"),
        ("F|contain: a", "did you mean `contains`?"),
        ("F|gt: '5'", "write it without quotes"),
        ("F|cidr: 10.1.2.3/8", "write `10.0.0.0/8`, or a single address without prefix length"),
        ("F|re: '(?!a)'", "Tocsin matches in linear time; write it without, with `not` in the condition"),
    ] {
        let (_, diagnostics) = crate::test_support::load(&rule(line));
        assert_eq!(diagnostics[0].hint.as_deref(), Some(expect), "{line}");
    }
}
