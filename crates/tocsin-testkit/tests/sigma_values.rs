//! Rules as text against records as text: what the differential test (`differential/`) has found
//! stays found.

use std::path::PathBuf;
use std::sync::Arc;

use tocsin_core::batch::{RawBatch, RecordSpan};
use tocsin_core::decoder::Decoder;
use tocsin_core::time::Timestamp;
use tocsin_decode::decoder::RecordDecoder;
use tocsin_decode::format::FormatContext;
use tocsin_decode::taxonomy::Taxonomy;
use tocsin_pipeline::plan::{LoadOptions, RuleFile, load};

/// Whether a rule of one selection matches a record.
fn matches(selection: &str, record: &str) -> bool {
    let text =
        format!("title: t\nlogsource: {{category: c}}\ndetection:\n  s: {selection}\n  condition: s\n");
    let file = RuleFile { path: PathBuf::from("rule.yml"), text };
    let loaded = load(&[file], LoadOptions { gate: false, seed: 7, ..LoadOptions::default() });
    assert_eq!(loaded.rules.rules.len(), 1, "{selection}: {:?}", loaded.diagnostics);
    let taxonomy = Taxonomy::new(Arc::clone(&loaded.plan.table));
    let mut decoder = RecordDecoder::auto(FormatContext { taxonomy, as_of: Timestamp::MIN });
    let mut raw = RawBatch::default();
    raw.records.push(RecordSpan { start: 0, len: record.len() as u32 });
    raw.bytes.extend_from_slice(record.as_bytes());
    let batch = decoder.decode(raw);
    let mut found = Vec::new();
    loaded.rules.matcher_factory(7)().matches(&batch, &mut found);
    !found.is_empty()
}

#[test]
fn expressions_end_as_in_pcre() {
    for (expression, value, expect) in [
        ("re: 'a$'", r"xa", true),
        ("re: 'a$'", r"a\n", true),
        ("re: 'a$'", r"a\n\n", false),
        ("re: 'a$'", r"a\nb", false),
        ("re|m: 'a$'", r"a\nb", true),
        ("re: '(?m)a$'", r"a\nb", true),
        ("re: '^$'", r"\n", true),
        (r"re: 'a\$'", "a$", true),
        (r"re: '^[$a]*$'", "a$a", true),
    ] {
        let selection = format!("{{f|{expression}}}");
        assert_eq!(matches(&selection, &format!(r#"{{"f":"{value}"}}"#)), expect, "{expression} {value}");
    }
}

#[test]
fn addresses_may_have_a_zone() {
    for (value, expect) in
        [("fe80::1%12", true), ("fe80::1%eth0", true), ("fe80::1%", false), ("::1%1", false)]
    {
        assert_eq!(matches("{f|cidr: 'fe80::/10'}", &format!(r#"{{"f":"{value}"}}"#)), expect, "{value}");
    }
}
