//! The matcher of all rules at once and the explanation of one rule must agree on every event:
//! they share the syntax tree and nothing else.

#![expect(clippy::unwrap_used, reason = "a generated rule that does not compile is a defect of the test")]

#[path = "explained/generate.rs"]
mod generate;

use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use tocsin_core::batch::{Event, EventBatch, RawBatch, RecordSpan};
use tocsin_core::decoder::Decoder;
use tocsin_core::matcher::RuleMatch;
use tocsin_core::time::Timestamp;
use tocsin_core::value::Value;
use tocsin_decode::decoder::RecordDecoder;
use tocsin_decode::format::FormatContext;
use tocsin_decode::taxonomy::Taxonomy;
use tocsin_sigma::ast::{Body, Detection, Document, LogSource};
use tocsin_sigma::compile::{Options, compile};
use tocsin_sigma::explain::{EventValues, explain};
use tocsin_sigma::logsource::{OwnSources, gate};
use tocsin_sigma::ruleset::RuleSet;

use generate::Rule;

/// A document around a generated rule.
fn document(index: usize, rule: &Rule) -> Document {
    let text = format!(
        "title: rule {index}\nname: r{index}\nlogsource:\n  category: x\ndetection:\n  a: x\n  condition: a\n"
    );
    let (documents, _) = tocsin_sigma::parse(Arc::new(PathBuf::from("generated.yml")), &text);
    let mut document = documents.into_iter().next().unwrap();
    let logsource = LogSource { category: Some(rule.category.to_string()), ..LogSource::default() };
    let condition = rule.condition.clone();
    let gate = gate(&logsource, &OwnSources::default());
    document.body = Body::Detection(Detection { logsource, gate, condition, selections: Vec::new() });
    document
}

fn decode(rules: &mut RuleSet, records: &[String]) -> EventBatch {
    let table = Arc::new(std::mem::take(&mut rules.table));
    let context = FormatContext { taxonomy: Taxonomy::new(table), as_of: Timestamp::MIN };
    let mut raw = RawBatch::default();
    for record in records {
        raw.records.push(RecordSpan { start: raw.bytes.len() as u32, len: record.len() as u32 });
        raw.bytes.extend_from_slice(record.as_bytes());
        raw.bytes.push(b'\n');
    }
    RecordDecoder::auto(context).decode(raw)
}

/// Whether a rule matches an event, by its explanation.
fn explained(rules: &RuleSet, rule: usize, batch: &EventBatch, event: &Event) -> bool {
    let Body::Detection(detection) = &rules.rules[rule].document.body else { panic!("a detection") };
    let values = |field: &str| -> Vec<Value<'_>> {
        let field = batch.table.get(field).unwrap();
        let slots = batch.slots(event).iter().filter(|slot| slot.field == field);
        slots.map(|slot| batch.value(slot)).collect()
    };
    let record = std::str::from_utf8(batch.raw.record(event.record)).unwrap();
    explain(detection, &EventValues { values: &values, record }).holds
}

/// Runs the matcher twice, the second time from its memory, and holds it against explanations.
fn check(rules: &[Rule], records: &[String]) -> Result<usize, TestCaseError> {
    let documents = rules.iter().enumerate().map(|(index, rule)| document(index, rule)).collect();
    let (mut set, diagnostics) = compile(documents, Options { gate: true });
    prop_assert_eq!(set.rules.len(), rules.len(), "{:?}", diagnostics);
    let batch = decode(&mut set, records);
    prop_assert_eq!(&batch.quarantined, &[]);
    let mut matcher = set.matcher_factory(7)();
    let (mut fresh, mut remembered) = (Vec::new(), Vec::new());
    matcher.matches(&batch, &mut fresh);
    matcher.matches(&batch, &mut remembered);
    prop_assert_eq!(&fresh, &remembered);
    let mut expected = Vec::new();
    for (event, decoded) in batch.events.iter().enumerate() {
        for index in 0..rules.len() {
            if explained(&set, index, &batch, decoded) {
                let rule = tocsin_core::matcher::RuleIdx(index as u32);
                expected.push(RuleMatch { event: event as u32, rule });
            }
        }
    }
    prop_assert_eq!(&fresh, &expected, "matcher, then explanation");
    Ok(expected.len())
}

proptest! {
    #[test]
    fn matcher_and_explanation_agree(
        rules in prop::collection::vec(generate::rule(), 1..5),
        records in prop::collection::vec(generate::record(), 1..6),
    ) {
        check(&rules, &records)?;
    }

    /// Small rules meet their events often, so that what holds is tried as often as what does not.
    #[test]
    fn they_agree_on_single_tests(
        rules in prop::collection::vec(generate::single_test(), 1..8),
        records in prop::collection::vec(generate::record(), 1..6),
    ) {
        check(&rules, &records)?;
    }
}
